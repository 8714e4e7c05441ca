//! The repository as text: which files there are, and Rust source with its prose blanked out.

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file.
pub struct Source {
    /// Relative to the root of the repository.
    pub path: PathBuf,
    /// The file as it stands.
    pub text: String,
    /// The same lines with the insides of comments, strings and characters replaced by spaces.
    pub code: String,
}

impl Source {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: code_only(&text), text }
    }

    pub fn read_all(root: &Path, files: &[PathBuf]) -> Vec<Self> {
        read_all(root, files, "rs", Self::new)
    }
}

/// A Markdown file.
pub struct Document {
    /// Relative to the root of the repository.
    pub path: PathBuf,
    pub text: String,
}

impl Document {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub fn read_all(root: &Path, files: &[PathBuf]) -> Vec<Self> {
        read_all(root, files, "md", Self::new)
    }
}

fn read_all<T>(
    root: &Path,
    files: &[PathBuf],
    ending: &str,
    new: impl Fn(PathBuf, String) -> T,
) -> Vec<T> {
    let wanted = files.iter().filter(|path| path.extension().is_some_and(|e| e == ending));
    wanted.map(|path| new(path.clone(), read(&root.join(path)))).collect()
}

/// The text of a file that must be readable.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The root of the repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests package lies one folder below the root").to_owned()
}

/// Every file of the project, relative to `root`, sorted. Build output and `.git` are left out.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of the repository is readable");
        for path in entries.map(|entry| entry.expect("so is its entry").path()) {
            match path.is_dir() {
                true if is_output(&path) => {}
                true => folders.push(path),
                false => found.push(path.strip_prefix(root).expect("below root").to_owned()),
            }
        }
    }
    found.sort();
    found
}

fn is_output(folder: &Path) -> bool {
    folder.ends_with("target") || folder.ends_with(".git") || folder.join("CACHEDIR.TAG").exists()
}

/// What the lexer is inside of.
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text { hashes: Option<usize> },
}

/// Replaces comments and the insides of literals by spaces. Lines keep their numbers; quotes stay.
pub fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let (mut at, mut inside) = (0, Inside::Code);
    while at < chars.len() {
        let (taken, shown, next) = step(&chars[at..], inside, code.chars().next_back());
        let taken_chars = chars[at..at + taken].iter().enumerate();
        code.extend(taken_chars.map(|(i, &c)| if i < shown || c == '\n' { c } else { ' ' }));
        (at, inside) = (at + taken, next);
    }
    code
}

/// One step: how many characters it takes, how many of these are code, and what comes next.
fn step(rest: &[char], inside: Inside, before: Option<char>) -> (usize, usize, Inside) {
    match inside {
        Inside::Code => step_code(rest, before),
        Inside::LineComment if rest[0] == '\n' => (1, 1, Inside::Code),
        Inside::LineComment => (1, 0, Inside::LineComment),
        Inside::BlockComment { depth } => step_block(rest, depth),
        Inside::Text { hashes: None } if rest[0] == '\\' => (rest.len().min(2), 0, inside),
        Inside::Text { hashes: None } if rest[0] == '"' => (1, 1, Inside::Code),
        Inside::Text { hashes: Some(n) } if closes_raw(rest, n) => (n + 1, n + 1, Inside::Code),
        Inside::Text { .. } => (1, 0, inside),
    }
}

fn step_code(rest: &[char], before: Option<char>) -> (usize, usize, Inside) {
    match rest {
        ['/', '/', ..] => (2, 0, Inside::LineComment),
        ['/', '*', ..] => (2, 0, Inside::BlockComment { depth: 1 }),
        ['"', ..] => (1, 1, Inside::Text { hashes: None }),
        ['r', ..] if !is_word(before) || matches!(before, Some('b' | 'c')) => step_raw(rest),
        ['\'', '\\', ..] => (character_end(rest), 1, Inside::Code),
        ['\'', _, '\'', ..] => (3, 1, Inside::Code),
        _ => (1, 1, Inside::Code),
    }
}

fn step_block(rest: &[char], depth: usize) -> (usize, usize, Inside) {
    match rest {
        ['*', '/', ..] if depth == 1 => (2, 0, Inside::Code),
        ['*', '/', ..] => (2, 0, Inside::BlockComment { depth: depth - 1 }),
        ['/', '*', ..] => (2, 0, Inside::BlockComment { depth: depth + 1 }),
        _ => (1, 0, Inside::BlockComment { depth }),
    }
}

/// `r"`, `r#"` and so on open a raw string; any other `r` is a letter of a word.
fn step_raw(rest: &[char]) -> (usize, usize, Inside) {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    match rest.get(1 + hashes) {
        Some('"') => (hashes + 2, hashes + 2, Inside::Text { hashes: Some(hashes) }),
        _ => (1, 1, Inside::Code),
    }
}

fn closes_raw(rest: &[char], hashes: usize) -> bool {
    rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&c| c == '#')
}

/// Length of an escaped character literal such as `'\n'` or `'\u{1F600}'`.
fn character_end(rest: &[char]) -> usize {
    let close = rest.iter().skip(3).position(|&c| c == '\'');
    close.map_or(rest.len(), |index| index + 4)
}

/// Whether `c` may be part of an identifier.
pub fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Byte positions at which `word` stands alone in `line`, with no letter, digit or `_` beside it.
pub fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    line.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = line[at + word.len()..].chars().next();
        !is_word(line[..at].chars().next_back()) && !is_word(after)
    })
}

#[test]
fn comments_and_literals_are_blanked() {
    let blank = |text| code_only(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blank("a // unsafe {\nb"), "a b");
    assert_eq!(blank("a /* x /* y */ z */ b"), "a b");
    assert_eq!(blank(r#"f("unsafe \" {") + g"#), r#"f(" ") + g"#);
    assert_eq!(blank("r##\"a\"# unsafe\"## b"), "r##\" \"## b");
    assert_eq!(blank("br\"\\\" + 'a' + x"), "br\" \" + ' + x");
    assert_eq!(blank("fn f<'a>(c: &'a str) { '\"'; '\\''; '\\u{7f}' }"), {
        "fn f<'a>(c: &'a str) { ' ; ' ; ' }"
    });
}

#[test]
fn lines_keep_their_numbers() {
    let text = "\"one\ntwo\"\n/* three\nfour */ five\n// six\nseven";
    let code = code_only(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(code.lines().nth(3).unwrap().contains("five"));
    assert!(!code.contains("six"));
    assert_eq!(code.lines().nth(5), Some("seven"));
}

#[test]
fn a_word_stands_alone() {
    assert_eq!(words("unsafe_code unsafe {", "unsafe").collect::<Vec<_>>(), [12]);
    assert_eq!(words("aaaa, aaa", "aaa").collect::<Vec<_>>(), [6]);
}
