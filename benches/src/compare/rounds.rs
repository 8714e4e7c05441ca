//! All runs of a row: the subjects in turn, many times.

#![forbid(unsafe_code)]

use super::outcome::{Measured, Outcome};
use super::rows::{Row, Subject};
use super::sample::Sample;
use super::{child, syscalls};
use crate::progress::Progress;

/// So many steps [`run`] takes.
pub fn steps(row: &Row, rounds: usize, untraced: Option<&str>) -> usize {
    let traced = usize::from(row.traced.is_some() && untraced.is_none());
    row.subjects.len() * (rounds.min(row.rounds_max) + traced)
}

/// Runs the subjects of `row` in turn, `rounds` times, and then once more under strace unless
/// `untraced` says why not. Each is a step of `progress`.
pub fn run(row: Row, rounds: usize, untraced: Option<&str>, progress: &Progress) -> Outcome {
    let rounds = rounds.min(row.rounds_max);
    progress.part(row.name);
    if let Some(Err(why)) = row.prepare.map(|prepare| prepare()) {
        return unprepared(row, &why);
    }
    let mut subjects = in_turn(&row.subjects, rounds, |round, subject| {
        progress.step(format!("{}: round {} of {rounds}: {}", row.name, round + 1, subject.name));
        child::run(&row, subject)
    });
    if let (Some(sizes), None) = (row.traced, untraced) {
        for (subject, measured) in row.subjects.iter().zip(&mut subjects) {
            progress.step(format!("{}: system calls of {}", row.name, subject.name));
            // One that cannot run has said so above.
            measured.syscalls = syscalls::of_an_operation(&row, subject, sizes).ok();
        }
    }
    let note = row.traced.and(untraced).map(str::to_owned);
    Outcome { row, subjects, note }
}

/// No one could run.
fn unprepared(row: Row, why: &str) -> Outcome {
    let failed = |subject: &Subject| {
        let nothing = Measured::new(subject.name, subject.role);
        Measured { failure: Some(why.into()), ..nothing }
    };
    let subjects = row.subjects.iter().map(failed).collect();
    Outcome { row, subjects, note: None }
}

/// Each round begins with another subject, for who comes first meets another machine.
fn in_turn(
    subjects: &[Subject],
    rounds: usize,
    mut run: impl FnMut(usize, &Subject) -> Result<Sample, String>,
) -> Vec<Measured> {
    let new = |subject: &Subject| Measured::new(subject.name, subject.role);
    let mut all: Vec<_> = subjects.iter().map(new).collect();
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            let index = (round + turn) % subjects.len();
            match run(round, &subjects[index]) {
                Ok(sample) => all[index].samples.push(sample),
                Err(why) => all[index].failure = Some(why),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::rows;

    #[test]
    fn subjects_run_in_turn_and_each_begins_once() {
        let mut order = Vec::new();
        let subjects = &rows::all()[0].subjects[..3];
        let measured = in_turn(subjects, 3, |round, subject| {
            order.push(subject.name);
            Ok(Sample { value: round as f64, ..Sample::default() })
        });
        let [a, b, c] = [0, 1, 2].map(|index| subjects[index].name);
        assert_eq!(order, [a, b, c, b, c, a, c, a, b]);
        assert!(measured.iter().all(|measured| measured.median() == Some(1.0)));
    }

    #[test]
    fn where_something_is_missing_no_one_runs_and_all_say_why() {
        let mut row = rows::all().swap_remove(0);
        row.prepare = Some(|| Err("no kv".into()));
        let outcome = run(row, 3, None, &Progress::new(1));
        let why = |measured: &Measured| measured.failure.as_deref() == Some("no kv");
        assert!(outcome.subjects.iter().all(why) && !outcome.subjects.is_empty());
    }

    #[test]
    fn a_failure_is_kept_beside_what_succeeded() {
        let measured = in_turn(&rows::all()[0].subjects[..1], 2, |round, _| {
            if round == 0 { Err("no ring".into()) } else { Ok(Sample::default()) }
        });
        assert_eq!(measured[0].failure.as_deref(), Some("no ring"));
        assert_eq!(measured[0].samples.len(), 1);
    }
}
