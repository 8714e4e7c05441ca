//! The sizes that are expected, in a file that is kept with the code.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::elf::Size;

/// With the value `write` in the environment, the file is written again.
const REWRITE: &str = "MINISS_SIZES";
/// How far a size may be off before someone must look at it: so much in a hundred, or a line.
const PER_CENT: u64 = 3;
const LINE_BYTES: u64 = 64;

const HEADER: &str = "\
# Bytes in memory of each program: loaded from its file, and zeroed at its start.
# A test fails if one is off by more than 3 in 100. If that is as it should be, write the file again
# with `MINISS_SIZES=write cargo test -p miniss-tests --test bare`, and say why in the commit.
# Measured with Rust 1.95; another compiler may need other figures.
";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bare/sizes.txt")
}

/// Compares with the file, or writes it.
pub fn check(measured: &[(String, Size)]) {
    let text = format(measured);
    println!("{text}");
    if env::var_os(REWRITE).is_some_and(|value| value == "write") {
        return fs::write(file(), text).expect("a file of the repository can be written");
    }
    let expected = parse(&fs::read_to_string(file()).expect("the file is in the repository"));
    let wrong = differences(&expected, measured);
    assert!(wrong.is_empty(), "{}\nThe file {:?} says what to do.", wrong.join("\n"), file());
}

fn format(sizes: &[(String, Size)]) -> String {
    let line = |(name, size): &(String, Size)| {
        let Size { loaded, zeroed } = size;
        format!("{name}: {loaded} loaded, {zeroed} zeroed\n")
    };
    sizes.iter().map(line).fold(HEADER.into(), |text, line| text + &line)
}

fn parse(text: &str) -> Vec<(String, Size)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| parse_line(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
}

fn parse_line(line: &str) -> Option<(String, Size)> {
    let (name, rest) = line.split_once(": ")?;
    let (loaded, rest) = rest.split_once(" loaded, ")?;
    let size =
        Size { loaded: loaded.parse().ok()?, zeroed: rest.strip_suffix(" zeroed")?.parse().ok()? };
    Some((name.into(), size))
}

/// A sentence for each program whose size is not as expected.
fn differences(expected: &[(String, Size)], measured: &[(String, Size)]) -> Vec<String> {
    let sentence = |(name, size): &(String, Size)| {
        let Some((_, expected)) = expected.iter().find(|(known, _)| known == name) else {
            return Some(format!("{name}: no size is expected"));
        };
        let is_near =
            is_near(size.loaded, expected.loaded) && is_near(size.zeroed, expected.zeroed);
        (!is_near).then(|| format!("{name}: {size:?} and not {expected:?}"))
    };
    measured.iter().filter_map(sentence).collect()
}

fn is_near(size: u64, expected: u64) -> bool {
    let difference = size.abs_diff(expected);
    difference <= LINE_BYTES || difference * 100 <= expected * PER_CENT
}

#[test]
fn a_size_that_is_off_is_found() {
    let sizes = |loaded, zeroed| [(String::from("a"), Size { loaded, zeroed })];
    let expected = parse(&format(&sizes(10_000, 50)));
    assert_eq!(differences(&expected, &sizes(10_300, 0)), [""; 0]);
    assert_eq!(differences(&expected, &sizes(10_301, 50)).len(), 1);
    assert_eq!(differences(&expected, &sizes(9_699, 50)).len(), 1);
    assert_eq!(differences(&expected, &sizes(10_000, 115)).len(), 1);
    assert_eq!(differences(&[], &sizes(1, 1)), ["a: no size is expected"]);
}
