//! A port of threads and condition variables, and a little frame to run a scenario on some cores.

use std::any::Any;
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::vec::Vec;
use std::{thread, thread_local};

use core::future::poll_fn;
use core::task::{Poll, Waker};

use crate::call::{Endpoint, FixedLane, FixedMesh, Mesh, Parcel, Queue};
use crate::executor::LocalHandle;
use crate::kept::forever;
use crate::time::Instant;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// A sleep that nothing ends in this time has missed a wake, however slow the machine.
const STUCK: Duration = Duration::from_secs(300);

/// An endpoint over lanes of some kind, and its executor.
type Here = (Box<dyn Any>, LocalHandle<Unparker>);

thread_local! {
    /// The unparkers of the executors on this thread.
    static HOMES: RefCell<Vec<*const Unparker>> = const { RefCell::new(Vec::new()) };
    /// What work that is served here may want: the endpoint.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

pub(super) struct Unparker {
    start: std::time::Instant,
    rung: Mutex<bool>,
    changed: Condvar,
}

// SAFETY: `HOMES` names an unparker from the making of its `Port` to its drop, which lies within
// the life of the executor that owns the port, and on its thread.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn is_local(&self) -> bool {
        HOMES.with_borrow(|homes| homes.contains(&core::ptr::from_ref(self)))
    }
}

impl Clock for Unparker {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.start.elapsed().as_nanos() as u64)
    }
}

impl Unparker {
    fn sleep(&self, deadline: Option<Instant>) {
        let now = self.now();
        let wait = deadline
            .map_or(STUCK, |at| Duration::from_nanos(at.as_nanos().saturating_sub(now.as_nanos())));
        let rung = self.rung.lock().unwrap();
        let (mut rung, wait) = self.changed.wait_timeout_while(rung, wait, |rung| !*rung).unwrap();
        assert!(deadline.is_some() || !wait.timed_out(), "a wake was lost");
        *rung = false;
    }
}

pub(super) struct Port {
    unparker: &'static Unparker,
    /// Sleep until the unparker rings; otherwise come back at once.
    sleeps: bool,
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        if self.sleeps && idle.confirmed() {
            self.unparker.sleep(deadline);
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let here = core::ptr::from_ref(self.unparker);
        HOMES.with_borrow_mut(|homes| homes.retain(|home| *home != here));
    }
}

fn executor(sleeps: bool) -> Executor<Port> {
    let unparker = Unparker {
        start: std::time::Instant::now(),
        rung: Mutex::new(false),
        changed: Condvar::new(),
    };
    let cell: &'static _ = crate::kept::forever(ExecutorCell::new(unparker));
    HOMES.with_borrow_mut(|homes| homes.push(cell.unparker()));
    Executor::new(cell, Port { unparker: cell.unparker(), sleeps }).expect("a new cell is free")
}

/// An executor for tests in which one thread plays all cores: it never sleeps.
pub(super) fn restless() -> Executor<Port> {
    executor(false)
}

/// Turns all executors in turn until each has had plenty of turns.
pub(super) fn turn_all<'a>(executors: impl IntoIterator<Item = &'a mut Executor<Port>>) {
    let mut executors: Vec<_> = executors.into_iter().collect();
    for _ in 0..64 {
        executors.iter_mut().for_each(|executor| _ = executor.turn());
    }
}

/// A lane with room for one call, over a lock.
#[derive(Default)]
pub(super) struct Tight(Mutex<VecDeque<Parcel>>);

// SAFETY: a parcel leaves the deque only by `pop`, and the lock orders the two.
unsafe impl Queue for Tight {
    unsafe fn push(&self, parcel: Parcel) -> Result<(), Parcel> {
        let mut parcels = self.0.lock().unwrap();
        if !parcels.is_empty() {
            return Err(parcel);
        }
        parcels.push_back(parcel);
        Ok(())
    }

    unsafe fn publish(&self) {}

    unsafe fn has_room(&self) -> bool {
        self.is_empty()
    }

    unsafe fn pop(&self) -> Option<Parcel> {
        self.0.lock().unwrap().pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    fn capacity(&self) -> usize {
        1
    }
}

/// A queue whose capacity is known beforehand.
pub(super) trait Room: Queue {
    const ROOM: usize;
}

impl Room for Tight {
    const ROOM: usize = 1;
}

impl<const N: usize> Room for FixedLane<N> {
    const ROOM: usize = N;
}

/// The kinds of mesh that scenarios run over.
pub(super) trait Net: Clone + Send + 'static {
    type Lane: Queue + 'static;

    /// How many calls there is room for in a lane.
    const LANE: usize;

    /// How many calls a core may well have under way, and half of what it may have at most.
    const BURST: usize;

    /// Whether the mesh goes when its last endpoint has gone.
    const GOES: bool;

