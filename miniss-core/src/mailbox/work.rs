//! How the two kinds of work are run, and how the reply finds its way whatever happens.
//!
//! `core A: submit_to ─▶ lane A▸B ─▶ [core B runs it] ─▶ lane B▸A ─▶ waker A`
//!
//! Invariants: see [`super`].

use alloc::rc::Rc;
use core::marker::PhantomData;

use super::exchange::Exchange;
use super::node::{CallVtable, Held, Typed};
use super::queue::Queue;
use crate::doorbell::Doorbell;

/// Sends a node back when it is dropped, with the output or without: also if the work unwinds, or
/// its task is dropped with the executor.
struct Reply<B: Doorbell, Q: Queue + 'static> {
    held: Option<Held>,
    exchange: Rc<Exchange<B, Q>>,
}

impl<B: Doorbell, Q: Queue + 'static> Reply<B, Q> {
    /// # Safety
    /// The pointer is to the `Rc<Exchange<B, Q>>` of this core.
    unsafe fn new(held: Held, exchange: *const ()) -> Self {
        // SAFETY: the caller's promise.
        let exchange = unsafe { &*exchange.cast::<Rc<Exchange<B, Q>>>() };
        Self { held: Some(held), exchange: exchange.clone() }
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect("held until dropped")
    }
}

impl<B: Doorbell, Q: Queue + 'static> Drop for Reply<B, Q> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.exchange.send_back(held);
        }
    }
}

/// An async closure becomes a task.
pub(super) struct AsyncWork<F, T, B, Q>(PhantomData<(F, T, B, Q)>);

impl<F, T, B, Q> AsyncWork<F, T, B, Q>
where
    F: AsyncFnOnce() -> T + Send + 'static,
    T: Send + 'static,
    B: Doorbell,
    Q: Queue + 'static,
{
    pub(super) const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    /// # Safety
    /// *One holder*: the caller, and the cargo is the work. The pointer is to the
    /// `Rc<Exchange<B, Q>>` of this core.
    unsafe fn run(held: Held, exchange: *const ()) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<B, Q>::new(held, exchange) };
        // SAFETY: *One holder*: the reply now, and the cargo is the work.
        let work = unsafe { Typed::<F, T>::take_work(reply.held()) };
        let local = reply.exchange.local();
        let task = async move {
            let output = work().await;
            // SAFETY: *One holder*: the reply holds the node, and its work is gone.
            unsafe { Typed::<F, T>::put_output(reply.held(), output) };
        };
        // If it cannot be spawned it is dropped, and the reply goes back empty.
        drop(local.spawn(task));
    }
}

/// A plain closure is called on the spot.
pub(super) struct SyncWork<F, T, B, Q>(PhantomData<(F, T, B, Q)>);

impl<F, T, B, Q> SyncWork<F, T, B, Q>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    B: Doorbell,
    Q: Queue + 'static,
{
    pub(super) const VTABLE: &'static CallVtable = &vtable_of::<F, T>(Self::run);

    /// # Safety
    /// As for [`AsyncWork::run`].
    unsafe fn run(held: Held, exchange: *const ()) {
        // SAFETY: the caller's promise.
        let reply = unsafe { Reply::<B, Q>::new(held, exchange) };
        // SAFETY: *One holder*: the reply now, and the cargo is the work.
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
