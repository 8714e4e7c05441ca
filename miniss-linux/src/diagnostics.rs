//! What the runtime says of itself: in a few lines through the facade `log`, and in counts.
//!
//! The program installs a logger to choose where the lines go. Without one there are none, which
//! costs nothing. The manual has [the table](crate::manual::running) of what there is to say.
//!
//! A report never fails and never harms its caller: the shard goes on, whatever the logger does.
//! The panic of a logger is caught. A logger may use the runtime: nothing of ours is borrowed while
//! it runs, and what it reports itself is counted, but does not call it again. It runs on the
//! shard, which stands still meanwhile: a logger that may block hands its lines to a thread of its
//! own. Of [stalls](Event::Stalled) alone it hears on a thread that is no shard.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use log::Level;
use miniss_core::time::Instant;

use crate::driver::now;
use crate::guard::silently;

/// What the runtime reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Accepting connections rests for a moment, for want of descriptors or memory.
    AcceptRests,
    /// More operations completed at once than the completion queue has room for. None is lost.
    QueueOverflowed,
    /// The user may lock too little memory: rings are smaller than asked for, or receives do
    /// without provided buffers.
    LockedMemoryShort,
    /// io_uring was refused, and the runtime runs on epoll.
    DriverFallback,
    /// Shards run unpinned: there are too few CPUs, or the system refused.
    Unpinned,
    /// A shard ended although it was not told to.
    ShardDied,
    /// A shard did not end in time with its runtime; its thread is left behind.
    ShardLeft,
    /// Operations of a shard did not end in time with their runtime; their memory is leaked.
    OperationsLeaked,
    /// What blocks has waited a second or more: all threads for it are busy.
    BlockingPoolFull,
    /// The system refused to start a thread for what blocks.
    BlockingThreadRefused,
    /// What blocks did not end in time with its runtime; its threads are left behind.
    BlockingLeft,
    /// One poll, or the code around it, held a shard for long: see [`Builder::stall_limit`].
    ///
    /// [`Builder::stall_limit`]: crate::Builder::stall_limit
    Stalled,
    /// A failure was dropped before anyone had looked at it: see [`unobserved`].
    Unobserved,
}

impl Event {
    const ALL: [Self; 13] = [
        Self::AcceptRests,
        Self::QueueOverflowed,
        Self::LockedMemoryShort,
        Self::DriverFallback,
        Self::Unpinned,
        Self::ShardDied,
        Self::ShardLeft,
        Self::OperationsLeaked,
        Self::BlockingPoolFull,
        Self::BlockingThreadRefused,
        Self::BlockingLeft,
        Self::Stalled,
        Self::Unobserved,
    ];

    fn level(self) -> Level {
        match self {
            Self::ShardDied | Self::ShardLeft | Self::OperationsLeaked => Level::Error,
            Self::BlockingLeft => Level::Error,
            _ => Level::Warn,
        }
    }

    fn quiet(self) -> Duration {
        if self == Self::Stalled { QUIET_OF_STALLS } else { QUIET }
    }

    fn target(self) -> &'static str {
        match self {
            Self::AcceptRests => "miniss_linux::net",
            Self::QueueOverflowed | Self::LockedMemoryShort | Self::DriverFallback => {
                "miniss_linux::driver"
            }
            Self::Unpinned | Self::ShardDied | Self::Stalled => "miniss_linux::runtime",
            Self::ShardLeft | Self::OperationsLeaked | Self::BlockingLeft => {
                "miniss_linux::runtime"
            }
            Self::BlockingPoolFull | Self::BlockingThreadRefused => "miniss_linux::blocking",
            Self::Unobserved => "miniss_linux::unobserved",
        }
    }
}

/// After a line about an event, no other about the same event for so long.
const QUIET: Duration = Duration::from_secs(5);
/// A line about a stall may be long, and a program that stalls goes on doing so: five a minute.
const QUIET_OF_STALLS: Duration = Duration::from_secs(12);

/// What is known of one event, in the whole program.
struct Tally {
    count: AtomicU64,
    /// Reports since the last line that became none.
    left_out: AtomicU64,
    quiet_until_ns: AtomicU64,
}

static TALLIES: [Tally; Event::ALL.len()] = [const { Tally::new() }; Event::ALL.len()];

impl Tally {
    const fn new() -> Self {
        let [count, left_out, quiet_until_ns] = [const { AtomicU64::new(0) }; 3];
        Self { count, left_out, quiet_until_ns }
    }

