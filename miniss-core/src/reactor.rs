//! The port: all that an executor asks of the world around it.
//!
//! The [`Reactor`] is the executor's own. Its [`Unpark`], which is also its [`Clock`], may be
//! reached from anywhere. [`Idle`] is the handshake between the two: falling asleep without missing
//! a wake.
//!
//! ```text
//!  the owner                         a waker elsewhere
//!  asleep = true                     push on the inbox
//!  fence(SeqCst)                     fence(SeqCst)
//!  inbox empty? ── yes ─▶ sleep      asleep? ── yes ─▶ asleep = false, unpark
//! ```
//!
//! Each side writes, passes a full fence and then reads what the other wrote; so at least one of
//! them reads the new value. Either the owner sees the push and stays awake, or the waker sees the
//! sleep and unparks the core. The reads and writes are relaxed: the two fences carry the argument
//! alone.

use core::fmt;

use crate::executor::cell::{OwnerState, Shared};
use crate::prim::planted;
use crate::time::Instant;
use crate::timer::TimerQueue;

/// What an executor runs on: an io_uring, a poll set, an interrupt controller, a simulation.
///
/// A reactor is a value that the executor owns, so any number of executors on any number of ports
/// live side by side in one program. The part that other cores may reach is its
/// [`Unpark`].
///
/// A port to a thread of the standard library:
///
/// ```
/// use core::time::Duration;
/// use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};
/// use miniss_core::time::Instant;
/// use miniss_core::timer::{Sleep, Wheel};
/// use std::sync::OnceLock;
/// use std::thread::{self, Thread};
///
/// struct Unparker {
///     sleeper: OnceLock<Thread>,
///     start: OnceLock<std::time::Instant>,
/// }
///
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Unparker {
///     fn unpark(&self) {
///         if let Some(sleeper) = self.sleeper.get() {
///             sleeper.unpark();
///         }
///     }
/// }
///
/// impl Clock for Unparker {
///     type Timers = Wheel;
///
///     fn now(&self) -> Instant {
///         let start = self.start.get_or_init(std::time::Instant::now);
///         Instant::from_nanos(start.elapsed().as_nanos() as u64)
///     }
/// }
///
/// struct ThreadPort(&'static ExecutorCell<Unparker>);
///
/// impl Reactor for ThreadPort {
///     type Unparker = Unparker;
///     fn poll(&mut self) -> usize {
///         0 // a thread has no events of its own
///     }
///     fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
///         let unparker = self.0.unparker();
///         unparker.sleeper.get_or_init(thread::current);
///         if !idle.confirmed() {
///             return;
///         }
///         match deadline {
///             None => thread::park(),
///             Some(deadline) => thread::park_timeout(deadline - unparker.now()),
///         }
///     }
/// }
///
/// static CELL: ExecutorCell<Unparker> =
///     ExecutorCell::new(Unparker { sleeper: OnceLock::new(), start: OnceLock::new() });
///
/// let mut executor = Executor::new(&CELL, ThreadPort(&CELL)).unwrap();
/// let local = executor.local();
/// let answer = executor.block_on(async move {
///     Sleep::new(local, Duration::from_millis(1)).await;
///     6 * 7
/// });
/// assert_eq!(answer, 42);
/// ```
pub trait Reactor {
    /// How the core that this reactor runs on is woken.
    type Unparker: Unpark;

    /// Hands over what has been prepared, settles what has completed and wakes its tasks. Never
    /// blocks. Returns how many events it settled.
    fn poll(&mut self) -> usize;

    /// Sleeps until an event comes, [`unpark`](Unpark::unpark) is called or `deadline` passes, then
    /// settles what there is. `None`: no deadline. It may return early for any reason or none.
    ///
    /// There is no ready task when it is called, but a remote wake may come at any moment. So first
    /// see to it that an unpark from now on will end the coming sleep (interrupts off before `sti;
    /// hlt` or `wfi`, say), then call [`Idle::confirmed`], and do not sleep if that returns
    /// `false`.
    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>);
}

/// A clock that never goes back.
///
/// Each [`Unpark`] is one: the clock of the executor's timers. Its example has both.
pub trait Clock {
    /// What keeps the timers: [`Wheel`](crate::timer::Wheel) for any number of them,
    /// [`TimerList`](crate::timer::TimerList) for a few on a small machine,
    /// [`NoTimers`](crate::timer::NoTimers) for none.
    type Timers: TimerQueue;

    /// The time now.
    fn now(&self) -> Instant;
}