    fn new(cores: usize) -> Self;

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Endpoint<Unparker, Self::Lane>;

    /// Whether no endpoint keeps the mesh.
    fn is_let_go(&self) -> bool;
}

/// A mesh on the heap.
pub(super) type Heap<Q> = Arc<Mesh<Unparker, Q>>;

impl<Q: Room + Default + 'static> Net for Heap<Q> {
    type Lane = Q;
    const LANE: usize = Q::ROOM;
    const BURST: usize = 100_000;
    const GOES: bool = true;

    fn new(cores: usize) -> Self {
        Arc::new(Mesh::new(cores, Q::default))
    }

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Endpoint<Unparker, Q> {
        Endpoint::open(self.clone(), me, local).unwrap()
    }

    fn is_let_go(&self) -> bool {
        Arc::strong_count(self) == 1
    }
}

/// A mesh as it lies in a `static`. Each scenario has one of its own.
pub(super) type Fixed = &'static InPlace;
type InPlace = FixedMesh<Unparker, 5, 2_048, 64, 4>;

impl Net for Fixed {
    type Lane = FixedLane<4>;
    const LANE: usize = 4;
    const BURST: usize = 1_000;
    const GOES: bool = false;

    fn new(cores: usize) -> Self {
        static BLANK: InPlace = FixedMesh::new();
        assert!(cores <= 5);
        let mesh = Box::leak(Box::<InPlace>::new_uninit());
        // SAFETY: no one has opened the blank one, so it is plain bytes; it is too large for the
        // stack.
        unsafe { core::ptr::from_ref(&BLANK).copy_to_nonoverlapping(mesh.as_mut_ptr(), 1) };
        // SAFETY: written by the line above.
        let mesh = unsafe { mesh.assume_init_ref() };
        forever(mesh);
        mesh
    }

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Endpoint<Unparker, Self::Lane> {
        (*self).open(me, local).unwrap()
    }

    fn is_let_go(&self) -> bool {
        true
    }
}

pub(super) type End<N> = Endpoint<Unparker, <N as Net>::Lane>;

/// The endpoint of the core that we run on.
pub(super) fn here<N: Net>() -> End<N> {
    HERE.with_borrow(|here| here.as_ref().unwrap().0.downcast_ref::<End<N>>().unwrap().clone())
}

pub(super) fn local() -> LocalHandle<Unparker> {
    HERE.with_borrow(|here| here.as_ref().unwrap().1)
}

/// A place where all cores wait for each other; those that wait go on serving.
pub(super) struct Line {
    missing: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Line {
    pub(super) fn new(cores: usize) -> Self {
        Self { missing: AtomicUsize::new(cores), wakers: Mutex::default() }
    }

    pub(super) fn arrive(&self) {
        if self.missing.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.wakers.lock().unwrap().drain(..).for_each(Waker::wake);
        }
    }

    pub(super) async fn complete(&self) {
        poll_fn(|cx| {
            self.wakers.lock().unwrap().push(cx.waker().clone());
            match self.missing.load(Ordering::SeqCst) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

/// Arrives when it is dropped.
struct Arrival(Arc<Line>);

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.arrive();
    }
}

/// Runs `body` on the core `me` of a mesh, with its endpoint, and then serves until all have
/// arrived at the line. What unwinds out of the executor meanwhile is not the end.
pub(super) fn run_core<N: Net>(
    mesh: N,
    me: usize,
    line: Arc<Line>,
    body: impl AsyncFnOnce(End<N>) + 'static,
) {
    let mut executor = executor(true);
    let end = mesh.open(me, executor.local());
    HERE.set(Some((Box::new(end.clone()), executor.local())));
    let ended_well = Rc::new(Cell::new(false));
    let (arrival, outcome) = (Arrival(line.clone()), ended_well.clone());
    let body = async move {
        let _arrival = arrival;
        body(end).await;
        outcome.set(true);
    };
    executor.local().spawn(body).unwrap().detach();
    // The future is made again each time: what it gave may have been lost in the unwinding.
    while catch_unwind(AssertUnwindSafe(|| executor.block_on(line.complete()))).is_err() {}
    HERE.set(None);
    assert!(ended_well.get());
}

/// Runs `body` on each of some cores; it tells them apart by `End::me`.
pub(super) fn on_cores<N: Net>(
    cores: usize,
    body: impl AsyncFnOnce(End<N>) + Clone + Send + 'static,
) {
    let (mesh, line) = (N::new(cores), Arc::new(Line::new(cores)));
    thread::scope(|scope| {
        for me in 0..cores {
            let (mesh, body, line) = (mesh.clone(), body.clone(), line.clone());
            scope.spawn(move || run_core(mesh, me, line, body));
        }
    });
}
