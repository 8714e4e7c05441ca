//! A port of threads and condition variables, and a little frame to run a scenario on some cores.

use std::any::Any;
use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::vec::Vec;
use std::{thread, thread_local};

use core::future::poll_fn;
use core::task::{Poll, Waker};

use crate::call::{Call, Endpoint, FixedMesh, Mesh};
use crate::executor::LocalHandle;
use crate::kept::forever;
use crate::time::Instant;
use crate::timer::Wheel;
use crate::{Budget, Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// A sleep that nothing ends in this time has missed a wake, however slow the machine.
const STUCK: Duration = Duration::from_secs(300);

/// An endpoint over lanes of some kind, and its executor.
type Here = (Box<dyn Any>, LocalHandle<Unparker>);

thread_local! {
    /// The unparkers of the executors on this thread.
    static UNPARKERS: RefCell<Vec<*const Unparker>> = const { RefCell::new(Vec::new()) };
    /// What work that is served here may want: the endpoint.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

pub(super) struct Unparker {
    start: std::time::Instant,
    is_called: Mutex<bool>,
    changed: Condvar,
}

// SAFETY: `UNPARKERS` names an unparker from the making of its `Port` to its drop, which lies
// within the life of the executor that owns the port, and on its thread.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        *self.is_called.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn is_local(&self) -> bool {
        UNPARKERS.with_borrow(|unparkers| unparkers.contains(&core::ptr::from_ref(self)))
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.start.elapsed().as_nanos() as u64)
    }
}

impl Unparker {
    fn sleep(&self, deadline: Option<Instant>) {
        let now = self.now();
        let wait = deadline
            .map_or(STUCK, |at| Duration::from_nanos(at.as_nanos().saturating_sub(now.as_nanos())));
        let is_called = self.is_called.lock().unwrap();
        let (mut is_called, wait) =
            self.changed.wait_timeout_while(is_called, wait, |is_called| !*is_called).unwrap();
        assert!(deadline.is_some() || !wait.timed_out(), "a wake was lost");
        *is_called = false;
    }
}

pub(super) struct Port {
    unparker: &'static Unparker,
    /// Sleep until the unparker is called; otherwise come back at once.
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
        UNPARKERS.with_borrow_mut(|unparkers| unparkers.retain(|other| *other != here));
    }
}

fn executor(sleeps: bool) -> Executor<Port> {
    let unparker = Unparker {
        start: std::time::Instant::now(),
        is_called: Mutex::new(false),
        changed: Condvar::new(),
    };
    let cell: &'static _ = crate::kept::forever(ExecutorCell::new(unparker));
    UNPARKERS.with_borrow_mut(|unparkers| unparkers.push(cell.unparker()));
    Executor::new(cell, Port { unparker: cell.unparker(), sleeps }).expect("a new cell is free")
}

/// An executor for tests in which one thread plays all cores: it never sleeps, and a machine that
/// stands still in the midst of a turn does not end it.
pub(super) fn restless() -> Executor<Port> {
    let mut executor = executor(false);
    executor.set_budget(Budget { time_max: Duration::ZERO, ..Budget::default() });
    executor
}

/// Turns all executors in turn until each has had plenty of turns.
pub(super) fn turn_all<'a>(executors: impl IntoIterator<Item = &'a mut Executor<Port>>) {
    let mut executors: Vec<_> = executors.into_iter().collect();
    for _ in 0..64 {
        executors.iter_mut().for_each(|executor| _ = executor.turn());
    }
}

/// What scenarios do with an endpoint, whatever its lanes hold.
pub(super) trait Calls: Clone + 'static {
    fn me(&self) -> usize;
    fn cores(&self) -> usize;
    fn close(&self);
    fn flush(&self);
    fn submit_to<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static;
    fn run_on<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

impl<const LANE: usize> Calls for Endpoint<Unparker, LANE> {
    fn me(&self) -> usize {
        self.me()
    }

    fn cores(&self) -> usize {
        self.cores()
    }

    fn close(&self) {
        self.close();
    }

    fn flush(&self) {
        self.flush();
    }

    fn submit_to<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: AsyncFnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.submit_to(core, work)
    }

    fn run_on<F, T>(&self, core: usize, work: F) -> Call<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.run_on(core, work)
    }
}

/// The kinds of mesh that scenarios run over.
pub(super) trait Net: Clone + Send + 'static {
    type End: Calls;

    /// How many calls there is room for in a lane.
    const LANE: usize;

    /// How many calls a core may well have under way, and half of what it may have at most.
    const BURST: usize;

    /// Whether the mesh goes when its last endpoint has gone.
    const GOES: bool;

    fn new(cores: usize) -> Self;

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Self::End;

    /// Whether no endpoint keeps the mesh.
    fn is_let_go(&self) -> bool;
}

/// A mesh on the heap.
pub(super) type Heap<const LANE: usize> = Arc<Mesh<Unparker, LANE>>;

impl<const LANE: usize> Net for Heap<LANE> {
    type End = Endpoint<Unparker, LANE>;
    const LANE: usize = LANE;
    const BURST: usize = 100_000;
    const GOES: bool = true;

    fn new(cores: usize) -> Self {
        Arc::new(Mesh::new(cores))
    }

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Self::End {
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
    type End = Endpoint<Unparker, 4>;
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

    fn open(&self, me: usize, local: LocalHandle<Unparker>) -> Self::End {
        (*self).open(me, local).unwrap()
    }

    fn is_let_go(&self) -> bool {
        true
    }
}

pub(super) type End<N> = <N as Net>::End;

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