    /// Whether a report at `now` becomes a line, and silence for `quiet`; if so, how many before it
    /// did not. Relaxed: the numbers are all that threads tell each other.
    fn line_at(&self, now: Instant, quiet: Duration) -> Option<u64> {
        let until = self.quiet_until_ns.load(Relaxed);
        let next = (now + quiet).as_nanos();
        let is_due = now.as_nanos() >= until;
        if !is_due || self.quiet_until_ns.compare_exchange(until, next, Relaxed, Relaxed).is_err() {
            self.left_out.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Relaxed))
    }
}

/// How often `event` was reported, in the whole program since it began, whether or not a line was
/// made of it. It wraps.
///
/// ```
/// use miniss_linux::{Future, Runtime, diagnostics::{Event, count}};
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// drop(Future::<u32, &str>::failed("no file"));
/// assert!(count(Event::Unobserved) > 0);
/// ```
pub fn count(event: Event) -> u64 {
    TALLIES[event as usize].count.load(Relaxed)
}

thread_local! {
    /// This thread is in the logger on our behalf. Without a destructor, so that it is there while
    /// a thread's other locals are torn down.
    static IN_LOGGER: Cell<bool> = const { Cell::new(false) };
}

/// Counts `event`, and has the program's logger say `what` it is, unless that was said just now.
#[cold]
pub(crate) fn report(event: Event, what: fmt::Arguments<'_>) {
    let tally = &TALLIES[event as usize];
    tally.count.fetch_add(1, Relaxed);
    if event.level() > log::max_level() {
        return;
    }
    if IN_LOGGER.replace(true) {
        tally.left_out.fetch_add(1, Relaxed);
        return;
    }
    if let Some(left_out) = tally.line_at(now(), event.quiet()) {
        silently(|| say(event, what, left_out));
    }
    IN_LOGGER.set(false);
}

fn say(event: Event, what: fmt::Arguments<'_>, left_out: u64) {
    let (target, level) = (event.target(), event.level());
    match left_out {
        0 => log::log!(target: target, level, "{what}"),
        _ => log::log!(target: target, level, "{what} ({left_out} more like this were left out)"),
    }
}

/// Failures that no one saw: counted, and told to the program's hook or its logger.
///
/// The core says what counts as one ([`miniss_core::unobserved`]). Here the hook may be called from
/// a destructor while a panic unwinds, so its own panics end there. Without a hook the failures go
/// to the logger: see [`diagnostics`](crate::diagnostics).
pub mod unobserved {
    use std::sync::{PoisonError, RwLock};

    pub use miniss_core::unobserved::{Hook, Source, Unobserved, Unseen, count, report};

    use super::{Event, silently};

    /// The program's hook. No code of others runs under the lock.
    static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

    /// Calls `hook` for each failure from now on, in place of the hook before or the logger.
    ///
    /// It runs in a destructor, on whichever thread that runs, so it must be short. If it panics,
    /// the panic ends there.
    ///
    /// ```
    /// use miniss_linux::{Future, unobserved};
    /// unobserved::set_hook(|failure| eprintln!("no one saw {failure}"));
    /// drop(Future::<u32, String>::failed("no file".to_owned()));
    /// ```
    pub fn set_hook(hook: Hook) {
        *HOOK.write().unwrap_or_else(PoisonError::into_inner) = Some(hook);
        miniss_core::unobserved::set_hook(pass_on);
    }

    /// Failures go to the logger, unless the program has a hook, here or in the core.
    pub(crate) fn report_by_default() {
        miniss_core::unobserved::set_default_hook(pass_on);
    }

    fn pass_on(failure: &Unobserved) {
        let hook = *HOOK.read().unwrap_or_else(PoisonError::into_inner);
        match hook {
            Some(hook) => silently(|| hook(failure)),
            None => super::report(Event::Unobserved, format_args!("no one saw {failure}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_then_silence_then_a_line_that_counts_what_was_left_out() {
        let tally = Tally::new();
        let start = Instant::from_nanos(1);
        assert_eq!(tally.line_at(start, QUIET), Some(0));
        for early in [0, 1, QUIET.as_nanos() as u64 - 1] {
            assert_eq!(tally.line_at(start + Duration::from_nanos(early), QUIET), None);
        }
        assert_eq!(tally.line_at(start + QUIET, QUIET), Some(3));
        assert_eq!(tally.line_at(start + QUIET, QUIET), None);
        assert_eq!(tally.line_at(start + 3 * QUIET, QUIET), Some(1));
        assert_eq!(tally.line_at(start + 4 * QUIET, QUIET), Some(0));
    }

    #[test]
    fn the_manual_has_a_line_for_each_event() {
        let manual = include_str!("manual/running.rs");
        for event in Event::ALL {
            let level = event.level().as_str().to_lowercase();
            let line = format!("| `{event:?}` | {level} | `{}` |", event.target());
            assert!(manual.contains(&line), "{line} is not in the manual");
        }
    }
}
