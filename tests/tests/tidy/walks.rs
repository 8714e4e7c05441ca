//! The walks of the architecture page are true: a reader who follows one finds at each stop what
//! the page says, and opens no more files than are allowed.
//!
//! A walk is a heading below *Four walks* and a numbered list under it, a stop an item:
//! `` 1. [name.rs](path/name.rs): `enter()` and `Type::go()` …; then `next()` or `other()`. `` What
//! is in code font with `()` before the last `; then` is defined in that file. What follows it, one
//! or several functions, the file calls, and the next stop has it among its own. Where the call
//! goes through a trait, a table or another name, the item says so: ``then `poll()`, called as
//! `wake` ``.

use crate::Violation;
use crate::source::{Source, read, words};
use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = "ARCHITECTURE.md";
const CHAPTER: &str = "## Four walks";

/// Each walk, by how its heading begins, and how many files it may take.
const FILES_MAX: [(&str, usize); 4] =
    [("`stream.read().await`", 18), ("`submit_to`", 12), ("`sleep`", 11), ("`spawn`", 9)];

/// One item of a walk.
#[derive(Debug, PartialEq, Eq)]
struct Stop {
    line: usize,
    file: String,
    /// The functions that are entered here.
    enters: Vec<String>,
    /// The functions that are called next.
    then: Vec<String>,
    /// What the file calls them, where that is another name.
    called_as: Vec<String>,
}

struct Walk {
    line: usize,
    title: String,
    stops: Vec<Stop>,
}

/// Reports walks that are missing, too long or not true.
pub fn untrue(root: &Path, sources: &[Source], found: &mut Vec<Violation>) {
    check(&read(&root.join(PAGE)), sources, found);
}

fn check(page: &str, sources: &[Source], found: &mut Vec<Violation>) {
    let walks = walks(page);
    for (title, files_max) in FILES_MAX {
        match walks.iter().find(|walk| walk.title.starts_with(title)) {
            Some(walk) => check_walk(walk, files_max, sources, found),
            None => found.push(complaint(1, format!("there is no walk of {title}"))),
        }
    }
}

fn complaint(line: usize, what: String) -> Violation {
    Violation::new(Path::new(PAGE), line, what)
}

fn check_walk(walk: &Walk, files_max: usize, sources: &[Source], found: &mut Vec<Violation>) {
    let files: BTreeSet<&str> = walk.stops.iter().map(|stop| stop.file.as_str()).collect();
    let count = files.len();
    if count > files_max || count == 0 {
        let what = format!("the walk opens {count} files, {files_max} are allowed");
        found.push(complaint(walk.line, what));
    }
    if !walk.title.ends_with(&format!(": {count} files")) {
        found.push(complaint(walk.line, format!("the heading does not end in `: {count} files`")));
    }
    for (index, stop) in walk.stops.iter().enumerate() {
        let wrong = wrong_with(stop, walk.stops.get(index + 1), sources);
        found.extend(wrong.into_iter().map(|what| complaint(stop.line, what)));
    }
}

fn wrong_with(stop: &Stop, next: Option<&Stop>, sources: &[Source]) -> Vec<String> {
    let file = &stop.file;
    let Some(source) = sources.iter().find(|source| source.path == Path::new(file)) else {
        return vec![format!("there is no file `{file}`")];
    };
    let mut wrong = Vec::new();
    if stop.enters.is_empty() {
        wrong.push("the stop names no function, as `name()`".into());
    }
    let undefined = stop.enters.iter().filter(|name| !defines(source, name));
    wrong.extend(undefined.map(|name| format!("`{file}` defines no `{name}()`")));
    let called = if stop.called_as.is_empty() { &stop.then } else { &stop.called_as };
    let unnamed = called.iter().filter(|name| !names(source, name));
    wrong.extend(unnamed.map(|name| format!("`{file}` does not name `{name}`")));
    match next {
        None if !stop.then.is_empty() => wrong.push("the walk ends before what it calls".into()),
        Some(_) if stop.then.is_empty() => wrong.push("`; then` what? The walk goes on".into()),
        Some(next) => {
            let strangers = stop.then.iter().filter(|name| !next.enters.contains(name));
            wrong.extend(strangers.map(|name| format!("the next stop does not enter `{name}()`")));
        }
        None => {}
    }
    wrong
}

/// Whether the file has a function of this name; of `Type::name`, whether it names the type, too.
fn defines(source: &Source, function: &str) -> bool {
    let (owner, name) = function.rsplit_once("::").unwrap_or(("", function));
    let starts = words(&source.code, name).filter(|&at| source.code[..at].ends_with("fn "));
    let is_defined = starts.into_iter().any(|at| {
        let after = source.code[at + name.len()..].chars().next();
        matches!(after, Some('(' | '<'))
    });
    is_defined && (owner.is_empty() || names(source, owner))
}

fn names(source: &Source, word: &str) -> bool {
    let last = word.rsplit("::").next().unwrap_or(word);
    words(&source.code, last).next().is_some()
}

/// The walks of the chapter, in their order.
fn walks(page: &str) -> Vec<Walk> {
    let lines: Vec<&str> = page.lines().collect();
    let Some(start) = lines.iter().position(|line| *line == CHAPTER) else { return Vec::new() };
    let mut walks: Vec<Walk> = Vec::new();
    let mut index = start + 1;
    while index < lines.len() && !lines[index].starts_with("## ") {
        let line = index + 1;
        if let Some(title) = lines[index].strip_prefix("### ") {
            walks.push(Walk { line, title: title.to_owned(), stops: Vec::new() });
        }
        let item = item(&lines[index..]);
        if let (Some(walk), Some(text)) = (walks.last_mut(), item) {
            walk.stops.extend(stop(line, &text));
        }
        index += 1;
    }
    walks
}

