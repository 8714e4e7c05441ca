//! What is compared: each row with its subjects, how much each of them does, and our target.
//!
//! A new row is one function here and one line in [`all`]. A subject is a name and a function
//! `fn(size) -> Sample`, which runs in a process of its own, pins itself to core 0 and measures
//! itself; a load generator for a server belongs on core 1, and what it costs does not belong into
//! the sample: set [`Sample::cpu_ns`] to the server's alone.

#![forbid(unsafe_code)]

use std::fmt;

use super::sample::Sample;
use super::target::Bound::{Itself, Limit, Peer};
use super::target::{Figure, Target};
use super::work::{calls, memory, tasks, timers};
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::{self, Miniss};
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;
use crate::rivals::{Rival, by_hand};

/// One run: does the work of this size, and says what it cost.
pub type Run = fn(usize) -> Sample;

/// What a subject stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The work by hand, without a runtime.
    Limit,
    /// miniss, in the setting that is judged.
    Ours,
    /// miniss in another setting: for information.
    Variant,
    /// Another runtime.
    Peer,
}

/// Somebody who does the work of a row.
#[derive(Clone, Copy)]
pub struct Subject {
    /// What tables and children call it.
    pub name: &'static str,
    /// What it stands for.
    pub role: Role,
    /// How much it does in one run: enough to time it, and less than a second.
    pub size: usize,
    /// One run.
    pub run: Run,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} of size {}", self.role, self.name, self.size)
    }
}

/// A measure that subjects are compared by.
#[derive(Debug)]
pub struct Row {
    /// What the command line calls it.
    pub name: &'static str,
    /// What is measured.
    pub title: &'static str,
    /// The unit of values in tables.
    pub unit: &'static str,
    /// How much of what samples say makes one such unit.
    pub scale: f64,
    /// Whether more is better.
    pub wants_more: bool,
    /// More rounds than this would only take time.
    pub rounds_max: usize,
    /// Two sizes whose difference in system calls is that of their operations.
    pub traced: Option<[usize; 2]>,
    /// What we want to reach.
    pub targets: Vec<Target>,
    /// Who is compared, in the order of the table.
    pub subjects: Vec<Subject>,
}

