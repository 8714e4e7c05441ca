//! What is done to a future that waits. Afterwards the executor must be whole.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;

use miniss_core::error::Cancelled;

use crate::places::{BoxFuture, Place, Wait};
use crate::port::{Core, is_whole, keep, on_both_ports, settle};

thread_local! {
    static ON_WAKE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

struct Acts;

impl Wake for Acts {
    fn wake(self: Arc<Self>) {
        let act = ON_WAKE.with_borrow_mut(Option::take);
        act.into_iter().for_each(|act| act());
    }
}

/// A waker that runs `act` inside of its first wake.
fn acting(act: impl FnOnce() + 'static) -> Waker {
    ON_WAKE.set(Some(Box::new(act)));
    Waker::from(Arc::new(Acts))
}

/// Unwinds without a word on the terminal.
pub fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

pub fn unwinds<R>(act: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err(), "the panic was swallowed");
}

/// Panics when it is dropped, if nothing else does already.
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            unwind();
        }
    }
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {}
}

/// Waits at `place` on both ports: polled once, with `waker`, and not ready.
fn waiting(place: Place, waker: impl Fn() -> Waker, abuse: impl Fn(Core, Wait)) {
    on_both_ports(|mut core| {
        let mut wait = place(&core);
        settle(&mut core);
        assert!(wait.poll(&waker()).is_pending());
        abuse(core, wait);
    });
}

fn noop() -> Waker {
    Waker::noop().clone()
}

/// It comes, and the waker it calls does as it likes.
fn comes(core: &mut Core, wait: &mut Wait) {
    (wait.come)();
    settle(core);
}

pub fn it_is_forgotten_and_then_it_comes(place: Place) {
    waiting(place, noop, |mut core, Wait { future, mut come }| {
        keep(future);
        come();
        settle(&mut core);
        drop(come);
        is_whole(core);
    });
}

pub fn it_is_forgotten_and_the_executor_ends(place: Place) {
    waiting(place, noop, |core, Wait { future, mut come }| {
        keep(future);
        let cell = core.local().cell();
        drop(core);
        come();
        is_whole(crate::port::core_on(cell));
    });
}

pub fn it_is_forgotten_inside_a_task(place: Place) {
    waiting(place, noop, |mut core, Wait { mut future, mut come }| {
        let task = poll_fn(move |cx| future.as_mut().poll(cx));
        keep(core.local().spawn(task).unwrap());
        settle(&mut core);
        come();
        is_whole(core);
    });
}

pub fn it_is_dropped_and_then_it_comes(place: Place) {
    waiting(place, noop, |mut core, Wait { future, mut come }| {
        drop(future);
        come();
        settle(&mut core);
        drop(come);
        is_whole(core);
    });
}

pub fn it_is_dropped_after_the_executor(place: Place) {
    waiting(place, noop, |core, Wait { future, mut come }| {
        let cell = core.local().cell();
        drop(core);
        drop(future);
        come();
        is_whole(crate::port::core_on(cell));
    });
}

pub fn it_comes_after_the_executor_has_ended(place: Place) {
    waiting(place, noop, |core, mut wait| {
        let cell = core.local().cell();
        drop(core);
        (wait.come)();
        let next = crate::port::core_on(cell);
        // A timer says by a panic that its executor has ended.
        _ = catch_unwind(AssertUnwindSafe(|| wait.poll(Waker::noop())));
        drop(wait);
        is_whole(next);
    });
}

pub fn the_waker_panics_when_it_is_woken(place: Place) {
    waiting(
        place,
        || acting(|| unwind()),
        |mut core, mut wait| {
            unwinds(|| comes(&mut core, &mut wait));
            settle(&mut core);
            assert!(wait.poll(Waker::noop()).is_ready(), "it has come");
            is_whole(core);
        },
    );
}

pub fn the_waker_panics_when_it_is_replaced(place: Place) {
    waiting(
        place,
        || Waker::from(Arc::new(Bomb)),
        |mut core, mut wait| {
            unwinds(|| wait.poll(Waker::noop()));
            comes(&mut core, &mut wait);
            drop(wait);
            is_whole(core);
        },
    );
}

