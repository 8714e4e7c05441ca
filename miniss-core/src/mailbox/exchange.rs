//! What an endpoint is inside: the outboxes, and the way of a node in and out of its core.
//!
//! `core A: submit_to ─▶ [outbox] ─▶ lane A▸B ─▶ doorbell ─▶ core B [serves it] ─▶ lane B▸A`
//!
//! Invariants: see [`super`], [`home`](super::home), and
//!
//! - **Mesh outlives.** Lanes, ports and outboxes are there as long as the exchange: they are
//!   `'static`, or kept beside it and dropped after it.
//!
//! User code runs in here in the middle of things (work, destructors, wakers). So nothing stays
//! borrowed meanwhile, and whoever goes through a chain says what is to become of the rest if one
//! of its calls unwinds.

use core::cell::{Cell, RefCell};
use core::ops::Range;
use core::ptr::NonNull;
use core::task::Waker;

use super::home::Home;
use super::mesh::{Lanes, Unsent};
use super::node::{Cargo, Chain, Held, Outbox, Outcome};
use super::queue::Queue;
use crate::TaskSlab;
use crate::doorbell::Doorbell;
use crate::error::CallError;
use crate::executor::Local;

/// Calls and replies that may gather before they are sent within a turn: so many share the cost of
/// a crossing, and the other core begins with them while this one makes the next.
const GATHER_MAX: u32 = 16;

/// Slots for the task of an endpoint that has no heap: one for it, and one for its successor, which
/// is spawned before the former is quite gone.
pub(super) type MailSlab = TaskSlab<64, 2>;

/// The inside of an endpoint, shared by its handles, its task and the work that runs for others.
#[repr(C)]
pub(super) struct Exchange<B: Doorbell, Q: Queue + 'static> {
    /// *Comes first*.
    home: Home,
    local: Local<B>,
    lanes: Lanes<'static, Q>,
    me: usize,
    /// Calls and replies that are to go to each core.
    outboxes: NonNull<[Outbox]>,
    /// A bit for each outbox (modulo the word's width) that got something since the last flush.
    dirty: Cell<usize>,
    /// How many calls and replies that is.
    gathered: Cell<u32>,
    /// A bit for each outbox whose lane was full. It must not count as `dirty`: a full lane to
    /// one core would keep calls to another from waking the task.
    stuck: Cell<usize>,
    /// What was received but not served, because work before it unwound.
    backlog: Outbox,
    /// The waker of the task that sends and serves.
    task: RefCell<Option<Waker>>,
    /// The task is taking in: it will send what gathers meanwhile, or its successor will.
    is_taking_in: Cell<bool>,
    /// Calls are refused.
    is_closed: Cell<bool>,
    /// Where the task is to live, if not on the heap.
    mail_slab: Option<&'static MailSlab>,
}

