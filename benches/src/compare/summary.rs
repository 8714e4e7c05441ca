//! The table of targets: a line for each, with ours, the best peer and the limit, and whether it is
//! met; where and how it was measured above, what a reader should know below.

#![forbid(unsafe_code)]

use super::machine::Machine;
use super::outcome::{Measured, Outcome};
use super::rows::Role;
use super::table::figure;
use super::target::{Figure, Target};
use crate::rounds::short;

const HEAD: [&str; 9] =
    ["row", "measure", "miniss", "best peer", "limit", "× peer", "× limit", "target", ""];
const COLUMNS: usize = HEAD.len();

/// What was not measured.
const NONE: &str = "-";

/// All of it, as Markdown.
pub fn text(machine: &Machine, rounds: usize, outcomes: &[Outcome]) -> String {
    let [place, command] = machine.lines();
    let mut rows = vec![HEAD.map(str::to_owned)];
    for outcome in outcomes {
        rows.extend(outcome.row.targets.iter().map(|target| cells(outcome, target)));
    }
    format!(
        "{place}.\n{command}: medians of up to {rounds} interleaved rounds;\n\
         a ratio is the median of those of each round.\n\n{}{}",
        table(&rows),
        notes(outcomes)
    )
}

fn cells(outcome: &Outcome, target: &Target) -> [String; COLUMNS] {
    let row = &outcome.row;
    let ours = outcome.ours().and_then(|ours| Some((ours, target.figure.of(ours)?)));
    let best = |role| outcome.best(role, target.figure, target.wants_more);
    let value = |value: f64| figure(row, target.figure, value);
    let plain = |of: Option<(&Measured, f64)>| of.map_or(NONE.into(), |(_, it)| value(it));
    let named = |of: Option<(&Measured, f64)>| match of {
        None => NONE.into(),
        // Another that does nothing is as good.
        Some((_, 0.0)) => value(0.0),
        Some((who, it)) => format!("{} ({})", value(it), who.name),
    };
    let ratio = |role| target.ratio(role, outcome).map_or(NONE.into(), short);
    [
        row.name.into(),
        measure(outcome, target.figure),
        plain(ours),
        named(best(Role::Peer)),
        plain(best(Role::Limit)),
        ratio(Role::Peer),
        ratio(Role::Limit),
        wanted(outcome, target),
        target.verdict(outcome).into(),
    ]
}

fn measure(outcome: &Outcome, figure: Figure) -> String {
    match figure {
        Figure::Value => outcome.row.heading(),
        other => format!("{}: {other}", outcome.row.title),
    }
}

/// A bound of its own has a unit; a ratio has none.
fn wanted(outcome: &Outcome, target: &Target) -> String {
    match target.figure {
        Figure::Value if target.is_absolute() => {
            format!("{target} {}", outcome.row.unit).trim_end().into()
        }
        _ => target.to_string(),
    }
}

/// Columns as wide as what is in them.
fn table(rows: &[[String; COLUMNS]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("| {cell:width$} "));
        cells.collect::<String>() + "|\n"
    };
    let rule = widths.map(|width| "-".repeat(width.max(3)));
    let (head, rest) = rows.split_first().expect("a table has a head");
    line(head) + &line(&rule) + &rest.iter().map(line).collect::<String>()
}

/// What rows have to say, who could not run, and why system calls are missing.
fn notes(outcomes: &[Outcome]) -> String {
    let mut notes = Vec::new();
    notes.extend(outcomes.iter().filter_map(|outcome| outcome.row.note.map(str::to_owned)));
    for outcome in outcomes {
        notes.extend(outcome.subjects.iter().filter_map(|measured| {
            let why = measured.failure.as_ref()?;
            Some(format!("{}: {} failed: {why}.", outcome.row.name, measured.name))
        }));
    }
    let untraced = outcomes.iter().find_map(|outcome| outcome.note.as_deref());
    notes.extend(untraced.map(|note| format!("System calls are {note}.")));
    notes.iter().map(|note| format!("\n- {note}")).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;
    use crate::compare::target::Bound;

    fn line(outcome: Outcome, line: usize) -> Vec<String> {
        let text = text(&Machine::default(), 3, &[outcome]);
        let mut lines = text.lines().skip_while(|line| !line.starts_with('|'));
        let line = lines.nth(2 + line).expect("a line of the table");
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn a_target_is_told_with_ours_the_best_peer_and_the_limit() {
        let expected = [
            "spawn",
            "spawn & join",
            "6.00 ns",
            "12.0 ns (tokio 1.54.1)",
            "2.00 ns",
            "0.50",
            "3.00",
            "≤ 0.50 × best peer",
            "met",
        ];
        assert_eq!(line(example(), 0), expected);
    }

    #[test]
    fn every_target_of_a_row_has_a_line() {
        let mut outcome = example();
        outcome.row.targets.push(Target::at_most(Bound::Limit(0.5)).on(Figure::Cpu));
        outcome.row.targets.push(Target::at_most(Bound::Itself(6.5)));
        let cpu = line(outcome, 1);
        assert_eq!(cpu[1..3], ["spawn & join: CPU per operation", "3.00 ns"]);
        assert_eq!(cpu[8], "NOT met");
        let mut outcome = example();
        outcome.row.targets = vec![Target::at_most(Bound::Itself(6.5))];
        assert_eq!(line(outcome, 0)[7..], ["≤ 6.5 ns", "met"]);
    }

    #[test]
    fn what_is_missing_is_said_in_the_cells_and_below() {
        let mut outcome = example();
        outcome.subjects.truncate(2);
        outcome.subjects[1].samples.clear();
        outcome.subjects[1].failure = Some("it is not there".into());
        outcome.row.note = Some("spawn: a note.");
        let text = text(&Machine::default(), 3, &[outcome]);
        assert!(text.contains("- spawn: miniss failed: it is not there.\n"), "{text}");
        assert!(text.contains("- spawn: a note.\n") && text.contains("not judged"), "{text}");
    }
}
