//! Every `unsafe` says why it is sound.
//!
//! A block or an impl has `SAFETY` or `# Safety` on its own line or in the eight lines above; a
//! function or a trait may also have it anywhere in the comments and attributes directly above.
//! A function that is only declared or that implements a trait's needs none, since the contract
//! stands where the trait is; nor does a function pointer type. Clippy's
//! `undocumented_unsafe_blocks` reads blocks more strictly; this also reads what is compiled out.

use crate::Violation;
use crate::source::{Source, is_word, words};

const NOTE_LINES_MAX: usize = 8;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A block or an impl: it says why it may.
    Use,
    /// A function with a body, or a trait: its documentation says what it asks for.
    Contract,
}

/// Reports each `unsafe` without its note.
pub fn missing(source: &Source, found: &mut Vec<Violation>) {
    let lines: Vec<&str> = source.text.lines().collect();
    for at in words(&source.code, "unsafe") {
        let (before, after) = source.code.split_at(at);
        let Some(kind) = kind(before, &after["unsafe".len()..]) else { continue };
        let index = before.matches('\n').count();
        if !is_noted(&lines, index, kind) {
            let what = "`unsafe` without a `SAFETY:` note or a `# Safety` section above it";
            found.push(Violation::new(&source.path, index + 1, what));
        }
    }
}

/// What the word `unsafe` between `before` and `after` is about, if that owes a note.
fn kind(before: &str, after: &str) -> Option<Kind> {
    let rest = skip_abi(after);
    let starts = |word| words(rest, word).next() == Some(0);
    match () {
        () if rest.starts_with('{') || starts("impl") => Some(Kind::Use),
        () if starts("trait") => Some(Kind::Contract),
        () if starts("fn") && is_definition(&rest[2..]) => {
            (!is_in_trait_impl(before)).then_some(Kind::Contract)
        }
        () => None,
    }
}

/// Whether the innermost brace that is open at the end of `before` is that of `impl … for …`.
fn is_in_trait_impl(before: &str) -> bool {
    let mut open = Vec::new();
    for (at, c) in before.char_indices() {
        match c {
            '{' => open.push(at),
            '}' => drop(open.pop()),
            _ => {}
        }
    }
    let Some(brace) = open.pop() else { return false };
    // A `;` within a line is that of an array type.
    let ends = ["{", "}", ";\n"];
    let header = &before[..brace];
    let start = ends.iter().filter_map(|end| header.rfind(end).map(|at| at + end.len())).max();
    let header = &header[start.unwrap_or(0)..];
    let names_trait = words(header, "for").any(|at| !header[at + "for".len()..].starts_with('<'));
    words(header, "impl").next().is_some() && names_trait
}

/// Skips `extern "C"`.
fn skip_abi(after: &str) -> &str {
    let after = after.trim_start();
    let Some(rest) = after.strip_prefix("extern").map(str::trim_start) else { return after };
    let Some(quoted) = rest.strip_prefix('"') else { return rest };
    quoted.split_once('"').map_or(rest, |(_, rest)| rest.trim_start())
}

/// Whether `fn` is followed by a name, and its signature by a body and not by `;`.
fn is_definition(after_fn: &str) -> bool {
    let name = after_fn.trim_start().chars().next();
    let ends = after_fn.char_indices().scan(0, |depth, (_, c)| {
        match c {
            '(' | '[' => *depth += 1,
            ')' | ']' => *depth -= 1,
            _ => {}
        }
        Some((*depth, c))
    });
    let end = ends.into_iter().find(|&(depth, c)| depth == 0 && matches!(c, '{' | ';'));
    (is_word(name) || name == Some('$')) && matches!(end, Some((_, '{')))
}

fn is_noted(lines: &[&str], index: usize, kind: Kind) -> bool {
    let near = index.saturating_sub(NOTE_LINES_MAX);
    let first = if kind == Kind::Contract { near.min(prose_start(lines, index)) } else { near };
    lines[first..=index].iter().any(|line| line.contains("SAFETY") || line.contains("# Safety"))
}

/// The first line of the comments and attributes that stand directly above `index`.
fn prose_start(lines: &[&str], index: usize) -> usize {
    let is_prose = |line: &&&str| line.trim().starts_with("//") || line.trim().starts_with("#[");
    index - lines[..index].iter().rev().take_while(is_prose).count()
}

#[cfg(test)]
fn complaints(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    missing(&Source::new("a.rs", text), &mut found);
    crate::lines_of(&found)
}

#[test]
fn a_bare_block_impl_or_trait_is_found() {
    assert_eq!(complaints("fn f() {\n    unsafe { g() }\n}"), [2]);
    assert_eq!(complaints("unsafe impl Send for X {}"), [1]);
    assert_eq!(complaints("unsafe\nimpl Send for X {}"), [1]);
    assert_eq!(complaints("pub unsafe trait T {}"), [1]);
    assert_eq!(complaints("unsafe extern \"C\" { fn f(); }"), [1]);
}

#[test]
fn a_bare_unsafe_function_is_found() {
    assert_eq!(complaints("pub unsafe fn f() {}"), [1]);
    assert_eq!(complaints("unsafe extern \"C\" fn f(a: [u8; 2]) -> u8\n{ 0 }"), [1]);
    assert_eq!(complaints("unsafe fn $name() {}"), [1]);
    assert_eq!(complaints("impl X {\n    unsafe fn f() {}\n}"), [2]);
    assert_eq!(complaints("impl<F: for<'a> Fn(&'a u8)> X<F> { unsafe fn f() {} }"), [1]);
}

#[test]
fn a_note_counts_only_when_it_is_near() {
    let far = |lines| format!("// SAFETY: so.\n{}unsafe {{ g() }}", "let a = 1;\n".repeat(lines));
    assert_eq!(complaints(&far(7)), []);
    assert_eq!(complaints(&far(8)), [10]);
    assert_eq!(complaints("unsafe { g() } // SAFETY: so."), []);
    let doc = |lines| format!("/// # Safety\n{}unsafe fn f() {{}}", "/// Text.\n".repeat(lines));
    assert_eq!(complaints(&doc(20)), []);
    assert_eq!(complaints(&format!("{}\n\nunsafe fn f() {{}}", doc(20))), [24]);
    assert_eq!(complaints(&doc(20).replace("fn f()", "trait T")), []);
    assert_eq!(complaints(&doc(20).replace("fn f()", "impl T for X")), [22]);
}

#[test]
fn declarations_types_and_prose_owe_no_note() {
    assert_eq!(complaints("trait T { unsafe fn f(a: [u8; 2]) -> u8; }"), []);
    assert_eq!(complaints("impl T for X {\n    fn g() {}\n    unsafe fn f() {}\n}"), []);
    assert_eq!(complaints("use x;\nimpl T for [u8; 2] { unsafe fn f() {} }"), []);
    assert_eq!(complaints("type F = unsafe fn(*const ());"), []);
    assert_eq!(complaints("type F = unsafe extern \"C\" fn(u8) -> u8;"), []);
    assert_eq!(complaints("#![forbid(unsafe_code)]\n// unsafe { }\nlet a = \"unsafe { }\";"), []);
    assert_eq!(complaints("#[unsafe(no_mangle)]\nfn f() {}"), []);
}
