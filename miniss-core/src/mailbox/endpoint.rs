//! One core's end of the mesh: sends calls, serves calls, takes replies.
//!
//! `core A: [submit_to] ─▶ lane A▸B ─▶ doorbell ─▶ core B [serves it] ─▶ lane B▸A ─▶ waker A`

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::alloc::Layout;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};

use alloc::vec::Vec;

use super::call::{Call, Recycle};
use super::mesh::{Mesh, Unsent};
use super::node::{CallVtable, Cargo, Chain, Held, Outbox, Outcome, Typed, allocate, deallocate};
use super::queue::Queue;
use crate::doorbell::Doorbell;
use crate::error::SpawnError;
use crate::executor::Local;

/// Recycled nodes kept per size; a burst beyond that goes back to the heap.
const KEPT_MAX: usize = 1024;
/// Nodes of up to this many 64-byte lines are recycled.
const LINES_MAX: usize = 8;

/// One core's end of a [`Mesh`]. It stays on its core; cloning it is cheap.
///
/// ```
/// use std::sync::Arc;
/// use miniss_core::mailbox::{Endpoint, FixedLane, Mesh};
/// # use miniss_core::doctest::executor;
///
/// let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
/// let mut executor = executor();
/// let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
/// let answer = executor.block_on(endpoint.submit_to(0, async || 6 * 7));
/// assert_eq!(answer, Ok(42));
/// ```
pub struct Endpoint<B: Doorbell, Q: Queue + 'static> {
    inner: Rc<Inner<B, Q>>,
}

struct Inner<B: Doorbell, Q: Queue + 'static> {
    local: Local<B>,
    mesh: Arc<Mesh<Q>>,
    me: usize,
    /// Calls and replies that are to go to each core.
    outboxes: Box<[Outbox]>,
    /// A bit for each outbox (modulo the word's width) that may hold something.
    dirty: Cell<usize>,
    /// The waker of the task that sends and serves.
    task: RefCell<Option<Waker>>,
    closed: Cell<bool>,
    /// Memory of former nodes, by size in lines.
    kept: [RefCell<Vec<NonNull<u8>>>; LINES_MAX],
}

