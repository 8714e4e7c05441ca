//! What every mesh is made of: a lane for every ordered pair of cores, and where each core is to be
//! woken.
//!
//! # No parcel is overlooked
//!
//! A core that is awake looks at the lanes to it once a turn, and over and over while it spins; the
//! looks are plain loads of lines that no one else writes to unless there is something. So a sender
//! owes such a core nothing but the push. For one that sleeps, the [handshake of
//! parking](crate::Idle) is extended: the sender publishes, passes a full fence, and then reads
//! whether the receiver is asleep; the receiver says that it is, passes a full fence, and then
//! looks at its lanes. Not both can read the old value. The same fences decide about a receiver
//! that closes: either it finds the parcel in its last look, or the sender finds it closed, and
//! takes back what it may have overlooked. A receiver that opens needs no more than that: before it
//! has, it does not sleep, or not without another look.
//!
//! # No sender waits in vain
//!
//! A sender that finds its lane full says so, passes a full fence and tries again. The receiver
//! looks for such senders, behind a full fence, once for as many parcels as a lane holds. A sender
//! that waits has filled the lane since the receiver took some parcel; among the ones that are in
//! it now there is one after which the receiver looks. If what was taken unwinds before that look,
//! or an unparker that is rung in it does, the task that comes next begins with one
//! ([`End::look_everywhere`]).
//!
//! # Two receivers, at the end
//!
//! What lies in a lane to a closed core may be taken by either side. Who does is decided by a
//! count: the first who raises it from zero takes all; who raises it meanwhile leaves it at that,
//! and the first then looks again.
//!
//! # Invariants
//!
//! - **One end each.** There is one [`End`] for each core, made by who claims it, and it is not
//!   shared by threads. It alone sends on the core's lanes to others, and it alone receives from
//!   those to the core, until that is closed; then whoever has raised `drainers` from zero does.
//! - **Wakers are forever.** What a port holds is the address and vtable of a task's waker, which
//!   owns nothing and may be used at any time, and the base of that task's executor cell, which is
//!   never given back. The vtable is the same for every task of a mesh.

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::ptr::{self, NonNull};
use core::task::{RawWakerVTable, Waker};

use super::node::{Chain, Held, Node, Outbox, Parcel};
use super::queue::Queue;
use crate::executor::budget::Allowance;
use crate::executor::cell::Shared as CellShared;
use crate::prim::{
    AtomicBool, AtomicPtr, AtomicUsize, Ordering, const_fn, fence, ordering, planted,
};
use crate::time::Instant;

/// Parcels that are taken from one lane before the others have their turn.
const RECEIVE_MAX: usize = 256;

/// One ordered pair's queue.
pub(super) struct Lane<Q> {
    queue: Q,
    /// The sender found it full and wants to be woken when there is room.
    sender_waits: AtomicBool,
    /// How many have wanted to empty it since it was last left empty, the receiver being closed.
    drainers: AtomicUsize,
}

impl<Q> Lane<Q> {
    const_fn! {
        pub(super) const fn new(queue: Q) -> Self {
            Self {
                queue,
                sender_waits: AtomicBool::new(false),
                drainers: AtomicUsize::new(0),
            }
        }
    }
}

/// Where one core is to be found, on a line of its own: others read it, and write to it hardly
/// ever.
#[repr(align(128))]
pub(super) struct Port {
    /// The data of the waker of the endpoint's task; null before the port opens.
    task: AtomicPtr<()>,
    /// The vtable of that waker, written before `task`.
    vtable: AtomicPtr<RawWakerVTable>,
    /// Of the executor cell of that task, written before `task`.
    base: AtomicPtr<CellShared>,
    is_claimed: AtomicBool,
    is_closed: AtomicBool,
    /// Replies of cores that have ended, which found their lane full.
    strays: AtomicPtr<Node>,
}

impl Port {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                task: AtomicPtr::new(ptr::null_mut()),
                vtable: AtomicPtr::new(ptr::null_mut()),
                base: AtomicPtr::new(ptr::null_mut()),
                is_claimed: AtomicBool::new(false),
                is_closed: AtomicBool::new(false),
                strays: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// Takes what was left here, the latest first.
    pub(super) fn take_strays(&self) -> Option<Chain> {
        if self.strays.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let acquire = ordering!(Acquire, "mesh: take the strays");
        NonNull::new(self.strays.swap(ptr::null_mut(), acquire)).map(Chain::new)
    }

