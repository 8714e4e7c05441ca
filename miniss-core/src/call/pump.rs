//! The pump is the task of an endpoint: it serves what has come, then sends what has gathered.
//!
//! It sends once per turn since it is a task: the first call of a turn wakes it, and it runs after
//! the tasks that are ready.
//!
//! Work that unwinds takes the task with it. Then a successor is spawned, which serves the rest: it
//! makes its own waker known in place of the former's and looks everywhere, as the first one did.
//! When the executor ends there is no successor, and the endpoint closes.
//!
//! Invariants: see [`super`].

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::call::EndpointRef;
use super::endpoint::Endpoint;
use super::node::{CallVtable, Content, Message, Typed};
use crate::TaskSlab;
use crate::defer::defer;
use crate::error::SpawnError;
use crate::executor::Budget;
use crate::reactor::Unpark;

/// Slots for the pump of an endpoint that has no heap: one for it, and one for its successor, which
/// is spawned before the former is quite gone.
pub(super) type PumpSlab = TaskSlab<64, 2>;

/// The pump is in this group, and so is what it runs for others of it.
const MAIN_GROUP: u8 = 0;

/// The task of an endpoint.
pub(super) struct Pump<U: Unpark, const LANE: usize> {
    endpoint: Endpoint<U, LANE>,
    is_open: bool,
}

impl<U: Unpark, const LANE: usize> Pump<U, LANE> {
    /// Spawns the task. If that fails, the endpoint is closed.
    pub(super) fn spawn(endpoint: Endpoint<U, LANE>) -> Result<(), SpawnError> {
        let inner = endpoint.inner();
        let local = inner.local;
        let pump = || Self { endpoint: endpoint.clone(), is_open: false };
        let handle = match inner.pump_slab.map(|slab| local.spawn_in(slab, pump())) {
            // Former ones that were woken as they ran keep their slots until the queue comes by.
            None | Some(Err(SpawnError::NoRoom)) => local.spawn(pump())?,
            Some(spawned) => spawned?,
        };
        handle.with_slot(|slot| inner.start_watch(slot));
        handle.detach();
        Ok(())
    }
}

impl<U: Unpark, const LANE: usize> Future for Pump<U, LANE> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_open {
            self.is_open = true;
            self.endpoint.inner().open(cx.waker());
        }
        self.endpoint.receive_if_any();
        self.endpoint.inner().flush();
        Poll::Pending
    }
}

impl<U: Unpark, const LANE: usize> Drop for Pump<U, LANE> {
    fn drop(&mut self) {
        let inner = self.endpoint.inner();
        if inner.header.is_over.replace(true) {
            return;
        }
        // An unwinding poll drops it if this succeeds, else the end of the executor does.
        match Self::spawn(self.endpoint.clone()) {
            Ok(()) => inner.header.is_over.set(false),
            Err(_) => {
                let _at_last = defer(|| inner.header.wake_outside());
                inner.end_watch();
                self.endpoint.close();
            }
        }
    }
}

/// Receives and serves.
impl<U: Unpark, const LANE: usize> Endpoint<U, LANE> {
    /// Takes what has come, if there is anything. For the task, which flushes after it.
    #[inline]
    fn receive_if_any(&self) {
        let inner = self.inner();
        if inner.has_messages() {
            inner.is_receiving.set(true);
            self.receive(inner.budget());
            inner.is_receiving.set(false);
        }
    }

    /// Takes what has come, within a budget: serves calls, settles replies.
    ///
    /// If that unwinds, the rest stays where the executor sees it, and wakes the task or its
    /// successor. If there is no task any more, the rest is taken on the way out.
    pub(super) fn receive(&self, budget: Budget) {
        let unwinding = defer(|| {
            if self.inner().is_over() {
                self.receive(Budget::UNLIMITED);
            }
        });
        self.inner().receive(budget, |message| match message.node().content.get() {
            Content::Work => self.serve(message),
            _ => self.inner().settle(message),
        });
        unwinding.disarm();
    }

