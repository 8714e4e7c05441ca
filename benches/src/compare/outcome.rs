//! What all runs of a row showed.

#![forbid(unsafe_code)]

use super::rows::{Role, Row};
use super::sample::Sample;
use super::target::Figure;
use crate::rounds::quantile;

/// All runs of one subject.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What tables call it.
    pub name: &'static str,
    /// What it stands for.
    pub role: Role,
    /// One of each round that succeeded.
    pub samples: Vec<Sample>,
    /// System calls of an operation, if they were counted.
    pub syscalls: Option<f64>,
    /// Why a run failed, the last time it did.
    pub failure: Option<String>,
}

impl Measured {
    /// Nothing yet.
    pub fn new(name: &'static str, role: Role) -> Self {
        Self { name, role, samples: Vec::new(), syscalls: None, failure: None }
    }

    /// The median of the values.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5, |sample| sample.value)
    }

    /// The ends of the middle half of the values.
    pub fn middle_half(&self) -> Option<[f64; 2]> {
        let quantile = |q| self.quantile(q, |sample| sample.value);
        Some([quantile(0.25)?, quantile(0.75)?])
    }

    /// The median CPU time of an operation, in nanoseconds.
    pub fn cpu_ns(&self) -> Option<f64> {
        self.quantile(0.5, Sample::cpu_ns_each)
    }

    /// The median of the highest resident memory, in KiB.
    pub fn rss_kib(&self) -> Option<f64> {
        self.quantile(0.5, |sample| sample.rss_kib)
    }

    /// How this one's figure compares with another's: the median of the ratios of each round, for
    /// between rounds the machine may change, and with it everyone.
    pub fn ratio(&self, other: &Self, figure: Figure) -> Option<f64> {
        let ratio = match figure.of_sample() {
            Some(of) if self.samples.len() == other.samples.len() => {
                let pairs = self.samples.iter().zip(&other.samples);
                let mut ratios: Vec<f64> = pairs.map(|(a, b)| of(a) / of(b)).collect();
                (!ratios.is_empty()).then(|| quantile(&mut ratios, 0.5))?
            }
            _ => figure.of(self)? / figure.of(other)?,
        };
        ratio.is_finite().then_some(ratio)
    }

    fn quantile(&self, q: f64, of: impl Fn(&Sample) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.samples.iter().map(of).collect();
        (!values.is_empty()).then(|| quantile(&mut values, q))
    }
}

/// All runs of all subjects of a row.
#[derive(Debug)]
pub struct Outcome {
    /// The row.
    pub row: Row,
    /// In the order of the row.
    pub subjects: Vec<Measured>,
    /// Why system calls were not counted, if they were to be.
    pub note: Option<String>,
}

impl Outcome {
    /// miniss, in the setting that is judged.
    pub fn ours(&self) -> Option<&Measured> {
        self.of(Role::Ours).next()
    }

    /// The best of those who stand for `role`, and its figure: the least, or the most.
    pub fn best(&self, role: Role, figure: Figure, wants_more: bool) -> Option<(&Measured, f64)> {
        let figures = self.of(role).filter_map(|measured| Some((measured, figure.of(measured)?)));
        figures.min_by(|(_, a), (_, b)| if wants_more { b.total_cmp(a) } else { a.total_cmp(b) })
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Measured> {
        self.subjects.iter().filter(move |measured| measured.role == role)
    }
}

/// A row that was run: by hand 2, ours 6, the peers 12 and 20.
#[cfg(test)]
pub fn example() -> Outcome {
    let subject = |name, role, values: &[f64]| {
        let sample = |&value| Sample {
            value,
            operations: 10.0,
            cpu_ns: 30.0,
            rss_kib: 2048.0,
            ..Sample::default()
        };
        Measured { samples: values.iter().map(sample).collect(), ..Measured::new(name, role) }
    };
    let row = Row::new("spawn", "spawn & join")
        .target(super::target::Target::at_most(super::target::Bound::Peer(0.5)));
    let subjects = vec![
        subject("by hand", Role::Limit, &[2.0]),
        subject("miniss", Role::Ours, &[5.0, 6.0, 99.0]),
        subject("tokio 1.54.1", Role::Peer, &[12.0]),
        subject("smol 2.0.2", Role::Peer, &[20.0]),
    ];
    Outcome { row, subjects, note: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_the_median() {
        let ours = example().ours().cloned().expect("it is there");
        assert_eq!((ours.median(), ours.middle_half()), (Some(6.0), Some([6.0, 99.0])));
        assert_eq!((ours.cpu_ns(), ours.rss_kib()), (Some(3.0), Some(2048.0)));
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let of = |values: &[f64]| {
            let sample = |&value| Sample { value, ..Sample::default() };
            let samples = values.iter().map(sample).collect();
            Measured { samples, ..Measured::new("someone", Role::Peer) }
        };
        // The machine is slower in the last two rounds, and the first is always twice the second.
        let (first, second) = (of(&[2.0, 20.0, 20.0]), of(&[1.0, 10.0, 10.0]));
        assert_eq!(first.ratio(&second, Figure::Value), Some(2.0));
        // A round that failed leaves the medians.
        assert_eq!(first.ratio(&of(&[1.0, 5.0]), Figure::Value), Some(4.0));
        assert_eq!(first.ratio(&of(&[0.0; 3]), Figure::Value), None);
        assert_eq!(first.ratio(&of(&[]), Figure::Value), None);
    }

    #[test]
    fn who_never_ran_has_no_figures() {
        let no_one = Measured::new("no one", Role::Peer);
        assert_eq!((no_one.median(), no_one.middle_half(), no_one.cpu_ns()), (None, None, None));
    }

    #[test]
    fn the_best_peer_is_the_one_with_least_or_most() {
        let outcome = example();
        let best = |wants_more| {
            let (peer, value) = outcome.best(Role::Peer, Figure::Value, wants_more)?;
            Some((peer.name, value))
        };
        assert_eq!(best(false), Some(("tokio 1.54.1", 12.0)));
        assert_eq!(best(true), Some(("smol 2.0.2", 20.0)));
    }
}
