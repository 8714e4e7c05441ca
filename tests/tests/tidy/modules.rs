//! No orphans: every Rust file of a package is a root of a target or is reached from one by `mod`.

use crate::Violation;
use crate::source::{Source, read, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Reports Rust files that no target compiles.
pub fn orphans(root: &Path, files: &[PathBuf], sources: &[Source], found: &mut Vec<Violation>) {
    let manifests = files.iter().filter(|path| path.ends_with("Cargo.toml"));
    let packages: Vec<_> = manifests.map(|path| (folder(path), read(&root.join(path)))).collect();
    let targets = sources.iter().filter(|source| is_target(&source.path, &packages));
    let reached = reachable(targets.map(|source| source.path.clone()).collect(), sources);
    for source in sources.iter().filter(|source| !reached.contains(&source.path)) {
        found.push(Violation::new(&source.path, 1, "no `mod` line leads to this file"));
    }
}

fn folder(path: &Path) -> PathBuf {
    path.parent().expect("a file lies in a folder").to_owned()
}

/// Whether cargo compiles `path` as the root of a target, by its place or by a manifest.
fn is_target(path: &Path, packages: &[(PathBuf, String)]) -> bool {
    let is_named = |(folder, manifest): &(PathBuf, String)| {
        manifest.lines().filter_map(named_place).any(|place| normal(&folder.join(place)) == path)
    };
    let folders = packages.iter().map(|(folder, _)| folder);
    let inside = folders.filter(|folder| path.starts_with(folder));
    let package = inside.max_by_key(|folder| folder.components().count());
    let place = package.and_then(|folder| path.strip_prefix(folder).ok()?.to_str());
    place.is_some_and(is_target_by_place) || packages.iter().any(is_named)
}

/// The place in `path = "place"`.
fn named_place(line: &str) -> Option<&str> {
    line.strip_prefix("path = \"")?.strip_suffix('"')
}

/// Without `..`: a target may lie in the folder of another package.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut normal, part| {
        match part {
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
        normal
    })
}

fn is_target_by_place(place: &str) -> bool {
    let parts: Vec<&str> = place.split('/').collect();
    matches!(
        parts.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "examples" | "benches", _]
            | ["tests" | "examples" | "benches", _, "main.rs"]
            // What must not compile: `trybuild` tries each file by itself.
            | ["tests", "misuse", _]
    )
}

/// Everything that the `mod` lines of `targets` lead to, and the targets themselves.
fn reachable(targets: Vec<PathBuf>, sources: &[Source]) -> BTreeSet<PathBuf> {
    let by_path: BTreeMap<&Path, &Source> =
        sources.iter().map(|source| (source.path.as_path(), source)).collect();
    let roots: BTreeSet<PathBuf> = targets.iter().cloned().collect();
    let (mut reached, mut open) = (BTreeSet::new(), targets);
    while let Some(path) = open.pop() {
        let Some(source) = by_path.get(path.as_path()) else { continue };
        if reached.insert(path) {
            open.extend(children(source, roots.contains(&source.path)));
        }
    }
    reached
}

/// Where the files of the modules that `source` declares may lie.
fn children(source: &Source, is_root: bool) -> Vec<PathBuf> {
    let beside = folder(&source.path);
    let is_folder = is_root || source.path.ends_with("mod.rs");
    let below = if is_folder { beside.clone() } else { source.path.with_extension("") };
    let mut paths: Vec<PathBuf> = quoted_paths(source).map(|path| beside.join(path)).collect();
    for name in declared(&source.code) {
        paths.push(below.join(format!("{name}.rs")));
        paths.push(below.join(name).join("mod.rs"));
    }
    paths
}

/// The names in `mod name;`. A `mod name { … }` is in the same file.
fn declared(code: &str) -> impl Iterator<Item = &str> {
    let after = words(code, "mod").map(|at| code[at + "mod".len()..].trim_start());
    after.filter_map(|rest| {
        let name = rest.split_once(';')?.0.trim_end();
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
    })
}

/// The files in `#[path = "…"]`.
fn quoted_paths(source: &Source) -> impl Iterator<Item = &str> {
    let attributes = source.text.lines().map(str::trim).filter(|line| line.starts_with("#[path"));
    attributes.filter_map(|line| line.split('"').nth(1))
}

#[cfg(test)]
fn reached_names(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|&(path, text)| Source::new(path, text)).collect();
    let reached = reachable(vec![PathBuf::from(files[0].0)], &sources);
    reached.iter().map(|path| path.display().to_string()).collect()
}

#[test]
fn mod_lines_lead_to_files_and_folders() {
    let files = [
        ("p/src/lib.rs", "mod a; pub(crate) mod b;\n#[cfg(test)]\nmod c;"),
        ("p/src/a.rs", "mod tests;"),
        ("p/src/a/tests.rs", ""),
        ("p/src/b/mod.rs", "mod deep;\n#[path = \"odd.rs\"]\nmod named;"),
        ("p/src/b/deep.rs", ""),
        ("p/src/b/odd.rs", ""),
        ("p/src/c.rs", ""),
    ];
    assert_eq!(reached_names(&files).len(), files.len());
}

#[test]
fn an_orphan_is_found() {
    let files = [
        ("p/src/lib.rs", "mod a;\n// mod b;\nconst T: &str = \"mod c;\";\nmod d { use x; }"),
        ("p/src/a.rs", ""),
        ("p/src/b.rs", ""),
        ("p/src/c.rs", ""),
        ("p/src/d.rs", ""),
        ("p/src/a/far.rs", ""),
    ];
    assert_eq!(reached_names(&files), ["p/src/a.rs", "p/src/lib.rs"]);
}

#[test]
fn cargo_finds_targets_by_place_or_by_manifest() {
    let manifest = "[[bin]]\npath = \"odd/place.rs\"\npath = \"../r/lent.rs\"\n".to_owned();
    let packages = [(PathBuf::from("p"), manifest), (PathBuf::from("p/q"), String::new())];
    let is = |path: &str| is_target(Path::new(path), &packages);
    assert!(is("p/src/lib.rs") && is("p/build.rs") && is("p/tests/a.rs"));
    assert!(is("p/tests/a/main.rs") && is("p/odd/place.rs") && is("p/q/src/main.rs"));
    assert!(!is("p/src/a.rs") && !is("p/tests/a/b.rs") && !is("p/q/odd/place.rs"));
    assert!(is("r/lent.rs") && !is("p/r/lent.rs") && !is("stray.rs"));
}
