//! The mesh: a lane for every ordered pair of cores, and where each core is to be woken.
//!
//! `submit_to ─▶ [lane A▸B] ─▶ doorbell ─▶ core B`
//!
//! # No chain is overlooked
//!
//! A sender pushes, then raises its bit in the receiver's `mail`, then wakes the receiver's task.
//! The receiver takes all bits, then empties the lanes they name. A push that comes after the
//! emptying raises its bit anew. Before a receiver has made its waker known, nobody can wake it; so
//! it looks everywhere once after it has, and a full fence on both sides makes sure that one sees
//! the other.
//!
//! # Invariant
//!
//! - **Wakers are for ever.** What a port holds is the address and vtable of a task's waker, which
//!   owns nothing and may be used at any time. The vtable is the same for every task of a mesh.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::task::{RawWakerVTable, Waker};

use super::node::{Chain, Held, Node};
use super::queue::Queue;
use crate::doorbell::Doorbell;
use crate::prim::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence};

/// One ordered pair's queue.
struct Lane<Q> {
    queue: Q,
    /// The sender found it full and wants to be woken when there is room.
    sender_waits: AtomicBool,
}

/// Where the mail of one core is announced, on a line of its own.
#[repr(align(128))]
struct Port {
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

/// The lanes between a fixed number of cores, whose executors have bells of type `B`.
///
/// ```
/// use miniss_core::mailbox::{FixedLane, Mesh};
/// # use miniss_core::doctest::Bell;
/// let mesh = Mesh::<Bell, _>::new(4, FixedLane::<16>::new);
/// assert_eq!(mesh.len(), 4);
/// ```
pub struct Mesh<B, Q> {
    lanes: Box<[Lane<Q>]>,
    ports: Box<[Port]>,
    bell: PhantomData<fn() -> B>,
}

impl<B: Doorbell, Q: Queue> Mesh<B, Q> {
    /// A mesh of `cores` cores whose lanes use the queues that `queue` makes.
    ///
    /// ```
    /// # use miniss_core::{doctest::Bell, mailbox::{FixedLane, Mesh}};
    /// let mesh = Mesh::<Bell, _>::new(2, FixedLane::<16>::new);
    /// # assert!(!mesh.is_empty());
    /// ```
    pub fn new(cores: usize, queue: impl Fn() -> Q) -> Self {
        let lane = |_| Lane { queue: queue(), sender_waits: AtomicBool::new(false) };
        let port = |_| Port {
            mail: AtomicUsize::new(0),
            task: AtomicPtr::new(ptr::null_mut()),
            vtable: AtomicPtr::new(ptr::null_mut()),
            is_claimed: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            strays: AtomicPtr::new(ptr::null_mut()),
        };
        Self {
            lanes: (0..cores * cores).map(lane).collect(),
            ports: (0..cores).map(port).collect(),
            bell: PhantomData,
        }
    }

    /// How many cores there are.
    ///
    /// ```
    /// # use miniss_core::{doctest::Bell, mailbox::{FixedLane, Mesh}};
    /// assert_eq!(Mesh::<Bell, _>::new(3, FixedLane::<2>::new).len(), 3);
    /// ```
    pub fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether there are no cores at all.
    ///
    /// ```
    /// # use miniss_core::{doctest::Bell, mailbox::{FixedLane, Mesh}};
    /// assert!(Mesh::<Bell, _>::new(0, FixedLane::<2>::new).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    fn lane(&self, from: usize, to: usize) -> &Lane<Q> {
        &self.lanes[to * self.ports.len() + from]
    }

    /// Takes the end of core `me`.
    ///
    /// # Panics
    /// If there is no such core, or its end was taken before.
    pub(super) fn claim(&self, me: usize) {
        let port = self.ports.get(me).unwrap_or_else(|| panic!("the mesh has no core {me}"));
        let taken = port.is_claimed.swap(true, Ordering::Relaxed);
        assert!(!taken, "the end of core {me} was opened before");
    }

