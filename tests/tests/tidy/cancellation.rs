//! Every public async function of the libraries says what becomes of it when it is dropped.
//!
//! Looked at are `pub async fn` and `pub fn` that return `impl Future`: each has a `# Cancellation`
//! heading in its docs.

use crate::Violation;
use crate::source::Source;
use std::path::Path;

/// Reports each function and each future without the heading.
pub fn missing(source: &Source, found: &mut Vec<Violation>) {
    if !is_library(&source.path) {
        return;
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for index in 0..lines.len() {
        if is_async(&lines, index) && !says_so(&lines, index) {
            let what = "a public future without a `# Cancellation` section in its docs";
            found.push(Violation::new(&source.path, index + 1, what));
        }
    }
}

fn is_library(path: &Path) -> bool {
    let is_test = path.components().any(|part| part.as_os_str() == "tests");
    let is_test = is_test || path.ends_with("tests.rs") || path.ends_with("doctest.rs");
    (path.starts_with("miniss-core/src") || path.starts_with("miniss-linux/src")) && !is_test
}

/// Whether the line begins a public async function, or one whose signature ends in a future.
fn is_async(lines: &[&str], index: usize) -> bool {
    let line = lines[index].trim_start();
    if line.starts_with("pub async fn ") {
        return true;
    }
    let is_fn = line.starts_with("pub fn ") || line.starts_with("pub const fn ");
    is_fn && signature(&lines[index..]).contains("-> impl Future")
}

/// From the first line to the one that opens the body.
fn signature(lines: &[&str]) -> String {
    let end = lines.iter().position(|line| line.ends_with('{') || line.ends_with(';'));
    lines[..=end.unwrap_or(0)].concat()
}

/// Whether the docs above the line have the heading.
fn says_so(lines: &[&str], index: usize) -> bool {
    let above = lines[..index].iter().rev().map(|line| line.trim_start());
    let mut docs = above.take_while(|line| line.starts_with("//") || line.starts_with("#["));
    docs.any(|line| line == "/// # Cancellation")
}

#[test]
fn a_future_that_does_not_say_what_a_drop_does_is_found() {
    let text = "//! A file.\n\
        /// Waits.\npub async fn wait() {}\n\
        /// Waits.\n///\n/// # Cancellation\n///\n/// Safe.\n#[inline]\n// Why.\n\
        pub async fn wait_too() {}\n\
        /// Waits.\npub fn later(\n    n: u32,\n) -> impl Future<Output = ()> {\n}\n\
        /// Does not wait.\npub fn now() -> u32 {\n}\nasync fn private() {}\n";
    let found = |path| {
        let mut found = Vec::new();
        missing(&Source::new(path, text), &mut found);
        crate::lines_of(&found)
    };
    assert_eq!(found("miniss-core/src/wait.rs"), [3, 13]);
    assert_eq!(found("examples/wait/main.rs"), []);
    assert_eq!(found("miniss-core/src/wait/tests.rs"), []);
}
