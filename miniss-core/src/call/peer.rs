//! What one core knows of its peers, the other cores of the mesh: the lanes to them and from them,
//! and where each is to be woken.
//!
//! # No message is overlooked
//!
//! A core that is awake looks at the lanes to it once a turn, and over and over while it spins. The
//! looks are plain loads of lines that no one else writes to unless there is something. So a sender
//! owes such a core nothing but the push. For one that sleeps, the [handshake of
//! parking](crate::Idle) is extended: the sender publishes, passes a full fence, and then reads
//! whether the receiver is asleep; the receiver says that it is, passes a full fence, and then
//! looks at its lanes. Not both can read the old value. The same fences decide about a receiver
//! that closes: either it finds the message in its last look, or the sender finds it closed, and
//! takes back what it may have overlooked. A receiver that opens needs no more than that: until it
//! has, it does not sleep, or not without another look.
//!
//! # No sender waits in vain
//!
//! A sender that finds its lane full says so, passes a full fence and tries again. The receiver
//! looks for such senders, after a full fence, once for as many messages as a lane holds. A sender
//! that waits has filled the lane since the receiver took some message; among the messages that are
//! in it now there is one after which the receiver looks. A look may be missed if serving a message
//! unwinds before it, or waking a sender in it does. Then the task that comes next begins with one
//! ([`Peers::look_for_all_senders`]).
//!
//! # Invariants
//!
//! - **Claimed once.** There is one [`Peers`] for each core, made by its claim. It stays on its
//!   thread. It alone sends on the core's lanes to others, and it alone receives from those to the
//!   core, until that is closed; from then on the one that drains the lane does.
//! - **Wakers are forever.** What a peer holds is the address and vtable of a task's waker, which
//!   owns nothing and may be used at any time, and the executor cell of that task, which is never
//!   given back. The vtable is the same for every task of a mesh.

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::ptr;
use core::task::{RawWakerVTable, Waker};

use super::lane::Lane;
use super::node::{Chain, Message, Node};
use crate::executor::budget::Allowance;
use crate::executor::cell::Shared as CellShared;
use crate::prim::{AtomicBool, AtomicPtr, Ordering, const_fn, fence, ordering, planted};
use crate::time::Instant;

/// Messages that are taken from one lane before the others have their turn.
const RECEIVE_MAX: usize = 256;

/// What all cores may know of one, on a line of its own: others read it, and hardly ever write it.
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
pub(super) struct Peer {
    /// The data of the waker of the pump; null before the core opens its endpoint.
    task: AtomicPtr<()>,
    /// The vtable of that waker, written before `task`.
    vtable: AtomicPtr<RawWakerVTable>,
    /// The executor cell of that task, written before `task`.
    cell: AtomicPtr<CellShared>,
    is_claimed: AtomicBool,
    is_closed: AtomicBool,
    /// Replies of cores that have ended, which found their lane full.
    late_replies: AtomicPtr<Node>,
}

impl Peer {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                task: AtomicPtr::new(ptr::null_mut()),
                vtable: AtomicPtr::new(ptr::null_mut()),
                cell: AtomicPtr::new(ptr::null_mut()),
                is_claimed: AtomicBool::new(false),
                is_closed: AtomicBool::new(false),
                late_replies: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Takes what was left here, the latest first.
    pub(super) fn take_late_replies(&self) -> Chain {
        if self.late_replies.load(Ordering::Relaxed).is_null() {
            return Chain::empty();
        }
        let acquire = ordering!(Acquire, "peer: take late replies");
        let head = self.late_replies.swap(ptr::null_mut(), acquire);
        // SAFETY: *One holder*: they were left here, and we have taken all.
        unsafe { Chain::new(head) }
    }

    fn task(&self) -> *mut () {
        // Acquire: vtable and cell were written before.
        self.task.load(ordering!(Acquire, "peer: which task to wake"))
    }

    /// # Safety
    /// [`task`](Self::task) has given one.
    unsafe fn cell(&self) -> &CellShared {
        let cell = self.cell.load(Ordering::Relaxed);
        #[cfg(loom)]
        assert!(!cell.is_null(), "a task was found whose cell is not there");
        // SAFETY: the cell is there since the task is, and *Wakers are forever*.
        unsafe { &*cell }
    }

    /// # Safety
    /// `task` is what [`task`](Self::task) gave, and not null.
    unsafe fn wake(&self, task: *mut ()) {
        let vtable = self.vtable.load(Ordering::Relaxed);
        // SAFETY: the vtable is there since the task is, and it is a `&'static` one.
        let vtable = unsafe { &*vtable };
        // SAFETY: *Wakers are forever*; it owns nothing, so it need not be dropped.
        ManuallyDrop::new(unsafe { Waker::new(task, vtable) }).wake_by_ref();
    }
}

