//! Rules on the text of one file: width, module doc, journey, words that must not stay.

use crate::Violation;
use crate::source::{Source, words};
use std::ffi::OsStr;
use std::path::Path;

const WIDTH_CHARS_MAX: usize = 100;

/// Notes to ourselves, split so that this file does not break its own rule.
const UNFINISHED: &[(&str, &str)] = &[
    (concat!("to", "do!"), "write the code, or return an error"),
    (concat!("d", "bg!"), "remove it"),
    (concat!("unimple", "mented!"), "write the code, or return an error"),
    (concat!("TO", "DO"), "do it, or say in a sentence what is missing"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("X", "XX"), "say in a sentence what is meant"),
];

/// Words that send a reader to the dictionary, split for the same reason.
const RARE: &[(&str, &str)] = &[
    (concat!("for ", "ever"), "forever"),
    (concat!("an", "ew"), "again"),
    (concat!("who", "ever"), "someone who, or: each … that"),
    (concat!("who", "m"), "who; or say first who acts"),
    (concat!("no", "body"), "no one"),
    (concat!("le", "st"), "so that … not"),
];

/// Places on a developer's machine, split for the same reason.
const FOREIGN: &[&str] = &[concat!("/wo", "rk"), concat!("/tmp/br", "ief")];

/// No line is wider than 100 characters, but for the rows of a table, which cannot be broken.
pub fn line_width(source: &Source, found: &mut Vec<Violation>) {
    for (number, line) in numbered(&source.text) {
        let width = line.chars().count();
        let is_row = line.starts_with("//! |") || line.trim_start().starts_with("/// |");
        if width > WIDTH_CHARS_MAX && !is_row {
            let what = format!("{width} characters, {WIDTH_CHARS_MAX} are allowed");
            found.push(Violation::new(&source.path, number, what));
        }
    }
}

/// Every file opens with `//!`.
pub fn module_doc(source: &Source, found: &mut Vec<Violation>) {
    if !source.text.starts_with("//! ") {
        found.push(Violation::new(&source.path, 1, "does not open with a `//!` module doc"));
    }
}

/// The module doc of each folder shows the journey, with its stop marked; other files do not.
pub fn journey(source: &Source, found: &mut Vec<Violation>) {
    let Some(place) = place_in_crate(source) else { return };
    let drawing = numbered(&source.text).find(|(_, line)| is_drawing(line));
    match (place, drawing) {
        (Place::Folder, None) => {
            let what = "the folder's journey (`a ─▶ [b]`) is not drawn";
            found.push(Violation::new(&source.path, 1, what));
        }
        (Place::File, Some((number, _))) => {
            let what = "the journey is drawn in the folder's `mod.rs`, not in each file";
            found.push(Violation::new(&source.path, number, what));
        }
        _ => {}
    }
}

enum Place {
    Folder,
    File,
}

/// `None` for what the rule is not about: tests, the manual, contents pages of crates, and folders
/// in folders.
fn place_in_crate(source: &Source) -> Option<Place> {
    let crates = ["miniss-core/src", "miniss-linux/src"];
    let path = crates.iter().find_map(|folder| source.path.strip_prefix(folder).ok())?;
    let parts: Vec<_> = path.iter().filter_map(OsStr::to_str).collect();
    match parts.as_slice() {
        [.., "tests", _] | ["manual", ..] | ["lib.rs"] | [_, .., _, "mod.rs"] => None,
        [_, "mod.rs"] => Some(Place::Folder),
        _ => Some(Place::File),
    }
}

fn is_drawing(line: &str) -> bool {
    line.starts_with("//! `") && line.contains("─▶")
}

/// Nothing is left that a developer meant to come back to. Comments and strings count too.
pub fn banned_words(source: &Source, found: &mut Vec<Violation>) {
    for (number, line) in numbered(&source.text) {
        for (word, instead) in UNFINISHED.iter().filter(|(word, _)| holds_word(line, word)) {
            found.push(Violation::new(&source.path, number, format!("`{word}`: {instead}")));
        }
    }
}

/// Plain words only, in code and in documents, wherever they stand.
pub fn plain_words(path: &Path, text: &str, found: &mut Vec<Violation>) {
    for (number, line) in numbered(text) {
        let line = line.to_lowercase();
        for (word, instead) in RARE.iter().filter(|(word, _)| holds_word(&line, word)) {
            found.push(Violation::new(path, number, format!("`{word}`: say {instead}")));
        }
    }
}

/// The one drop guard of each library that is made of a closure.
const GUARDS: &[&str] = &["miniss-core/src/defer.rs", "miniss-linux/src/guard.rs"];

/// A drop guard of a closure is not made by hand.
pub fn drop_guards(source: &Source, found: &mut Vec<Violation>) {
    if place_in_crate(source).is_none() || GUARDS.iter().any(|guard| source.path.ends_with(guard)) {
        return;
    }
    for (number, line) in numbered(&source.code) {
        if line.starts_with("impl<F: Fn") && line.contains("> Drop for ") {
            let what = format!("a drop guard: use that of {}", GUARDS.join(" or "));
            found.push(Violation::new(&source.path, number, what));
        }
    }
}

