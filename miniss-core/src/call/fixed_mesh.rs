//! A mesh in a `static`: calls between cores without a heap.
//!
//! The mesh has all that the endpoints of its cores need: their insides, lists of what is unsent, a
//! pool of places for the calls of each, and two slots for its pump. Nothing of it is ever given
//! back.
//!
//! By *Claimed once* (see [`peer`](super::peer)) what stands here for one core is touched by its
//! endpoint only, forever, except for nodes that travel.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::call::EndpointHeader;
use super::endpoint::Endpoint;
use super::inner::Inner;
use super::lane::Lane;
use super::memory::{LINE_BYTES, Memory};
use super::node::{CORES_MAX, MessageList, Node};
use super::peer::{Peer, Peers};
use super::pump::PumpSlab;
use crate::error::SpawnError;
use crate::executor::LocalHandle;
use crate::reactor::Unpark;

/// A mesh of `CORES` cores for a `static`, each of which may have `CALLS` calls under way.
///
/// `BYTES` is how large a call's closure may be, or its output if that is larger; it counts what
/// they hold themselves, not what they point to. A lane holds `LANE` calls, a power of two; those
/// beyond that gather on the sender's side until there is room.
///
/// A call occupies its place from the moment it is made until the [`Call`](super::Call) has given
/// its result or, if that was dropped, until the reply is back. Without a free place,
/// [`try_submit_to`](Endpoint::try_submit_to) gives the work back. A reply needs no place: it
/// travels in the request's.
///
/// The task of each endpoint lives in the mesh, too. But work that is [async](Endpoint::submit_to)
/// becomes a task on the other core, and where there is no heap, that core must have been
/// [lent](LocalHandle::lend) slots for it; [`run_on`](Endpoint::run_on) needs none.
///
/// To wait for room instead, let calls share a [`Semaphore`](crate::sync::Semaphore) of `CALLS`
/// units.
///
/// An end is opened once: a core whose executor has ended does not join again. What is under way
/// to it then stays in the mesh, and is not dropped. A new mesh is not all zeros, so a program's
/// image is larger by all of it.
///
/// ```
/// use miniss_core::call::FixedMesh;
/// # use miniss_core::doctest::{Unparker, executor};
///
/// static MESH: FixedMesh<Unparker, 2, 32, 64> = FixedMesh::new();
///
/// # let (mut core_0, mut core_1) = (executor(), executor());
/// let endpoint = MESH.open(0, core_0.local()).unwrap();
/// let _other = MESH.open(1, core_1.local()).unwrap(); // on the other core
/// let call = endpoint.run_on(1, || 6 * 7);
/// # core_0.turn();
/// # core_1.turn();
/// assert_eq!(core_0.block_on(call), Ok(42));
/// ```
///
/// A lane for three calls is refused when the program is compiled, and so is a mesh without room
/// for calls:
///
/// ```compile_fail
/// use miniss_core::call::FixedMesh;
/// # use miniss_core::doctest::Unparker;
/// static MESH: FixedMesh<Unparker, 2, 32, 64, 3> = FixedMesh::new();
/// ```
///
/// ```compile_fail
/// use miniss_core::call::FixedMesh;
/// # use miniss_core::doctest::Unparker;
/// static MESH: FixedMesh<Unparker, 2, 0, 64> = FixedMesh::new();
/// ```
pub struct FixedMesh<
    U: Unpark,
    const CORES: usize,
    const CALLS: usize,
    const BYTES: usize,
    const LANE: usize = 16,
> {
    lanes: [[Lane<LANE>; CORES]; CORES],
    peers: [Peer; CORES],
    endpoints: [FixedEndpoint<U, CORES, CALLS, BYTES, LANE>; CORES],
}

/// All that one core's endpoint needs. Cores do not share lines, nor pairs of them.
#[cfg_attr(target_pointer_width = "64", repr(align(128)))]
struct FixedEndpoint<
    U: Unpark,
    const CORES: usize,
    const CALLS: usize,
    const BYTES: usize,
    const LANE: usize,
> {
    inner: UnsafeCell<MaybeUninit<Inner<U, LANE>>>,
    unsent: [MessageList; CORES],
    places: [UnsafeCell<Place<BYTES>>; CALLS],
    pump: PumpSlab,
}

/// Where a call lives: whole lines, as many as a node and its body need. A body that is aligned to
/// more than a node stands further behind, but then its size is a multiple of that: as many lines
/// do.
#[repr(C, align(64))]
struct Place<const BYTES: usize> {
    node: MaybeUninit<Node>,
    body: MaybeUninit<[u8; BYTES]>,
}

