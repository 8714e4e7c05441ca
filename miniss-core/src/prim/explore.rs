//! How models that are too large for loom are run: shuttle chooses some thousand of their
//! schedules, half of them by PCT, which finds each bug that needs few preemptions with a
//! probability that can be told, and half by pure chance.
//!
//! A schedule in which all threads wait fails, with the word "deadlock". The seed is printed, and
//! `MINISS_SEED` replays.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Preemptions that a bug may need, and one, for PCT to find it.
const DEPTH: usize = 3;

/// Runs `scenario` in `schedules` ways.
pub(crate) fn explore(schedules: usize, scenario: fn()) {
    let seed = crate::random::seed();
    let mut config = Config::new();
    config.silence_warnings = true;
    let by_pct = PctScheduler::new_from_seed(seed, DEPTH, schedules / 2);
    Runner::new(by_pct, config.clone()).run(scenario);
    let by_chance = RandomScheduler::new_from_seed(seed, schedules / 2);
    Runner::new(by_chance, config).run(scenario);
}
