//! What every mesh is made of: a lane for every ordered pair of cores, and where each core is to be
//! woken.
//!
//! `submit_to ─▶ [lane A▸B] ─▶ doorbell ─▶ core B`
//!
//! # No chain is overlooked
//!
//! A sender pushes, then raises its bit in the receiver's `mail`, then wakes the receiver's task.
//! The receiver takes all bits, then empties the lanes they name. A push that comes after the
//! emptying raises its bit anew. Before a receiver has made its waker known, nobody can wake it; so
//! it looks everywhere once after it has.
//!
//! Bits are raised, and all of them for a look everywhere, by read-modify-writes of one word, which
//! stand in one order. A sender that comes before the look has its bit taken with the others, and
//! its push is seen. One that comes after it sees what was written before the look: the waker of
//! a port that opens, or that a port has closed, and then it takes its chain back.
//!
//! # Invariant
//!
//! - **Wakers are for ever.** What a port holds is the address and vtable of a task's waker, which
//!   owns nothing and may be used at any time. The vtable is the same for every task of a mesh.

use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::task::{RawWakerVTable, Waker};

use super::node::{Chain, Held, Node};
use super::queue::Queue;
use crate::prim::{
    AtomicBool, AtomicPtr, AtomicUsize, Ordering, const_fn, fence, ordering, planted,
};

/// One ordered pair's queue.
pub(super) struct Lane<Q> {
    queue: Q,
    /// The sender found it full and wants to be woken when there is room.
    sender_waits: AtomicBool,
}

impl<Q> Lane<Q> {
    const_fn! {
        pub(super) const fn new(queue: Q) -> Self {
            Self { queue, sender_waits: AtomicBool::new(false) }
        }
    }
}

/// Where the mail of one core is announced, on a line of its own.
#[repr(align(128))]
pub(super) struct Port {
    /// A bit for each sender whose lane may hold something; beyond the word's width, senders share.
    mail: AtomicUsize,
    /// The data of the waker of the endpoint's task; null before the port opens.
    task: AtomicPtr<()>,
    /// The vtable of that waker, written before `task`.
    vtable: AtomicPtr<RawWakerVTable>,
    is_claimed: AtomicBool,
    is_closed: AtomicBool,
    /// Replies of cores that have ended, which found their lane full.
    strays: AtomicPtr<Node>,
}

impl Port {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                mail: AtomicUsize::new(0),
                task: AtomicPtr::new(ptr::null_mut()),
                vtable: AtomicPtr::new(ptr::null_mut()),
                is_claimed: AtomicBool::new(false),
                is_closed: AtomicBool::new(false),
                strays: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Drops what was left here, now that nobody waits for it.
    #[cfg(feature = "alloc")]
    pub(super) fn drop_strays(&self) {
        let strays = self.strays.swap(ptr::null_mut(), Ordering::Relaxed);
        drop(NonNull::new(strays).map(Chain::new));
    }
}

/// The lanes and ports of a mesh, wherever they lie.
pub(super) struct Lanes<'mesh, Q> {
    /// All lanes to core 0, then all to core 1, and so on: the square of the number of cores.
    lanes: &'mesh [Lane<Q>],
    ports: &'mesh [Port],
}

impl<Q> Clone for Lanes<'_, Q> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Q> Copy for Lanes<'_, Q> {}

impl<'mesh, Q: Queue> Lanes<'mesh, Q> {
    /// Of a mesh with one port per core, and as many lanes as they need.
    pub(super) fn new(lanes: &'mesh [Lane<Q>], ports: &'mesh [Port]) -> Self {
        debug_assert_eq!(lanes.len(), ports.len() * ports.len());
        Self { lanes, ports }
    }

    /// How many cores there are.
    pub(super) fn cores(&self) -> usize {
        self.ports.len()
    }

    fn lane(&self, from: usize, to: usize) -> &Lane<Q> {
        &self.lanes[to * self.ports.len() + from]
    }

    /// Takes the end of core `me`.
    ///
    /// # Panics
    /// If there is no such core, or its end was taken before.
    #[track_caller]
    pub(super) fn claim(&self, me: usize) {
        let Some(port) = self.ports.get(me) else { panic!("the mesh has no core {me}") };
        let taken = port.is_claimed.swap(true, Ordering::Relaxed);
        assert!(!taken, "the end of core {me} was opened before; clone its Endpoint");
    }

    /// Lets the next `receive` look at all lanes to core `me`.
    pub(super) fn look_everywhere(&self, me: usize) {
        // Not a store: that would hide the release of a bit that was raised just before it.
        // Release: pairs with the Acquire in `announce`, for what was written before the look.
        self.ports[me].mail.fetch_or(usize::MAX, ordering!(Release, "mesh: look everywhere"));
        if planted("mesh: a look everywhere hides no bit") {
            self.ports[me].mail.store(usize::MAX, ordering!(Release, "mesh: look everywhere"));
        }
    }

    /// Makes known where core `me` is to be woken; in place of its former waker, if it had one.
    ///
    /// # Safety
    /// The caller has claimed `me`. *Wakers are for ever*: this is the waker of a task.
    pub(super) unsafe fn open(&self, me: usize, waker: &Waker) {
        let port = &self.ports[me];
        port.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
        // Release: the vtable is there before the task is.
        port.task.store(waker.data().cast_mut(), ordering!(Release, "mesh: open"));
    }

