//! What we want to reach: a bound on one of the figures of a row.

#![forbid(unsafe_code)]

use std::fmt::{self, Display, Formatter};

use super::outcome::{Measured, Outcome};
use super::rows::Role;
use super::sample::Sample;
use crate::rounds::short;

/// The figure that is bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// What the row measures.
    Value,
    /// CPU time of an operation.
    Cpu,
    /// System calls of an operation.
    Syscalls,
}

impl Display for Figure {
    /// What it is called beside the name of a row.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "",
            Self::Cpu => "CPU per operation",
            Self::Syscalls => "system calls",
        })
    }
}

impl Figure {
    /// The figure of one run; `None` if it is not one of runs that are timed.
    pub fn of_sample(self) -> Option<fn(&Sample) -> f64> {
        match self {
            Self::Value => Some(|sample| sample.value),
            Self::Cpu => Some(Sample::cpu_ns_each),
            Self::Syscalls => None,
        }
    }

    /// The figure of one subject; `None` if it was not measured.
    pub fn of(self, measured: &Measured) -> Option<f64> {
        match self {
            Self::Value => measured.median(),
            Self::Cpu => measured.cpu_ns(),
            Self::Syscalls => measured.syscalls,
        }
    }
}

/// What it is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// So many times the figure of the program by hand.
    Limit(f64),
    /// So many times that of the best peer.
    Peer(f64),
    /// The figure itself, in the unit in which samples come.
    Itself(f64),
}

/// A bound that ours is to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// What is bounded.
    pub figure: Figure,
    /// By what.
    pub bound: Bound,
    /// Whether more is better: then the bound is the least that is wanted.
    pub wants_more: bool,
}

impl Target {
    /// At most `bound` of what the row measures.
    pub const fn at_most(bound: Bound) -> Self {
        Self { figure: Figure::Value, bound, wants_more: false }
    }

    /// At least `bound` of what the row measures.
    pub const fn at_least(bound: Bound) -> Self {
        Self { figure: Figure::Value, bound, wants_more: true }
    }

    /// The same bound on another figure.
    #[must_use]
    pub const fn on(self, figure: Figure) -> Self {
        Self { figure, ..self }
    }

    /// Whether it depends on no one else.
    pub fn is_absolute(&self) -> bool {
        matches!(self.bound, Bound::Itself(_))
    }

    /// About what ours must reach; `None` if what it depends on was not measured. What counts is
    /// [`Target::is_met`].
    pub fn threshold(&self, outcome: &Outcome) -> Option<f64> {
        let best = |role| Some(outcome.best(role, self.figure, self.wants_more)?.1);
        match self.bound {
            Bound::Limit(factor) => Some(factor * best(Role::Limit)?),
            Bound::Peer(factor) => Some(factor * best(Role::Peer)?),
            Bound::Itself(figure) => Some(figure),
        }
    }

    /// Whether ours keeps it; `None` if that was not measured.
    pub fn is_met(&self, outcome: &Outcome) -> Option<bool> {
        let ratio = |role| self.ratio(role, outcome);
        let (ours, bound) = match self.bound {
            Bound::Limit(factor) => (ratio(Role::Limit)?, factor),
            Bound::Peer(factor) => (ratio(Role::Peer)?, factor),
            Bound::Itself(figure) => (self.figure.of(outcome.ours()?)?, figure),
        };
        Some(if self.wants_more { ours >= bound } else { ours <= bound })
    }

    /// The ratio of ours to the best of those who stand for `role`.
    pub fn ratio(&self, role: Role, outcome: &Outcome) -> Option<f64> {
        let (best, _) = outcome.best(role, self.figure, self.wants_more)?;
        outcome.ours()?.ratio(best, self.figure)
    }

    /// The word for that in tables.
    pub fn verdict(&self, outcome: &Outcome) -> &'static str {
        match self.is_met(outcome) {
            Some(true) => "met",
            Some(false) => "NOT met",
            None => "not judged",
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wants_more { "≥ " } else { "≤ " })?;
        match self.bound {
            Bound::Limit(factor) => write!(f, "{} × limit", short(factor)),
            Bound::Peer(factor) => write!(f, "{} × best peer", short(factor)),
            Bound::Itself(figure) => write!(f, "{figure}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::outcome::example;

    #[test]
    fn ours_is_compared_with_the_limit_the_best_peer_or_a_figure() {
        // By hand 2, ours 6, the peers 12 and 20.
        let outcome = example();
        let at_most = |bound| Target::at_most(bound).is_met(&outcome);
        assert_eq!([2.9, 3.0].map(|f| at_most(Bound::Limit(f))), [Some(false), Some(true)]);
        assert_eq!([0.49, 0.5].map(|f| at_most(Bound::Peer(f))), [Some(false), Some(true)]);
        assert_eq!([5.0, 6.0].map(|f| at_most(Bound::Itself(f))), [Some(false), Some(true)]);
    }

    #[test]
    fn where_more_is_better_the_best_peer_has_most() {
        let target = Target::at_least(Bound::Peer(0.3));
        assert_eq!(target.threshold(&example()), Some(6.0));
        assert_eq!(target.is_met(&example()), Some(true));
        assert_eq!(target.to_string(), "≥ 0.30 × best peer");
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut outcome = example();
        let target = Target::at_most(Bound::Itself(0.0)).on(Figure::Syscalls);
        assert_eq!(target.verdict(&outcome), "not judged");
        outcome.subjects[1].syscalls = Some(0.0);
        assert_eq!(target.verdict(&outcome), "met");
        outcome.subjects.truncate(1);
        assert_eq!(Target::at_most(Bound::Limit(9.0)).verdict(&outcome), "not judged");
    }
}
