//! Rules on the text of one file: width, module doc, place line, words that must not stay.

use crate::Violation;
use crate::source::{Source, words};
use std::ffi::OsStr;

const WIDTH_CHARS_MAX: usize = 100;

/// The place line stands near the top of the module doc.
const PLACE_LINES_MAX: usize = 6;

/// Notes to ourselves, split so that this file does not break its own rule.
const BANNED: &[(&str, &str)] = &[
    (concat!("to", "do!"), "write the code, or return an error"),
    (concat!("d", "bg!"), "remove it"),
    (concat!("unimple", "mented!"), "write the code, or return an error"),
    (concat!("TO", "DO"), "do it, or say in a sentence what is missing"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("X", "XX"), "say in a sentence what is meant"),
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

/// Every module of the core says where on the journey it stands.
pub fn place_line(source: &Source, found: &mut Vec<Violation>) {
    if needs_place_line(source) && !source.text.lines().take(PLACE_LINES_MAX).any(is_place_line) {
        let what = format!("no place line (`a ─▶ [b]`) in the first {PLACE_LINES_MAX} lines");
        found.push(Violation::new(&source.path, 1, what));
    }
}

fn needs_place_line(source: &Source) -> bool {
    let name = source.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_test = source.path.components().any(|part| part.as_os_str() == "tests");
    let exempt_by_kind = is_test || ["lib.rs", "tests.rs", "loom.rs"].contains(&name);
    source.path.starts_with("miniss-core/src") && !exempt_by_kind
}

fn is_place_line(line: &str) -> bool {
    line.starts_with("//!") && line.contains("─▶") && line.contains('`')
}

/// Nothing is left that a developer meant to come back to. Comments and strings count too.
pub fn banned_words(source: &Source, found: &mut Vec<Violation>) {
    for (number, line) in numbered(&source.text) {
        for (word, instead) in BANNED.iter().filter(|(word, _)| holds_word(line, word)) {
            found.push(Violation::new(&source.path, number, format!("`{word}`: {instead}")));
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
fn a_module_of_the_core_without_place_line_is_found() {
    let placed = "//! An idea.\n//!\n//! `task ─▶ [idea]`\n";
    let late = format!("//! An idea.\n{}//! `task ─▶ [idea]`\n", "//!\n".repeat(5));
    let check = |path, text| complaints(place_line, path, text);
    assert_eq!(check("miniss-core/src/idea.rs", placed), []);
    assert_eq!(check("miniss-core/src/idea.rs", "//! An idea.\n"), [1]);
    assert_eq!(check("miniss-core/src/idea/mod.rs", &late), [1]);
    assert_eq!(check("miniss-core/src/idea/tests.rs", "//! Tests.\n"), []);
    assert_eq!(check("miniss-linux/src/idea.rs", "//! An idea.\n"), []);
}

#[test]
fn each_banned_word_is_found() {
    for (word, _) in BANNED {
        let text = format!("//! a\n{word}(x)\n// see {word}\nx{word}\n{word}_");
        let expected: &[usize] = if word.ends_with('!') { &[2, 3, 5] } else { &[2, 3] };
        assert_eq!(complaints(banned_words, "a.rs", &text), expected, "{word}");
    }
}

#[test]
fn each_foreign_path_is_found() {
    for path in FOREIGN {
        let text = format!("//! {path}/x\na{path}/y\n\"{path}\"\n{path}space\n../{path}/z");
        assert_eq!(complaints(foreign_paths, "a.rs", &text), [1, 3, 5], "{path}");
    }
}
