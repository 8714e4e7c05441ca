//! The house rules, as an ordinary test.
//!
//! It reads the repository as text and lists every violation at once, as `file:line: what`. There
//! is no list of exemptions. Each rule is tried on planted bad input beside it, because a check
//! that cannot fail is worth nothing.

#![forbid(unsafe_code)]

mod cancellation;
mod layout;
mod links;
mod manifest;
mod modules;
mod source;
mod text;
mod unsafe_notes;
mod walks;

use source::{Document, Source};
use std::fmt;
use std::path::{Path, PathBuf};

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    file: PathBuf,
    line: usize,
    what: String,
}

impl Violation {
    fn new(file: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

#[test]
fn the_house_rules_hold() {
    let root = source::root();
    let files = source::files(&root);
    assert!(files.len() > 10, "the walk found only {} files in {root:?}", files.len());
    let mut found = every_violation(&root, &files);
    found.sort();
    let list: Vec<_> = found.iter().map(Violation::to_string).collect();
    assert!(list.is_empty(), "{} violations:\n{}", list.len(), list.join("\n"));
}

fn every_violation(root: &Path, files: &[PathBuf]) -> Vec<Violation> {
    let sources = Source::read_all(root, files);
    let documents = Document::read_all(root, files);
    let mut found = Vec::new();
    sources.iter().for_each(|source| rust_rules(source, &mut found));
    links::broken(root, &documents, &mut found);
    modules::orphans(root, files, &sources, &mut found);
    manifest::check_core(root, &mut found);
    layout::circles(&sources, &mut found);
    layout::contents(&sources, &mut found);
    layout::too_many(&sources, &mut found);
    walks::untrue(root, &sources, &mut found);
    for document in &documents {
        text::plain_words(&document.path, &document.text, &mut found);
    }
    found
}

fn rust_rules(source: &Source, found: &mut Vec<Violation>) {
    text::line_width(source, found);
    text::module_doc(source, found);
    text::journey(source, found);
    text::banned_words(source, found);
    text::plain_words(&source.path, &source.text, found);
    text::pointers(source, found);
    text::drop_guards(source, found);
    text::foreign_paths(source, found);
    unsafe_notes::missing(source, found);
    cancellation::missing(source, found);
}

/// What a rule says about planted text: the lines it complains about.
#[cfg(test)]
fn lines_of(found: &[Violation]) -> Vec<usize> {
    found.iter().map(|violation| violation.line).collect()
}
