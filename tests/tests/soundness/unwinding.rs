//! Destructors and callbacks of the user that unwind through the core, one kind of value a line.
//!
//! Those of futures and outputs of tasks are told one by one in the core's
//! `executor/tests/panics.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use miniss_core::call::{Endpoint, Mesh};
use miniss_core::collections::{WaitList, Waiter};
use miniss_core::op::{Completion, OpTable, Operation};
use miniss_core::sync::{Mutex, Semaphore};
use miniss_core::timer::{Sleep, Timeout};
use miniss_core::{Future, PromiseCell};

use crate::abuses::{Bomb, unwind, unwinds};
use crate::port::{Unparker, is_whole, keep, on_both_ports, settle};

const DONE: Completion = Completion { result: 0, flags: 0 };

/// Counts its drops, and unwinds in each.
struct Counted(Rc<Cell<u32>>, #[allow(dead_code, reason = "for its drop")] Bomb);

impl Counted {
    fn new() -> (Rc<Cell<u32>>, Self) {
        let drops = Rc::new(Cell::new(0));
        (drops.clone(), Self(drops, Bomb))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn the_value_of_a_promise_dropped_with_its_future() {
    let cell: &'static PromiseCell<Counted> = keep(PromiseCell::new());
    let (future, promise) = cell.pair().unwrap();
    let (drops, value) = Counted::new();
    assert!(promise.complete(value).is_ok());
    unwinds(|| drop(future));
    assert_eq!(drops.get(), 1);
    assert!(cell.pair().is_some(), "the cell is free");
}

#[test]
fn the_value_of_a_promise_that_comes_back() {
    let cell: &'static PromiseCell<Counted> = keep(PromiseCell::new());
    let (future, promise) = cell.pair().unwrap();
    drop(future);
    let (drops, value) = Counted::new();
    unwinds(|| drop(promise.complete(value)));
    assert_eq!(drops.get(), 1);
    assert!(cell.pair().is_some(), "the cell is free");
}

#[test]
fn the_value_of_a_future_that_was_ready_from_the_start() {
    let (drops, value) = Counted::new();
    unwinds(|| drop(Future::ready(value)));
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_value_of_a_mutex() {
    let (drops, value) = Counted::new();
    unwinds(|| drop(Mutex::new(value)));
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_holder_of_a_guard_and_of_units() {
    let (mutex, semaphore) = (Mutex::new(0), Semaphore::new(1));
    unwinds(|| {
        let _held = (mutex.try_lock().unwrap(), semaphore.try_acquire(1).unwrap());
        unwind()
    });
    assert!(mutex.try_lock().is_some());
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn the_future_inside_of_a_timeout() {
    on_both_ports(|mut core| {
        let (drops, bomb) = Counted::new();
        let wait = async move {
            let _held = &bomb;
            std::future::pending::<()>().await;
        };
        let timeout = Timeout::new(core.local(), std::time::Duration::from_secs(1), wait);
        core.local().spawn(timeout).unwrap().detach();
        settle(&mut core);
        core.local().cell().unparker().advance(std::time::Duration::from_secs(2));
        unwinds(|| settle(&mut core));
        assert_eq!(drops.get(), 1);
        is_whole(core);
    });
}

#[test]
fn the_decision_about_a_waiter() {
    let list: &'static WaitList<u8> = keep(WaitList::new());
    let waiter = Box::pin(Waiter::new(list, 1));
    waiter.as_ref().enqueue();
    let mut decisions = 0;
    unwinds(|| {
        list.wake_while(|_| {
            decisions += 1;
            if decisions == 1 { unwind() } else { Some(2) }
        })
    });
    drop(waiter);
    assert!(list.is_empty());
}

#[test]
fn the_work_of_a_call_and_its_output_and_what_it_holds() {
    on_both_ports(|mut core| {
        let mesh = Arc::new(Mesh::<Unparker, 4>::new(1));
        let end = Endpoint::open(mesh, 0, core.local()).unwrap();
        drop(end.submit_to(0, async || Bomb));
        let work = end.submit_to(0, async || unwind());
        let bomb = Bomb;
        let held = end.submit_to(0, async move || drop(bomb));
        let after = end.submit_to(0, async || 1);
        for _ in 0..10 {
            _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| settle(&mut core)));
        }
        assert!(core.block_on(work).is_err());
        assert!(core.block_on(held).is_err());
        assert_eq!(core.block_on(after).ok(), Some(1));
        drop(end);
        is_whole(core);
    });
}

/// Unwinds in its destructor, and when it is settled if it says so.
struct Wild(bool, #[expect(dead_code, reason = "for its drop")] Rc<()>);

impl Operation for Wild {
    type Output = ();

    fn settle(self, _: Completion) {
        if self.0 {
            unwind();
        }
    }
}

#[test]
fn the_settling_of_an_operation() {
    let (table, alive) = (OpTable::new(), Rc::new(()));
    let key = table.insert(Wild(true, alive.clone()));
    table.complete(key.id(), DONE, false);
    unwinds(|| table.poll(&key, &mut Context::from_waker(Waker::noop())));
    let key = table.insert(Wild(true, alive.clone()));
    table.orphan(key);
    let key = table.insert(Wild(false, alive.clone()));
    table.complete(key.id(), DONE, false);
    assert!(table.poll(&key, &mut Context::from_waker(Waker::noop())).is_ready());
    let orphan = table.insert(Wild(true, alive.clone()));
    let id = orphan.id();
    table.orphan(orphan);
    unwinds(|| table.complete(id, DONE, false));
    // One orphan is still in flight, and its memory is the kernel's.
    assert_eq!((Rc::strong_count(&alive), table.in_flight()), (2, 1));
    keep(table);
}

#[test]
fn a_sleep_whose_task_unwinds_as_the_executor_ends() {
    on_both_ports(|mut core| {
        let cell = core.local().cell();
        let (drops, bomb) = Counted::new();
        let sleep = Sleep::new(core.local(), std::time::Duration::from_secs(1));
        core.local()
            .spawn(async move {
                let _held = &bomb;
                sleep.await;
            })
            .unwrap()
            .detach();
        settle(&mut core);
        unwinds(|| drop(core));
        assert_eq!(drops.get(), 1);
        is_whole(crate::port::core_on(cell));
    });
}

#[test]
fn a_poll_that_unwinds_again_and_again() {
    on_both_ports(|mut core| {
        for _ in 0..10 {
            core.local().spawn(poll_fn(|_| -> Poll<()> { unwind() })).unwrap().detach();
        }
        for _ in 0..10 {
            unwinds(|| core.turn());
        }
        is_whole(core);
    });
}
