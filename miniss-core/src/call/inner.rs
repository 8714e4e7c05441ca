//! The inside of an endpoint: what it keeps, and the way of a message in and out of its core.
//!
//! User code runs in here in the middle of things: work, destructors, wakers, unparkers. So nothing
//! stays borrowed meanwhile, and what is still to be done stands in a list or a bit of the inside,
//! not in a frame that may unwind. The pump does the rest: it is woken for it, or has a successor.
//! Only where there is no pump any more, the rest is done on the way out.
//!
//! # Invariants
//!
//! - **Mesh outlives.** Lanes, peers and lists of the unsent are there as long as the inside: they
//!   are `'static`, or kept beside it and dropped after it.

use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use core::task::Waker;

use super::call::EndpointHeader;
use super::node::{Content, Message, MessageList, Outcome};
use super::peer::{PeerState, Peers};
use super::pump::PumpSlab;
use crate::defer::defer;
use crate::error::CallError;
use crate::executor::LocalHandle;
use crate::executor::budget::{Allowance, Budget, Stride};
use crate::executor::watch::Watch;
use crate::reactor::Unpark;
use crate::task::cell::Header;

/// Calls and replies that may gather before they are sent within a turn: so many share the cost of
/// a crossing, and the other core begins with them while this one makes the next.
const GATHER_MAX: u32 = 16;

/// The inside of an endpoint. Its handles, its pump and the work that runs for others share it.
#[repr(C)]
pub(super) struct Inner<U: Unpark, const LANE: usize> {
    /// *Comes first*.
    pub(super) header: EndpointHeader,
    pub(super) local: LocalHandle<U>,
    peers: Peers<'static, LANE>,
    /// Makes the executor look at the lanes.
    watch: Watch,
    /// Calls and replies to each core that found its lane full.
    unsent: NonNull<[MessageList]>,
    /// A bit for each core (modulo the word's width) to which something goes with the next flush.
    dirty: Cell<usize>,
    /// How many calls and replies that is.
    gathered: Cell<u32>,
    /// A bit for each core whose lane was full. It must not count as `dirty`: a full lane to
    /// one core would keep calls to another from waking the pump.
    stuck: Cell<usize>,
    /// What has left its lane and is still to be served.
    backlog: MessageList,
    /// What could not be delivered and is still to be turned back.
    undelivered: MessageList,
    /// How often to look at the clock as the backlog and the lanes are worked off.
    stride: Stride,
    /// The waker of the pump.
    pump: RefCell<Option<Waker>>,
    /// The pump receives: it will send what gathers meanwhile, or its successor will, which puts
    /// this right if the pump has unwound.
    pub(super) is_receiving: Cell<bool>,
    /// Calls are refused.
    is_closed: Cell<bool>,
    /// Where the pump is to live, if not on the heap.
    pub(super) pump_slab: Option<&'static PumpSlab>,
}

impl<U: Unpark, const LANE: usize> Inner<U, LANE> {
    /// For the core that has claimed `peers`.
    ///
    /// # Safety
    /// *Mesh outlives*, which goes for `unsent`, too; there are as many of those lists as cores.
    pub(super) unsafe fn new(
        header: EndpointHeader,
        local: LocalHandle<U>,
        peers: Peers<'static, LANE>,
        unsent: NonNull<[MessageList]>,
        pump_slab: Option<&'static PumpSlab>,
    ) -> Self {
        Self {
            header,
            local,
            peers,
            watch: Watch::new(Self::look, Self::send),
            unsent,
            dirty: Cell::new(0),
            gathered: Cell::new(0),
            stuck: Cell::new(0),
            backlog: MessageList::new(),
            undelivered: MessageList::new(),
            stride: Stride::begun(),
            pump: RefCell::new(None),
            is_receiving: Cell::new(false),
            is_closed: Cell::new(false),
            pump_slab,
        }
    }

    /// To a core that found its lane full.
    fn unsent(&self, core: usize) -> &MessageList {
        // SAFETY: *Mesh outlives*.
        let lists = unsafe { self.unsent.as_ref() };
        &lists[core]
    }

    /// Whether tasks can still be spawned here.
    pub(super) fn has_executor(&self) -> bool {
        self.local.open_owner().is_ok()
    }

    /// How much the pump may receive at once.
    pub(super) fn budget(&self) -> Budget {
        self.local.owner().map_or(Budget::UNLIMITED, |owner| owner.budget())
    }

    pub(super) fn me(&self) -> usize {
        self.peers.me()
    }

    pub(super) fn cores(&self) -> usize {
        self.peers.cores()
    }
}

