//! A port for tests: its clock jumps to the deadline it is asked to sleep to, and without a
//! deadline it waits for the unparker.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread_local;
use std::time::Duration;
use std::vec::Vec;

use core::task::{Context, Poll, Waker};

use crate::time::Instant;
use crate::timer::Wheel;
use crate::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// A sleep that nothing ends in this time has missed a wake, however slow the machine.
const STUCK: Duration = Duration::from_secs(300);

thread_local! {
    /// The unparkers of the executors on this thread.
    static ON_THIS_THREAD: RefCell<Vec<*const Unparker>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Unparker {
    knows_owner: bool,
    now: AtomicU64,
    unparks: AtomicU64,
    unparked: Mutex<bool>,
    changed: Condvar,
}

// SAFETY: `ON_THIS_THREAD` names an unparker from the making of its `Port`, just before that of the
// executor, to its drop, which is before the executor gives up the executor cell; all of it on the
// same thread.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        self.unparks.fetch_add(1, Ordering::Relaxed);
        *self.unparked.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn is_local(&self) -> bool {
        let here =
            || ON_THIS_THREAD.try_with(|here| here.borrow().contains(&core::ptr::from_ref(self)));
        self.knows_owner && here().unwrap_or(false)
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }
}

impl Unparker {
    pub(super) fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn unparks(&self) -> u64 {
        self.unparks.load(Ordering::Relaxed)
    }

    fn sleep(&self) {
        let unparked = self.unparked.lock().unwrap();
        let (mut unparked, wait) =
            self.changed.wait_timeout_while(unparked, STUCK, |unparked| !*unparked).unwrap();
        assert!(!wait.timed_out(), "a wake was lost");
        *unparked = false;
    }
}

/// What the port was asked for.
#[derive(Default)]
pub(super) struct Log {
    pub(super) polls: Cell<u64>,
    /// The deadline of each park.
    pub(super) parks: RefCell<Vec<Option<Instant>>>,
    /// Come back from a park without a deadline at once, to look at a turn that finds nothing.
    pub(super) naps: Cell<bool>,
    /// Called in each poll and park, as an event that comes then.
    pub(super) event: RefCell<Option<Box<dyn FnMut()>>>,
}

impl Log {
    fn happen(&self) {
        if let Some(event) = &mut *self.event.borrow_mut() {
            event();
        }
    }
}

pub(super) struct Port {
    unparker: &'static Unparker,
    pub(super) log: Rc<Log>,
}

impl Port {
    fn new(unparker: &'static Unparker) -> Self {
        ON_THIS_THREAD.with_borrow_mut(|here| here.push(unparker));
        Self { unparker, log: Rc::default() }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let here = core::ptr::from_ref(self.unparker);
        ON_THIS_THREAD.with_borrow_mut(|all| all.retain(|one| *one != here));
    }
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        self.log.polls.set(self.log.polls.get() + 1);
        self.log.happen();
        0
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        self.log.parks.borrow_mut().push(deadline);
        self.log.happen();
        if !idle.confirmed() {
            return;
        }
        match deadline {
            Some(deadline) => {
                self.unparker.now.fetch_max(deadline.as_nanos(), Ordering::Relaxed);
            }
            None if self.log.naps.get() => {}
            None => self.unparker.sleep(),
        }
    }
}

pub(super) fn cell(knows_owner: bool) -> &'static ExecutorCell<Unparker> {
    crate::kept::forever(ExecutorCell::new(Unparker {
        knows_owner,
        now: AtomicU64::new(0),
        unparks: AtomicU64::new(0),
        unparked: Mutex::new(false),
        changed: Condvar::new(),
    }))
}

pub(super) fn executor_on(cell: &'static ExecutorCell<Unparker>) -> Executor<Port> {
    let port = Port::new(cell.unparker());
    let mut executor = Executor::new(cell, port).expect("the cell is free");
    executor.set_shuffle(shuffle());
    executor
}

/// The seed in `MINISS_SHUFFLE`: every test runs with tasks polled in the order that follows from
/// it. 0 without one: first come, first served.
pub(super) fn shuffle() -> u64 {
    std::env::var("MINISS_SHUFFLE").map_or(0, |seed| seed.parse().expect("a number"))
}

/// An executor that knows whether it is on its own core.
pub(super) fn executor() -> Executor<Port> {
    executor_on(cell(true))
}

/// Runs the same body over a port that knows whether it is on its own core, and over one without.
pub(super) fn on_both_ports(body: impl Fn(Executor<Port>)) {
    body(executor_on(cell(true)));
    body(executor_on(cell(false)));
}

impl Executor<Port> {
    /// Turns until nothing is ready, without ever waiting for the unparker.
    pub(super) fn settle(&mut self) {
        self.reactor().log.naps.set(true);
        let parks = self.parks();
        while self.turn() || self.parks() == parks {}
        self.reactor().log.naps.set(false);
    }

    fn parks(&self) -> usize {
        self.reactor().log.parks.borrow().len()
    }
}

/// Polls once, with a waker that does nothing.
pub(super) fn peek<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    core::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that hands out its waker, and is ready when `done` says so.
pub(super) fn wait_until<F: Fn() -> bool>(
    waker: &Rc<Cell<Option<Waker>>>,
    done: F,
) -> impl Future<Output = ()> + use<F> {
    let waker = waker.clone();
    core::future::poll_fn(move |cx| {
        if done() {
            return Poll::Ready(());
        }
        waker.set(Some(cx.waker().clone()));
        Poll::Pending
    })
}

/// How many rounds of something random or concurrent: fewer under an interpreter.
pub(super) const fn rounds(wanted: u64) -> u64 {
    if cfg!(miri) { wanted.div_ceil(2_000) } else { wanted }
}
