//! A mesh on the heap: as many cores as are found at run time.
//!
//! Invariants: see [`call`](super::call) and [`inner`](super::inner).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::call::EndpointHeader;
use super::endpoint::Endpoint;
use super::inner::Inner;
use super::lane::Lane;
use super::memory::Memory;
use super::node::{CORES_MAX, MessageList};
use super::peer::{Peer, Peers};
use crate::defer::to_the_end;
use crate::error::SpawnError;
use crate::executor::LocalHandle;
use crate::reactor::Unpark;

/// The lanes between a number of cores, whose executors have unparkers of type `U`. A lane holds
/// `LANE` calls, a power of two; those beyond that gather on the sender's side until there is room.
///
/// It lies on the heap, as do its calls; for programs without one there is
/// [`FixedMesh`](super::FixedMesh).
///
/// Needs the `alloc` feature.
///
/// ```
/// use miniss_core::call::Mesh;
/// # use miniss_core::doctest::Unparker;
/// let mesh = Mesh::<Unparker, 16>::new(4);
/// assert_eq!(mesh.len(), 4);
/// ```
pub struct Mesh<U, const LANE: usize> {
    lanes: Box<[Lane<LANE>]>,
    peers: Box<[Peer]>,
    unparker: PhantomData<fn() -> U>,
}

impl<U: Unpark, const LANE: usize> Mesh<U, LANE> {
    /// A mesh of `cores` cores.
    ///
    /// # Panics
    ///
    /// If there are more than 65,536.
    pub fn new(cores: usize) -> Self {
        assert!(cores <= CORES_MAX, "{cores} cores: up to {CORES_MAX} work");
        Self {
            lanes: (0..cores * cores).map(|_| Lane::new()).collect(),
            peers: (0..cores).map(|_| Peer::new()).collect(),
            unparker: PhantomData,
        }
    }

    /// How many cores there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are no cores at all.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    #[track_caller]
    pub(super) fn claim(&self, me: usize) -> Peers<'_, LANE> {
        Peers::claim(&self.lanes, &self.peers, me)
    }
}

impl<U: Unpark, const LANE: usize> Endpoint<U, LANE> {
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
    #[track_caller]
    pub fn open(
        mesh: Arc<Mesh<U, LANE>>,
        me: usize,
        local: LocalHandle<U>,
    ) -> Result<Self, SpawnError> {
        let inner = HeapEndpoint::make(mesh, me, local);
        // SAFETY: *Comes first*; just made, with the first handle not yet taken.
        unsafe { Self::start(inner) }
    }
}

/// All that one core's endpoint needs. It is dropped in this order.
#[repr(C)]
struct HeapEndpoint<U: Unpark, const LANE: usize> {
    /// *Comes first*.
    inner: Inner<U, LANE>,
    _unsent: Vec<MessageList>,
    _mesh: Arc<Mesh<U, LANE>>,
}

impl<U: Unpark, const LANE: usize> HeapEndpoint<U, LANE> {
    /// For core `me`.
    #[track_caller]
    fn make(mesh: Arc<Mesh<U, LANE>>, me: usize, local: LocalHandle<U>) -> NonNull<Inner<U, LANE>> {
        // SAFETY: *Mesh outlives*: we keep it beside the inside.
        let peers = unsafe { &*Arc::as_ptr(&mesh) }.claim(me);
        let unsent: Vec<_> = (0..peers.cores()).map(|_| MessageList::new()).collect();
        let lists = NonNull::from(&unsent[..]);
        // SAFETY: it becomes the beginning of what `end` drops.
        let header = unsafe { EndpointHeader::new(Memory::heap(), local.cell(), Self::end) };
        // SAFETY: *Mesh outlives*, and so do the lists: we keep both beside the inside.
        let inner = unsafe { Inner::new(header, local, peers, lists, None) };
        let endpoint = Box::new(Self { inner, _unsent: unsent, _mesh: mesh });
        NonNull::from(Box::leak(endpoint)).cast()
    }

    /// # Safety
    /// *Counted*: no one uses the inside any more, which [`make`](Self::make) has made.
    unsafe fn end(header: NonNull<EndpointHeader>) {
        // SAFETY: the caller's promise; *Comes first*.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }
}

impl<U, const LANE: usize> Drop for Mesh<U, LANE> {
    /// No one waits any more: each call that someone awaits keeps the mesh.
    fn drop(&mut self) {
        let mut peers = self.peers.iter();
        to_the_end(|| peers.next().map(|peer| drop(peer.take_late_replies())).is_some());
    }
}

impl<U, const LANE: usize> fmt::Debug for Mesh<U, LANE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh").field("cores", &self.peers.len()).finish()
    }
}
