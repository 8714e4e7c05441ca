//! What an endpoint is inside: the outboxes, and the way of a node in and out of its core.
//!
//! Invariants: see [`super`], [`home`](super::home), and
//!
//! - **Mesh outlives.** Lanes, ports and outboxes are there as long as the exchange: they are
//!   `'static`, or kept beside it and dropped after it.
//!
//! User code runs in here in the middle of things: work, destructors, wakers, unparkers. So nothing
//! stays borrowed meanwhile, and what is still to be done stands in a queue or a bit of the
//! exchange, not in a frame that may unwind: the rest is done by the task, which is woken for it or
//! has a successor. Only where there is no task any more it is done on the way out.

use core::cell::{Cell, RefCell};
use core::mem;
use core::ptr::NonNull;
use core::task::Waker;

use super::home::Home;
use super::mesh::{End, Receiver};
use super::node::{Cargo, Held, Outbox, Outcome};
use super::queue::Queue;
use crate::TaskSlab;
use crate::error::CallError;
use crate::executor::LocalHandle;
use crate::executor::budget::{Allowance, Budget, Stride};
use crate::executor::watch::Watch;
use crate::reactor::Unpark;
use crate::task::cell::Header;

/// Calls and replies that may gather before they are sent within a turn: so many share the cost of
/// a crossing, and the other core begins with them while this one makes the next.
const GATHER_MAX: u32 = 16;

/// Slots for the task of an endpoint that has no heap: one for it, and one for its successor, which
/// is spawned before the former is quite gone.
pub(super) type MailSlab = TaskSlab<64, 2>;

/// The inside of an endpoint, shared by its handles, its task and the work that runs for others.
#[repr(C)]
pub(super) struct Exchange<U: Unpark, Q: Queue + 'static> {
    /// *Comes first*.
    home: Home,
    local: LocalHandle<U>,
    end: End<'static, Q>,
    /// Makes the executor look at the lanes.
    watch: Watch,
    /// Calls and replies to each core that found its lane full.
    outboxes: NonNull<[Outbox]>,
    /// A bit for each core (modulo the word's width) to which something goes with the next flush.
    dirty: Cell<usize>,
    /// How many calls and replies that is.
    gathered: Cell<u32>,
    /// A bit for each core whose lane was full. It must not count as `dirty`: a full lane to
    /// one core would keep calls to another from waking the task.
    stuck: Cell<usize>,
    /// What has left its lane and is still to be served.
    backlog: Outbox,
    /// What could not be delivered and is still to be turned back.
    returned: Outbox,
    /// How often to look at the clock as the backlog and the lanes are worked off.
    stride: Stride,
    /// The waker of the task that sends and serves.
    task: RefCell<Option<Waker>>,
    /// The task is taking in: it will send what gathers meanwhile, or its successor will.
    is_taking_in: Cell<bool>,
    /// Calls are refused.
    is_closed: Cell<bool>,
    /// Where the task is to live, if not on the heap.
    mail_slab: Option<&'static MailSlab>,
}

