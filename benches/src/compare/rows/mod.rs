//! What is compared: each row with its subjects, how much each of them does, and our target.
//!
//! `arguments ─▶ [rows] ─▶ rounds of children ─▶ outcome ─▶ table, JSON, plot`
//!
//! A new row is one function in one of the modules here and one line in [`all`]. A subject is a
//! name and a function that does a [`Job`] and says what it cost. It runs in a process of its own,
//! pins itself to core 0 and measures itself; where it is a server, it runs in another process on
//! core 0, its client on core 1, and the sample has what the server alone has cost.
//!
//! - [`runtime`]: tasks, timers, calls between cores.
//! - [`net`]: TCP echo, idle connections. [`http`]: hyper and axum, under wrk.
//! - [`kv`]: the example `kv` against redis-server.
//! - [`files`]: reads, also beside fio, writes, commits of a log.
//! - [`allocations`]: what each operation allocates.

#![forbid(unsafe_code)]

/// A workload on each of the peers.
macro_rules! peers {
    ($module:ident::$work:ident) => {
        [
            (Tokio::NAME, $module::$work::<Tokio> as $crate::compare::rows::Work),
            (Monoio::NAME, $module::$work::<Monoio>),
            (Compio::NAME, $module::$work::<Compio>),
            (Glommio::NAME, $module::$work::<Glommio>),
            (Smol::NAME, $module::$work::<Smol>),
        ]
    };
}

pub mod allocations;
pub mod files;
pub mod http;
pub mod kv;
pub mod net;
pub mod runtime;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::sample::Sample;
use super::target::Target;
use crate::rivals::miniss::Miniss;
use crate::rivals::{Rival, by_hand};

/// What one run is to do.
#[derive(Debug)]
pub struct Job {
    /// How much.
    pub size: usize,
    /// Where strace is to write what the server calls, if there is a server and it is to be traced.
    pub strace: Option<PathBuf>,
}

/// One run: does the work of this size in this process, and says what it cost.
pub type Work = fn(usize) -> Sample;

/// One run: does the job and says what it cost, or why it cannot.
pub type Run = Arc<dyn Fn(&Job) -> Result<Sample, String> + Send + Sync>;

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

/// Someone who does the work of a row.
#[derive(Clone)]
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
    /// What is done.
    pub title: String,
    /// What of it is measured; empty if that is its time.
    pub measure: &'static str,
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
    /// Whether what is measured is a server, which the subject starts in another process.
    pub has_server: bool,
    /// What must be there before anybody runs.
    pub prepare: Option<fn() -> Result<(), String>>,
    /// What a reader of the figures should know.
    pub note: Option<&'static str>,
    /// What we want to reach.
    pub targets: Vec<Target>,
    /// Who is compared, in the order of the table.
    pub subjects: Vec<Subject>,
}

impl Row {
    /// A row in nanoseconds, without subjects.
    pub fn new(name: &'static str, title: impl Into<String>) -> Self {
        Self {
            name,
            title: title.into(),
            measure: "",
            unit: "ns",
            scale: 1.0,
            wants_more: false,
            rounds_max: usize::MAX,
            traced: None,
            has_server: false,
            prepare: None,
            note: None,
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

    /// Measures something else than time.
    #[must_use]
    pub fn measure(self, measure: &'static str) -> Self {
        Self { measure, ..self }
    }

    /// What is done, and what of it is measured.
    pub fn heading(&self) -> String {
        match self.measure {
            "" => self.title.clone(),
            measure => format!("{}: {measure}", self.title),
        }
    }

    /// Takes no more rounds than these.
    #[must_use]
    pub fn rounds_max(self, rounds_max: usize) -> Self {
        Self { rounds_max, ..self }
    }

    /// Says something below the table.
    #[must_use]
    pub fn note(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }

    /// Adds a subject that does its work itself.
    #[must_use]
    pub fn with(self, role: Role, name: &'static str, size: usize, work: Work) -> Self {
        self.with_run(role, name, size, move |job| Ok(work(job.size)))
    }

    /// Adds a subject that may fail.
    #[must_use]
    pub fn with_run(
        mut self,
        role: Role,
        name: &'static str,
        size: usize,
        run: impl Fn(&Job) -> Result<Sample, String> + Send + Sync + 'static,
    ) -> Self {
        self.subjects.push(Subject { name, role, size, run: Arc::new(run) });
        self
    }

    fn peers(self, size: usize, peers: [(&'static str, Work); 5]) -> Self {
        peers.into_iter().fold(self, |row, (name, work)| row.with(Role::Peer, name, size, work))
    }

    /// The three kinds of subjects, who all do the same amount.
    fn everyone(
        self,
        size: usize,
        limit: Work,
        ours: Work,
        peers: [(&'static str, Work); 5],
    ) -> Self {
        self.with(Role::Limit, by_hand::NAME, size, limit)
            .with(Role::Ours, Miniss::NAME, size, ours)
            .peers(size, peers)
    }
}

/// All rows, in the order in which they run.
pub fn all() -> Vec<Row> {
    let mut rows = runtime::rows();
    rows.extend(net::rows());
    rows.extend(http::rows());
    rows.extend(kv::rows());
    rows.extend(files::rows());
    rows.extend(allocations::rows());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough of each row to see it end.
    const SIZE: usize = 2;

    #[test]
    fn every_subject_of_every_row_does_its_work() {
        // This program cannot be started again as a server, and a machine may lack something.
        let can_run = |row: &Row| !row.has_server && row.prepare.is_none_or(|it| it().is_ok());
        for row in all().into_iter().filter(can_run) {
            for subject in row.subjects {
                let who = format!("{}: {subject:?}", row.name);
                let job = Job { size: SIZE, strace: None };
                // Pinning and runtimes are of a thread; some run out of locked memory in parallel.
                let run = std::thread::spawn(move || (subject.run)(&job));
                let sample = match run.join().unwrap_or_else(|_| panic!("{who}")) {
                    Err(why) if why.contains("is missing") => continue,
                    sample => sample.expect(&who),
                };
                assert!(sample.operations > 0.0 && sample.value.is_finite(), "{who}");
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
            assert!(count(Role::Ours) == 1 && count(Role::Peer) > 0, "{}", row.name);
            for subject in &row.subjects {
                let same = row.subjects.iter().filter(|other| other.name == subject.name);
                assert_eq!(same.count(), 1, "{}: {subject:?}", row.name);
            }
        }
    }
}
