//! Outcomes as lines of a Markdown table, with columns that also align in a terminal.

#![forbid(unsafe_code)]

use super::outcome::{Measured, Outcome};
use super::rows::{Role, Row};
use super::target::Figure;
use crate::rounds::short;

const HEAD: [&str; 9] = [
    "row",
    "what",
    "median",
    "middle half",
    "× limit",
    "× best peer",
    "CPU per op",
    "system calls per op",
    "peak RSS",
];

/// What the columns are as wide as, where nothing in them is wider.
const WIDTHS: [usize; 9] = [17, 30, 11, 17, 7, 11, 10, 19, 9];

/// What was not measured.
const NONE: &str = "-";

/// The head of the table.
pub fn head() -> String {
    let rule = WIDTHS.map(|width| "-".repeat(width));
    format!("{}{}", line(&HEAD.map(str::to_owned)), line(&rule))
}

/// The lines of a row, one for each subject.
pub fn lines(outcome: &Outcome) -> String {
    let lines = outcome.subjects.iter().map(|measured| line(&cells(outcome, measured)));
    lines.collect()
}

fn line(cells: &[String; 9]) -> String {
    let padded = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("| {cell:width$} "));
    padded.collect::<String>() + "|\n"
}

/// A figure as people read it.
pub fn figure(row: &Row, figure: Figure, value: f64) -> String {
    match figure {
        Figure::Value if row.unit.is_empty() => count(value),
        Figure::Value => short(value / row.scale) + " " + row.unit,
        Figure::Cpu => time(value),
        Figure::Syscalls => count(value),
    }
}

fn cells(outcome: &Outcome, measured: &Measured) -> [String; 9] {
    let row = &outcome.row;
    let value = |value: f64| match row.unit {
        "" => count(value),
        _ => short(value / row.scale),
    };
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.into());
    let ratio = |role| {
        let (best, _) = outcome.best(role, Figure::Value, row.wants_more)?;
        measured.ratio(best, Figure::Value).map(short)
    };
    [
        row.name.into(),
        name(measured),
        measured
            .median()
            .map_or_else(|| failure(measured), |median| figure(row, Figure::Value, median)),
        or_none(measured.middle_half().map(|[low, high]| value(low) + " … " + &value(high))),
        or_none(ratio(Role::Limit)),
        or_none(ratio(Role::Peer)),
        or_none(measured.cpu_ns().map(time)),
        or_none(measured.syscalls.map(count)),
        or_none(measured.rss_kib().map(|kib| short(kib / 1024.0) + " MiB")),
    ]
}

/// Ours stands out.
fn name(measured: &Measured) -> String {
    match measured.role {
        Role::Ours => format!("**{}**", measured.name),
        Role::Limit => format!("limit: {}", measured.name),
        Role::Variant | Role::Peer => measured.name.into(),
    }
}

/// A `|` would end the cell.
fn failure(measured: &Measured) -> String {
    let failure = measured.failure.as_deref().unwrap_or("did not run");
    format!("failed: {}", failure.replace('|', "/"))
}

fn count(calls: f64) -> String {
    if calls == 0.0 { "0".into() } else { short_of_small(calls) }
}

/// What is rare is not nothing.
fn short_of_small(value: f64) -> String {
    if value < 0.01 { format!("{value:.4}") } else { short(value) }
}

/// Nanoseconds in the unit that suits them.
pub fn time(ns: f64) -> String {
    match ns {
        1e6.. => short(ns / 1e6) + " ms",
        1e3.. => short(ns / 1e3) + " us",
        _ => short(ns) + " ns",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;

    fn cells_of(text: &str, line: usize) -> Vec<String> {
        let line = text.lines().nth(line).expect("a line of the table");
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.map(str::to_owned).collect()
    }

    #[test]
    fn a_line_has_the_figures_of_its_subject() {
        let mut outcome = example();
        outcome.subjects[1].syscalls = Some(0.0);
        let ours = cells_of(&lines(&outcome), 1);
        let expected = [
            "spawn",
            "**miniss**",
            "6.00 ns",
            "6.00 … 99.0",
            "3.00",
            "0.50",
            "3.00 ns",
            "0",
            "2.00 MiB",
        ];
        assert_eq!(ours, expected);
        assert_eq!(cells_of(&lines(&outcome), 3)[4..7], ["10.0", "1.67", "3.00 ns"]);
    }

    #[test]
    fn every_line_has_as_many_columns_as_the_head() {
        let text = head() + &lines(&example());
        assert!(text.lines().all(|line| line.matches('|').count() == HEAD.len() + 1), "{text}");
    }

    #[test]
    fn who_failed_says_why_and_breaks_no_column() {
        let mut outcome = example();
        outcome.subjects[2].samples.clear();
        outcome.subjects[2].failure = Some("a | b".into());
        let cells = cells_of(&lines(&outcome), 2);
        assert_eq!(cells[2..5], ["failed: a / b", "-", "-"]);
        // The best peer is now the other one.
        assert_eq!(cells_of(&lines(&outcome), 1)[5], "0.30");
    }

    #[test]
    fn rare_calls_and_long_times_can_be_read() {
        assert_eq!([0.0, 0.0016, 2.0].map(count), ["0", "0.0016", "2.00"]);
        assert_eq!([12.0, 1_500.0, 2e6].map(time), ["12.0 ns", "1.50 us", "2.00 ms"]);
    }
}