    /// Runs a call, or refuses it if this core is closed.
    pub(super) fn serve(&self, message: Message) {
        if self.inner().is_closed() {
            return self.inner().turn_back(message);
        }
        match message.node().group {
            MAIN_GROUP => self.run(message),
            group => self.run_in_group(message, group),
        }
    }

    #[inline]
    fn run(&self, message: Message) {
        let run = message.node().vtable.get().run;
        // SAFETY: *One holder*: it is us, and the content is work. All endpoints of a mesh are of
        // one type, so the vtable, which one of them made, fits ours.
        unsafe { run(message, self.as_counted()) };
    }

    /// The tasks that the work becomes or spawns are in the caller's group, if it is known here.
    #[cold]
    fn run_in_group(&self, message: Message, group: u8) {
        match self.inner().local.owner() {
            Some(owner) => owner.with_group(group, || self.run(message)),
            None => self.run(message),
        }
    }
}

/// Sends a message back when it is dropped, with the output or without: also if the work unwinds,
/// or its task is dropped with the executor.
struct Reply<U: Unpark, const LANE: usize> {
    message: Option<Message>,
    endpoint: Endpoint<U, LANE>,
}

impl<U: Unpark, const LANE: usize> Reply<U, LANE> {
    /// # Safety
    /// The reference is to an endpoint of this type.
    unsafe fn new(message: Message, endpoint: &EndpointRef) -> Self {
        // SAFETY: the caller's promise.
        Self { message: Some(message), endpoint: unsafe { Endpoint::of(endpoint.clone()) } }
    }

    fn message(&self) -> &Message {
        self.message.as_ref().expect("held until dropped")
    }
}

impl<U: Unpark, const LANE: usize> Drop for Reply<U, LANE> {
    fn drop(&mut self) {
        let Some(message) = self.message.take() else { return };
        let inner = self.endpoint.inner();
        // A task that is dropped before it begins while the executor lives could not be spawned.
        if message.node().content.get() == Content::Unstarted && inner.has_executor() {
            message.node().content.set(Content::NoRoom);
        }
        inner.send_back(message);
    }
}

/// An async closure becomes a task.
pub(super) struct AsyncWork<F, T, U, const LANE: usize>(PhantomData<(F, T, U)>);

impl<F, T, U, const LANE: usize> AsyncWork<F, T, U, LANE>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
    U: Unpark,
{
    pub(super) const VTABLE: &'static CallVtable = &CallVtable::new::<F, T>(Self::run);

    /// # Safety
    /// *One holder*: the caller, and the content is the work. The reference is to an
    /// `Endpoint<U, LANE>`.
    unsafe fn run(message: Message, endpoint: &EndpointRef) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<U, LANE>::new(message, endpoint) };
        // SAFETY: *One holder*: the reply now, and the content is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.message()) };
        reply.message().node().content.set(Content::Unstarted);
        let local = reply.endpoint.inner().local;
        let task = async move {
            reply.message().node().content.set(Content::Nothing);
            let output = work().await;
            // SAFETY: *One holder*: the reply holds the message, and its work is gone.
            unsafe { Typed::<F, T>::put_output(reply.message(), output) };
        };
        // If it cannot be spawned it is dropped, and the reply goes back to say so.
        drop(local.spawn(task));
    }
}

/// A plain closure is called on the spot.
pub(super) struct SyncWork<F, T, U, const LANE: usize>(PhantomData<(F, T, U)>);

impl<F, T, U, const LANE: usize> SyncWork<F, T, U, LANE>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    U: Unpark,
{
    pub(super) const VTABLE: &'static CallVtable = &CallVtable::new::<F, T>(Self::run);

    /// # Safety
    /// As for [`AsyncWork::run`].
    unsafe fn run(message: Message, endpoint: &EndpointRef) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<U, LANE>::new(message, endpoint) };
        // SAFETY: *One holder*: the reply now, and the content is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.message()) };
        let output = work();
        // SAFETY: *One holder*: the reply holds the message, and its work is gone.
        unsafe { Typed::<F, T>::put_output(reply.message(), output) };
    }
}