impl<U: Unpark, Q: Queue + 'static> Exchange<U, Q> {
    /// For the core whose end that is.
    ///
    /// # Safety
    /// *Mesh outlives*, which goes for the outboxes, too; there are as many of them as cores.
    pub(super) unsafe fn new(
        home: Home,
        local: LocalHandle<U>,
        end: End<'static, Q>,
        outboxes: NonNull<[Outbox]>,
        mail_slab: Option<&'static MailSlab>,
    ) -> Self {
        Self {
            home,
            local,
            end,
            watch: Watch::new(Self::look, Self::send),
            outboxes,
            dirty: Cell::new(0),
            gathered: Cell::new(0),
            stuck: Cell::new(0),
            backlog: Outbox::new(),
            returned: Outbox::new(),
            stride: Stride::new(),
            task: RefCell::new(None),
            is_taking_in: Cell::new(false),
            is_closed: Cell::new(false),
            mail_slab,
        }
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn mail_slab(&self) -> Option<&'static MailSlab> {
        self.mail_slab
    }

    fn outboxes(&self) -> &[Outbox] {
        // SAFETY: *Mesh outlives*.
        unsafe { self.outboxes.as_ref() }
    }

    pub(super) fn local(&self) -> LocalHandle<U> {
        self.local
    }

    /// How much the task may take in at once.
    pub(super) fn budget(&self) -> Budget {
        self.local.owner().map_or(Budget::UNLIMITED, |home| home.budget())
    }

    pub(super) fn me(&self) -> usize {
        self.end.me()
    }

    pub(super) fn cores(&self) -> usize {
        self.end.cores()
    }

    /// There is a task: from now on the executor looks at the lanes for it, and sees to it that
    /// what is made here is sent.
    pub(super) fn start_watch(&self, task: NonNull<Header>) {
        if self.cores() == 1 {
            return;
        }
        let home = self.local.owner().expect("the task was spawned there");
        let place = NonNull::from(self).cast();
        // SAFETY: *Listed is there*: whoever ends the task for good takes it off the list, and the
        // task keeps the exchange.
        unsafe { home.watches.list(&self.watch, place, task) };
    }

    /// The task begins: from now on it can be woken. It looks after all that its predecessor may
    /// have left undone.
    pub(super) fn open(&self, waker: &Waker) {
        let base = self.local.cell().shared();
        // SAFETY: *Wakers are forever*: it is that of a task, which the only caller is, on this
        // executor.
        unsafe { self.end.open(waker, base) };
        self.task.replace(Some(waker.clone()));
        self.is_taking_in.set(false);
        self.dirty.set(usize::MAX);
        self.end.look_everywhere();
    }

    /// There is no task any more: no one looks at the lanes.
    pub(super) fn end_watch(&self) {
        if let Some(home) = self.local.owner() {
            home.watches.unlist(&self.watch);
        }
    }

    /// Whether the task has something to look after that it is not woken for.
    ///
    /// # Safety
    /// The place is an exchange of this type.
    unsafe fn look(place: NonNull<()>) -> bool {
        // SAFETY: the caller's promise.
        unsafe { place.cast::<Self>().as_ref() }.has_mail()
    }

    /// The loop is left.
    ///
    /// # Safety
    /// The place is an exchange of this type.
    unsafe fn send(place: NonNull<()>) {
        // SAFETY: the caller's promise.
        let exchange = unsafe { place.cast::<Self>().as_ref() };
        if exchange.dirty.get() != 0 {
            exchange.send_gathered();
        }
    }

    /// The task ends; `false` if it has ended before.
    pub(super) fn start_end(&self) -> bool {
        !self.home.is_over.replace(true)
    }

    /// There is another task.
    pub(super) fn give_up_end(&self) {
        self.home.is_over.set(false);
    }

    /// Whether calls are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Refuses calls from now on.
    pub(super) fn start_to_close(&self) {
        self.is_closed.set(true);
        self.end.close();
    }

    /// Sends also what was sent for in vain.
    pub(super) fn flush_all(&self) {
        self.dirty.set(usize::MAX);
        self.flush();
    }

    /// Whether anything has come, or was left the last time.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.end.has_news() || !self.backlog.is_empty()
    }

    /// Gives what has come to `take`, what was left the last time first, as far as the budget goes:
    /// the rest stays where it is, and the executor wakes the task for it in the next turn.
    pub(super) fn receive(&self, budget: Budget, take: impl Fn(Held)) {
        self.end.collect(|held| self.backlog.push(held));
        let mut allowance = Allowance::new(budget, &self.stride, || self.local.now());
        while allowance.is_left() {
            let Some(held) = self.backlog.pop() else { break };
            allowance.spend();
            take(held);
        }
        self.end.receive(&mut allowance, take);
    }

    /// The task begins or ends to take in. If it unwinds meanwhile, its successor ends it.
    pub(super) fn set_taking_in(&self, is_taking_in: bool) {
        self.is_taking_in.set(is_taking_in);
    }

    /// A call has been served: its node goes home.
    pub(super) fn send_back(&self, held: Held) {
        let home = held.node().from as usize;
        if home == self.me() {
            return self.settle(held);
        }
        self.watch.note_answer();
        self.put(home, held);
    }

    /// A call is made here.
    #[inline]
    pub(super) fn note_call(&self) {
        self.watch.expect_one();
    }

    /// A call of ours has come back.
    pub(super) fn settle(&self, held: Held) {
        let node = held.node();
        debug_assert_eq!(node.from as usize, self.me(), "a reply came to the wrong core");
        self.watch.note_one();
        if node.abandoned.get() {
            return self.home.recycle(held);
        }
        node.outcome.set(match node.cargo.get() {
            Cargo::Output => Outcome::Done,
            Cargo::NoRoom => Outcome::Failed(CallError::NoRoom),
            Cargo::Work | Cargo::Nothing | Cargo::Unstarted => Outcome::Failed(CallError::Gone),
        });
        let waker = node.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Puts a node where it will be sent from, and sees to it that it is.
    pub(super) fn put(&self, core: usize, held: Held) {
        self.push(core, held);
        let former = self.dirty.get();
        self.dirty.set(former | bit(core));
        self.gathered.set(self.gathered.get() + 1);
        if self.home.is_over.get() {
            self.flush();
        } else if self.gathered.get() >= GATHER_MAX {
            self.send_gathered();
        } else if former == 0 && !self.is_taking_in.get() {
            self.wake_task();
        }
    }

    /// Puts a node in its lane, or in the outbox if that is full; behind what is in there.
    fn push(&self, core: usize, held: Held) {
        let outbox = &self.outboxes()[core];
        let unsent = if outbox.is_empty() { self.end.push(core, held) } else { Err(held) };
        if let Err(held) = unsent {
            outbox.push(held);
        }
    }

    pub(super) fn wake_task(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Sends what has gathered to each core, and turns back what cannot be delivered.
    pub(super) fn flush(&self) {
        self.gathered.set(0);
        let dirty = self.dirty.take() | self.stuck.take();
        if dirty != 0 {
            Flush::new(self, dirty).finish(|core| self.flush_to(core));
        }
    }

    /// Sends what has gathered. To turn something back runs destructors, and is left to the task.
    #[cold]
    fn send_gathered(&self) {
        self.gathered.set(0);
        Flush::new(self, self.dirty.take()).finish(|core| {
            if self.send_to(core) == Receiver::Closed {
                self.put_off(bit(core));
            }
        });
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.dirty.get() | self.stuck.get() != 0
    }

    /// Leaves something to the task.
    fn put_off(&self, dirty: usize) {
        self.dirty.set(self.dirty.get() | dirty);
        self.wake_task();
    }

    #[inline]
    fn flush_to(&self, core: usize) {
        let is_sent = self.outboxes()[core].is_empty()
            && self.end.publish(core) == Receiver::Open
            && !self.home.is_over.get();
        if !is_sent {
            self.send_or_turn_back(core);
        }
    }

    #[cold]
    fn send_or_turn_back(&self, core: usize) {
        if self.send_to(core) == Receiver::Closed {
            // What has not been received is ours again.
            self.end
                .take_back(core)
                .into_iter()
                .flatten()
                .for_each(|held| self.returned.push(held));
        } else if !self.home.is_over.get() {
            return;
        }
        // The last words of a core do not wait for room.
        self.outboxes()[core]
            .take()
            .into_iter()
            .flatten()
            .for_each(|held| self.returned.push(held));
        while let Some(held) = self.returned.pop() {
            self.turn_back(held);
        }
    }

    /// Sends what waits for a core, as far as there is room.
    fn send_to(&self, core: usize) -> Receiver {
        loop {
            self.refill(core);
            let waits = !self.outboxes()[core].is_empty();
            if waits {
                self.stuck.set(self.stuck.get() | bit(core));
            }
            let receiver = self.end.publish(core);
            if !waits || receiver == Receiver::Closed || !self.end.wait_for_room(core) {
                return receiver;
            }
        }
    }

    /// Moves what waits in the outbox to the lane, as far as there is room.
    fn refill(&self, core: usize) {
        let outbox = &self.outboxes()[core];
        while let Some(held) = outbox.pop() {
            if let Err(held) = self.end.push(core, held) {
                return outbox.put_back(held);
            }
        }
    }

    /// Ends a call without an output, or leaves a reply for another core beside the lanes.
    pub(super) fn turn_back(&self, held: Held) {
        let home = held.node().from as usize;
        if held.node().cargo.get() == Cargo::Work {
            let back = SendBack { exchange: self, held: Some(held) };
            back.held.iter().for_each(Held::drop_cargo);
        } else if home == self.me() {
            self.settle(held);
        } else {
            self.end.leave_stray(home, held);
        }
    }
}

/// Does something for one core after the other. If that unwinds, the rest is the task's; without a
/// task it is done on the way out, for no one else would know that there is something.
struct Flush<'a, U: Unpark, Q: Queue + 'static> {
    exchange: &'a Exchange<U, Q>,
    /// As in [`Exchange::dirty`].
    dirty: usize,
    /// The core that is served now; those before it have been.
    core: usize,
}

impl<'a, U: Unpark, Q: Queue + 'static> Flush<'a, U, Q> {
    fn new(exchange: &'a Exchange<U, Q>, dirty: usize) -> Self {
        Self { exchange, dirty, core: 0 }
    }

    #[inline]
    fn finish(mut self, act: impl Fn(usize)) {
        self.go_on(act);
        mem::forget(self);
    }

    #[inline]
    fn go_on(&mut self, act: impl Fn(usize)) {
        while self.core < self.exchange.cores() {
            if self.dirty & bit(self.core) != 0 {
                act(self.core);
            }
            self.core += 1;
        }
    }
}

impl<U: Unpark, Q: Queue + 'static> Drop for Flush<'_, U, Q> {
    fn drop(&mut self) {
        if self.exchange.home.is_over.get() {
            let exchange = self.exchange;
            self.go_on(|core| exchange.flush_to(core));
        } else {
            self.exchange.put_off(self.dirty);
        }
    }
}

/// Sends a node back at the end of a scope, even if the destructor of its cargo unwinds.
struct SendBack<'a, U: Unpark, Q: Queue + 'static> {
    exchange: &'a Exchange<U, Q>,
    held: Option<Held>,
}

impl<U: Unpark, Q: Queue + 'static> Drop for SendBack<'_, U, Q> {
    fn drop(&mut self) {
        self.held.take().into_iter().for_each(|held| self.exchange.send_back(held));
    }
}

/// The bit of a core; beyond the word's width, cores share.
fn bit(core: usize) -> usize {
    1 << (core % usize::BITS as usize)
}