impl Row {
    /// A row in nanoseconds, without subjects.
    pub fn new(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            unit: "ns",
            scale: 1.0,
            wants_more: false,
            rounds_max: usize::MAX,
            traced: None,
            targets: Vec::new(),
            subjects: Vec::new(),
        }
    }

    /// Another unit, of which one is `scale` of what samples say.
    #[must_use]
    pub fn unit(self, unit: &'static str, scale: f64) -> Self {
        Self { unit, scale, ..self }
    }

    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Counts system calls by the difference of two runs of these sizes.
    #[must_use]
    pub fn traced(self, fewer: usize, more: usize) -> Self {
        Self { traced: Some([fewer, more]), ..self }
    }

    /// Adds a subject.
    #[must_use]
    pub fn with(mut self, role: Role, name: &'static str, size: usize, run: Run) -> Self {
        self.subjects.push(Subject { name, role, size, run });
        self
    }

    fn peers(self, size: usize, peers: [(&'static str, Run); 5]) -> Self {
        peers.into_iter().fold(self, |row, (name, run)| row.with(Role::Peer, name, size, run))
    }

    /// The three kinds of subjects, who all do the same amount.
    fn everybody(
        self,
        size: usize,
        limit: Run,
        ours: Run,
        peers: [(&'static str, Run); 5],
    ) -> Self {
        self.with(Role::Limit, by_hand::NAME, size, limit)
            .with(Role::Ours, Miniss::NAME, size, ours)
            .peers(size, peers)
    }
}

/// A workload on each of the peers.
macro_rules! peers {
    ($module:ident::$work:ident) => {
        [
            (Tokio::NAME, $module::$work::<Tokio> as Run),
            (Monoio::NAME, $module::$work::<Monoio>),
            (Compio::NAME, $module::$work::<Compio>),
            (Glommio::NAME, $module::$work::<Glommio>),
            (Smol::NAME, $module::$work::<Smol>),
        ]
    };
}

/// All rows, in the order in which they run.
pub fn all() -> Vec<Row> {
    vec![
        spawn(),
        yielding(),
        sleep(),
        sleepers(),
        call_awake(),
        call_asleep(),
        call_64(),
        idle(),
        parked(),
    ]
}

fn spawn() -> Row {
    Row::new("spawn", "spawn + join of a trivial local task, batches of 1,000")
        .target(Target::at_most(Peer(0.5)))
        .traced(20, 40)
        .everybody(500, by_hand::spawn, tasks::spawn::<Miniss>, peers!(tasks::spawn))
}

fn yielding() -> Row {
    Row::new("yield", "yield, 100 tasks in turn")
        .target(Target::at_most(Peer(0.33)))
        .traced(100, 200)
        .everybody(20_000, by_hand::yielding, tasks::yielding::<Miniss>, peers!(tasks::yielding))
}

fn sleep() -> Row {
    Row::new("sleep", "sleep: create, poll once, drop")
        .target(Target::at_most(Peer(0.3)))
        .traced(10_000, 20_000)
        .everybody(200_000, by_hand::sleep, timers::sleep::<Miniss>, peers!(timers::sleep))
}

fn sleepers() -> Row {
    Row::new("sleepers", "10,000 tasks that sleep 1 ms, per task beyond the millisecond")
        .target(Target::at_most(Peer(0.5)))
        .traced(2, 4)
        .everybody(20, by_hand::sleepers, timers::sleepers::<Miniss>, peers!(timers::sleepers))
}

fn call_awake() -> Row {
    Row::new(
        "call-awake",
        "call to another core and reply, both awake (peers that cannot spin sleep)",
    )
    .target(Target::at_most(Limit(3.0)))
    .traced(500, 2_500)
    .with(Role::Limit, "a cache line each way", 200_000, by_hand::calls_awake)
    .with(Role::Ours, Miniss::NAME, 200_000, calls::awake::<Miniss>)
    .with(Role::Variant, "miniss, submit_to", 200_000, |count| {
        miniss::task_calls(calls::Calls::awake(count))
    })
    .peers(2_000, peers!(calls::awake))
}

fn call_asleep() -> Row {
    Row::new("call-asleep", "call to another core and reply, both asleep")
        .unit("us", 1e3)
        .target(Target::at_most(Limit(1.0)))
        .traced(500, 2_500)
        .with(Role::Limit, "an eventfd each way", 2_000, by_hand::calls_asleep)
        .with(Role::Ours, Miniss::NAME, 2_000, calls::asleep::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 2_000, |count| {
            miniss::task_calls(calls::Calls::asleep(count))
        })
        .peers(2_000, peers!(calls::asleep))
}

fn call_64() -> Row {
    Row::new("call-64", "call to another core and reply, 64 callers at once (glommio spins)")
        .target(Target::at_most(Peer(0.3)))
        .traced(20, 40)
        .with(Role::Limit, "64 cache lines each way", 5_000, by_hand::calls_of_64)
        .with(Role::Ours, Miniss::NAME, 2_000, calls::of_64::<Miniss>)
        .with(Role::Variant, "miniss, idle_spin", 2_000, calls::of_64_spinning::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 2_000, |count| {
            miniss::task_calls(calls::Calls::of_64(count, false))
        })
        .peers(2_000, peers!(calls::of_64_spinning))
}

fn idle() -> Row {
    let row = Row::new("idle", "an idle second: CPU time")
        .unit("us", 1e3)
        .target(Target::at_most(Itself(0.0)).on(Figure::Syscalls))
        .traced(1_000, 2_000)
        .everybody(1_000, by_hand::idle, timers::idle::<Miniss>, peers!(timers::idle));
    Row { rounds_max: 3, ..row }
}

fn parked() -> Row {
    let row = Row::new("parked", "memory of a parked task beside its future of 64 B")
        .unit("B", 1.0)
        .target(Target::at_most(Itself(64.0)))
        .everybody(200_000, by_hand::parked, memory::parked::<Miniss>, peers!(memory::parked));
    Row { rounds_max: 3, ..row }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough of each row to see it end.
    const SIZE: usize = 2;

    #[test]
    fn every_subject_of_every_row_does_its_work() {
        for row in all() {
            for subject in row.subjects {
                // Pinning and runtimes are of a thread; some run out of locked memory in parallel.
                let run = std::thread::spawn(move || (subject.run)(SIZE));
                let sample = run.join().unwrap_or_else(|_| panic!("{}: {subject:?}", row.name));
                assert!(sample.operations > 0.0 && sample.value.is_finite(), "{subject:?}");
            }
        }
    }

    #[test]
    fn a_row_has_a_target_and_every_name_once() {
        let rows = all();
        for (index, row) in rows.iter().enumerate() {
            assert!(!row.targets.is_empty(), "{}", row.name);
            assert!(rows[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            let count = |role| row.subjects.iter().filter(|subject| subject.role == role).count();
            assert_eq!([Role::Limit, Role::Ours, Role::Peer].map(count), [1, 1, 5], "{}", row.name);
            for subject in &row.subjects {
                let same = row.subjects.iter().filter(|other| other.name == subject.name);
                assert_eq!(same.count(), 1, "{}: {subject:?}", row.name);
            }
        }
    }
}