/// The pump begins and ends.
impl<U: Unpark, const LANE: usize> Inner<U, LANE> {
    /// There is a pump: from now on the executor looks at the lanes for it, and sees to it that
    /// what is made here is sent.
    pub(super) fn start_watch(&self, pump: NonNull<Header>) {
        if self.cores() == 1 {
            return;
        }
        let owner = self.local.owner().expect("the pump was spawned there");
        let place = NonNull::from(self).cast();
        // SAFETY: *Listed is there*: the pump that ends for good takes it off the list, and each
        // pump keeps the inside.
        unsafe { owner.watches.list(&self.watch, place, pump) };
    }

    /// The pump begins: from now on it can be woken. It looks after all that its predecessor may
    /// have left undone.
    pub(super) fn open(&self, waker: &Waker) {
        let cell = self.local.cell().shared();
        // SAFETY: *Wakers are forever*: it is that of a task, which the only caller is, on this
        // executor.
        unsafe { self.peers.open(waker, cell) };
        self.pump.replace(Some(waker.clone()));
        self.is_receiving.set(false);
        self.dirty.set(usize::MAX);
        self.peers.look_for_all_senders();
    }

    /// There is no pump any more: no one looks at the lanes.
    pub(super) fn end_watch(&self) {
        if let Some(owner) = self.local.owner() {
            owner.watches.unlist(&self.watch);
        }
    }

    /// Whether the pump has something to do that it is not woken for.
    ///
    /// # Safety
    /// The place is the inside of an endpoint of this type.
    unsafe fn look(place: NonNull<()>) -> bool {
        // SAFETY: the caller's promise.
        unsafe { place.cast::<Self>().as_ref() }.has_messages()
    }

    /// The loop is left.
    ///
    /// # Safety
    /// The place is the inside of an endpoint of this type.
    unsafe fn send(place: NonNull<()>) {
        // SAFETY: the caller's promise.
        let inner = unsafe { place.cast::<Self>().as_ref() };
        if inner.dirty.get() != 0 {
            inner.send_gathered();
        }
    }

    /// Whether the last pump has ended.
    pub(super) fn is_over(&self) -> bool {
        self.header.is_over.get()
    }

    /// Whether calls are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Refuses calls from now on.
    pub(super) fn start_to_close(&self) {
        self.is_closed.set(true);
        self.peers.close();
    }
}

/// In.
impl<U: Unpark, const LANE: usize> Inner<U, LANE> {
    /// Whether anything has come, or was left the last time.
    #[inline]
    pub(super) fn has_messages(&self) -> bool {
        self.peers.has_messages() || !self.backlog.is_empty()
    }

    /// Gives what has come to `take`, what was left the last time first, as far as the budget goes:
    /// the rest stays where it is, and the executor wakes the pump for it in the next turn.
    pub(super) fn receive(&self, budget: Budget, take: impl Fn(Message)) {
        self.peers.collect(|message| self.backlog.push(message));
        let mut allowance = Allowance::new(budget, &self.stride, || self.local.now());
        while allowance.is_left() {
            let Some(message) = self.backlog.pop() else { break };
            allowance.spend();
            take(message);
        }
        self.peers.receive(&mut allowance, take);
    }