/// The part of a port that every thread may hold: it wakes the core that an executor runs on, and
/// knows whether the caller is on that core.
///
/// It lives in the [`ExecutorCell`](crate::ExecutorCell), whose memory is never given back, so all
/// of it may be called from any thread, core or interrupt handler, before the executor starts and
/// after it has ended.
///
/// # Safety
///
/// [`is_local`](Unpark::is_local) may return `true` only to a caller that runs on the core (or
/// thread) of the executor that owns this cell, while that executor exists, and that is not an
/// interrupt handler or signal handler: what it guards is not atomic. Returning `false` is always
/// sound. An implementation that leaves the default alone has nothing to prove.
///
/// ```
/// use miniss_core::{Clock, Unpark, time::Instant, timer::Wheel};
///
/// /// A port for a loop that never sleeps: there is nothing to wake, and the clock stands still.
/// struct Spinning;
///
/// // SAFETY: `is_local` keeps its default.
/// unsafe impl Unpark for Spinning {
///     fn unpark(&self) {}
/// }
///
/// impl Clock for Spinning {
///     type Timers = Wheel;
///
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
/// ```
pub unsafe trait Unpark: Clock + Send + Sync + 'static {
    /// Ends the sleep of the core.
    ///
    /// Called at most once per sleep, only when the core announced that it sleeps. A call that
    /// comes when the core is awake already must not be harmful, and one that comes between the
    /// core's last look and its falling asleep must end that sleep at once. After the executor
    /// has ended it must do nothing.
    fn unpark(&self);

    /// Whether the caller is on the executor's own core or thread, outside of any handler.
    ///
    /// With `true`, wakes take the short way, which has no atomic read-modify-write.
    #[inline]
    fn is_local(&self) -> bool {
        false
    }
}

/// Permission to sleep, if it is still given at the last moment.
///
/// Handed to [`Reactor::park`].
#[derive(Clone, Copy)]
pub struct Idle<'a> {
    shared: &'a Shared,
    /// Makes it `!Send`, too: the permission stays on its thread.
    owner: &'a OwnerState,
}

impl<'a> Idle<'a> {
    pub(crate) fn new(shared: &'a Shared, owner: &'a OwnerState) -> Self {
        Self { shared, owner }
    }

    /// Announces the sleep and looks once more: `true` if there is nothing to do, and then the next
    /// remote wake unparks the core.
    ///
    /// Call it where an unpark already ends the sleep that follows: with interrupts off before
    /// `sti; hlt`, or any time before a blocking call that a written eventfd ends.
    ///
    /// ```
    /// # use miniss_core::{Idle, time::Instant};
    /// fn park(deadline: Option<Instant>, idle: Idle<'_>) {
    ///     if idle.confirmed() {
    ///         // block until the core is unparked or the deadline passes
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn confirmed(&self) -> bool {
        if !self.owner.is_idle() || !self.shared.announce_sleep() {
            return false;
        }
        // This look is behind the same fence: a core that publishes after it sees the sleep, and
        // unparks.
        let is_quiet =
            !self.owner.watches.have_news() || planted("park: owner looks at the lanes once more");
        if !is_quiet {
            self.shared.awake();
        }
        is_quiet
    }

    /// Whether a call or a reply from another core is likely to come soon: a call that was made
    /// here is under way, or one from another core was answered since this was last asked. A port
    /// that spins before it sleeps may ask this to know when spinning pays.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn spin_worth(idle: Idle<'_>) -> u32 {
    ///     if idle.expects_calls() { 1_000 } else { 0 }
    /// }
    /// ```
    #[must_use]
    pub fn expects_calls(&self) -> bool {
        self.owner.watches.expect_news()
    }

    /// Whether a call or a reply has come in.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn was_woken_by_a_call(idle: Idle<'_>) -> bool {
    ///     idle.has_calls()
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn has_calls(&self) -> bool {
        self.owner.watches.have_news()
    }

    /// Whether a task is ready, or a remote wake, a call or a reply has come. Plain loads, for a
    /// port that spins for a while before it sleeps.
    ///
    /// ```
    /// # use miniss_core::Idle;
    /// fn spin(idle: Idle<'_>) {
    ///     while !idle.has_work() {
    ///         core::hint::spin_loop();
    ///     }
    /// }
    /// ```
    #[inline]
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.owner.is_idle() || !self.shared.inbox().is_empty() || self.owner.watches.have_news()
    }
}

impl fmt::Debug for Idle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("has_work", &self.has_work()).finish()
    }
}
