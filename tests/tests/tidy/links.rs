//! Links between the documents of the repository lead somewhere.
//!
//! Links to other sites are not followed: a test must not need the network.

use crate::Violation;
use crate::source::{Document, read};
use crate::text::numbered;
use std::path::{Component, Path, PathBuf};

/// Reports relative links whose file, folder or heading is not there.
pub fn broken(root: &Path, documents: &[Document], found: &mut Vec<Violation>) {
    let exists = |path: &Path| root.join(path).exists();
    let heading = |path: &Path| slugs(&read(&root.join(path)));
    for document in documents {
        check(document, &exists, &heading, found);
    }
}

fn check(
    document: &Document,
    exists: &dyn Fn(&Path) -> bool,
    headings: &dyn Fn(&Path) -> Vec<String>,
    found: &mut Vec<Violation>,
) {
    let mut complain = |line, what| found.push(Violation::new(&document.path, line, what));
    for (number, line) in prose(&document.text) {
        for target in targets(&line).into_iter().filter(|target| !is_foreign(target)) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = resolve(&document.path, file);
            if !exists(&path) {
                complain(number, format!("`{target}` leads nowhere"));
            } else if !anchor.is_empty() && !headings(&path).contains(&anchor.to_owned()) {
                complain(number, format!("`{target}`: no such heading"));
            }
        }
    }
}

fn is_foreign(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// The lines outside code blocks, numbered, with code spans blanked.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut in_code = false;
    numbered(text).filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then(|| (number, without_spans(line)))
    })
}

/// Blanks what stands between backticks.
fn without_spans(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { " " }).collect()
}

/// The targets of `[text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let named = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    inline.chain(named.map(|(_, target)| target.trim())).collect()
}

/// The file that `target` means, seen from `document`. An empty target is the document itself.
fn resolve(document: &Path, target: &str) -> PathBuf {
    if target.is_empty() {
        return document.to_owned();
    }
    let mut path = document.parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            // A link to `/` means another thing on every site: let it fail.
            other => path.push(other),
        }
    }
    path
}

/// The anchors that a forge makes of the headings.
fn slugs(text: &str) -> Vec<String> {
    let mut in_code = false;
    let headings = text.lines().filter(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code && line.starts_with('#')
    });
    headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
fn complaints(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let exists = |path: &Path| ["doc/a.md", "doc", "b.md"].contains(&path.to_str().unwrap());
    let headings = |_: &Path| slugs("# One thing\n```sh\n# not this\n```\n## `two`: and more\n");
    check(&Document::new("doc/a.md", text), &exists, &headings, &mut found);
    crate::lines_of(&found)
}

#[test]
fn a_link_to_nothing_is_found() {
    assert_eq!(complaints("[a](a.md)\n[b](b.md) and [c](../b.md)\n[d]: c.md\n"), [2, 3]);
    assert_eq!(complaints("[`code`](gone.rs) [x](/b.md) [y](../doc/)"), [1, 1]);
}

#[test]
fn a_link_to_a_heading_that_is_not_there_is_found() {
    assert_eq!(complaints("[a](#one-thing)\n[b](#not-this)\n[c](../b.md#two-and-more)"), [2]);
    assert_eq!(complaints("[c](../b.md#three)"), [1]);
}

#[test]
fn code_and_other_sites_are_left_alone() {
    assert_eq!(complaints("[a](https://example.org/x)\n```text\n[b](gone.md)\n```\n"), []);
    assert_eq!(complaints("`[b](gone.md)` and `x](y`"), []);
}
