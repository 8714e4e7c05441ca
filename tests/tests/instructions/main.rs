//! How many instructions the steady state takes, and how many misses of the data caches, against
//! what is expected in `expected.txt`.
//!
//! The program `src/bin/instructions` does one thing `n` times; callgrind counts what it executes
//! in user space, for `n` and for `2 n` times, and the difference is the figure. It is exact, and
//! does not care what else the machine does; it knows nothing of waiting, or of the kernel. The
//! caches are a model, of 32 KiB and 512 KiB, so that a larger one does not hide what grows. Where
//! valgrind is missing the program is built only, and a note says so. Runs of the tests with other
//! orders of polling (`MINISS_SHUFFLE`) leave it out: it would be the same.

#![forbid(unsafe_code)]
#![cfg(target_arch = "x86_64")]

mod callgrind;
mod expected;

use std::collections::BTreeMap;
use std::io::{self, Write};

use callgrind::Program;
use expected::{Expected, is_rewritten};
use miniss_tests::program::is_installed;

/// A row that is off is counted so often before it is believed: the kernel may once post
/// completions otherwise than it mostly does.
const TRIES: usize = 3;

/// What is counted of each row, as it stands behind the row's name: instructions, and data that was
/// not in the first cache, or in neither.
pub const MEASURES: [&str; 3] = ["", ", misses of L1", ", misses of L2"];

/// What each row takes.
type Counts = BTreeMap<String, f64>;

/// Tells the person who runs the tests, although nothing fails: it is not captured, as prints are.
fn note(text: &str) {
    writeln!(io::stderr(), "instructions: {text}").expect("there is someone to tell");
}

#[test]
fn no_operation_takes_more_instructions_or_misses_than_expected() {
    if std::env::var_os("MINISS_SHUFFLE").is_some() {
        return note("not counted: they are counted without MINISS_SHUFFLE.");
    }
    let program = Program::build();
    if !is_installed("valgrind") {
        note("the program was built, not counted: there is no valgrind here.");
        return note("`apt-get install valgrind` brings it, or run .ci/test.");
    }
    let rows = program.rows();
    let mut counts = program.count(&rows);
    let made_with = callgrind::made_with();
    if is_rewritten() {
        return Expected::read().renewed(made_with, &counts).write();
    }
    let expected = Expected::read().for_maker(&made_with, note);
    for _ in 1..TRIES {
        let again = expected.off(&counts);
        counts.append(&mut program.count(&again));
    }
    println!("{}", Expected::read().renewed(made_with, &counts));
    let wrong = expected.differences(&counts);
    assert!(wrong.is_empty(), "\n{}\n{}", wrong.join("\n"), expected::WHAT_TO_DO);
}

#[test]
fn a_row_that_is_not_known_is_refused() {
    assert_eq!(Program::build().run(&["no-such-row", "1"]).status.code(), Some(2));
}

#[test]
fn a_count_that_is_off_is_found() {
    let row = |name: &str, count| (name.to_owned(), count);
    let counts = |count| Counts::from([row("spawn", count)]);
    let expected = Expected::parse("with: rustc 1\nspawn: 200.0 within 2.0\n");
    assert_eq!(expected.differences(&counts(201.9)), [""; 0]);
    assert_eq!(expected.differences(&counts(198.1)), [""; 0]);
    assert!(expected.differences(&counts(230.0))[0].contains("200.0 within 2.0"));
    assert!(expected.differences(&counts(170.0))[0].starts_with("spawn: 170.0"));
    assert_eq!(expected.off(&counts(230.0)), ["spawn"]);
    let expected = Expected::parse("with: rustc 1\nspawn, misses of L1: 0.50 within 0.25\n");
    let misses = |count| Counts::from([row("spawn, misses of L1", count)]);
    assert_eq!(expected.differences(&misses(0.74)), [""; 0]);
    assert!(expected.differences(&misses(1.5))[0].contains("0.50 within 0.25"));
    assert_eq!(expected.off(&misses(1.5)), ["spawn"], "a row is counted again as a whole");
    let expected = Expected::parse("with: rustc 1\nspawn: 200.0 within 2.0\n");
    let unknown = Counts::from([row("spawn", 200.0), row("yield", 9.0)]);
    assert_eq!(expected.differences(&unknown), ["yield: 9.0, and nothing is expected"]);
    assert_eq!(expected.differences(&Counts::new()), ["spawn: expected, but there is no such row"]);
}

#[test]
fn another_compiler_is_given_more_room_and_a_note() {
    let parse = || Expected::parse("with: rustc 1\nspawn: 200.0 within 2.0\n");
    let counts = |count| Counts::from([("spawn".to_owned(), count)]);
    let mut notes = Vec::new();
    let same = parse().for_maker("rustc 1", |note| notes.push(note.to_owned()));
    assert_eq!((same.differences(&counts(229.0)).len(), notes.len()), (1, 0));
    let other = parse().for_maker("rustc 2", |note| notes.push(note.to_owned()));
    assert_eq!((other.differences(&counts(229.0)).len(), notes.len()), (0, 1));
    assert_eq!(other.differences(&counts(231.0)).len(), 1);
    assert!(notes[0].contains("rustc 1") && notes[0].contains("rustc 2"), "{notes:?}");
}

#[test]
fn what_is_written_anew_keeps_its_room_in_proportion_and_drops_old_rows() {
    let expected = Expected::parse("with: rustc 1\nold: 5.0 within 1.0\nspawn: 200.0 within 8.0\n");
    let counts = Counts::from([("spawn".to_owned(), 150.04), ("yield".to_owned(), 1_000.0)]);
    let text = expected.renewed("rustc 2".into(), &counts).to_string();
    assert!(
        text.ends_with("\nwith: rustc 2\nspawn: 150.0 within 6.0\nyield: 1000.0 within 10.0\n")
    );
    assert_eq!(Expected::parse(&text).to_string(), text);
    let none = Expected::parse("with: rustc 1\nspawn, misses of L1: 0.00 within 0.25\n");
    let some = Counts::from([("spawn, misses of L1".to_owned(), 20.0)]);
    assert!(none.renewed("rustc 2".into(), &some).to_string().ends_with("L1: 20.00 within 2.00\n"));
    let few = Counts::from([("spawn".to_owned(), 10.0)]);
    assert!(expected.renewed("rustc 2".into(), &few).to_string().ends_with("10.0 within 1.0\n"));
}