    fn task(&self) -> *mut () {
        // Acquire: vtable and base were written before.
        self.task.load(ordering!(Acquire, "mesh: whom to wake"))
    }

    /// # Safety
    /// [`task`](Self::task) has given one.
    unsafe fn base(&self) -> &CellShared {
        let base = self.base.load(Ordering::Relaxed);
        #[cfg(loom)]
        assert!(!base.is_null(), "a task was found whose base is not there");
        // SAFETY: the base is there since the task is, and *Wakers are forever*.
        unsafe { &*base }
    }

    /// # Safety
    /// `task` is what [`task`](Self::task) gave, and not null.
    unsafe fn wake(&self, task: *mut ()) {
        let vtable = self.vtable.load(Ordering::Relaxed);
        // SAFETY: the vtable is there since the task is, and it is a `&'static` one.
        let vtable = unsafe { &*vtable };
        // SAFETY: *Wakers are forever*; it owns nothing, so it need not be dropped.
        ManuallyDrop::new(unsafe { Waker::new(task, vtable) }).wake_by_ref();
    }
}

/// The lanes and ports of a mesh, wherever they lie.
pub(super) struct Lanes<'mesh, Q> {
    /// All lanes to core 0, then all to core 1, and so on: the square of the number of cores.
    lanes: &'mesh [Lane<Q>],
    ports: &'mesh [Port],
}

impl<'mesh, Q: Queue> Lanes<'mesh, Q> {
    /// Of a mesh with one port per core, and as many lanes as they need.
    pub(super) fn new(lanes: &'mesh [Lane<Q>], ports: &'mesh [Port]) -> Self {
        debug_assert_eq!(lanes.len(), ports.len() * ports.len());
        Self { lanes, ports }
    }

    /// Takes the end of core `me`.
    ///
    /// # Panics
    /// If there is no such core, or its end was taken before.
    #[track_caller]
    pub(super) fn claim(self, me: usize) -> End<'mesh, Q> {
        let Some(port) = self.ports.get(me) else { panic!("the mesh has no core {me}") };
        let taken = port.is_claimed.swap(true, Ordering::Relaxed);
        assert!(!taken, "the end of core {me} was opened before; clone its Endpoint");
        let (unchecked, first) = (Cell::new(0), Cell::new(0));
        End { lanes: self, me, unchecked, first, not_shared: PhantomData }
    }
}

/// One core's end of all lanes.
pub(super) struct End<'mesh, Q> {
    lanes: Lanes<'mesh, Q>,
    me: usize,
    /// Parcels taken since the last look for senders that wait.
    unchecked: Cell<usize>,
    /// The lane to us with which to begin.
    first: Cell<usize>,
    not_shared: PhantomData<Cell<()>>,
}

/// Whether a core still takes what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Receiver {
    Open,
    /// What was sent is to be taken back.
    Closed,
}

