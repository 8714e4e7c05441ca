//! The anchor: the part of an executor that stays where it is for ever.
//!
//! `waker ─▶ [anchor] ─▶ run queue ─▶ executor ─▶ reactor`
//!
//! A waker may be used on any thread at any time, also when its task, its executor or the whole
//! runtime is gone. So what wakers reach is not owned by the executor: it is `'static`, declared by
//! the user in a `static` or leaked once and used again for the next executor on that core.
//!
//! It has two halves on separate cache lines: the *remote* half, all atomics, for everybody; and
//! the *home* half, all plain cells, for the one core that runs the executor.
//!
//! Invariants: *Home only* and *Headers are for ever* (see [`crate::task`]), and
//!
//! - **One tenant.** At most one executor uses an anchor at a time (`in_use`), and each has an
//!   epoch of its own. A handle that is tied to the executor's thread and finds its own epoch here
//!   thereby knows that it is at home and that the executor lives.

use core::fmt;
use core::mem;
use core::ptr::{self, NonNull};

use super::home::Home;
use crate::coop::TaskBudget;
use crate::doorbell::Doorbell;
use crate::error::AnchorInUse;
use crate::prim::{AtomicBool, AtomicU32, Ordering, const_fn, fence, ordering, planted, statics};
use crate::run_queue::inbox::Inbox;
use crate::task::header::Header;
use crate::task::slots::Returned;
use crate::waker::wake_on;

/// Wakes the task in a slot of the anchor that has this function.
pub(crate) type WakeFn = unsafe fn(NonNull<Header>);

/// What all anchors have in common, whatever their bell.
#[repr(C, align(128))]
pub(crate) struct Base {
    /// A [`WakeFn`] that wakes a task of this anchor, whatever its bell; null until an executor has
    /// moved in. So an anchor in a `static` begins as zeroes, which an image does not have to hold.
    wake: statics::AtomicPtr<()>,
    inbox: Inbox,
    asleep: AtomicBool,
    in_use: AtomicBool,
    epoch: AtomicU32,
    returned: Returned,
    home: HomeHalf,
}

/// Keeps the plain half off the line that other cores write to.
#[repr(align(128))]
struct HomeHalf(Home);

// SAFETY: the remote half is atomics; `home` hands out the other half under *Home only* alone.
unsafe impl Sync for Base {}
// SAFETY: as above; nothing in it belongs to a particular thread while no executor uses it.
unsafe impl Send for Base {}

impl Base {
    const_fn! {
        const fn new() -> Self {
            Self {
                wake: statics::AtomicPtr::new(ptr::null_mut()),
                inbox: Inbox::new(),
                asleep: AtomicBool::new(false),
                in_use: AtomicBool::new(false),
                epoch: AtomicU32::new(0),
                returned: Returned::new(),
                home: HomeHalf(Home::new()),
            }
        }
    }

    /// The half that only home may touch.
    ///
    /// # Safety
    /// *Home only*: the caller runs on the thread of the executor that uses this anchor now.
    #[inline]
    pub(crate) unsafe fn home(&self) -> &Home {
        &self.home.0
    }

    /// The budget of the task that is polled, for the futures at its leaves. It is atomic, hence no
    /// matter of *Home only*.
    #[inline]
    pub(crate) fn task_budget(&self) -> &TaskBudget {
        &self.home.0.task_budget
    }

    /// How its tasks are woken.
    ///
    /// # Safety
    /// An executor has moved in, now or before.
    #[inline]
    pub(crate) unsafe fn wake(&self) -> WakeFn {
        let wake = self.wake.load(statics::Ordering::Relaxed);
        // SAFETY: the caller's promise: it is not null any more, so `move_in` has stored it, from a
        // function of this very type.
        unsafe { mem::transmute::<*mut (), WakeFn>(wake) }
    }

    /// Which executor uses the anchor, or will use it next.
    #[inline]
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(crate) fn returned(&self) -> &Returned {
        &self.returned
    }

