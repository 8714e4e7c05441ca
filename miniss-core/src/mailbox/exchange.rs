//! What an endpoint is inside: the outboxes, and the way of a node in and out of its core.
//!
//! `core A: submit_to ─▶ [outbox] ─▶ lane A▸B ─▶ doorbell ─▶ core B [serves it] ─▶ lane B▸A`
//!
//! Invariants: see [`super`]. User code runs in here in the middle of things (work, destructors,
//! wakers). So nothing stays borrowed meanwhile, and whoever goes through a chain says what is to
//! become of the rest if one of its calls unwinds.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use core::{mem, ptr};

use super::call::{Call, Home};
use super::memory::Memory;
use super::mesh::{Mesh, Unsent};
use super::node::{CallVtable, Cargo, Chain, Held, Outbox, Outcome, Typed};
use super::queue::Queue;
use crate::doorbell::Doorbell;
use crate::executor::Local;

/// Calls and replies that may gather before they are sent within a turn: so many share the cost of
/// a crossing, and the other core begins with them while this one makes the next.
const GATHER_MAX: u32 = 16;

/// The inside of an endpoint, shared by its handles, its task and the work that runs for others.
pub(super) struct Exchange<B: Doorbell, Q: Queue + 'static> {
    local: Local<B>,
    mesh: Arc<Mesh<B, Q>>,
    me: usize,
    /// Calls and replies that are to go to each core.
    outboxes: Box<[Outbox]>,
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
    /// Calls are refused.
    is_closed: Cell<bool>,
    /// There is no task any more: what is to be sent must be sent at once.
    is_over: Cell<bool>,
    memory: Memory,
}

