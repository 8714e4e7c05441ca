//! The core asks for nothing but `heapless`.

use crate::Violation;
use crate::source::read;
use crate::text::numbered;
use std::path::Path;

const ALLOWED: &str = "heapless";

/// They replace the atomics under `--cfg loom` or `--cfg shuttle` alone, so no user ever compiles
/// them.
const MODELS_ONLY: [&str; 2] =
    ["target.'cfg(loom)'.dependencies", "target.'cfg(shuttle)'.dependencies"];

/// Checks the manifest of miniss-core.
pub fn check_core(root: &Path, found: &mut Vec<Violation>) {
    let path = Path::new("miniss-core/Cargo.toml");
    check(path, &read(&root.join(path)), found);
}

fn check(path: &Path, manifest: &str, found: &mut Vec<Violation>) {
    let mut section = "";
    for (number, line) in numbered(manifest) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']);
        }
        if let Some(name) = required(section, line).filter(|&name| name != ALLOWED) {
            let what = format!("the core requires `{name}`; `{ALLOWED}` is all it may");
            found.push(Violation::new(path, number, what));
        }
    }
}

/// The dependency that `line` of `section` makes every user compile.
fn required<'a>(section: &'a str, line: &'a str) -> Option<&'a str> {
    let is_header = line.starts_with('[');
    if !is_header && is_dependencies(section) {
        let (key, value) = line.split_once('=')?;
        let name = key.trim().split('.').next()?;
        return (!value.contains("optional = true")).then_some(name);
    }
    // `[dependencies.name]` names it in the header.
    let (parent, name) = section.rsplit_once('.')?;
    (is_header && is_dependencies(parent)).then_some(name)
}

fn is_dependencies(section: &str) -> bool {
    let kinds = ["dependencies", "build-dependencies"];
    let target = section.strip_prefix("target.").and_then(|rest| rest.rsplit_once('.'));
    let kind = target.map_or(section, |(_, kind)| kind);
    kinds.contains(&kind) && !MODELS_ONLY.contains(&section)
}

#[cfg(test)]
fn complaints(manifest: &str) -> Vec<usize> {
    let mut found = Vec::new();
    check(Path::new("Cargo.toml"), manifest, &mut found);
    crate::lines_of(&found)
}

#[test]
fn a_new_requirement_is_found() {
    assert_eq!(complaints("[dependencies]\nheapless.workspace = true\nlog = \"0.4\""), [3]);
    assert_eq!(complaints("[dependencies]\nlog = { version = \"0.4\" } # so"), [2]);
    assert_eq!(complaints("[dependencies.log]\nversion = \"0.4\""), [1]);
    assert_eq!(complaints("[build-dependencies]\ncc = \"1\""), [2]);
    assert_eq!(complaints("[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\""), [2]);
}

#[test]
fn what_no_user_must_compile_is_allowed() {
    assert_eq!(complaints("[dependencies]\nlog = { version = \"0.4\", optional = true }"), []);
    assert_eq!(complaints("[dev-dependencies]\nproptest = \"1\"\n[features]\nalloc = []"), []);
    assert_eq!(complaints("[target.'cfg(loom)'.dependencies]\nloom = \"0.7\""), []);
}