    /// Home says that it will sleep unless there is work; `true` if there is none.
    ///
    /// Pairs with [`Anchor::wake_from_afar`]: each side writes, passes a full fence, then reads
    /// what the other wrote, so at least one of them sees the other.
    pub(crate) fn announce_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(ordering!(SeqCst, "park: home announces its sleep"));
        let idle = self.inbox.is_empty() || planted("park: home looks once more");
        if !idle {
            self.awake();
        }
        idle
    }

    /// Whether home sleeps, or is about to. Only a hint, unless a fence stands before it.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }

    /// Home is awake again: no bells.
    #[inline]
    pub(crate) fn awake(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::Relaxed);
        }
    }

    /// Takes the anchor for a new executor; `false` if one uses it.
    pub(crate) fn move_in(&self) -> bool {
        // Acquire: pairs with `move_out`, so the former tenant's plain writes are ours to see.
        let acquire = ordering!(Acquire, "anchor: move in");
        self.in_use.compare_exchange(false, true, acquire, Ordering::Relaxed).is_ok()
    }

    /// The executor is gone and nothing of it is left in the home half. An anchor whose epochs are
    /// used up stays in use for ever, so that no handle finds its epoch in another's hands.
    pub(crate) fn move_out(&self) {
        if let Some(next) = self.epoch().checked_add(1) {
            self.epoch.store(next, Ordering::Relaxed);
            self.in_use.store(false, ordering!(Release, "anchor: move out"));
        }
    }
}

/// The part of an executor that outlives it, so that wakers may point there for ever.
///
/// Declare one per core as a `static`, or leak one and keep it for the next executor on that core.
/// An anchor keeps the memory of its tasks' slots, for reuse.
///
/// ```
/// use miniss_core::{Anchor, Doorbell, time::Instant};
///
/// struct Bell;
/// // SAFETY: `is_home` keeps its default.
/// unsafe impl Doorbell for Bell {
///     fn ring(&self) {}
///     fn now(&self) -> Instant {
///         Instant::ZERO
///     }
/// }
///
/// static CORE_0: Anchor<Bell> = Anchor::new(Bell);
/// ```
#[repr(C)]
pub struct Anchor<B> {
    /// First, so that a pointer to it is one to the anchor.
    base: Base,
    bell: B,
}

impl<B: Doorbell> Anchor<B> {
    const_fn! {
        /// An anchor that no executor uses yet.
        ///
        /// See [`Anchor`] for an example.
        pub const fn new(bell: B) -> Self {
            Self { base: Base::new(), bell }
        }
    }

    /// The bell of the core that uses this anchor.
    ///
    /// ```
    /// # use miniss_core::{Doorbell, doctest};
    /// doctest::executor().local().anchor().bell().ring();
    /// ```
    #[inline]
    pub fn bell(&self) -> &B {
        &self.bell
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// A pointer from which all of the anchor may be reached.
    pub(crate) fn base_ptr(&'static self) -> NonNull<Base> {
        NonNull::from(self).cast()
    }

    /// # Safety
    /// As for [`Base::home`].
    #[inline]
    pub(crate) unsafe fn home(&self) -> &Home {
        // SAFETY: the caller's promise.
        unsafe { self.base.home() }
    }

    /// A wake from another core, a foreign thread or an interrupt handler.
    #[cold]
    pub(crate) fn wake_from_afar(&self, slot: NonNull<Header>) {
        if !self.base.inbox.push(slot) {
            return;
        }
        // The other half of `announce_sleep`.
        fence(ordering!(SeqCst, "park: a waker looks for a sleeper"));
        let asleep = &self.base.asleep;
        // The swap makes it one ring per sleep, however many wakers there are. Relaxed: the fences
        // carry the argument alone.
        if asleep.load(Ordering::Relaxed)
            && (asleep.swap(false, Ordering::Relaxed) || planted("park: one ring per sleep"))
        {
            self.bell.ring();
        }
    }

    /// Takes the anchor for a new executor.
    pub(crate) fn move_in(&'static self) -> Result<u32, AnchorInUse> {
        if !self.base.move_in() {
            return Err(AnchorInUse);
        }
        let wake: WakeFn = wake_on::<B>;
        self.base.wake.store(wake as *mut (), statics::Ordering::Relaxed);
        // SAFETY: *Home only*: we have just become the one tenant.
        unsafe { self.home() }.open(&self.base, self.base_ptr(), self.bell.now());
        Ok(self.base.epoch())
    }
}

impl<B> fmt::Debug for Anchor<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchor")
            .field("address", &ptr::from_ref(self).cast::<()>())
            .field("in_use", &self.base.in_use)
            .finish_non_exhaustive()
    }
}