impl<B: Doorbell, Q: Queue + 'static> Endpoint<B, Q> {
    /// Opens core `me`'s end of the mesh and spawns its task on the executor of `local`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if the task cannot be spawned.
    ///
    /// # Panics
    ///
    /// If the mesh has no core `me`, or its end was opened before.
    pub fn open(mesh: Arc<Mesh<Q>>, me: usize, local: Local<B>) -> Result<Self, SpawnError> {
        mesh.claim(me);
        let inner = Rc::new(Inner {
            local,
            me,
            outboxes: (0..mesh.len()).map(|_| Outbox::new()).collect(),
            mesh,
            dirty: Cell::new(0),
            task: RefCell::new(None),
            closed: Cell::new(false),
            kept: [const { RefCell::new(Vec::new()) }; LINES_MAX],
        });
        local.spawn(Mail { inner: inner.clone(), is_open: false })?.detach();
        Ok(Self { inner })
    }

    /// Which core this is.
    ///
    /// See [`Endpoint`] for an example.
    pub fn me(&self) -> usize {
        self.inner.me
    }

    /// How many cores there are.
    ///
    /// See [`Endpoint`] for an example.
    pub fn cores(&self) -> usize {
        self.inner.outboxes.len()
    }

    /// Runs the async closure `work` as a task on `core` and brings back its output.
    ///
    /// The call is on its way at once, whether or not the [`Call`] is polled. Calls from
    /// one core to another start in the order in which they were made.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work; its output is dropped when it comes back.
    ///
    /// # Panics
    ///
    /// If there is no such core.
    ///
    /// See [`Endpoint`] for an example.
    pub fn submit_to<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.inner.submit(core, work, AsyncWork::<F, T, B, Q>::VTABLE)
    }

    /// Runs the closure `work` on `core`, between tasks, and brings back its output. Cheaper than
    /// [`submit_to`](Self::submit_to) for what neither waits nor takes long. On the caller's
    /// own core it runs at once.
    ///
    /// # Cancellation
    ///
    /// Dropping the [`Call`] does not stop the work; its output is dropped when it comes back.
    ///
    /// # Panics
    ///
    /// If there is no such core. A panic in `work` unwinds into the core that runs it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use miniss_core::{doctest::executor, mailbox::{Endpoint, FixedLane, Mesh}};
    /// # let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
    /// # let mut executor = executor();
    /// # let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
    /// assert_eq!(executor.block_on(endpoint.run_on(0, || 6 * 7)), Ok(42));
    /// ```
    pub fn run_on<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.inner.submit(core, work, SyncWork::<F, T, B, Q>::VTABLE)
    }

    /// Takes no more calls; those that wait in the lanes end with [`Gone`](crate::error::Gone), as
    /// do those whose tasks are dropped with the executor. Call it before the executor is dropped, and
    /// [`flush`](Self::flush) afterwards.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use miniss_core::{doctest::executor, mailbox::{Endpoint, FixedLane, Mesh}};
    /// # let mesh = Arc::new(Mesh::new(1, FixedLane::<16>::new));
    /// # let executor = executor();
    /// # let endpoint = Endpoint::open(mesh, 0, executor.local()).unwrap();
    /// endpoint.close();
    /// drop(executor);
    /// endpoint.flush();
    /// ```
    pub fn close(&self) {
        self.inner.close();
    }

    /// Sends what has gathered, which the endpoint's task does by itself while the executor lives.
    ///
    /// See [`close`](Self::close) for an example.
    pub fn flush(&self) {
        self.inner.flush();
    }
}

impl<B: Doorbell, Q: Queue + 'static> Clone for Endpoint<B, Q> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<B: Doorbell, Q: Queue + 'static> fmt::Debug for Endpoint<B, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("me", &self.me()).finish_non_exhaustive()
    }
}

