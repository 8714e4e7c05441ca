//! What an executor looks at beside its queues: places that other cores write to without a wake.
//!
//! A remote wake costs several read-modify-writes on lines that both cores fight for. The executor
//! looks at a watched place once a turn and before each sleep; so while it is awake, another core
//! may write there and need not wake it.
//!
//! A watch also knows how to send what was made here for other cores. A task does that in its turn;
//! an executor that leaves the loop before that turn does it first.
//!
//! # Invariant
//!
//! - **Listed is there.** A watch is taken off the list before it is dropped, and the place that it
//!   looks at lives as long. Only the owner touches list and watches. None is taken off while
//!   something is sent: the watches belong to tasks, which end in a turn or with the executor.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::cell::OwnerState;
use crate::task::cell::Header;

/// A place to look at, and the task to wake when there is something.
pub(crate) struct Watch {
    /// Whether there is something at `place`. It neither unwinds nor calls foreign code.
    look: unsafe fn(NonNull<()>) -> bool,
    /// Sends what was made at `place` for other cores.
    send: unsafe fn(NonNull<()>),
    place: Cell<NonNull<()>>,
    task: Cell<NonNull<Header>>,
    /// How much is to come back.
    awaited: Cell<usize>,
    /// Another core was answered since this was last asked for; it may have more.
    has_answered: Cell<bool>,
    is_listed: Cell<bool>,
    next: Cell<*const Watch>,
}

impl Watch {
    /// A watch that is not listed yet.
    pub(crate) const fn new(
        look: unsafe fn(NonNull<()>) -> bool,
        send: unsafe fn(NonNull<()>),
    ) -> Self {
        Self {
            look,
            send,
            place: Cell::new(NonNull::dangling()),
            task: Cell::new(NonNull::dangling()),
            awaited: Cell::new(0),
            has_answered: Cell::new(false),
            is_listed: Cell::new(false),
            next: Cell::new(ptr::null()),
        }
    }

    /// Something was sent that comes back.
    #[inline]
    pub(crate) fn expect_one(&self) {
        self.awaited.set(self.awaited.get() + 1);
    }

    /// Something came back.
    #[inline]
    pub(crate) fn note_one(&self) {
        self.awaited.set(self.awaited.get().saturating_sub(1));
    }

    /// Another core was answered.
    #[inline]
    pub(crate) fn note_answer(&self) {
        self.has_answered.set(true);
    }

    fn has_news(&self) -> bool {
        // SAFETY: *Listed is there*.
        unsafe { (self.look)(self.place.get()) }
    }
}

/// The watches of one executor.
pub(crate) struct Watches(Cell<*const Watch>);

impl Watches {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Lists a watch, or changes what it says if it is listed already.
    ///
    /// # Safety
    /// The caller upholds *Listed is there*. `look` and `send` may be called with `place`.
    pub(crate) unsafe fn list(&self, watch: &Watch, place: NonNull<()>, task: NonNull<Header>) {
        watch.place.set(place);
        watch.task.set(task);
        if !watch.is_listed.replace(true) {
            watch.next.set(self.0.replace(watch));
        }
    }

    /// Takes a watch off the list, if it is there.
    pub(crate) fn unlist(&self, watch: &Watch) {
        if !watch.is_listed.replace(false) {
            return;
        }
        let mut link = &self.0;
        while !ptr::eq(link.get(), watch) {
            // SAFETY: *Listed is there*, and what we look for is further down the list.
            link = unsafe { &(*link.get()).next };
        }
        link.set(watch.next.get());
    }

    /// Whether there is something anywhere.
    #[inline]
    pub(crate) fn have_news(&self) -> bool {
        self.iter().any(Watch::has_news)
    }

    /// Whether something may well come soon: what was sent comes back, or a core that was answered
    /// since the last time goes on.
    pub(crate) fn expect_news(&self) -> bool {
        self.iter().fold(false, |expects, watch| {
            watch.has_answered.replace(false) | (watch.awaited.get() > 0) | expects
        })
    }

    /// Sends what was made for other cores: the loop is left.
    #[inline]
    pub(crate) fn send(&self) {
        // SAFETY: *Listed is there*.
        self.iter().for_each(|watch| unsafe { (watch.send)(watch.place.get()) });
    }

    /// Wakes the task of each place where there is something.
    #[inline]
    pub(crate) fn wake_tasks(&self, owner: &OwnerState) {
        self.iter().filter(|watch| watch.has_news()).for_each(|watch| owner.wake(watch.task.get()));
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = &Watch> {
        // SAFETY: *Listed is there*.
        let at = |link: *const Watch| unsafe { link.as_ref() };
        core::iter::successors(at(self.0.get()), move |watch| at(watch.next.get()))
    }
}