    /// Sends a chain; gives it back if the lane is full, or the receiver is gone.
    pub(super) fn send(&self, from: usize, to: usize, chain: Chain) -> Result<(), Unsent> {
        let lane = self.lane(from, to);
        // Relaxed: a hint, which saves the way. `take_back` makes sure.
        if self.ports[to].is_closed.load(Ordering::Relaxed) {
            return Err(Unsent::Closed(chain));
        }
        let Err(chain) = lane.queue.push(chain) else {
            self.announce(from, to);
            return Ok(());
        };
        lane.sender_waits.store(true, Ordering::Relaxed);
        // Pairs with the fence in `receive`: it sees the flag, or the push finds room.
        fence(ordering!(SeqCst, "mesh: a sender waits for room"));
        lane.queue.push(chain).map_err(Unsent::Full)?;
        self.announce(from, to);
        Ok(())
    }

    fn announce(&self, from: usize, to: usize) {
        let bit = 1 << (from % usize::BITS as usize);
        // Release: whoever takes the bit finds the chain.
        // Acquire: whoever comes too late for a look everywhere sees what was written before it.
        self.ports[to].mail.fetch_or(bit, ordering!(AcqRel, "mesh: raise a bit"));
        self.wake(to);
    }

    fn wake(&self, core: usize) {
        let port = &self.ports[core];
        // Acquire: the vtable was written before.
        let task = port.task.load(ordering!(Acquire, "mesh: whom to wake"));
        if task.is_null() {
            return;
        }
        let vtable = port.vtable.load(Ordering::Relaxed);
        #[cfg(loom)]
        assert!(!vtable.is_null(), "a task was woken whose vtable is not there");
        // SAFETY: the vtable is there since the task is, and it is a `&'static` one.
        let vtable = unsafe { &*vtable };
        // SAFETY: *Wakers are for ever*; it owns nothing, so it need not be dropped.
        ManuallyDrop::new(unsafe { Waker::new(task, vtable) }).wake_by_ref();
    }

    /// Whether a look at the lanes to core `me` may find something.
    #[inline]
    pub(super) fn has_mail(&self, me: usize) -> bool {
        self.ports[me].mail.load(Ordering::Relaxed) != 0
    }

    /// Takes all chains for core `me`.
    pub(super) fn receive(&self, me: usize, mut take: impl FnMut(Chain)) {
        // Acquire: pairs with the Release in `announce`.
        let mail = self.ports[me].mail.swap(0, ordering!(Acquire, "mesh: take the bits"));
        if mail == 0 {
            return;
        }
        self.receive_strays(me, &mut take);
        for from in 0..self.cores() {
            if mail & 1 << (from % usize::BITS as usize) == 0 {
                continue;
            }
            let lane = self.lane(from, me);
            while let Some(chain) = lane.queue.pop() {
                take(chain);
            }
            // Pairs with the fence in `send`.
            fence(ordering!(SeqCst, "mesh: room was made"));
            if lane.sender_waits.load(Ordering::Relaxed)
                && lane.sender_waits.swap(false, Ordering::Relaxed)
            {
                self.wake(from);
            }
        }
    }

    fn receive_strays(&self, me: usize, take: &mut impl FnMut(Chain)) {
        let strays = &self.ports[me].strays;
        if strays.load(Ordering::Relaxed).is_null() {
            return;
        }
        let acquire = ordering!(Acquire, "mesh: take the strays");
        if let Some(head) = NonNull::new(strays.swap(ptr::null_mut(), acquire)) {
            take(Chain::new(head));
        }
    }

    /// Leaves a reply of a core that ends, whose lane is full: a reply always has room.
    pub(super) fn leave_stray(&self, from: usize, to: usize, held: Held) {
        let strays = &self.ports[to].strays;
        let mut head = strays.load(Ordering::Relaxed);
        loop {
            held.node().next.set(head);
            let node = held.0.as_ptr();
            // Release: pairs with the acquiring swap in `receive_strays`.
            let release = ordering!(Release, "mesh: leave a stray");
            match strays.compare_exchange_weak(head, node, release, Ordering::Relaxed) {
                Ok(_) => return self.announce(from, to),
                Err(now) => head = now,
            }
        }
    }

    /// Core `me` takes no more calls. What is in the lanes to it is still to be received.
    pub(super) fn close(&self, me: usize) {
        self.ports[me].is_closed.store(true, Ordering::Relaxed);
        // The final look must not depend on a bit that is about to be raised.
        self.look_everywhere(me);
    }

    /// After a send: if the receiver has closed meanwhile, takes back what it may have overlooked.
    pub(super) fn take_back(&self, from: usize, to: usize, mut take: impl FnMut(Chain)) {
        let is_closed = self.ports[to].is_closed.load(Ordering::Relaxed);
        if !is_closed || planted("mesh: what nobody receives is taken back") {
            return;
        }
        while let Some(chain) = self.lane(from, to).queue.pop() {
            take(chain);
        }
    }
}

/// Why a chain was not sent.
pub(super) enum Unsent {
    /// No room now; the sender will be woken when there is.
    Full(Chain),
    /// The receiver is gone.
    Closed(Chain),
}