/// Whether a core still takes what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum PeerState {
    Open,
    /// What was sent is to be taken back.
    Closed,
}

/// The mesh as one core sees it, wherever it lies.
pub(super) struct Peers<'mesh, const LANE: usize> {
    /// All lanes to core 0, then all to core 1, and so on: the square of the number of cores.
    lanes: &'mesh [Lane<LANE>],
    /// Each core, this one too.
    peers: &'mesh [Peer],
    me: usize,
    /// Messages taken since the last look for senders that wait.
    unchecked: Cell<usize>,
    /// The lane to us with which to begin.
    first: Cell<usize>,
    not_shared: PhantomData<Cell<()>>,
}

impl<'mesh, const LANE: usize> Peers<'mesh, LANE> {
    /// Takes the place of core `me` in a mesh.
    ///
    /// # Panics
    /// If there is no such core, or its place was taken before.
    #[track_caller]
    pub(super) fn claim(lanes: &'mesh [Lane<LANE>], peers: &'mesh [Peer], me: usize) -> Self {
        debug_assert_eq!(lanes.len(), peers.len() * peers.len());
        let Some(peer) = peers.get(me) else { panic!("the mesh has no core {me}") };
        let taken = peer.is_claimed.swap(true, Ordering::Relaxed);
        assert!(!taken, "the endpoint of core {me} was opened before; clone it");
        let (unchecked, first) = (Cell::new(0), Cell::new(0));
        Self { lanes, peers, me, unchecked, first, not_shared: PhantomData }
    }
}

impl<const LANE: usize> Peers<'_, LANE> {
    pub(super) fn me(&self) -> usize {
        self.me
    }

    /// How many cores there are, with this one.
    pub(super) fn cores(&self) -> usize {
        self.peers.len()
    }

    fn lane_to(&self, core: usize) -> &Lane<LANE> {
        &self.lanes[core * self.cores() + self.me]
    }

    /// The lanes to us, by sender.
    fn lanes_here(&self) -> &[Lane<LANE>] {
        &self.lanes[self.me * self.cores()..][..self.cores()]
    }

    /// Tells the others which task to wake here; in place of its former one, if it had one.
    ///
    /// # Safety
    /// *Wakers are forever*: this is the waker of a task, and that is its executor cell.
    pub(super) unsafe fn open(&self, waker: &Waker, cell: &'static CellShared) {
        let peer = &self.peers[self.me];
        peer.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
        peer.cell.store(ptr::from_ref(cell).cast_mut(), Ordering::Relaxed);
        // Release: vtable and cell are there before the task is.
        peer.task.store(waker.data().cast_mut(), ordering!(Release, "peer: open"));
    }

    fn is_closed(&self) -> bool {
        self.peers[self.me].is_closed.load(Ordering::Relaxed)
    }

    /// This core takes no more calls. What is in the lanes to it is still to be received.
    pub(super) fn close(&self) {
        // Release: the one that drains our lanes from now on goes on where we have stopped.
        let release = ordering!(Release, "peer: close");
        self.peers[self.me].is_closed.store(true, release);
        // Pairs with the fence in `publish`: we see the message, or the sender sees this.
        fence(ordering!(SeqCst, "peer: a last look"));
    }
}

