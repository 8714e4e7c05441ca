//! The port under the abuses: its clock moves when told to, and it never sleeps. The one file here
//! that needs `unsafe`, as every port does.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use miniss_core::combine::yield_now;
use miniss_core::time::Instant;
use miniss_core::timer::Wheel;
use miniss_core::{Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

thread_local! {
    /// The unparkers of the executors on this thread.
    static OWNERS: RefCell<Vec<*const Unparker>> = const { RefCell::new(Vec::new()) };
}

/// The addresses of all that is leaked on purpose, so that a leak detector finds it.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Keeps a value forever: what [`std::mem::forget`] does, and what `static`s are.
pub fn keep<T>(value: T) -> &'static T
where
    T: 'static,
{
    let kept = Box::leak(Box::new(value));
    KEPT.lock().unwrap().push(std::ptr::from_ref(kept).addr());
    kept
}

pub struct Unparker {
    knows_local: bool,
    nanos: AtomicU64,
}

// SAFETY: `OWNERS` names an unparker from the making of its `Port`, just before that of the
// executor, to its drop, which is before the executor gives up the executor cell; all of it on the
// same thread.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}

    fn is_local(&self) -> bool {
        let here = || OWNERS.try_with(|owners| owners.borrow().contains(&std::ptr::from_ref(self)));
        self.knows_local && here().unwrap_or(false)
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}

impl Unparker {
    pub fn advance(&self, step: Duration) {
        self.nanos.fetch_add(step.as_nanos() as u64, Ordering::Relaxed);
    }
}

pub struct Port(&'static Unparker);

impl Port {
    fn new(unparker: &'static Unparker) -> Self {
        OWNERS.with_borrow_mut(|owners| owners.push(unparker));
        Self(unparker)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let here = std::ptr::from_ref(self.0);
        OWNERS.with_borrow_mut(|owners| owners.retain(|owner| *owner != here));
    }
}

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, idle: Idle<'_>) {
        let _ = idle.confirmed();
    }
}

pub type Core = Executor<Port>;
pub type LocalHandle = miniss_core::LocalHandle<Unparker>;

pub fn core_on(cell: &'static ExecutorCell<Unparker>) -> Core {
    Executor::new(cell, Port::new(cell.unparker())).expect("the cell is free")
}

/// Runs the same body over a port that knows when it is on its own thread and over one that does
/// not.
pub fn on_both_ports(body: impl Fn(Core)) {
    for knows_local in [true, false] {
        let unparker = Unparker { knows_local, nanos: AtomicU64::new(1) };
        body(core_on(keep(ExecutorCell::new(unparker))));
    }
}

/// Turns until all is done that can be.
pub fn settle(core: &mut Core) {
    for _ in 0..20 {
        core.turn();
    }
}

/// Whatever happened, the executor is as good as new, and so is the next one at its executor cell.
pub fn is_whole(mut core: Core) {
    let cell = core.local().cell();
    for _ in 0..2 {
        settle(&mut core);
        let tasks = (0..20).map(|number| {
            let task = async move {
                yield_now().await;
                number
            };
            core.local().spawn(task).unwrap()
        });
        for (number, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(core.block_on(task), Ok(number));
        }
        drop(core);
        core = core_on(cell);
    }
}
