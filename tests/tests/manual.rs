//! The manual of the core names what is there: every invariant that unsafe code stands on, and only
//! tests and files that exist.
//!
//! It reads the sources as text. An invariant is what a module's docs have in bold; a name with two
//! underscores or more, in code font, is a test or a model. Of the manual of miniss-linux it reads
//! the tables that tell which name is which here.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file of the core, or of the tests.
struct File {
    /// As the manual names it: below `miniss-core/src`, or below the root.
    path: String,
    text: String,
}

impl File {
    /// What its module docs have in bold, without the stop at the end.
    fn invariants(&self) -> impl Iterator<Item = &str> {
        let docs = self.text.lines().filter(|line| line.starts_with("//!"));
        docs.flat_map(|line| between(line, "**")).map(name_of)
    }

    fn has_unsafe_code(&self) -> bool {
        !self.text.contains("#![forbid(unsafe_code)]")
    }

    fn is_test(&self) -> bool {
        ["tests", "loom.rs", "shuttle.rs"].iter().any(|name| self.path.contains(name))
    }
}

/// A chapter, as plain text: without the marks of comments.
fn chapter(name: &str) -> String {
    let path = core().join("manual").join(name).with_extension("rs");
    prose(&fs::read_to_string(path).expect("it is a chapter"))
}

fn prose(text: &str) -> String {
    let docs = text.lines().filter_map(|line| line.strip_prefix("//!"));
    docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the tests package lies one folder below the root").to_owned()
}

fn core() -> PathBuf {
    root().join("miniss-core/src")
}

/// All Rust files below `folder`, named from `base`.
fn files(folder: &Path, base: &Path) -> Vec<File> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let files = paths.flat_map(|path| match path.extension() {
        _ if path.is_dir() => files(&path, base),
        Some(ending) if ending == "rs" => {
            let text = fs::read_to_string(&path).expect("it is text");
            let path = path.strip_prefix(base).expect("below it").display().to_string();
            vec![File { path, text }]
        }
        _ => Vec::new(),
    });
    files.collect()
}

/// The code of the core, without manual and contents page.
fn modules() -> Vec<File> {
    let is_module = |file: &File| !file.path.starts_with("manual") && file.path != "lib.rs";
    files(&core(), &core()).into_iter().filter(is_module).collect()
}

/// The pieces of `text` that stand between one `mark` and the next.
fn between<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).step_by(2)
}

fn name_of(bold: &str) -> &str {
    bold.trim_end_matches(['.', ':'])
}

/// The entries of the chapter on safety: a name in bold, and all that is said of it.
fn entries(chapter: &str) -> Vec<(String, String)> {
    let items = chapter.split("\n- **").skip(1);
    items
        .filter_map(|item| {
            let (name, rest) = item.split_once("**")?;
            let end = rest.find("\n- ").or_else(|| rest.find("\n\n")).unwrap_or(rest.len());
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            Some((name_of(&name).into(), rest[..end].into()))
        })
        .collect()
}

/// What is declared in `modules` and has no entry that names its file; then the reverse.
fn differences(modules: &[File], chapter: &str) -> Vec<String> {
    let entries = entries(chapter);
    let is_told = |file: &File, name: &str| {
        let code = format!("`{}`", file.path);
        entries.iter().any(|(entry, text)| entry == name && text.contains(&code))
    };
    let declared: Vec<_> =
        modules.iter().flat_map(|file| file.invariants().map(move |name| (file, name))).collect();
    let untold =
        declared.iter().filter(|(file, name)| file.has_unsafe_code() && !is_told(file, name));
    let untold = untold.map(|(file, name)| format!("{}: {name} is not in the chapter", file.path));
    let gone = entries.iter().filter(|(entry, _)| !declared.iter().any(|(_, name)| name == entry));
    let gone = gone.map(|(entry, _)| format!("{entry}: no module declares it"));
    untold.chain(gone).collect()
}