    /// Lets the next `receive` look at all lanes to core `me`.
    pub(super) fn look_everywhere(&self, me: usize) {
        // Not a store: that would hide the release of a bit that was raised just before it.
        self.ports[me].mail.fetch_or(usize::MAX, Ordering::Relaxed);
    }

    /// Makes known where core `me` is to be woken; in place of its former waker, if it had one.
    ///
    /// # Safety
    /// The caller has claimed `me`. *Wakers are for ever*: this is the waker of a task.
    pub(super) unsafe fn open(&self, me: usize, waker: &Waker) {
        let port = &self.ports[me];
        port.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
        port.task.store(waker.data().cast_mut(), Ordering::Release);
        // See the essay: the look everywhere comes after this fence.
        fence(Ordering::SeqCst);
    }

    /// Sends a chain; gives it back if the lane is full, or the receiver is gone.
    pub(super) fn send(&self, from: usize, to: usize, chain: Chain) -> Result<(), Unsent> {
        let lane = self.lane(from, to);
        if self.ports[to].is_closed.load(Ordering::Acquire) {
            return Err(Unsent::Closed(chain));
        }
        let Err(chain) = lane.queue.push(chain) else {
            self.announce(from, to);
            return Ok(());
        };
        lane.sender_waits.store(true, Ordering::Relaxed);
        // Pairs with the fence in `receive`: it sees the flag, or the push finds room.
        fence(Ordering::SeqCst);
        lane.queue.push(chain).map_err(Unsent::Full)?;
        self.announce(from, to);
        Ok(())
    }

    fn announce(&self, from: usize, to: usize) {
        let bit = 1 << (from % usize::BITS as usize);
        // Release: whoever takes the bit finds the chain.
        self.ports[to].mail.fetch_or(bit, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake(to);
    }

    fn wake(&self, core: usize) {
        let port = &self.ports[core];
        // Acquire: the vtable was written before.
        let task = port.task.load(Ordering::Acquire);
        if task.is_null() {
            return;
        }
        // SAFETY: the vtable is there since the task is, and it is a `&'static` one.
        let vtable = unsafe { &*port.vtable.load(Ordering::Relaxed) };
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
        let mail = self.ports[me].mail.swap(0, Ordering::Acquire);
        if mail == 0 {
            return;
        }
        self.receive_strays(me, &mut take);
        for from in 0..self.len() {
            if mail & 1 << (from % usize::BITS as usize) == 0 {
                continue;
            }
            let lane = self.lane(from, me);
            while let Some(chain) = lane.queue.pop() {
                take(chain);
            }
            // Pairs with the fence in `send`.
            fence(Ordering::SeqCst);
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
        if let Some(head) = NonNull::new(strays.swap(ptr::null_mut(), Ordering::Acquire)) {
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
            match strays.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return self.announce(from, to),
                Err(now) => head = now,
            }
        }
    }

    /// Core `me` takes no more calls. What is in the lanes to it is still to be received.
    pub(super) fn close(&self, me: usize) {
        self.ports[me].is_closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        // The final look must not depend on a bit that is about to be raised.
        self.look_everywhere(me);
    }

    /// After a send: if the receiver has closed meanwhile, takes back what it may have overlooked.
    pub(super) fn take_back(&self, from: usize, to: usize, mut take: impl FnMut(Chain)) {
        if !self.ports[to].is_closed.load(Ordering::Acquire) {
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

impl<B, Q> Drop for Mesh<B, Q> {
    /// Nobody waits any more: whoever waits for a call keeps the mesh.
    fn drop(&mut self) {
        for port in &self.ports {
            let strays = port.strays.swap(ptr::null_mut(), Ordering::Acquire);
            drop(NonNull::new(strays).map(Chain::new));
        }
    }
}

impl<B, Q> fmt::Debug for Mesh<B, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("cores", &self.ports.len()).finish()
    }
}