const _: () = assert!(align_of::<Place<1>>() == LINE_BYTES, "places are whole lines");

// SAFETY: *Claimed once*: an endpoint is touched on one core only, and what travels is handed over
// with release and acquire; its content is `Send`. Lanes and peers are for all.
unsafe impl<
    U: Unpark,
    const CORES: usize,
    const CALLS: usize,
    const BYTES: usize,
    const LANE: usize,
> Sync for FixedMesh<U, CORES, CALLS, BYTES, LANE>
{
}

impl<U: Unpark, const CORES: usize, const CALLS: usize, const BYTES: usize, const LANE: usize>
    FixedMesh<U, CORES, CALLS, BYTES, LANE>
{
    /// A mesh that no one has joined yet.
    pub const fn new() -> Self {
        const {
            assert!(CALLS > 0, "CALLS: one call at least");
            assert!(CORES <= CORES_MAX, "CORES: up to 65,536");
            assert!(LANE.is_power_of_two(), "LANE: a power of two");
        }
        Self {
            lanes: [const { [const { Lane::new() }; CORES] }; CORES],
            peers: [const { Peer::new() }; CORES],
            endpoints: [const { FixedEndpoint::new() }; CORES],
        }
    }

    /// Opens core `me`'s end of the mesh, with the executor of `local`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`] if the executor is ending or gone.
    ///
    /// # Panics
    ///
    /// If the mesh has no core `me`, or its end was opened before.
    #[track_caller]
    pub fn open(
        &'static self,
        me: usize,
        local: LocalHandle<U>,
    ) -> Result<Endpoint<U, LANE>, SpawnError> {
        let peers = Peers::claim(self.lanes.as_flattened(), &self.peers, me);
        // SAFETY: *Claimed once*: by us, just now.
        let inner = unsafe { self.endpoints[me].make(peers, local) };
        // SAFETY: *Comes first*; just made, with the first handle not yet taken.
        unsafe { Endpoint::start(inner) }
    }
}

impl<U: Unpark, const CORES: usize, const CALLS: usize, const BYTES: usize, const LANE: usize>
    FixedEndpoint<U, CORES, CALLS, BYTES, LANE>
{
    const fn new() -> Self {
        Self {
            inner: UnsafeCell::new(MaybeUninit::uninit()),
            unsent: [const { MessageList::new() }; CORES],
            places: [const { UnsafeCell::new(Place::new()) }; CALLS],
            pump: PumpSlab::new(),
        }
    }

    /// Makes the inside of the endpoint, for the core that has claimed `peers`.
    ///
    /// # Safety
    /// *Claimed once*: by the caller, just now.
    unsafe fn make(
        &'static self,
        peers: Peers<'static, LANE>,
        local: LocalHandle<U>,
    ) -> NonNull<Inner<U, LANE>> {
        let memory = Memory::pool(size_of::<Place<BYTES>>());
        // Backwards: the first place is the first to be taken.
        for place in self.places.iter().rev() {
            // SAFETY: *Claimed once*, so it is the pool's forever. It begins a line, as it must.
            unsafe { memory.add(NonNull::from(place).cast()) };
        }
        // SAFETY: it becomes the beginning of the inside that we write below.
        let header = unsafe { EndpointHeader::new(memory, local.cell(), Self::end) };
        let unsent = NonNull::from(&self.unsent[..]);
        let pump = Some(&self.pump);
        // SAFETY: *Mesh outlives*: all is `'static`.
        let inner = unsafe { Inner::new(header, local, peers, unsent, pump) };
        let place = NonNull::from(&self.inner).cast::<Inner<U, LANE>>();
        // SAFETY: *Claimed once*.
        unsafe { place.write(inner) };
        place
    }

    /// # Safety
    /// *Counted*: no one uses the inside any more, which [`make`](Self::make) has made.
    unsafe fn end(header: NonNull<EndpointHeader>) {
        // SAFETY: the caller's promise; *Comes first*.
        unsafe { header.cast::<Inner<U, LANE>>().drop_in_place() };
    }
}

impl<const BYTES: usize> Place<BYTES> {
    const fn new() -> Self {
        Self { node: MaybeUninit::uninit(), body: MaybeUninit::uninit() }
    }
}

impl<U: Unpark, const CORES: usize, const CALLS: usize, const BYTES: usize, const LANE: usize>
    Default for FixedMesh<U, CORES, CALLS, BYTES, LANE>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<U: Unpark, const CORES: usize, const CALLS: usize, const BYTES: usize, const LANE: usize>
    fmt::Debug for FixedMesh<U, CORES, CALLS, BYTES, LANE>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedMesh").field("cores", &CORES).field("calls", &CALLS).finish()
    }
}