/// Sends.
impl<const LANE: usize> Peers<'_, LANE> {
    /// Puts a message in the lane to a core, or gives it back if that is full. It is not to be seen
    /// yet.
    #[inline]
    pub(super) fn push(&self, to: usize, message: Message) -> Result<(), Message> {
        // SAFETY: *Claimed once*: we are the sender.
        unsafe { self.lane_to(to).push(message) }
    }

    /// Lets a core see what was pushed, and wakes it if it is asleep.
    #[inline]
    pub(super) fn publish(&self, to: usize) -> PeerState {
        // SAFETY: *Claimed once*: we are the sender.
        unsafe { self.lane_to(to).publish() };
        // Pairs with the fences of a receiver that falls asleep, and of one that closes.
        fence(ordering!(SeqCst, "peer: a sender looks for the receiver"));
        let peer = &self.peers[to];
        let task = peer.task();
        // SAFETY: not null, and just loaded.
        if !task.is_null() && unsafe { peer.cell() }.is_asleep() {
            // SAFETY: as above.
            unsafe { peer.wake(task) };
        }
        // Acquire: a sender that finds it closed may come to drain the lane in its place.
        match peer.is_closed.load(ordering!(Acquire, "peer: is it closed")) {
            false => PeerState::Open,
            true => PeerState::Closed,
        }
    }

    /// The lane was full: asks to be woken when there is room. `true` if there is some already.
    #[cold]
    pub(super) fn wait_for_room(&self, to: usize) -> bool {
        // SAFETY: *Claimed once*: we are the sender.
        unsafe { self.lane_to(to).wait_for_room() }
    }

    /// Takes back what a receiver that has closed may have overlooked.
    pub(super) fn take_back(&self, to: usize) -> Chain {
        if planted("peer: what no one receives is taken back") {
            return Chain::empty();
        }
        // SAFETY: *Claimed once*: the receiver is closed, which `publish` has acquired.
        unsafe { self.lane_to(to).drain() }
    }

    /// Leaves a reply of a core that ends, whose lane is full: a reply always has room.
    pub(super) fn leave_late_reply(&self, to: usize, message: Message) {
        let late_replies = &self.peers[to].late_replies;
        let mut head = late_replies.load(Ordering::Relaxed);
        loop {
            message.node().next.set(head);
            let node = message.0.as_ptr();
            // Release: pairs with the acquiring swap in `take_late_replies`.
            let release = ordering!(Release, "peer: leave a late reply");
            match late_replies.compare_exchange_weak(head, node, release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // What has gathered goes first, or with it; whether the receiver is closed changes nothing.
        let _ = self.publish(to);
    }
}

/// Receives.
impl<const LANE: usize> Peers<'_, LANE> {
    /// Whether there is something to receive.
    #[inline]
    pub(super) fn has_messages(&self) -> bool {
        !self.peers[self.me].late_replies.load(Ordering::Relaxed).is_null()
            || self.lanes_here().iter().any(|lane| !lane.is_empty())
    }

    /// Gives `keep` what does not stay where it is until it is served: the late replies and, once
    /// we are closed, all that is in the lanes.
    ///
    /// `keep` does not unwind. To wake a sender calls its unparker, which is foreign code and may.
    pub(super) fn collect(&self, mut keep: impl FnMut(Message)) {
        self.peers[self.me].take_late_replies().for_each(&mut keep);
        if !self.is_closed() {
            return;
        }
        for (from, lane) in self.lanes_here().iter().enumerate() {
            // SAFETY: *Claimed once*: we are closed.
            unsafe { lane.drain() }.for_each(&mut keep);
            if !planted("peer: a look after the drain") {
                self.look_for_senders(from..from + 1);
            }
        }
    }

    /// Takes what is in the lanes, as long as there is some of the `allowance`. The next time it
    /// begins with the lane after the one at which that was spent.
    pub(super) fn receive(
        &self,
        allowance: &mut Allowance<'_, impl FnMut() -> Instant>,
        mut take: impl FnMut(Message),
    ) {
        if planted("peer: what was taken counts until the next look") {
            self.unchecked.set(0);
        }
        let (before, after) = self.lanes_here().split_at(self.first.get());
        for lane in after.iter().chain(before) {
            for _ in 0..RECEIVE_MAX {
                if !allowance.is_left() {
                    return self.begin_after(lane);
                }
                let Some(message) = self.pop(lane) else { break };
                allowance.spend();
                take(message);
                let look_is_due = self.unchecked.get() >= LANE;
                if look_is_due && !planted("peer: a look for so many messages") {
                    self.look_for_all_senders();
                }
            }
        }
    }

    #[cold]
    fn begin_after(&self, lane: &Lane<LANE>) {
        let lanes = self.lanes_here();
        let number = lanes.iter().position(|one| ptr::eq(one, lane));
        self.first.set(number.map_or(0, |number| (number + 1) % lanes.len()));
    }

    /// Takes one message; none once we are closed, which work that was taken may have done.
    #[inline]
    fn pop(&self, lane: &Lane<LANE>) -> Option<Message> {
        if self.is_closed() {
            return None;
        }
        // SAFETY: *Claimed once*: we are the receiver, and not closed.
        let message = unsafe { lane.pop() }?;
        self.unchecked.set(self.unchecked.get() + 1);
        Some(message)
    }

    /// Wakes all senders that wait for the room that was made.
    #[cold]
    pub(super) fn look_for_all_senders(&self) {
        self.unchecked.set(0);
        self.look_for_senders(0..self.cores());
    }

    /// Wakes those of `senders` that wait for the room that was made.
    #[cold]
    fn look_for_senders(&self, senders: Range<usize>) {
        // Pairs with the fence in `Lane::wait_for_room`.
        fence(ordering!(SeqCst, "peer: room was made"));
        senders.for_each(|from| self.wake_if_it_waits(from));
    }

    fn wake_if_it_waits(&self, from: usize) {
        if !self.lanes_here()[from].take_waiting_sender() {
            return;
        }
        let peer = &self.peers[from];
        let task = peer.task();
        if !task.is_null() {
            // Whether it is asleep or not: it says again that it waits, if it still does.
            // SAFETY: just loaded.
            unsafe { peer.wake(task) };
        }
    }
}