/// What is in code font in a chapter, examples left out.
fn code_words(chapter: &str) -> BTreeSet<String> {
    let outside = chapter.split("```").step_by(2);
    outside.flat_map(|text| between(text, "`").map(String::from).collect::<Vec<_>>()).collect()
}

fn is_test_name(word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    word.chars().all(is_name) && word.matches('_').count() >= 2
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

const CHAPTERS: [&str; 5] = ["journey", "porting", "memory", "safety", "measuring"];

#[test]
fn the_chapter_on_safety_has_every_invariant() {
    let modules: Vec<_> = modules().into_iter().filter(|file| !file.is_test()).collect();
    assert!(modules.iter().flat_map(File::invariants).count() > 50, "the modules were not read");
    assert_none("safety.rs", &differences(&modules, &chapter("safety")));
}

/// An emphasised or quoted name in a note must be one that a module declares.
#[test]
fn every_note_cites_an_invariant_that_is_declared() {
    let modules = modules();
    let declared: BTreeSet<_> = modules.iter().flat_map(File::invariants).collect();
    let code = modules.iter().filter(|file| !file.is_test());
    let wrong = code.flat_map(|file| {
        let cited = notes(&file.text).flat_map(|note| cited(&note)).collect::<Vec<_>>();
        let wrong = cited.into_iter().filter(|name| !declared.contains(name.as_str()));
        wrong.map(|name| format!("{}: {name}", file.path)).collect::<Vec<_>>()
    });
    assert_none("no module declares", &wrong.collect::<Vec<_>>());
}

/// The `SAFETY:` notes of a file, each with all its lines.
fn notes(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let starts = (0..lines.len()).filter({
        let lines = lines.clone();
        move |&at| lines[at].starts_with("// SAFETY:")
    });
    starts.map(move |at| {
        let comment = lines[at..].iter().map_while(|line| line.strip_prefix("// "));
        comment.collect::<Vec<_>>().join(" ")
    })
}

/// What a note has between asterisks or quotes and begins like a name.
fn cited(note: &str) -> Vec<String> {
    let outside_code: String = note.split('`').step_by(2).collect();
    let marked = ["*", "\""].into_iter().flat_map(|mark| between(&outside_code, mark));
    marked.filter(|name| name.starts_with(char::is_uppercase)).map(String::from).collect()
}

/// Whether `file` has a function of this name.
fn defines(file: &File, function: &str) -> bool {
    ["(", "<"].iter().any(|after| file.text.contains(&format!("fn {function}{after}")))
}

/// The function that a word in code font names: a test, or a method as `Type::method`.
fn function_of(word: &str) -> Option<&str> {
    match word.split_once("::") {
        None => is_test_name(word).then_some(word),
        Some((owner, method)) => {
            let is_type = owner.starts_with(char::is_uppercase);
            (is_type && method.starts_with(char::is_lowercase)).then_some(method)
        }
    }
}

#[test]
fn the_tests_and_functions_that_chapters_name_are_there() {
    let all: Vec<_> = files(&root().join("tests"), &root()).into_iter().chain(modules()).collect();
    let is_there = |name: &str| all.iter().any(|file| defines(file, name));
    let wrong = CHAPTERS.iter().flat_map(|name| {
        let words = code_words(&chapter(name)).into_iter();
        let missing = words.filter(|word| function_of(word).is_some_and(|name| !is_there(name)));
        missing.map(move |word| format!("{name}: {word}")).collect::<Vec<_>>()
    });
    assert_none("there is no function", &wrong.collect::<Vec<_>>());
}

#[test]
fn the_files_that_chapters_name_are_there() {
    let is_there = |word: &str| core().join(word).exists() || root().join(word).exists();
    let wrong = CHAPTERS.iter().flat_map(|name| {
        let words = code_words(&chapter(name)).into_iter();
        let missing = words
            .filter(|word| word.ends_with(".rs") && word.contains('/'))
            .filter(|word| !is_there(word));
        missing.map(move |word| format!("{name}: {word}")).collect::<Vec<_>>()
    });
    assert_none("there is no file", &wrong.collect::<Vec<_>>());
}

const WORDS_MAX: usize = 30;

/// The terms that the chapter on words explains, and the items that it names beside them.
fn terms(chapter: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let entries = chapter.split("\n- **").skip(1).map(|entry| format!("**{entry}"));
    let heads = entries.map(|entry| entry.split(": ").next().unwrap_or_default().to_owned());
    let marked = |head: &str, mark| between(head, mark).map(String::from).collect();
    heads.map(|head| (marked(&head, "**"), marked(&head, "`"))).collect()
}

/// Whether one of `files` declares an item of this name; of a path, all of its parts.
fn declares(files: &[File], item: &str) -> bool {
    let keywords = ["struct", "enum", "trait", "type", "fn", "union", "mod", "macro_rules!"];
    item.split("::").all(|name| {
        let starts = keywords.map(|keyword| format!("{keyword} {name}"));
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let declares = |text: &str, start: &str| {
            let mut after = text.match_indices(start).map(|(at, _)| &text[at + start.len()..]);
            after.any(|after| !after.starts_with(is_name))
        };
        files.iter().any(|file| starts.iter().any(|start| declares(&file.text, start)))
    })
}

/// What is wrong with a list of terms: too many, explained twice, or of an item that is not there.
fn wrong_words(chapter: &str, files: &[File]) -> Vec<String> {
    let terms = terms(chapter);
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let words: Vec<&String> = terms.iter().flat_map(|(words, _)| words).collect();
    if words.len() > WORDS_MAX {
        wrong.push(format!("{} terms, {WORDS_MAX} are allowed", words.len()));
    }
    wrong.extend(
        words.iter().filter(|word| !seen.insert(**word)).map(|word| format!("{word} twice")),
    );
    let items = terms.iter().flat_map(|(_, items)| items);
    wrong.extend(items.filter(|item| !declares(files, item)).map(|item| format!("no `{item}`")));
    wrong
}

#[test]
fn each_term_has_one_meaning_and_its_item_is_there() {
    let linux = root().join("miniss-linux/src");
    let files: Vec<_> = modules().into_iter().chain(files(&linux, &linux)).collect();
    let chapter = chapter("words");
    assert!(terms(&chapter).len() > 15, "the terms were not read");
    assert_none("words.rs", &wrong_words(&chapter, &files));
}

#[test]
fn a_term_that_is_wrong_is_found() {
    let files =
        [file("a.rs", "pub struct Lane<T>;\nimpl Lane { fn push(&self) {} }\nenum Laney {}")];
    let check = |text: &str| wrong_words(&format!("Words.\n\n{text}"), &files);
    assert_eq!(check("- **lane** (`Lane`, `Lane::push`): a `Queue`.\n- **a**, **b**: c."), [""; 0]);
    assert_eq!(
        check("- **lane** (`Lan`): a queue.\n- **a**: b.\n- **a**: c."),
        ["a twice", "no `Lan`"]
    );
    assert_eq!(check("- **lane** (`Lane::pop`): a queue."), ["no `Lane::pop`"]);
    let many: String = (0..31).map(|n| format!("- **{n}**: a.\n")).collect();
    assert_eq!(check(&many), ["31 terms, 30 are allowed"]);
}

/// What is wrong with a table of names: in its second column each is a link, which rustdoc follows,
/// and has the name of an item, which a link by itself need not have.
fn wrong_names(chapter: &str, files: &[File]) -> Vec<String> {
    let rows = chapter.lines().filter(|line| line.starts_with("| ") && !line.contains("| here"));
    let ours = rows.filter_map(|row| row.split(" | ").nth(1));
    let wrong = ours.flat_map(|cell| {
        let unlinked = between(cell, "`").filter(|name| !cell.contains(&format!("[`{name}`]")));
        let is_there = |name: &str| declares(files, name.trim_end_matches('!'));
        let gone = between(cell, "`").filter(move |name| !is_there(name));
        let unlinked = unlinked.map(|name| format!("`{name}` is no link"));
        unlinked.chain(gone.map(|name| format!("no `{name}`"))).collect::<Vec<_>>()
    });
    wrong.collect()
}

#[test]
fn the_names_beside_those_of_tokio_and_of_seastar_are_there() {
    let linux = root().join("miniss-linux");
    let files: Vec<_> = modules().into_iter().chain(files(&linux, &linux)).collect();
    for name in ["from_tokio", "from_seastar"] {
        let path = linux.join("src/manual").join(name).with_extension("rs");
        let chapter = prose(&fs::read_to_string(path).expect("it is a chapter"));
        assert!(chapter.matches("\n| `").count() > 30, "{name}: the rows were not read");
        assert_none(name, &wrong_names(&chapter, &files));
    }
}

#[test]
fn a_name_in_a_table_that_is_wrong_is_found() {
    let files = [file("a.rs", "pub fn spawn() {}\nmacro_rules! local {}\npub mod sync;")];
    let check = |cell: &str| wrong_names(&format!("| its | here |\n| `it` | {cell} | |"), &files);
    assert_eq!(check("[`spawn`](crate::spawn), [`local!`](x), [`sync`](x)"), [""; 0]);
    assert_eq!(
        check("`spawn`, [`sync::gone`](crate::sync)"),
        ["`spawn` is no link", "no `sync::gone`"]
    );
}

fn file(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into() }
}