/// The item that begins at the first of `lines`, with the lines that go on with it.
fn item(lines: &[&str]) -> Option<String> {
    let (number, _) = lines[0].split_once(". [")?;
    number.chars().all(|c| c.is_ascii_digit()).then_some(())?;
    let more = lines[1..].iter().take_while(|line| line.starts_with(' '));
    let text: Vec<_> = [lines[0]].into_iter().chain(more.map(|line| line.trim())).collect();
    Some(text.join(" "))
}

fn stop(line: usize, item: &str) -> Option<Stop> {
    let (file, text) = item.split_once("](")?.1.split_once(')')?;
    let (here, rest) = text.rsplit_once("; then ").unwrap_or((text, ""));
    let (then, called_as) = rest.split_once("called as").unwrap_or((rest, ""));
    let called_as = code(called_as).map(|word| word.trim_end_matches("()").to_owned()).collect();
    Some(Stop { line, file: file.to_owned(), enters: calls(here), then: calls(then), called_as })
}

/// What stands in code font.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What stands in code font and ends in `()`, without that.
fn calls(text: &str) -> Vec<String> {
    code(text).filter_map(|word| word.strip_suffix("()")).map(String::from).collect()
}

#[cfg(test)]
const PLANTED: &str = "# Page\n\n## Four walks\n\n\
    ### `stream.read().await`: 2 files\n\n\
    1. [a.rs](a.rs): `read()` makes\n   a future, in `A::poll()`; then `go()`.\n\
    2. [b.rs](b.rs): `go()` goes; then `poll()`, called as `wake`.\n\
    3. [a.rs](a.rs): `poll()` ends.\n\n\
    ### `submit_to`: 1 files\n\n1. [a.rs](a.rs): `read()` ends.\n\n\
    ### `sleep`: 1 files\n\n1. [a.rs](a.rs): `read()` ends.\n\n\
    ### `spawn`: 1 files\n\n1. [a.rs](a.rs): `read()` ends.\n\n\
    ## Other\n\n1. [gone.rs](gone.rs): no stop.\n";

#[cfg(test)]
fn complaints(change: (&str, &str)) -> Vec<(usize, String)> {
    let a = Source::new("a.rs", "//! A.\nstruct A;\nfn read<T>() { go() }\nfn poll() {}\n");
    let b = Source::new("b.rs", "//! B.\npub fn go(\n) { (table.wake)() }\n// read\n");
    assert!(change.0.is_empty() || PLANTED.contains(change.0), "nothing is changed");
    let page =
        if change.0.is_empty() { PLANTED.into() } else { PLANTED.replace(change.0, change.1) };
    let mut found = Vec::new();
    check(&page, &[a, b], &mut found);
    found.into_iter().map(|violation| (violation.line, violation.what)).collect()
}

#[test]
fn a_true_walk_is_followed() {
    assert_eq!(complaints(("", "")), []);
    let walks = walks(PLANTED);
    assert_eq!(walks.len(), 4);
    assert_eq!(walks[0].stops.len(), 3);
    assert_eq!(walks[0].stops[0].enters, ["read", "A::poll"]);
    assert_eq!(walks[0].stops[1].called_as, ["wake"]);
}

#[test]
fn a_wrong_walk_is_found() {
    for (before, after, line, what) in [
        ("[b.rs](b.rs)", "[b.rs](gone.rs)", 9, "there is no file `gone.rs`"),
        ("`A::poll()`", "`A::drop()`", 7, "`a.rs` defines no `A::drop()`"),
        ("`A::poll()`", "`B::poll()`", 7, "`a.rs` defines no `B::poll()`"),
        ("`go()` goes", "`gone()` goes", 9, "`b.rs` defines no `gone()`"),
        ("`go()` goes", "it goes", 9, "the stop names no function, as `name()`"),
        ("then `go()`", "then `went()`", 7, "`a.rs` does not name `went`"),
        ("then `go()`", "then `poll()`", 7, "the next stop does not enter `poll()`"),
        ("called as `wake`", "called as `read`", 9, "`b.rs` does not name `read`"),
        (", called as `wake`", "", 9, "`b.rs` does not name `poll`"),
        ("; then `poll()`, called as `wake`", "", 9, "`; then` what? The walk goes on"),
        ("`poll()` ends", "`poll()`; then `read()`", 10, "the walk ends before what it calls"),
        (".await`: 2", ".await`: 3", 5, "the heading does not end in `: 2 files`"),
        ("### `sleep`", "### `slept`", 1, "there is no walk of `sleep`"),
    ] {
        let found = complaints((before, after));
        let expected = (line, what.to_owned());
        assert!(found.contains(&expected), "{before} -> {after}: {found:?}");
    }
}

#[test]
fn a_walk_of_too_many_files_is_found() {
    let stops: Vec<String> =
        (1..=9).map(|n| format!("{n}. [{n}.rs]({n}.rs): `go()`; then `go()`.\n")).collect();
    let spawn = "### `spawn`: 1 files\n\n1. [a.rs](a.rs): `read()` ends.\n";
    let check = |end: &str, files| {
        let walk = format!("### `spawn`: {files} files\n\n{}{end}", stops.concat());
        let found = complaints((spawn, &walk));
        found.iter().any(|(_, what)| what.starts_with("the walk opens"))
    };
    assert!(!check("10. [1.rs](1.rs): `go()` ends.\n", 9));
    assert!(check("10. [a.rs](a.rs): `go()` ends.\n", 10));
}
