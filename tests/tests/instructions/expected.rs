//! The counts that are expected, in a file that is kept with the code.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::{Counts, MEASURES};

/// With the value `write` in the environment, the file is written again.
const REWRITE: &str = "MINISS_INSTRUCTIONS";
/// The room that every row has at least where compiler or C library are others.
const PER_CENT_ELSEWHERE: f64 = 15.0;

/// How a count is written, and the room that a new row is given.
struct Unit {
    /// Digits behind the point.
    digits: usize,
    /// So much in a hundred,
    per_cent: f64,
    /// but so much at least; elsewhere four times that.
    least: f64,
}

const INSTRUCTIONS: Unit = Unit { digits: 1, per_cent: 1.0, least: 1.0 };
/// A change anywhere in a program moves what shares a line or a set with what.
const MISSES: Unit = Unit { digits: 2, per_cent: 10.0, least: 0.25 };

fn unit(name: &str) -> &'static Unit {
    if MEASURES[1..].iter().any(|misses| name.ends_with(misses)) { &MISSES } else { &INSTRUCTIONS }
}

/// What the program calls the row that `name` is a measure of.
fn row_of(name: &str) -> &str {
    MEASURES[1..].iter().find_map(|misses| name.strip_suffix(misses)).unwrap_or(name)
}

/// What a failed test says.
pub const WHAT_TO_DO: &str = "\
If this is as it should be, write `tests/tests/instructions/expected.txt` again with
  MINISS_INSTRUCTIONS=write cargo test -p miniss-tests --test instructions
and say why in the commit. If not, `miniss_core::manual::measuring` says how to find the function.";

const HEADER: &str = "\
# Instructions in user space that each operation takes in the steady state, misses of the data
# caches of a core with 32 KiB of L1 and 512 KiB of L2, and how far a count may be off before a test
# fails. If that is as it should be, write the file again with
# `MINISS_INSTRUCTIONS=write cargo test -p miniss-tests --test instructions`, and say why in the
# commit; the room after `within` may be changed by hand, and stays in proportion. The counts hang
# on compiler and C library: with others the test allows 15 in 100, and says so.
# What a row does stands in `tests/src/bin/instructions`.
";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/expected.txt")
}

/// Whether the file is to be written, not to be compared with.
pub fn is_rewritten() -> bool {
    env::var_os(REWRITE).is_some_and(|value| value == "write")
}

/// What an operation may cost.
#[derive(Debug)]
struct Row {
    name: String,
    count: f64,
    within: f64,
}

impl Row {
    fn new(name: &str, count: f64) -> Self {
        let unit = unit(name);
        let within = (count * unit.per_cent / 100.0).max(unit.least);
        Self { name: name.into(), count, within }
    }

    /// The same row with another count. The room grows and shrinks with it.
    fn renewed(&self, count: f64) -> Self {
        if self.count == 0.0 {
            return Self::new(&self.name, count);
        }
        let within = (self.within * count / self.count).max(unit(&self.name).least);
        Self { name: self.name.clone(), count, within }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(": ")?;
        let (count, within) = rest.split_once(" within ")?;
        Some(Self { name: name.into(), count: count.parse().ok()?, within: within.parse().ok()? })
    }

    /// A sentence, if `count` is not as expected.
    fn difference(&self, count: f64) -> Option<String> {
        let Self { name, count: expected, within } = self;
        let (more, digits) = (count - expected, unit(name).digits);
        let is_off = more.abs() > *within;
        is_off.then(|| format!("{name}: {count:.digits$}, {more:+.digits$}; expected: {self}"))
    }
}

/// What the file says.
#[derive(Debug)]
pub struct Expected {
    /// Compiler and C library that the counts were made with.
    with: String,
    rows: Vec<Row>,
}

impl Expected {
    pub fn read() -> Self {
        Self::parse(&fs::read_to_string(file()).expect("the file is in the repository"))
    }

    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let with = lines.next().and_then(|line| line.strip_prefix("with: "));
        let with = with.expect("the first line says what the counts were made with").to_owned();
        let row = |line| Row::parse(line).unwrap_or_else(|| panic!("no row: {line:?}"));
        Self { with, rows: lines.map(row).collect() }
    }

    /// The same rows with the counts of now.
    pub fn renewed(&self, with: String, counts: &Counts) -> Self {
        let row = |(name, &count): (&String, &f64)| match self.row(name) {
            Some(known) => known.renewed(count),
            None => Row::new(name, count),
        };
        Self { with, rows: counts.iter().map(row).collect() }
    }

    pub fn write(&self) {
        fs::write(file(), self.to_string()).expect("a file of the repository can be written");
    }

    /// As it is for the compiler and library that it was made with; for others with more room.
    pub fn for_maker(mut self, made_with: &str, mut note: impl FnMut(&str)) -> Self {
        if self.with != made_with {
            let with = &self.with;
            note(&format!(
                "counts of {made_with} are compared with those of {with}, within \
                 {PER_CENT_ELSEWHERE} in 100"
            ));
            for row in &mut self.rows {
                let least = 4.0 * unit(&row.name).least;
                row.within = row.within.max(row.count * PER_CENT_ELSEWHERE / 100.0).max(least);
            }
        }
        self
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The rows of the program of which a count is not as expected.
    pub fn off(&self, counts: &Counts) -> Vec<String> {
        let is_off = |(name, count): &(&String, &f64)| {
            self.row(name).is_some_and(|row| row.difference(**count).is_some())
        };
        let names = counts.iter().filter(is_off).map(|(name, _)| row_of(name).to_owned());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A sentence for each count that is not as expected.
    pub fn differences(&self, counts: &Counts) -> Vec<String> {
        let sentence = |(name, &count): (&String, &f64)| match self.row(name) {
            Some(row) => row.difference(count),
            None => Some(format!("{name}: {count:.1}, and nothing is expected")),
        };
        let missing = self.rows.iter().filter(|row| !counts.contains_key(&row.name));
        let missing =
            missing.map(|row| format!("{}: expected, but there is no such row", row.name));
        counts.iter().filter_map(sentence).chain(missing).collect()
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}with: {}", self.with)?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { name, count, within }, digits) = (self, unit(&self.name).digits);
        // No minus before a zero: a run may miss a little less than twice what half of it does.
        let count = count.max(0.0);
        write!(f, "{name}: {count:.digits$} within {within:.digits$}")
    }
}