/// A pointer to an example is no documentation.
pub fn pointers(source: &Source, found: &mut Vec<Violation>) {
    for (number, line) in numbered(&source.text) {
        let is_doc = line.trim_start().starts_with("//");
        if is_doc && line.contains("See [") && line.contains(" for an example") {
            let what = "give the example, or nothing";
            found.push(Violation::new(&source.path, number, what));
        }
    }
}

fn holds_word(line: &str, word: &str) -> bool {
    // `words` looks at both neighbours; a macro's name ends in `!`, after which anything may come.
    match word.strip_suffix('!') {
        Some(name) => words(line, name).any(|at| line[at + name.len()..].starts_with('!')),
        None => words(line, word).next().is_some(),
    }
}

/// No path of the machine on which the code was written.
pub fn foreign_paths(source: &Source, found: &mut Vec<Violation>) {
    for (number, line) in numbered(&source.text) {
        for path in FOREIGN.iter().filter(|path| holds_absolute(line, path)) {
            found.push(Violation::new(&source.path, number, format!("names `{path}`")));
        }
    }
}

fn holds_absolute(line: &str, path: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || "_-.)}".contains(c);
    words(line, path).any(|at| !line[..at].ends_with(continues))
}

/// The lines of a text with their numbers, from one.
pub fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
fn complaints(rule: fn(&Source, &mut Vec<Violation>), path: &str, text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    rule(&Source::new(path, text), &mut found);
    crate::lines_of(&found)
}

#[test]
fn a_wide_line_is_found() {
    let text = format!("//! a\n{}\n{}\n", "é".repeat(100), "é".repeat(101));
    assert_eq!(complaints(line_width, "a.rs", &text), [3]);
    let table = format!("//! | {} |\n// | {} |\n", "a".repeat(100), "a".repeat(100));
    assert_eq!(complaints(line_width, "a.rs", &table), [2]);
}

#[test]
fn a_file_without_module_doc_is_found() {
    assert_eq!(complaints(module_doc, "a.rs", "//! An idea.\n"), []);
    assert_eq!(complaints(module_doc, "a.rs", "#![no_std]\n//! An idea.\n"), [1]);
    assert_eq!(complaints(module_doc, "a.rs", ""), [1]);
}

#[test]
fn a_folder_without_journey_and_a_file_with_one_are_found() {
    let drawn = "//! An idea.\n//!\n//! `task ─▶ [idea]`\n";
    let check = |path: &str, text: &str| complaints(journey, path, text);
    for folder in ["miniss-core/src", "miniss-linux/src"] {
        let at = |path| format!("{folder}/{path}");
        assert_eq!(check(&at("idea/mod.rs"), drawn), []);
        assert_eq!(check(&at("idea/mod.rs"), "//! An idea.\n"), [1]);
        assert_eq!(check(&at("idea/part.rs"), drawn), [3]);
        assert_eq!(check(&at("idea/part.rs"), "//! A part.\n"), []);
        assert_eq!(check(&at("idea/part/mod.rs"), "//! A part.\n"), []);
        assert_eq!(check(&at("idea/tests/port.rs"), drawn), []);
    }
    assert_eq!(check("tests/src/idea.rs", drawn), []);
}

#[test]
fn each_banned_word_is_found() {
    for (word, _) in UNFINISHED {
        let text = format!("//! a\n{word}(x)\n// see {word}\nx{word}\n{word}_");
        let expected: &[usize] = if word.ends_with('!') { &[2, 3, 5] } else { &[2, 3] };
        assert_eq!(complaints(banned_words, "a.rs", &text), expected, "{word}");
    }
}

#[test]
fn each_rare_word_is_found() {
    for (word, _) in RARE {
        let (first, rest) = word.split_at(1);
        let text = format!("A {word}.\n{}{rest}\nx{word} {word}y\n", first.to_uppercase());
        let mut found = Vec::new();
        plain_words(Path::new("a.md"), &text, &mut found);
        assert_eq!(crate::lines_of(&found), [1, 2], "{word}");
    }
}

#[test]
fn a_drop_guard_made_by_hand_is_found() {
    let text = "//! a\nimpl<F: FnMut()> Drop for Last<F> {}\nimpl<F: FnMut()> Last<F> {}\n\
        impl<T: Copy> Drop for A<T> {}\n// impl<F: FnMut()> Drop for B<F>\n";
    let path = |file| format!("miniss-core/src/a/{file}");
    assert_eq!(complaints(drop_guards, &path("b.rs"), text), [2]);
    assert_eq!(complaints(drop_guards, GUARDS[0], text), []);
    assert_eq!(complaints(drop_guards, &path("tests/b.rs"), text), []);
    assert_eq!(complaints(drop_guards, "benches/src/a.rs", text), []);
}

#[test]
fn a_pointer_to_an_example_is_found() {
    let text = "//! a\n/// See [`A`] for an example.\n/// See [`A`] for examples of all.\n\
        /// As an example see [`A`].\n";
    assert_eq!(complaints(pointers, "a.rs", text), [2]);
}

#[test]
fn each_foreign_path_is_found() {
    for path in FOREIGN {
        let text = format!("//! {path}/x\na{path}/y\n\"{path}\"\n{path}space\n../{path}/z");
        assert_eq!(complaints(foreign_paths, "a.rs", &text), [1, 3, 5], "{path}");
    }
}