impl<Q: Queue> End<'_, Q> {
    pub(super) fn me(&self) -> usize {
        self.me
    }

    /// How many cores there are.
    pub(super) fn cores(&self) -> usize {
        self.lanes.ports.len()
    }

    fn port(&self, core: usize) -> &Port {
        &self.lanes.ports[core]
    }

    fn lane_to(&self, core: usize) -> &Lane<Q> {
        &self.lanes.lanes[core * self.cores() + self.me]
    }

    /// The lanes to us, by sender.
    fn lanes_here(&self) -> &[Lane<Q>] {
        &self.lanes.lanes[self.me * self.cores()..][..self.cores()]
    }

    /// Makes known where this core is to be woken; in place of its former waker, if it had one.
    ///
    /// # Safety
    /// *Wakers are forever*: this is the waker of a task, and that is the base of its executor
    /// cell.
    pub(super) unsafe fn open(&self, waker: &Waker, base: &'static CellShared) {
        let port = self.port(self.me);
        port.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
        port.base.store(ptr::from_ref(base).cast_mut(), Ordering::Relaxed);
        // Release: vtable and base are there before the task is.
        port.task.store(waker.data().cast_mut(), ordering!(Release, "mesh: open"));
    }

    /// Puts a parcel in the lane to a core, or gives it back if that is full. It is not to be seen
    /// yet.
    #[inline]
    pub(super) fn push(&self, to: usize, held: Held) -> Result<(), Held> {
        // SAFETY: *One end each*.
        let pushed = unsafe { self.lane_to(to).queue.push(Parcel::from_held(held)) };
        pushed.map_err(Parcel::into_held)
    }

    /// Lets a core see what was pushed, and wakes it if it is asleep.
    #[inline]
    pub(super) fn publish(&self, to: usize) -> Receiver {
        // SAFETY: *One end each*.
        unsafe { self.lane_to(to).queue.publish() };
        // Pairs with the fences of a receiver that falls asleep, and of one that closes.
        fence(ordering!(SeqCst, "mesh: a sender looks for the receiver"));
        let port = self.port(to);
        let task = port.task();
        // SAFETY: not null, and just loaded.
        if !task.is_null() && unsafe { port.base() }.is_asleep() {
            // SAFETY: as above.
            unsafe { port.wake(task) };
        }
        // Acquire: whoever finds it closed may come to take from the lane in its place.
        match port.is_closed.load(ordering!(Acquire, "mesh: is it closed")) {
            false => Receiver::Open,
            true => Receiver::Closed,
        }
    }

    /// The lane was full: asks to be woken when there is room. `true` if there is some already.
    #[cold]
    pub(super) fn wait_for_room(&self, to: usize) -> bool {
        let lane = self.lane_to(to);
        lane.sender_waits.store(true, Ordering::Relaxed);
        // Pairs with the fence in `look_for_senders`: it sees the flag, and before it our task,
        // however new that is; or we see the room, and do not wait.
        fence(ordering!(SeqCst, "mesh: a sender waits for room"));
        // SAFETY: *One end each*.
        unsafe { lane.queue.has_room() }
    }

    /// Whether there is something to receive.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        !self.port(self.me).strays.load(Ordering::Relaxed).is_null()
            || self.lanes_here().iter().any(|lane| !lane.queue.is_empty())
    }

    /// Gives `keep` what does not stay where it is until it is served: the strays and, once we are
    /// closed, all that is in the lanes.
    ///
    /// `keep` does not unwind. To wake a sender rings an unparker, which is foreign code and may.
    pub(super) fn collect(&self, mut keep: impl FnMut(Held)) {
        self.port(self.me).take_strays().into_iter().flatten().for_each(&mut keep);
        if !self.is_closed() {
            return;
        }
        for (from, lane) in self.lanes_here().iter().enumerate() {
            drain(lane).into_iter().flatten().for_each(&mut keep);
            if !planted("mesh: a look behind the drain") {
                self.look_for_senders(from..from + 1);
            }
        }
    }

    /// Takes what is in the lanes, as long as there is some of the `allowance`. The next time it
    /// begins with the lane behind the one at which that was spent.
    pub(super) fn receive(
        &self,
        allowance: &mut Allowance<'_, impl FnMut() -> Instant>,
        mut take: impl FnMut(Held),
    ) {
        if planted("mesh: what was taken counts until the next look") {
            self.unchecked.set(0);
        }
        let (before, behind) = self.lanes_here().split_at(self.first.get());
        for lane in behind.iter().chain(before) {
            for _ in 0..RECEIVE_MAX {
                if !allowance.is_left() {
                    return self.begin_behind(lane);
                }
                let Some(held) = self.next_of(lane) else { break };
                allowance.spend();
                take(held);
                let look_is_due = self.unchecked.get() >= lane.queue.capacity();
                if look_is_due && !planted("mesh: a look for so many parcels") {
                    self.look_everywhere();
                }
            }
        }
    }

    #[cold]
    fn begin_behind(&self, lane: &Lane<Q>) {
        let lanes = self.lanes_here();
        let number = lanes.iter().position(|one| ptr::eq(one, lane));
        self.first.set(number.map_or(0, |number| (number + 1) % lanes.len()));
    }

    /// Takes one parcel; none once we are closed, which work that was taken may have done.
    #[inline]
    fn next_of(&self, lane: &Lane<Q>) -> Option<Held> {
        if self.is_closed() {
            return None;
        }
        // SAFETY: *One end each*: we are not closed.
        let parcel = unsafe { lane.queue.pop() }?;
        self.unchecked.set(self.unchecked.get() + 1);
        Some(parcel.into_held())
    }

    /// Wakes all senders that wait for the room that was made.
    #[cold]
    pub(super) fn look_everywhere(&self) {
        self.unchecked.set(0);
        self.look_for_senders(0..self.cores());
    }

    /// Wakes those of them that wait for the room that was made.
    #[cold]
    fn look_for_senders(&self, senders: Range<usize>) {
        // Pairs with the fence in `wait_for_room`.
        fence(ordering!(SeqCst, "mesh: room was made"));
        senders.for_each(|from| self.wake_if_it_waits(from));
    }

    fn wake_if_it_waits(&self, from: usize) {
        let waits = &self.lanes_here()[from].sender_waits;
        if !waits.load(Ordering::Relaxed) || !waits.swap(false, Ordering::Relaxed) {
            return;
        }
        let port = self.port(from);
        let task = port.task();
        if !task.is_null() {
            // Whether it is asleep or not: it says again that it waits, if it still does.
            // SAFETY: just loaded.
            unsafe { port.wake(task) };
        }
    }

    /// Leaves a reply of a core that ends, whose lane is full: a reply always has room.
    pub(super) fn leave_stray(&self, to: usize, held: Held) {
        let strays = &self.port(to).strays;
        let mut head = strays.load(Ordering::Relaxed);
        loop {
            held.node().next.set(head);
            let node = held.0.as_ptr();
            // Release: pairs with the acquiring swap in `take_strays`.
            let release = ordering!(Release, "mesh: leave a stray");
            match strays.compare_exchange_weak(head, node, release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // What has gathered goes first, or with it; whether the receiver is closed changes nothing.
        let _ = self.publish(to);
    }

    fn is_closed(&self) -> bool {
        self.port(self.me).is_closed.load(Ordering::Relaxed)
    }

    /// This core takes no more calls. What is in the lanes to it is still to be received.
    pub(super) fn close(&self) {
        // Release: who takes from our lanes from now on goes on where we have stopped.
        let release = ordering!(Release, "mesh: close");
        self.port(self.me).is_closed.store(true, release);
        // Pairs with the fence in `publish`: we see the parcel, or the sender sees this.
        fence(ordering!(SeqCst, "mesh: a last look"));
    }

    /// Takes back what a receiver that has closed may have overlooked.
    pub(super) fn take_back(&self, to: usize) -> Option<Chain> {
        if planted("mesh: what no one receives is taken back") {
            return None;
        }
        drain(self.lane_to(to))
    }
}

/// Empties a lane whose receiver is closed, unless another is at it, who looks again then.
#[cold]
fn drain<Q: Queue>(lane: &Lane<Q>) -> Option<Chain> {
    // Acquire: pairs with the Release below, with which the last one has left the lane to us.
    // What whoever raises it has published, or the end of its own taking, it has fenced before.
    let others = lane.drainers.fetch_add(1, ordering!(Acquire, "mesh: begin to drain"));
    if others != 0 {
        return None;
    }
    let found = Outbox::new();
    let mut wanted = 1;
    loop {
        // SAFETY: *One end each*: we have raised the count from zero.
        while let Some(parcel) = unsafe { lane.queue.pop() } {
            found.push(parcel.into_held());
        }
        // Release: the next one goes on where we stop. Acquire: we see what whoever came meanwhile
        // has published.
        let release = ordering!(Release, "mesh: end the drain");
        let acquire = ordering!(Acquire, "mesh: drain again");
        match lane.drainers.compare_exchange(wanted, 0, release, acquire) {
            Ok(_) => return found.take(),
            Err(now) => wanted = now,
        }
    }
}