    /// A call of ours has come back.
    pub(super) fn settle(&self, message: Message) {
        let node = message.node();
        debug_assert_eq!(node.caller as usize, self.me(), "a reply came to the wrong core");
        self.watch.note_one();
        if node.abandoned.get() {
            return self.header.recycle(message);
        }
        node.outcome.set(match node.content.get() {
            Content::Output => Outcome::Done,
            Content::NoRoom => Outcome::Failed(CallError::NoRoom),
            Content::Work | Content::Nothing | Content::Unstarted => {
                Outcome::Failed(CallError::Gone)
            }
        });
        let waker = node.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Out.
impl<U: Unpark, const LANE: usize> Inner<U, LANE> {
    /// A call is made here.
    #[inline]
    pub(super) fn note_call(&self) {
        self.watch.expect_one();
    }

    /// A call has been served: its message goes back to the caller.
    pub(super) fn send_back(&self, message: Message) {
        let caller = message.node().caller as usize;
        if caller == self.me() {
            return self.settle(message);
        }
        self.watch.note_answer();
        self.put(caller, message);
    }

    /// Puts a message where it will be sent from, and sees to it that it is.
    pub(super) fn put(&self, core: usize, message: Message) {
        self.push(core, message);
        let former = self.dirty.get();
        self.dirty.set(former | bit(core));
        self.gathered.set(self.gathered.get() + 1);
        if self.is_over() {
            self.flush();
        } else if self.gathered.get() >= GATHER_MAX {
            self.send_gathered();
        } else if former == 0 && !self.is_receiving.get() {
            self.wake_pump();
        }
    }

    /// Puts a message in its lane or, if that is full, behind those that wait for room in it.
    fn push(&self, core: usize, message: Message) {
        let unsent = self.unsent(core);
        let pushed = if unsent.is_empty() { self.peers.push(core, message) } else { Err(message) };
        if let Err(message) = pushed {
            unsent.push(message);
        }
    }

    fn wake_pump(&self) {
        if let Some(pump) = &*self.pump.borrow() {
            pump.wake_by_ref();
        }
    }

    /// Whether there is something that is not on its way.
    pub(super) fn has_unsent(&self) -> bool {
        self.dirty.get() | self.stuck.get() != 0
    }

    /// Sends also what was sent for in vain.
    pub(super) fn flush_all(&self) {
        self.dirty.set(usize::MAX);
        self.flush();
    }

    /// Sends what has gathered to each core, and turns back what cannot be delivered.
    pub(super) fn flush(&self) {
        self.gathered.set(0);
        let dirty = self.dirty.take() | self.stuck.take();
        if dirty != 0 {
            self.for_each(dirty, |core| self.flush_to(core));
        }
    }

    /// Sends what has gathered. To turn something back runs destructors, and is left to the pump.
    #[cold]
    fn send_gathered(&self) {
        self.gathered.set(0);
        self.for_each(self.dirty.take(), |core| {
            if self.send_to(core) == PeerState::Closed {
                self.put_off(bit(core));
            }
        });
    }

    /// Does something for one core after the other. If that unwinds, the rest is the pump's;
    /// without a pump it is done on the way out, for no one else would know that there is
    /// something.
    #[inline]
    fn for_each(&self, dirty: usize, act: impl Fn(usize)) {
        let next = Cell::new(0);
        let unwinding = defer(|| match self.is_over() {
            true => self.for_each_from(&next, dirty, |core| self.flush_to(core)),
            false => self.put_off(dirty),
        });
        self.for_each_from(&next, dirty, act);
        unwinding.disarm();
    }

    /// Once for each core from `next` on that has its bit in `dirty`.
    #[inline]
    fn for_each_from(&self, next: &Cell<usize>, dirty: usize, act: impl Fn(usize)) {
        while next.get() < self.cores() {
            let core = next.get();
            if dirty & bit(core) != 0 {
                act(core);
            }
            next.set(core + 1);
        }
    }

    /// Leaves something to the pump.
    fn put_off(&self, dirty: usize) {
        self.dirty.set(self.dirty.get() | dirty);
        self.wake_pump();
    }

    #[inline]
    fn flush_to(&self, core: usize) {
        let is_sent = self.unsent(core).is_empty()
            && self.peers.publish(core) == PeerState::Open
            && !self.is_over();
        if !is_sent {
            self.send_or_turn_back(core);
        }
    }

    #[cold]
    fn send_or_turn_back(&self, core: usize) {
        if self.send_to(core) == PeerState::Closed {
            // What has not been received is ours again.
            self.peers.take_back(core).for_each(|message| self.undelivered.push(message));
        } else if !self.is_over() {
            return;
        }
        // What a core sends as it ends does not wait for room.
        self.unsent(core).take().for_each(|message| self.undelivered.push(message));
        while let Some(message) = self.undelivered.pop() {
            self.turn_back(message);
        }
    }

    /// Sends what waits for a core, as far as there is room.
    fn send_to(&self, core: usize) -> PeerState {
        loop {
            self.refill(core);
            let waits = !self.unsent(core).is_empty();
            if waits {
                self.stuck.set(self.stuck.get() | bit(core));
            }
            let peer = self.peers.publish(core);
            if !waits || peer == PeerState::Closed || !self.peers.wait_for_room(core) {
                return peer;
            }
        }
    }

    /// Moves what waits for a core to the lane, as far as there is room.
    fn refill(&self, core: usize) {
        let unsent = self.unsent(core);
        while let Some(message) = unsent.pop() {
            if let Err(message) = self.peers.push(core, message) {
                return unsent.put_back(message);
            }
        }
    }

    /// Ends a call without an output, or leaves a reply for another core beside the lanes.
    pub(super) fn turn_back(&self, message: Message) {
        let caller = message.node().caller as usize;
        if message.node().content.get() == Content::Work {
            let back = SendBack { inner: self, message: Some(message) };
            back.message.iter().for_each(Message::drop_content);
        } else if caller == self.me() {
            self.settle(message);
        } else {
            self.peers.leave_late_reply(caller, message);
        }
    }
}

/// Sends a message back at the end of a scope, even if the destructor of its content unwinds.
struct SendBack<'a, U: Unpark, const LANE: usize> {
    inner: &'a Inner<U, LANE>,
    message: Option<Message>,
}

impl<U: Unpark, const LANE: usize> Drop for SendBack<'_, U, LANE> {
    fn drop(&mut self) {
        self.message.take().into_iter().for_each(|message| self.inner.send_back(message));
    }
}

/// The bit of a core; beyond the word's width, cores share.
fn bit(core: usize) -> usize {
    1 << (core % usize::BITS as usize)
}