#[test]
fn what_is_missing_is_found() {
    let modules = [
        file("a/b.rs", "//! A.\n//!\n//! - **Kept.** Says so.\n//! - **Lost.** Says so."),
        file("c.rs", "#![forbid(unsafe_code)]\n//! **Safe.** No unsafe code."),
    ];
    let text =
        "\n- **Kept.** `a/b.rs`. Upheld.\n  Shown.\n- **Lost.** `other.rs`.\n- **Old.** `c.rs`.";
    let found = differences(&modules, text);
    assert_eq!(found, ["a/b.rs: Lost is not in the chapter", "Old: no module declares it"]);
}

#[test]
fn notes_are_read_to_their_end() {
    let text =
        "f();\n    // SAFETY: *Owner only*: by `*x`, and\n    // \"Own list\" as well.\n    g();";
    let notes: Vec<_> = notes(text).collect();
    assert_eq!(notes, ["SAFETY: *Owner only*: by `*x`, and \"Own list\" as well."]);
    assert_eq!(cited(&notes[0]), ["Owner only", "Own list"]);
}

#[test]
fn words_in_code_font_are_found_outside_of_examples() {
    let words = code_words("a `b_c_d` and\n`e.rs`\n```\n`f`\n```\n`g`");
    assert_eq!(words.iter().map(String::as_str).collect::<Vec<_>>(), ["b_c_d", "e.rs", "g"]);
    let functions = ["b_c_d", "Type::f", "is_local", "std::mem", "Type::Variant"].map(function_of);
    assert_eq!(functions, [Some("b_c_d"), Some("f"), None, None, None]);
}

#[test]
fn what_the_walk_through_the_port_quotes_stands_in_the_port() {
    let port = fs::read_to_string(root().join("examples/own-reactor/port.rs")).expect("it is text");
    let lines: Vec<_> = port.lines().map(str::trim).collect();
    let chapter = chapter("porting");
    let quoted: Vec<_> = between(&chapter, "```")
        .filter_map(|block| block.strip_prefix("text\n"))
        .flat_map(str::lines)
        .collect();
    assert!(quoted.len() >= 5, "the quotes were not read");
    let is_gone = |line: &&&str| !lines.contains(&line.trim());
    assert_none(
        "not in port.rs",
        &quoted.iter().filter(is_gone).map(|l| (*l).into()).collect::<Vec<_>>(),
    );
}
