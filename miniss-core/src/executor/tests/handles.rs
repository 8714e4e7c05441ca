//! Join, detach and abort, in time and too late, on its own core and remotely.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use core::future::{pending, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::port::{executor, on_both_ports, peek, wait_until};
use crate::JoinHandle;
use crate::combine::yield_now;
use crate::error::Cancelled;

/// A task that is never done, and a count that tells whether its future lives.
async fn hold(_alive: Rc<()>) {
    pending().await
}

#[test]
fn a_handle_gives_the_result_of_a_task_before_and_after_it_ended() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let awaited = executor.block_on(async move { local.spawn(async { 1 }).unwrap().await });
        assert_eq!(awaited, Ok(1));
        let mut handle = local.spawn(async { 2 }).unwrap();
        assert_eq!(peek(&mut handle), Poll::Pending);
        executor.settle();
        assert!(handle.is_finished());
        assert_eq!(peek(&mut handle), Poll::Ready(Ok(2)));
        assert!(handle.is_finished());
        assert_eq!(local.stats().tasks_live, 0);
    });
}

#[test]
#[should_panic(expected = "polled after it had given its result")]
fn a_handle_gives_its_result_once() {
    let mut executor = executor();
    let mut handle = executor.local().spawn(async {}).unwrap();
    executor.block_on(async { Pin::new(&mut handle).await.unwrap() });
    let _panics = peek(&mut handle);
}

#[test]
fn a_detached_task_goes_on_and_its_output_is_dropped_at_once() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let output = alive.clone();
        let task = async move {
            yield_now().await;
            output
        };
        executor.local().spawn(task).unwrap().detach();
        executor.settle();
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn an_output_that_no_one_reads_goes_with_its_handle() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let output = alive.clone();
        let handle = executor.local().spawn(async move { output }).unwrap();
        executor.settle();
        assert_eq!(Rc::strong_count(&alive), 2);
        drop(handle);
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn an_abort_drops_the_future_at_the_next_turn() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let unpolled = executor.local().spawn(hold(alive.clone())).unwrap();
        unpolled.abort();
        let parked = executor.local().spawn(hold(alive.clone())).unwrap();
        executor.settle();
        assert_eq!(Rc::strong_count(&alive), 2);
        assert_eq!(executor.block_on(unpolled), Err(Cancelled));
        parked.abort();
        parked.abort();
        assert_eq!(Rc::strong_count(&alive), 2, "not under the caller's feet");
        assert_eq!(executor.block_on(parked), Err(Cancelled));
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn an_abort_from_another_thread_drops_the_future_at_owner() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let handle = executor.local().spawn(hold(alive.clone())).unwrap();
        executor.settle();
        let abort = handle.abort_handle();
        std::thread::spawn(move || abort.abort()).join().unwrap();
        assert_eq!(executor.block_on(handle), Err(Cancelled));
        assert_eq!(Rc::strong_count(&alive), 1);
    });
}

#[test]
fn an_abort_that_comes_too_late_keeps_the_result() {
    on_both_ports(|mut executor| {
        let handle = executor.local().spawn(async { 3 }).unwrap();
        let abort = handle.abort_handle();
        executor.settle();
        handle.abort();
        abort.abort();
        assert_eq!(executor.block_on(handle), Ok(3));
        abort.abort();
    });
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_await_or_with_its_result() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let aborting = |then_wait| {
            let own = Rc::new(Cell::new(None));
            let task_own = own.clone();
            let handle = local.spawn(async move {
                let abort: crate::AbortHandle = task_own.take().unwrap();
                abort.abort();
                if then_wait {
                    pending::<()>().await;
                }
                4
            });
            own.set(Some(handle.as_ref().unwrap().abort_handle()));
            handle.unwrap()
        };
        let (ends, waits) = (aborting(false), aborting(true));
        assert_eq!(executor.block_on(ends), Ok(4));
        assert_eq!(executor.block_on(waits), Err(Cancelled));
    });
}

#[test]
fn an_abort_of_a_former_task_does_not_hit_the_next_one_in_its_slot() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let mut slots = std::vec::Vec::new();
        let mut stale: std::vec::Vec<crate::AbortHandle> = std::vec::Vec::new();
        for round in 0..20 {
            let handle = local.spawn(async move {
                yield_now().await;
                round
            });
            let handle = handle.unwrap();
            handle.with_slot(|slot| slots.push(slot));
            stale.iter().for_each(crate::AbortHandle::abort);
            stale.push(handle.abort_handle());
            assert_eq!(executor.block_on(handle), Ok(round));
        }
        slots.dedup();
        assert_eq!(slots.len(), 1, "all of them had the same slot");
        let timely = local.spawn(pending::<()>()).unwrap();
        let abort = timely.abort_handle();
        abort.abort();
        stale.iter().for_each(crate::AbortHandle::abort);
        assert_eq!(executor.block_on(timely), Err(Cancelled), "a stale abort hid a timely one");
    });
}