impl<B: Doorbell, Q: Queue + 'static> Exchange<B, Q> {
    /// Claims core `me`'s end of the mesh.
    pub(super) fn new(mesh: Arc<Mesh<B, Q>>, me: usize, local: Local<B>) -> Self {
        mesh.claim(me);
        Self {
            local,
            me,
            outboxes: (0..mesh.len()).map(|_| Outbox::new()).collect(),
            mesh,
            dirty: Cell::new(0),
            gathered: Cell::new(0),
            stuck: Cell::new(0),
            backlog: Outbox::new(),
            task: RefCell::new(None),
            is_closed: Cell::new(false),
            is_over: Cell::new(false),
            memory: Memory::new(),
        }
    }

    pub(super) fn local(&self) -> Local<B> {
        self.local
    }

    pub(super) fn me(&self) -> usize {
        self.me
    }

    pub(super) fn cores(&self) -> usize {
        self.outboxes.len()
    }

    /// Makes a call of `work` and starts it on its way.
    ///
    /// # Safety
    /// The vtable is one for `W`, `T` and this type of exchange.
    pub(super) unsafe fn submit<W: Send + 'static, T: Send + 'static>(
        self: &Rc<Self>,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        assert!(core < self.cores(), "there is no core {core} in this mesh");
        let memory = self.memory.take(vtable.layout);
        // SAFETY: fresh or recycled memory of the layout of this very type.
        let held = unsafe { Typed::<W, T>::write(memory, work, self.me as u32, vtable) };
        // SAFETY: the vtable makes the cargo a `T`.
        let call = unsafe { Call::new(held.0, self.clone()) };
        if core == self.me {
            self.serve(held);
        } else if self.is_over.get() {
            self.turn_back(held);
        } else {
            self.put(core, held);
        }
        call
    }

    /// The task begins: from now on it can be woken.
    pub(super) fn open(&self, waker: &Waker) {
        // SAFETY: `new` claimed this end for us. The waker is that of a task, which the only
        // caller is.
        unsafe { self.mesh.open(self.me, waker) };
        self.task.replace(Some(waker.clone()));
        self.mesh.look_everywhere(self.me);
        self.dirty.set(usize::MAX);
    }

    /// The task ends; `false` if it has ended before.
    pub(super) fn start_end(&self) -> bool {
        !self.is_over.replace(true)
    }

    /// There is another task.
    pub(super) fn give_up_end(&self) {
        self.is_over.set(false);
    }

    /// Refuses calls from now on, also those that have come.
    pub(super) fn close(self: &Rc<Self>) {
        self.is_closed.set(true);
        self.mesh.close(self.me);
        self.take_in();
        self.dirty.set(usize::MAX);
        self.flush();
    }

    /// Takes what has come, if anything was announced.
    #[inline]
    pub(super) fn take_in_if_any(self: &Rc<Self>) {
        if self.mesh.has_mail(self.me) {
            self.take_in();
        }
    }

    /// Takes what has come: calls are served, replies settled.
    fn take_in(self: &Rc<Self>) {
        let unwinding = Unwinding { exchange: self };
        if let Some(chain) = self.backlog.take() {
            self.take_chain(chain);
        }
        self.mesh.receive(self.me, |chain| self.take_chain(chain));
        mem::forget(unwinding);
    }

    fn take_chain(self: &Rc<Self>, chain: Chain) {
        let take = |held: Held| match held.node().cargo.get() {
            Cargo::Work => self.serve(held),
            Cargo::Output | Cargo::Nothing => self.settle(held),
        };
        chain.for_each(take, |held| self.backlog.push(held));
    }

    /// Runs a call, or refuses it if this core is closed.
    fn serve(self: &Rc<Self>, held: Held) {
        if self.is_closed.get() {
            return self.turn_back(held);
        }
        let run = held.node().vtable.get().run;
        // SAFETY: *One holder*: it is us, and the cargo is work. All exchanges of a mesh are of one
        // type, so the vtable, which one of them made, fits ours.
        unsafe { run(held, ptr::from_ref(self).cast()) };
    }

    /// A call has been served: its node goes home.
    pub(super) fn send_back(&self, held: Held) {
        let home = held.node().from as usize;
        if home == self.me { self.settle(held) } else { self.put(home, held) }
    }

    /// A call of ours has come back.
    fn settle(&self, held: Held) {
        let node = held.node();
        debug_assert_eq!(node.from as usize, self.me, "a reply came to the wrong core");
        if node.abandoned.get() {
            held.drop_cargo();
            return self.recycle(held);
        }
        let done = node.cargo.get() == Cargo::Output;
        node.outcome.set(if done { Outcome::Done } else { Outcome::Gone });
        let waker = node.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Puts a node where it will be sent from, and sees to it that it is.
    fn put(&self, core: usize, held: Held) {
        self.outboxes[core].push(held);
        let former = self.dirty.get();
        self.dirty.set(former | bit(core));
        self.gathered.set(self.gathered.get() + 1);
        if self.is_over.get() || self.gathered.get() >= GATHER_MAX {
            self.flush();
        } else if former == 0 {
            self.wake_task();
        }
    }

    fn wake_task(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Sends what has gathered, one chain for each core.
    pub(super) fn flush(&self) {
        self.gathered.set(0);
        let dirty = self.dirty.take() | self.stuck.take();
        if dirty == 0 {
            return;
        }
        for core in 0..self.cores() {
            if dirty & bit(core) != 0 {
                self.flush_to(core);
            }
        }
    }

    fn flush_to(&self, core: usize) {
        let Some(chain) = self.outboxes[core].take() else { return };
        match self.mesh.send(self.me, core, chain) {
            Ok(()) => self.mesh.take_back(self.me, core, |chain| self.bounce(chain)),
            Err(Unsent::Closed(chain)) => self.bounce(chain),
            // The last words of a core do not wait for room.
            Err(Unsent::Full(chain)) if self.is_over.get() => self.bounce(chain),
            Err(Unsent::Full(chain)) => {
                self.outboxes[core].put_back(chain);
                self.stuck.set(self.stuck.get() | bit(core));
            }
        }
    }

    /// Deals with what could not be delivered.
    fn bounce(&self, chain: Chain) {
        chain.for_each(|held| self.turn_back(held), |held| self.turn_back(held));
    }

    /// Ends a call without an output, or leaves a reply for another core beside the lanes.
    fn turn_back(&self, held: Held) {
        let home = held.node().from as usize;
        if held.node().cargo.get() == Cargo::Work {
            let back = SendBack { exchange: self, held: Some(held) };
            back.held.iter().for_each(Held::drop_cargo);
        } else if home == self.me {
            self.settle(held);
        } else {
            self.mesh.leave_stray(self.me, home, held);
        }
    }
}

impl<B: Doorbell, Q: Queue + 'static> Home for Exchange<B, Q> {
    fn recycle(&self, held: Held) {
        drop(held.node().waker.take());
        let layout = held.node().vtable.get().layout;
        // SAFETY: *Home again*: the call is over and its handle gone.
        unsafe { self.memory.put(held.0.cast(), layout) };
    }

    fn is_over(&self) -> bool {
        self.is_over.get()
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Exchange<B, Q> {
    /// Other cores' nodes must not go down with us, even if the last flush was cut short.
    fn drop(&mut self) {
        self.is_over.set(true);
        let backlog = self.backlog.take();
        backlog.into_iter().for_each(|chain| self.bounce(chain));
        (0..self.cores()).for_each(|core| self.flush_to(core));
    }
}

/// Sees to it that what was not taken in, because something unwound, will be.
struct Unwinding<'a, B: Doorbell, Q: Queue + 'static> {
    exchange: &'a Rc<Exchange<B, Q>>,
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Unwinding<'_, B, Q> {
    fn drop(&mut self) {
        self.exchange.mesh.look_everywhere(self.exchange.me);
        if self.exchange.is_over.get() {
            self.exchange.take_in();
        } else {
            self.exchange.wake_task();
        }
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