impl<B: Doorbell, Q: Queue + 'static> Exchange<B, Q> {
    /// For the core `me`, whose end the caller has claimed.
    ///
    /// # Safety
    /// *Mesh outlives*, which goes for the outboxes, too; there are as many of them as cores.
    pub(super) unsafe fn new(
        home: Home,
        local: Local<B>,
        lanes: Lanes<'static, Q>,
        me: usize,
        outboxes: NonNull<[Outbox]>,
        mail_slab: Option<&'static MailSlab>,
    ) -> Self {
        Self {
            home,
            local,
            lanes,
            me,
            outboxes,
            dirty: Cell::new(0),
            gathered: Cell::new(0),
            stuck: Cell::new(0),
            backlog: Outbox::new(),
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

    pub(super) fn local(&self) -> Local<B> {
        self.local
    }

    pub(super) fn me(&self) -> usize {
        self.me
    }

    pub(super) fn cores(&self) -> usize {
        self.lanes.cores()
    }

    /// The task begins: from now on it can be woken.
    pub(super) fn open(&self, waker: &Waker) {
        // SAFETY: `new` claimed this end for us. The waker is that of a task, which the only
        // caller is.
        unsafe { self.lanes.open(self.me, waker) };
        self.task.replace(Some(waker.clone()));
        self.is_taking_in.set(false);
        self.lanes.look_everywhere(self.me);
        self.dirty.set(usize::MAX);
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
        self.lanes.close(self.me);
    }

    /// Sends also what was sent for in vain.
    pub(super) fn flush_all(&self) {
        self.dirty.set(usize::MAX);
        self.flush();
    }

    /// Whether anything was announced.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        self.lanes.has_mail(self.me)
    }

    /// Gives what has come to `take`, what was left the last time first.
    pub(super) fn receive(&self, mut take: impl FnMut(Chain)) {
        if let Some(chain) = self.backlog.take() {
            take(chain);
        }
        self.lanes.receive(self.me, take);
    }

    /// The task begins or ends to take in. If it unwinds meanwhile, its successor ends it.
    pub(super) fn set_taking_in(&self, is_taking_in: bool) {
        self.is_taking_in.set(is_taking_in);
    }

    /// Leaves a node for the next time.
    pub(super) fn leave(&self, held: Held) {
        self.backlog.push(held);
    }

    /// Lets the next look find what the last one, which unwound, has left.
    pub(super) fn look_everywhere(&self) {
        self.lanes.look_everywhere(self.me);
    }

    /// A call has been served: its node goes home.
    pub(super) fn send_back(&self, held: Held) {
        let home = held.node().from as usize;
        if home == self.me { self.settle(held) } else { self.put(home, held) }
    }

    /// A call of ours has come back.
    pub(super) fn settle(&self, held: Held) {
        let node = held.node();
        debug_assert_eq!(node.from as usize, self.me, "a reply came to the wrong core");
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
        self.outboxes()[core].push(held);
        let former = self.dirty.get();
        self.dirty.set(former | bit(core));
        self.gathered.set(self.gathered.get() + 1);
        if self.home.is_over.get() || self.gathered.get() >= GATHER_MAX {
            self.flush();
        } else if former == 0 && !self.is_taking_in.get() {
            self.wake_task();
        }
    }

    pub(super) fn wake_task(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Sends what has gathered, one chain for each core.
    pub(super) fn flush(&self) {
        self.gathered.set(0);
        let dirty = self.dirty.take() | self.stuck.take();
        if dirty != 0 {
            Flush::new(self, dirty).go_on();
        }
    }

    fn flush_to(&self, core: usize) {
        let Some(chain) = self.outboxes()[core].take() else { return };
        match self.lanes.send(self.me, core, chain) {
            Ok(()) => self.lanes.take_back(self.me, core, |chain| self.bounce(chain)),
            Err(Unsent::Closed(chain)) => self.bounce(chain),
            // The last words of a core do not wait for room.
            Err(Unsent::Full(chain)) if self.home.is_over.get() => self.bounce(chain),
            Err(Unsent::Full(chain)) => {
                self.outboxes()[core].put_back(chain);
                self.stuck.set(self.stuck.get() | bit(core));
            }
        }
    }

    /// Deals with what could not be delivered.
    fn bounce(&self, chain: Chain) {
        chain.for_each(|held| self.turn_back(held), |held| self.turn_back(held));
    }

    /// Ends a call without an output, or leaves a reply for another core beside the lanes.
    pub(super) fn turn_back(&self, held: Held) {
        let home = held.node().from as usize;
        if held.node().cargo.get() == Cargo::Work {
            let back = SendBack { exchange: self, held: Some(held) };
            back.held.iter().for_each(Held::drop_cargo);
        } else if home == self.me {
            self.settle(held);
        } else {
            self.lanes.leave_stray(self.me, home, held);
        }
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Exchange<B, Q> {
    /// Other cores' nodes must not go down with us, even if the last flush was cut short.
    fn drop(&mut self) {
        self.home.is_over.set(true);
        let mut flush = Flush::new(self, usize::MAX);
        let backlog = self.backlog.take();
        backlog.into_iter().for_each(|chain| self.bounce(chain));
        flush.go_on();
    }
}

/// Sends to one core after the other; if that unwinds, to the others on the way out: nobody else
/// would know that there is something for them.
struct Flush<'a, B: Doorbell, Q: Queue + 'static> {
    exchange: &'a Exchange<B, Q>,
    /// As in [`Exchange::dirty`].
    dirty: usize,
    cores: Range<usize>,
}

impl<'a, B: Doorbell, Q: Queue + 'static> Flush<'a, B, Q> {
    fn new(exchange: &'a Exchange<B, Q>, dirty: usize) -> Self {
        Self { exchange, dirty, cores: 0..exchange.cores() }
    }

    fn go_on(&mut self) {
        for core in self.cores.by_ref() {
            if self.dirty & bit(core) != 0 {
                self.exchange.flush_to(core);
            }
        }
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Flush<'_, B, Q> {
    fn drop(&mut self) {
        self.go_on();
    }
}

/// Sends a node back at the end of a scope, even if the destructor of its cargo unwinds.
struct SendBack<'a, B: Doorbell, Q: Queue + 'static> {
    exchange: &'a Exchange<B, Q>,
    held: Option<Held>,
}

impl<B: Doorbell, Q: Queue + 'static> Drop for SendBack<'_, B, Q> {
    fn drop(&mut self) {
        self.held.take().into_iter().for_each(|held| self.exchange.send_back(held));
    }
}

/// The bit of a core; beyond the word's width, cores share.
fn bit(core: usize) -> usize {
    1 << (core % usize::BITS as usize)
}
