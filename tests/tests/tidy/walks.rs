//! The walks of the architecture page are true: a reader who follows one finds at each stop what
//! the page says, and opens no more files than are allowed.
//!
//! A walk is a heading below *Four walks* and a numbered list under it, a stop an item:
//! `` 1. [name.rs](path/name.rs): `enter()` and `Type::go()` …; then `next()` and `other()`. `` A
//! function before `; then`, in code font with `()`, is defined in that file. A function behind it
//! is called there, and a later stop enters it. Where it is called through a trait, a table or by
//! another name, the item says which: ``then `wake_on()` as `wake` ``. So each stop but the first
//! enters a function that an earlier stop calls; or it goes on from elsewhere, such as the
//! executor's loop, by a call into a file where the walk has been.

use crate::Violation;
use crate::source::{Source, read, words};
use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = "ARCHITECTURE.md";
const CHAPTER: &str = "## Four walks";

/// Each walk, by how its heading begins, and how many files it may take.
const FILES_MAX: [(&str, usize); 4] =
    [("`stream.read().await`", 18), ("`submit_to`", 12), ("`sleep`", 12), ("`spawn`", 9)];

/// One item of a walk.
#[derive(Debug, PartialEq, Eq)]
struct Stop {
    line: usize,
    file: String,
    /// The functions that are entered here.
    enters: Vec<String>,
    /// The functions that are called next, each with the name that the file calls it by.
    then: Vec<(String, String)>,
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
        let (before, after) = (&walk.stops[..index], &walk.stops[index + 1..]);
        let mut wrong = wrong_in_file(stop, sources);
        let is_entered = |name: &str| after.iter().any(|stop| stop.enters(name));
        let lost = stop.then.iter().filter(|(name, _)| !is_entered(name));
        wrong.extend(lost.map(|(name, _)| format!("no later stop enters `{name}()`")));
        let is_called =
            before.iter().flat_map(|from| &from.then).any(|(name, _)| stop.enters(name));
        if index > 0 && !is_called && !leads_back(stop, before, after) {
            wrong.push("no earlier stop calls what this one enters".into());
        }
        found.extend(wrong.into_iter().map(|what| complaint(stop.line, what)));
    }
}

/// Whether a stop calls into a file in which the walk has been.
fn leads_back(stop: &Stop, before: &[Stop], after: &[Stop]) -> bool {
    let is_known = |file: &str| before.iter().any(|stop| stop.file == file);
    let next = stop.then.iter().filter_map(|(name, _)| after.iter().find(|to| to.enters(name)));
    next.into_iter().any(|next| is_known(&next.file))
}

impl Stop {
    fn enters(&self, function: &str) -> bool {
        self.enters.iter().any(|name| name == function)
    }
}

/// What the file of a stop does not define or name.
fn wrong_in_file(stop: &Stop, sources: &[Source]) -> Vec<String> {
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
    let unnamed = stop.then.iter().filter(|(_, called)| !names(source, called));
    wrong.extend(unnamed.map(|(_, called)| format!("`{file}` does not name `{called}`")));
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
    let enters = calls(here).into_iter().map(|(name, _)| name).collect();
    Some(Stop { line, file: file.to_owned(), enters, then: calls(rest) })
}

/// What stands in code font and ends in `()`, without that; and the name after `as`, or the same.
fn calls(text: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = text.split('`').collect();
    let functions = (1..parts.len()).step_by(2).filter_map(|at| {
        let name = parts[at].strip_suffix("()")?;
        let other = parts.get(at + 2).filter(|_| parts[at + 1].trim() == "as");
        Some((name.to_owned(), (*other.unwrap_or(&name)).to_owned()))
    });
    functions.collect()
}

#[cfg(test)]
const PLANTED: &str = "# Page\n\n## Four walks\n\n\
    ### `stream.read().await`: 2 files\n\n\
    1. [a.rs](a.rs): `read()` makes\n   a future, in `A::poll()`; then `go()`.\n\
    2. [b.rs](b.rs): `go()` goes; then `poll()` as `wake`.\n\
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
    assert_eq!(walks[0].stops[1].then, [("poll".to_owned(), "wake".to_owned())]);
}

#[test]
fn a_wrong_walk_is_found() {
    for (before, after, line, what) in [
        ("[b.rs](b.rs)", "[b.rs](gone.rs)", 9, "there is no file `gone.rs`"),
        ("`A::poll()`", "`A::drop()`", 7, "`a.rs` defines no `A::drop()`"),
        ("`A::poll()`", "`B::poll()`", 7, "`a.rs` defines no `B::poll()`"),
        ("`go()` goes", "`gone()` goes", 9, "`b.rs` defines no `gone()`"),
        ("`go()` goes", "it goes", 9, "the stop names no function, as `name()`"),
        ("`poll()` ends", "`read()` ends", 10, "no earlier stop calls what this one enters"),
        ("then `go()`", "then `went()`", 7, "`a.rs` does not name `went`"),
        ("then `go()`", "then `read()`", 7, "no later stop enters `read()`"),
        ("` as `wake`", "` as `read`", 9, "`b.rs` does not name `read`"),
        (" as `wake`", "", 9, "`b.rs` does not name `poll`"),
        ("`poll()` ends", "`poll()`; then `read()`", 10, "no later stop enters `read()`"),
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