impl<B: Doorbell, Q: Queue + 'static> Inner<B, Q> {
    fn submit<W: Send + 'static, T: Send + 'static>(
        self: &Rc<Self>,
        core: usize,
        work: W,
        vtable: &'static CallVtable,
    ) -> Call<T> {
        assert!(core < self.outboxes.len(), "there is no core {core} in this mesh");
        let memory = self.memory(vtable.layout);
        // SAFETY: fresh or recycled memory of the layout of this very type.
        let held = unsafe { Typed::<W, T>::write(memory, work, self.me as u32, vtable) };
        // SAFETY: the vtable makes the cargo a `T`.
        let call = unsafe { Call::new(held.0, self.clone()) };
        if core == self.me {
            self.serve(held);
        } else {
            self.put(core, held);
        }
        call
    }

    /// Puts a node where it will be sent from, and sees to it that it is.
    fn put(&self, core: usize, held: Held) {
        self.outboxes[core].push(held);
        let former = self.dirty.get();
        self.dirty.set(former | 1 << (core % usize::BITS as usize));
        if former == 0
            && let Some(task) = &*self.task.borrow()
        {
            task.wake_by_ref();
        }
    }

    /// Runs a call, or refuses it if this core is closed.
    fn serve(self: &Rc<Self>, held: Held) {
        if self.closed.get() {
            held.drop_cargo();
            return self.send_back(held);
        }
        let run = held.node().vtable.get().run;
        // SAFETY: the cargo is work, and all endpoints of a mesh are of one type.
        unsafe { run(held, core::ptr::from_ref(self).cast()) };
    }

    /// A call has been served: its node goes home.
    fn send_back(&self, held: Held) {
        let home = held.node().from as usize;
        if home == self.me { self.settle(held) } else { self.put(home, held) }
    }

    /// A call of ours has come back.
    fn settle(&self, held: Held) {
        let node = held.node();
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

    /// Takes what has come: calls are served, replies settled.
    fn take_in(self: &Rc<Self>) {
        self.mesh.receive(self.me, |chain| self.take_chain(chain));
    }

    fn take_chain(self: &Rc<Self>, chain: Chain) {
        for held in chain.into_nodes() {
            match held.node().cargo.get() {
                Cargo::Work => self.serve(held),
                Cargo::Output | Cargo::Nothing => self.settle(held),
            }
        }
    }

    /// Sends what has gathered, one chain for each core.
    fn flush(self: &Rc<Self>) {
        let dirty = self.dirty.take();
        if dirty == 0 {
            return;
        }
        for core in 0..self.outboxes.len() {
            if dirty & 1 << (core % usize::BITS as usize) != 0 {
                self.flush_to(core);
            }
        }
    }

    fn flush_to(self: &Rc<Self>, core: usize) {
        let Some(chain) = self.outboxes[core].take() else { return };
        match self.mesh.send(self.me, core, chain) {
            Ok(()) => self.mesh.take_back(self.me, core, |chain| self.bounce(chain)),
            Err(Unsent::Closed(chain)) => self.bounce(chain),
            Err(Unsent::Full(chain)) if self.closed.get() => self.leave(core, chain),
            Err(Unsent::Full(chain)) => {
                self.outboxes[core].put_back(chain);
                self.dirty.set(self.dirty.get() | 1 << (core % usize::BITS as usize));
            }
        }
    }

    /// What could not be delivered because the receiver is gone: our calls end without an output,
    /// and other cores' replies have nobody to go to, but stay until nobody can wait for them.
    fn bounce(&self, chain: Chain) {
        for held in chain.into_nodes() {
            let home = held.node().from as usize;
            if home == self.me {
                held.drop_cargo();
                self.settle(held);
            } else {
                self.mesh.leave_stray(self.me, home, held);
            }
        }
    }

    /// The last words of a core whose lane is full: replies are left beside it.
    fn leave(&self, core: usize, chain: Chain) {
        for held in chain.into_nodes() {
            if held.node().from as usize == self.me {
                held.drop_cargo();
                self.settle(held);
            } else {
                self.mesh.leave_stray(self.me, core, held);
            }
        }
    }

    fn close(self: &Rc<Self>) {
        self.closed.set(true);
        self.mesh.close(self.me);
        self.take_in();
        self.flush();
    }

    /// Memory for a node: a former one's if there is one.
    fn memory(&self, layout: Layout) -> NonNull<u8> {
        let kept = line_count(layout).and_then(|lines| self.kept[lines - 1].borrow_mut().pop());
        kept.unwrap_or_else(|| allocate(rounded(layout)))
    }
}

impl<B: Doorbell, Q: Queue + 'static> Recycle for Inner<B, Q> {
    fn recycle(&self, held: Held) {
        drop(held.node().waker.take());
        let layout = held.node().vtable.get().layout;
        if let Some(lines) = line_count(layout) {
            let mut kept = self.kept[lines - 1].borrow_mut();
            if kept.len() < KEPT_MAX {
                return kept.push(held.0.cast());
            }
        }
        // SAFETY: *Home again*: the call is over and its handle gone.
        unsafe { deallocate(held.0.cast(), rounded(layout)) };
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Inner<B, Q> {
    fn drop(&mut self) {
        for (index, kept) in self.kept.iter_mut().enumerate() {
            let layout = rounded(Layout::from_size_align((index + 1) * 64, 64).expect("small"));
            for memory in kept.get_mut().drain(..) {
                // SAFETY: kept memory is nobody's, and of this layout.
                unsafe { deallocate(memory, layout) };
            }
        }
    }
}

/// How many lines a node takes, if nodes of that size are recycled.
fn line_count(layout: Layout) -> Option<usize> {
    let lines = layout.size().div_ceil(64);
    (lines <= LINES_MAX && layout.align() <= 64).then_some(lines)
}

/// The layout a node's memory is allocated with: whole lines, so that cores do not share them, and so that
/// memory fits every node of as many lines.
pub(super) fn rounded(layout: Layout) -> Layout {
    layout.align_to(64).expect("a small alignment").pad_to_align()
}

/// The task of an endpoint: serves, then sends. Publishing once per turn falls out of its being a
/// task: it is woken by the first call of a turn and runs behind the tasks that are ready.
struct Mail<B: Doorbell, Q: Queue + 'static> {
    inner: Rc<Inner<B, Q>>,
    is_open: bool,
}

