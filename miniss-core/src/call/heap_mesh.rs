//! A mesh on the heap: as many cores as are found at run time.
//!
//! Invariants: see [`home`](super::home) and [`exchange`](super::exchange).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::endpoint::Endpoint;
use super::exchange::Exchange;
use super::home::Home;
use super::memory::Memory;
use super::mesh::{Lane, Lanes, Port};
use super::node::Outbox;
use super::queue::Queue;
use super::shared::Shared;
use crate::defer::to_the_end;
use crate::error::SpawnError;
use crate::executor::LocalHandle;
use crate::reactor::Unpark;

/// The lanes between a number of cores, whose executors have unparkers of type `U`.
///
/// It lies on the heap, as do its calls; for programs without one there is
/// [`FixedMesh`](super::FixedMesh).
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::call::{FixedLane, Mesh};
/// # use miniss_core::doctest::Unparker;
/// let mesh = Mesh::<Unparker, _>::new(4, FixedLane::<16>::new);
/// assert_eq!(mesh.len(), 4);
/// ```
pub struct Mesh<U, Q> {
    lanes: Box<[Lane<Q>]>,
    ports: Box<[Port]>,
    unparker: PhantomData<fn() -> U>,
}

impl<U: Unpark, Q: Queue> Mesh<U, Q> {
    /// A mesh of `cores` cores whose lanes use the queues that `queue` makes.
    ///
    /// ```
    /// # use miniss_core::{doctest::Unparker, call::{FixedLane, Mesh}};
    /// let mesh = Mesh::<Unparker, _>::new(2, FixedLane::<16>::new);
    /// # assert!(!mesh.is_empty());
    /// ```
    pub fn new(cores: usize, queue: impl Fn() -> Q) -> Self {
        Self {
            lanes: (0..cores * cores).map(|_| Lane::new(queue())).collect(),
            ports: (0..cores).map(|_| Port::new()).collect(),
            unparker: PhantomData,
        }
    }

    /// How many cores there are.
    ///
    /// ```
    /// # use miniss_core::{doctest::Unparker, call::{FixedLane, Mesh}};
    /// assert_eq!(Mesh::<Unparker, _>::new(3, FixedLane::<2>::new).len(), 3);
    /// ```
    pub fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether there are no cores at all.
    ///
    /// ```
    /// # use miniss_core::{doctest::Unparker, call::{FixedLane, Mesh}};
    /// assert!(Mesh::<Unparker, _>::new(0, FixedLane::<2>::new).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    pub(super) fn lanes(&self) -> Lanes<'_, Q> {
        Lanes::new(&self.lanes, &self.ports)
    }
}

impl<U: Unpark, Q: Queue + 'static> Endpoint<U, Q> {
    /// Opens core `me`'s end of the mesh and spawns its task on the executor of `local`.
    ///
    /// Needs the `alloc` feature.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if the task cannot be spawned.
    ///
    /// # Panics
    ///
    /// If the mesh has no core `me`, or its end was opened before.
    ///
    /// See [`Endpoint`] for an example.
    #[track_caller]
    pub fn open(
        mesh: Arc<Mesh<U, Q>>,
        me: usize,
        local: LocalHandle<U>,
    ) -> Result<Self, SpawnError> {
        Self::start(Seat::take(mesh, me, local))
    }
}

/// All that one core's endpoint needs. It is dropped in this order.
#[repr(C)]
struct Seat<U: Unpark, Q: Queue + 'static> {
    /// *Comes first*.
    exchange: Exchange<U, Q>,
    _outboxes: Outboxes,
    _mesh: Arc<Mesh<U, Q>>,
}

impl<U: Unpark, Q: Queue + 'static> Seat<U, Q> {
    /// Makes the exchange of core `me`.
    #[track_caller]
    fn take(mesh: Arc<Mesh<U, Q>>, me: usize, local: LocalHandle<U>) -> Shared<U, Q> {
        // SAFETY: *Mesh outlives*: the seat keeps it.
        let end = unsafe { &*Arc::as_ptr(&mesh) }.lanes().claim(me);
        let outboxes = Outboxes::new(end.cores());
        // SAFETY: it becomes the beginning of a seat.
        let home = unsafe { Home::new(Memory::heap(), local.cell(), Self::end) };
        // SAFETY: *Mesh outlives*, and so do the outboxes: the seat keeps both.
        let exchange = unsafe { Exchange::new(home, local, end, outboxes.0, None) };
        let seat = Box::new(Self { exchange, _outboxes: outboxes, _mesh: mesh });
        // SAFETY: *Comes first*; just made, with the first handle not yet taken.
        unsafe { Shared::new(NonNull::from(Box::leak(seat)).cast()) }
    }

    /// # Safety
    /// *Counted*: no one uses the exchange any more, which [`take`](Self::take) has made.
    unsafe fn end(home: NonNull<Home>) {
        // SAFETY: the caller's promise; *Comes first*.
        drop(unsafe { Box::from_raw(home.cast::<Self>().as_ptr()) });
    }
}

/// A box of outboxes that others have pointers into, which a `Box` does not like.
struct Outboxes(NonNull<[Outbox]>);

impl Outboxes {
    fn new(cores: usize) -> Self {
        let outboxes: Box<[Outbox]> = (0..cores).map(|_| Outbox::new()).collect();
        Self(NonNull::from(Box::leak(outboxes)))
    }
}

impl Drop for Outboxes {
    fn drop(&mut self) {
        // SAFETY: leaked by `new`, and whoever had pointers is gone.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<U, Q> Drop for Mesh<U, Q> {
    /// No one waits any more: whoever waits for a call keeps the mesh.
    fn drop(&mut self) {
        let mut ports = self.ports.iter();
        to_the_end(|| ports.next().map(|port| drop(port.take_strays())).is_some());
    }
}

impl<U, Q> fmt::Debug for Mesh<U, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("cores", &self.ports.len()).finish()
    }
}
