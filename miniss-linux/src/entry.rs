//! What the attributes `main` and `test` make of an async function, for their own use.

#![allow(missing_docs)]
#![forbid(unsafe_code)]

use std::env;
use std::future::Future;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{ExitCode, Termination};
use std::thread;
use std::time::Duration;

use crate::time::timeout;
use crate::{BuildError, Builder, Driver, Runtime};

/// Says what the argument `builder` is to be.
pub fn given(builder: Builder) -> Builder {
    builder
}

#[track_caller]
pub fn main<F>(builder: Builder, main: F) -> F::Output
where
    F: Future<Output: Termination>,
{
    built(builder.build()).block_on(main)
}

#[track_caller]
fn built(runtime: Result<Runtime, BuildError>) -> Runtime {
    runtime.unwrap_or_else(|error| panic!("{error}"))
}

/// A test whose body is run once or several times.
#[derive(Debug)]
#[must_use = "it runs nothing"]
pub struct Test {
    builder: Builder,
    is_on_each_driver: bool,
    seeds: Option<RangeInclusive<u64>>,
    deadline: Duration,
    panics: bool,
}

impl Test {
    pub fn new(builder: Builder) -> Self {
        let (is_on_each_driver, panics) = (false, false);
        Self { builder, is_on_each_driver, seeds: None, deadline: Duration::MAX, panics }
    }

    pub fn on_each_driver(mut self) -> Self {
        self.is_on_each_driver = env::var_os("MINISS_DRIVER").is_none();
        self
    }

    pub fn seeds(mut self, count: u64) -> Self {
        self.seeds = env::var_os("MINISS_SHUFFLE").is_none().then_some(1..=count);
        self
    }

    pub fn deadline_ms(mut self, deadline_ms: u64) -> Self {
        self.deadline = Duration::from_millis(deadline_ms);
        self
    }

    /// Each run is to panic.
    pub fn panics(mut self) -> Self {
        self.panics = true;
        self
    }

    /// Ends with the first run that does not do what it should. The code says whether there was
    /// none.
    #[track_caller]
    pub fn run<T: Termination>(self, body: impl AsyncFn() -> T) -> ExitCode {
        let mut last = None;
        for builder in self.builders() {
            let Some((outcome, run)) = self.run_once(builder, &body) else { continue };
            match (outcome, self.panics) {
                (Err(panic), true) => last = Some(panic),
                (Err(panic), false) => {
                    eprintln!("{run}");
                    resume_unwind(panic);
                }
                (Ok(ExitCode::SUCCESS), false) => {}
                (Ok(code), _) => {
                    eprintln!("{run}");
                    return code;
                }
            }
        }
        last.map_or(ExitCode::SUCCESS, |panic| resume_unwind(panic))
    }

    /// One for each run.
    fn builders(&self) -> Vec<Builder> {
        let drivers = match self.is_on_each_driver {
            true => {
                [Driver::IoUring, Driver::Epoll].map(|it| self.builder.clone().driver(it)).into()
            }
            false => vec![self.builder.clone()],
        };
        let seeded = |builder: Builder| match self.seeds.clone() {
            Some(seeds) => seeds.map(|seed| builder.clone().shuffle(seed)).collect(),
            None => vec![builder],
        };
        drivers.into_iter().flat_map(seeded).collect()
    }

    /// How it ended, and what brings it back. `None` where there is no such driver.
    #[track_caller]
    fn run_once<T: Termination>(
        &self,
        builder: Builder,
        body: &impl AsyncFn() -> T,
    ) -> Option<(thread::Result<ExitCode>, String)> {
        let shuffle = builder.shuffle_seed();
        let runtime = match builder.build() {
            Err(error @ BuildError::Driver { .. }) if self.is_on_each_driver => {
                println!("left out: {error}");
                return None;
            }
            built_or_not => built(built_or_not),
        };
        let run = format!(
            "this run comes back with MINISS_DRIVER={} MINISS_SHUFFLE={} MINISS_SEED={}",
            runtime.driver().kind(),
            shuffle.unwrap_or_default(),
            runtime.random_seed(),
        );
        let deadline = self.deadline;
        let in_time = async { timeout(deadline, body()).await };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let output = runtime.block_on(in_time);
            output.unwrap_or_else(|_| panic!("not done after {deadline:?}")).report()
        }));
        Some((outcome, run))
    }
}