impl<B: Doorbell, Q: Queue + 'static> Future for Mail<B, Q> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_open {
            self.is_open = true;
            // SAFETY: `claim` made us the one who opens this port.
            unsafe { self.inner.mesh.open(self.inner.me, cx.waker().clone()) };
            self.inner.task.replace(Some(cx.waker().clone()));
            self.inner.mesh.look_everywhere(self.inner.me);
        }
        if self.inner.mesh.has_mail(self.inner.me) {
            self.inner.take_in();
        }
        self.inner.flush();
        Poll::Pending
    }
}

/// Sends a node back when it is dropped, with the output or without.
struct Reply<B: Doorbell, Q: Queue + 'static> {
    held: Option<Held>,
    inner: Rc<Inner<B, Q>>,
}

impl<B: Doorbell, Q: Queue + 'static> Reply<B, Q> {
    /// # Safety
    /// The pointer is to the `Rc<Inner<B, Q>>` of this core.
    unsafe fn new(held: Held, inner: *const ()) -> Self {
        // SAFETY: the caller's promise.
        let inner = unsafe { &*inner.cast::<Rc<Inner<B, Q>>>() };
        Self { held: Some(held), inner: inner.clone() }
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("held until dropped")
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Reply<B, Q> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.inner.send_back(held);
        }
    }
}

/// How an async closure is run.
struct AsyncWork<F, T, B, Q>(core::marker::PhantomData<(F, T, B, Q)>);

impl<F, T, B, Q> AsyncWork<F, T, B, Q>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
    B: Doorbell,
    Q: Queue + 'static,
{
    const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    unsafe fn run(held: Held, inner: *const ()) {
        // SAFETY: the caller passes its own `Rc<Inner>`.
        let reply = unsafe { Reply::<B, Q>::new(held, inner) };
        // SAFETY: *One holder*: it is us, and the cargo is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.held()) };
        let local = reply.inner.local;
        let task = async move {
            let output = work().await;
            // SAFETY: *One holder*: the reply holds the node, and its work is gone.
            unsafe { Typed::<F, T>::put_output(reply.held(), output) };
        };
        // If it cannot be spawned it is dropped, and the reply goes back empty.
        drop(local.spawn(task));
    }
}

/// How a plain closure is run.
struct SyncWork<F, T, B, Q>(core::marker::PhantomData<(F, T, B, Q)>);

impl<F, T, B, Q> SyncWork<F, T, B, Q>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    B: Doorbell,
    Q: Queue + 'static,
{
    const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    unsafe fn run(held: Held, inner: *const ()) {
        // SAFETY: the caller passes its own `Rc<Inner>`.
        let reply = unsafe { Reply::<B, Q>::new(held, inner) };
        // SAFETY: *One holder*: it is us, and the cargo is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.held()) };
        let output = work();
        // SAFETY: *One holder*: the reply holds the node, and its work is gone.
        unsafe { Typed::<F, T>::put_output(reply.held(), output) };
    }
}

const fn vtable_of<W, T>(run: unsafe fn(Held, *const ())) -> CallVtable {
    CallVtable {
        run,
        drop_work: Typed::<W, T>::drop_work,
        read_output: Typed::<W, T>::read_output,
        drop_output: Typed::<W, T>::drop_output,
        layout: Typed::<W, T>::LAYOUT,
    }
}