pub fn the_waker_panics_when_it_is_dropped(place: Place) {
    waiting(
        place,
        || Waker::from(Arc::new(Bomb)),
        |mut core, Wait { future, mut come }| {
            _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
            _ = catch_unwind(AssertUnwindSafe(&mut come));
            _ = catch_unwind(AssertUnwindSafe(|| settle(&mut core)));
            is_whole(core);
        },
    );
}

/// As [`waiting`], with a wake that gets at the future.
fn woken_at_the_future(place: Place, act: impl Fn(&Core, Slot) -> Box<dyn FnOnce()>) {
    on_both_ports(|mut core| {
        let Wait { mut future, mut come } = place(&core);
        settle(&mut core);
        let slot = Slot::default();
        let waker = acting(act(&core, slot.clone()));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        slot.set(Some(future));
        come();
        settle(&mut core);
        assert!(ON_WAKE.take().is_none(), "no one was woken");
        drop(slot.take());
        is_whole(core);
    });
}

type Slot = Rc<Cell<Option<BoxFuture>>>;

pub fn the_wake_drops_the_future(place: Place) {
    woken_at_the_future(place, |_, slot| Box::new(move || drop(slot.take())));
}

pub fn the_wake_polls_the_future(place: Place) {
    woken_at_the_future(place, |_, slot| {
        Box::new(move || {
            let mut future = slot.take().unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            if future.as_mut().poll(&mut cx).is_pending() {
                slot.set(Some(future));
            }
        })
    });
}

pub fn the_wake_spawns_a_task(place: Place) {
    woken_at_the_future(place, |core, slot| {
        let local = core.local();
        Box::new(move || local.spawn(slot.take().unwrap()).unwrap().detach())
    });
}

pub fn the_wake_ends_a_task_by_its_handle(place: Place) {
    woken_at_the_future(place, |core, slot| {
        let task = core.local().spawn(pending::<()>()).unwrap();
        Box::new(move || {
            task.abort();
            drop((task, slot.take()));
        })
    });
}

pub fn the_task_unwinds_while_it_waits(place: Place) {
    waiting(place, noop, |mut core, Wait { mut future, mut come }| {
        let mut polls = 0;
        let task = poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls > 2 { unwind() } else { future.as_mut().poll(cx) }
        });
        let task = core.local().spawn(task).unwrap();
        unwinds(|| settle(&mut core));
        come();
        settle(&mut core);
        assert_eq!(core.block_on(task), Err(Cancelled));
        is_whole(core);
    });
}

pub fn the_task_is_aborted_while_it_waits(place: Place) {
    waiting(place, noop, |mut core, Wait { future, mut come }| {
        let task = core.local().spawn(future).unwrap();
        settle(&mut core);
        let abort = task.abort_handle();
        thread::spawn(move || abort.abort()).join().unwrap();
        assert_eq!(core.block_on(task), Err(Cancelled));
        come();
        is_whole(core);
    });
}

pub fn it_is_waited_for_by_one_task_after_another(place: Place) {
    waiting(place, noop, |mut core, Wait { future, mut come }| {
        let future = Rc::new(RefCell::new(future));
        let wait = |future: Rc<RefCell<BoxFuture>>| {
            core.local().spawn(poll_fn(move |cx| future.borrow_mut().as_mut().poll(cx))).unwrap()
        };
        let first = wait(future.clone());
        settle(&mut core);
        first.abort();
        settle(&mut core);
        let wait = |future: Rc<RefCell<BoxFuture>>| {
            core.local().spawn(poll_fn(move |cx| future.borrow_mut().as_mut().poll(cx))).unwrap()
        };
        let second = wait(future);
        settle(&mut core);
        come();
        assert_eq!(core.block_on(second), Ok(()));
        assert_eq!(core.block_on(first), Err(Cancelled));
        is_whole(core);
    });
}