#[test]
fn an_abort_handle_of_a_result_that_was_taken_does_nothing() {
    let mut executor = executor();
    let mut handle = executor.local().spawn(async { 5 }).unwrap();
    executor.settle();
    assert_eq!(peek(&mut handle), Poll::Ready(Ok(5)));
    let abort = handle.abort_handle();
    let other = executor.local().spawn(async { 6 }).unwrap();
    abort.abort();
    handle.abort();
    assert_eq!(executor.block_on(other), Ok(6));
}

/// Where a task finds its own handle.
type Own<T> = Rc<RefCell<Option<JoinHandle<T>>>>;

/// Drops the handle in it as it is dropped.
struct Drops<T>(Own<T>);

impl<T> Drop for Drops<T> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[test]
fn a_handle_may_be_dropped_inside_its_own_task() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let alive = Rc::new(());
        let own = Own::default();
        let (task_own, output) = (own.clone(), alive.clone());
        let in_poll = async move {
            drop(task_own.take());
            yield_now().await;
            output
        };
        *own.borrow_mut() = Some(local.spawn(in_poll).unwrap());
        executor.settle();
        assert_eq!(Rc::strong_count(&alive), 1);

        let own = Own::default();
        let (drops, output) = (Drops(own.clone()), alive.clone());
        let as_it_ends = poll_fn(move |_| {
            let _part_of_the_future = &drops;
            Poll::Ready(output.clone())
        });
        *own.borrow_mut() = Some(local.spawn(as_it_ends).unwrap());
        executor.settle();
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(local.stats().tasks_live, 0);
    });
}

#[test]
fn a_handle_may_be_dropped_by_the_future_that_is_aborted() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        for closes in [false, true] {
            let own = Own::default();
            let drops = Drops(own.clone());
            let task = async move {
                let _drops = drops;
                pending::<()>().await;
            };
            *own.borrow_mut() = Some(local.spawn(task).unwrap());
            executor.settle();
            if closes {
                break;
            }
            own.borrow().as_ref().unwrap().abort();
            executor.settle();
            assert_eq!(local.stats().tasks_live, 0);
        }
        let cell = local.cell();
        drop(executor);
        // Had the slot been put back twice, two of these would share it.
        let mut executor = super::port::executor_on(cell);
        let tasks = [1, 2, 3].map(|n| executor.local().spawn(async move { n }).unwrap());
        for (task, n) in tasks.into_iter().zip(1..) {
            assert_eq!(executor.block_on(task), Ok(n));
        }
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn the_last_waker_that_polled_the_handle_is_woken() {
    on_both_ports(|mut executor| {
        let waker = Rc::new(Cell::new(None));
        let open = Rc::new(Cell::new(false));
        let seen = open.clone();
        let mut handle = executor.local().spawn(wait_until(&waker, move || seen.get())).unwrap();
        let (former, latter) = (Count::new(), Count::new());
        for count in [&former, &former, &latter] {
            let context = &mut Context::from_waker(&count.1);
            assert_eq!(Pin::new(&mut handle).poll(context), Poll::Pending);
        }
        assert_eq!(std::sync::Arc::strong_count(&former.0), 2, "a replaced waker is dropped");
        executor.settle();
        open.set(true);
        waker.take().unwrap().wake();
        executor.settle();
        assert_eq!((former.0.wakes(), latter.0.wakes()), (0, 1));
        assert_eq!(std::sync::Arc::strong_count(&latter.0), 2, "the joiner was taken");
        assert_eq!(peek(&mut handle), Poll::Ready(Ok(())));
    });
}

/// A counter, and a waker that counts there.
struct Count(std::sync::Arc<crate::collections::test_waker::Counter>, Waker);

impl Count {
    fn new() -> Self {
        let (counter, waker) = crate::collections::test_waker::Counter::new();
        Self(counter, waker)
    }
}

#[test]
fn a_waker_whose_clone_runs_the_task_to_its_end_finds_the_result() {
    use core::task::{RawWaker, RawWakerVTable};
    std::thread_local! {
        static EXECUTOR: RefCell<Option<crate::Executor<super::port::Port>>> =
            const { RefCell::new(None) };
    }
    fn turn() {
        EXECUTOR.with_borrow_mut(|executor| executor.as_mut().unwrap().settle());
    }
    fn clone(_: *const ()) -> RawWaker {
        turn();
        RawWaker::new(core::ptr::null(), &TABLE)
    }
    fn nothing(_: *const ()) {}
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);

    EXECUTOR.set(Some(executor()));
    let local = EXECUTOR.with_borrow(|executor| executor.as_ref().unwrap().local());
    let mut handle = local.spawn(async { 8 }).unwrap();
    // SAFETY: the functions hold no data, and may be called anywhere.
    let waker = unsafe { Waker::new(core::ptr::null(), &TABLE) };
    let result = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
    assert_eq!(result, Poll::Ready(Ok(8)));
    EXECUTOR.set(None);
}
