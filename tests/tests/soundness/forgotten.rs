//! What is forgotten that is not a future: guards, handles, both ends of a promise, the executor.

#![forbid(unsafe_code)]

use std::future::pending;
use std::mem::forget;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use miniss_core::collections::{WaitList, Waiter};
use miniss_core::combine::yield_now;
use miniss_core::error::Cancelled;
use miniss_core::op::{Completion, OpTable, Operation};
use miniss_core::sync::{Mutex, Semaphore};
use miniss_core::{Future, PromiseCell};

use crate::port::{is_whole, keep, on_both_ports, settle};

fn poll<F: std::future::Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_forgotten_promise_leaves_the_future_waiting() {
    let cell: &'static PromiseCell<u8> = keep(PromiseCell::new());
    let (mut future, promise) = cell.pair().unwrap();
    forget(promise);
    assert!(poll(&mut future).is_pending());
    drop(future);
    assert!(cell.pair().is_none(), "the promise still stands for one of the two ends");
}

#[test]
fn a_forgotten_future_swallows_the_value() {
    let (future, promise) = Future::<Rc<()>>::new();
    keep(future);
    assert!(promise.complete(keep(Rc::new(())).clone()).is_ok());
}

#[test]
fn forgotten_units_stay_taken() {
    let semaphore = Semaphore::new(2);
    forget(semaphore.try_acquire(1).unwrap());
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_forgotten_guard_keeps_the_mutex_locked() {
    let mutex = Mutex::new(1);
    forget(mutex.try_lock().unwrap());
    assert!(mutex.try_lock().is_none());
    assert_eq!(mutex.into_inner(), 1);
}

#[test]
fn a_forgotten_waiter_outlives_its_list() {
    let list: &'static WaitList<u8> = keep(WaitList::new());
    let waiter = keep(Box::pin(Waiter::new(list, 1)));
    waiter.as_ref().enqueue();
    assert!(list.wake_first(2) && !waiter.is_queued());
}

#[test]
fn a_forgotten_handle_of_a_task_keeps_its_output_and_no_more() {
    on_both_ports(|mut core| {
        let output = Rc::new(());
        let task = output.clone();
        forget(core.local().spawn(async { task }).unwrap());
        settle(&mut core);
        is_whole(core);
        assert_eq!(Rc::strong_count(&output), 2, "the output lies in the slot forever");
    });
}

#[test]
fn a_forgotten_executor_keeps_its_tasks_and_its_cell() {
    on_both_ports(|mut core| {
        let local = core.local();
        let task = local.spawn(pending::<()>()).unwrap();
        let (wakes, abort) = (Rc::new(()), task.abort_handle());
        let held = wakes.clone();
        local
            .spawn(async move {
                let _held = held;
                yield_now().await;
                pending::<()>().await;
            })
            .unwrap()
            .detach();
        settle(&mut core);
        keep(core);
        std::thread::spawn(move || abort.abort()).join().unwrap();
        task.abort();
        assert!(!task.is_finished() && local.is_open());
        assert_eq!(Rc::strong_count(&wakes), 2);
    });
}

#[test]
fn a_forgotten_block_on_in_an_unwinding_thread_is_no_block_on() {
    on_both_ports(|mut core| {
        let local = core.local();
        let task = local.spawn(pending::<()>()).unwrap();
        crate::abuses::unwinds(|| core.block_on(async { crate::abuses::unwind() }));
        task.abort();
        assert_eq!(core.block_on(task), Err(Cancelled));
        is_whole(core);
    });
}

struct Read([u8; 8]);

impl Operation for Read {
    type Output = u8;

    fn settle(self, _: Completion) -> u8 {
        self.0[0]
    }
}

#[test]
fn a_forgotten_key_of_an_operation_leaves_the_memory_to_the_kernel() {
    let table = OpTable::new();
    let key = table.insert(Read([7; 8]));
    let id = key.id();
    keep(table.with_op(&key, |read| read.0.as_mut_ptr().addr()));
    // A key has no destructor, so this is what forgetting it is.
    let _ = key;
    table.complete(id, Completion { result: 8, flags: 0 }, false);
    let next = table.insert(Read([1; 8]));
    table.complete(next.id(), Completion { result: 8, flags: 0 }, false);
    assert!(matches!(table.poll(&next, &mut Context::from_waker(Waker::noop())), Poll::Ready(1)));
}
