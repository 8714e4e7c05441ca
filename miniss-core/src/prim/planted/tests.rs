//! Every ordering that carries an argument has a name, and every name a bug that a model finds.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

/// Files of models: those that loom runs, and those that shuttle does.
const MODELS: [&str; 2] = ["loom.rs", "shuttle.rs"];

/// The files with the code that ships, or those with the models.
fn files(folder: &Path, models: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["tests", "prim"].contains(&name) {
            files(&path, models, found);
        } else if name.ends_with(".rs") && name != "tests.rs" && models == MODELS.contains(&name) {
            found.push(path);
        }
    }
}

/// Their text, with comments and tests cut away and each gap made one space. What stands on
/// `prim::statics` is outside of all models.
fn text(models: bool) -> String {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), models, &mut found);
    let sources = found.iter().map(|path| fs::read_to_string(path).unwrap());
    let modelled = sources.filter(|source| !source.contains("prim::statics::"));
    let shipped = modelled.map(|source| {
        let code = source.split("\nmod tests {").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    });
    shipped.collect::<Vec<_>>().join(" ")
}

/// What follows each `start` in `text`, up to the next `end`.
fn between<'t>(text: &'t str, start: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(start).skip(1).map(move |rest| rest.split(end).next().unwrap())
}

/// The bugs that must be found of all that is named: spot, and what it is weakened to.
fn demanded(code: &str) -> BTreeSet<String> {
    let checks = between(code, "planted(\"", "\"").map(ToString::to_string);
    let orderings = between(code, "ordering!(", ")").flat_map(|inside| {
        let (written, spot) = inside.split_once(',').expect("an ordering and a name");
        let weaker: &[_] = match written.trim() {
            "Acquire" | "Release" => &["Relaxed"],
            "AcqRel" => &["Acquire", "Release"],
            "SeqCst" => &["AcqRel"],
            other => panic!("{other} carries no argument"),
        };
        let spot = spot.trim().trim_matches('"');
        weaker.iter().map(move |weaker| std::format!("{spot} as {weaker}"))
    });
    checks.chain(orderings).collect()
}

/// The bugs of which models demand that they are found.
fn planted(models: &str) -> BTreeSet<String> {
    let bugs = between(models, "bugs! {", "}").flat_map(|bugs| bugs.split(';'));
    bugs.filter_map(|bug| {
        let (_, bug) = bug.split_once('"')?;
        let (bug, _) = bug.split_once(" says ")?;
        Some(bug.replacen('"', "", 1))
    })
    .collect()
}

#[test]
fn loom_every_named_spot_has_a_bug_that_a_model_finds() {
    let (demanded, planted) = (demanded(&text(false)), planted(&text(true)));
    assert!(demanded.len() > 20, "the sources were not found");
    let unproven: Vec<_> = demanded.difference(&planted).collect();
    assert!(unproven.is_empty(), "no model finds these out: {unproven:#?}");
}

#[test]
fn loom_every_ordering_that_carries_an_argument_has_a_name() {
    let code = text(false);
    let bare = ["Acquire", "Release", "AcqRel", "SeqCst"]
        .map(|ordering| between(&code, &std::format!("Ordering::{ordering}"), ";").count());
    assert_eq!(bare, [0; 4], "use `ordering!`, and plant a bug for it");
}
