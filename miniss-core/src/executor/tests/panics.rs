//! A panic in anything that the executor calls unwinds out of it and leaves it, and all other
//! tasks, in order.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use core::cell::Cell;
use core::future::{pending, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::port::{Port, executor_on, on_both_ports, peek, wait_until};
use crate::collections::test_waker;
use crate::combine::yield_now;
use crate::error::Cancelled;
use crate::{Executor, JoinHandle};

/// Unwinds without a word on the terminal.
fn unwind() -> ! {
    resume_unwind(Box::new("on purpose"))
}

fn unwinds<R>(act: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err(), "the panic was swallowed");
}

/// Panics as it is dropped.
struct Bomb(#[allow(dead_code)] Rc<()>);

impl Drop for Bomb {
    fn drop(&mut self) {
        unwind();
    }
}

/// The executor must be as good as new, and nothing of `alive` may be left.
fn is_whole(executor: Executor<Port>, alive: &Rc<()>) {
    let mut executor = executor;
    let local = executor.local();
    executor.settle();
    for n in 0..20 {
        let task = local.spawn(async move {
            yield_now().await;
            n
        });
        assert_eq!(executor.block_on(task.unwrap()), Ok(n));
    }
    executor.settle();
    assert_eq!(local.stats().tasks_live, 0, "a slot was lost");
    assert_eq!(Rc::strong_count(alive), 1, "something was leaked");
    drop(executor);
    assert_eq!(executor_on(local.cell()).block_on(async { 1 }), 1);
}

/// Runs `task`, which unwinds, with another one before and one behind it.
fn unwinds_as_a_task<T: 'static>(task: impl Fn(Rc<()>) -> BoxFuture<T>) {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let local = executor.local();
        let before = local.spawn(async { 1 }).unwrap();
        let mut handle: JoinHandle<T> = local.spawn(task(alive.clone())).unwrap();
        let behind = local.spawn(async { 2 }).unwrap();
        unwinds(|| executor.settle());
        assert!(handle.is_finished());
        assert!(matches!(peek(&mut handle), Poll::Ready(Err(Cancelled))));
        assert_eq!(executor.block_on(before), Ok(1));
        assert_eq!(executor.block_on(behind), Ok(2));
        is_whole(executor, &alive);
    });
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        executor.local().spawn(task(alive.clone())).unwrap().detach();
        unwinds(|| executor.settle());
        is_whole(executor, &alive);
    });
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

#[test]
fn in_a_poll() {
    unwinds_as_a_task::<()>(|alive| {
        Box::pin(async move {
            yield_now().await;
            let _held = alive;
            unwind();
        })
    });
}

#[test]
fn in_a_poll_of_a_task_that_woke_itself() {
    unwinds_as_a_task::<()>(|alive| {
        Box::pin(poll_fn(move |cx| {
            let _held = &alive;
            cx.waker().wake_by_ref();
            unwind()
        }))
    });
}

#[test]
fn as_a_future_that_is_done_is_dropped() {
    unwinds_as_a_task::<Rc<()>>(|alive| {
        let bomb = Bomb(alive.clone());
        Box::pin(poll_fn(move |_| {
            let _held = &bomb;
            Poll::Ready(alive.clone())
        }))
    });
}

#[test]
fn as_an_output_that_no_one_wants_is_dropped() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let bomb = Bomb(alive.clone());
        executor.local().spawn(async move { bomb }).unwrap().detach();
        unwinds(|| executor.settle());
        is_whole(executor, &alive);
    });
}

#[test]
fn as_an_output_is_dropped_with_its_handle() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let bomb = Bomb(alive.clone());
        let handle = executor.local().spawn(async move { bomb }).unwrap();
        executor.settle();
        unwinds(|| drop(handle));
        is_whole(executor, &alive);
    });
}

#[test]
fn as_an_output_is_dropped_with_a_handle_that_outlived_the_executor() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let cell = executor.local().cell();
        let bomb = Bomb(alive.clone());
        let handle = executor.local().spawn(async move { bomb }).unwrap();
        executor.settle();
        drop(executor);
        let executor = executor_on(cell);
        unwinds(|| drop(handle));
        is_whole(executor, &alive);
    });
}

#[test]
fn as_an_aborted_future_is_dropped() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let bomb = Bomb(alive.clone());
        let mut handle = executor.local().spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        let handle = handle.as_mut().unwrap();
        executor.settle();
        handle.abort();
        unwinds(|| executor.settle());
        assert_eq!(peek(handle), Poll::Ready(Err(Cancelled)));
        is_whole(executor, &alive);
    });
}

#[test]
fn in_the_waker_of_the_joiner() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let output = alive.clone();
        let mut handle = executor.local().spawn(async { output }).unwrap();
        let waker = test_waker::panicking();
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        unwinds(|| executor.settle());
        assert!(
            matches!(peek(&mut handle), Poll::Ready(Ok(_))),
            "the result is there all the same"
        );
        is_whole(executor, &alive);
    });
}

#[test]
fn in_the_main_future() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let held = alive.clone();
        unwinds(|| {
            executor.block_on(async move {
                yield_now().await;
                let _held = held;
                unwind();
            })
        });
        is_whole(executor, &alive);
    });
}

#[test]
fn in_a_task_while_the_main_future_is_ready_to_run() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        for _ in 0..3 {
            let (held, main) = (alive.clone(), Rc::new(Cell::new(None::<Waker>)));
            let wake_main = main.clone();
            let task = async move {
                yield_now().await;
                wake_main.take().unwrap().wake();
                let _held = held;
                unwind();
            };
            executor.local().spawn(task).unwrap().detach();
            unwinds(|| executor.block_on(wait_until(&main, || false)));
        }
        is_whole(executor, &alive);
    });
}

#[test]
fn as_the_executor_drops_its_tasks() {
    on_both_ports(|mut executor| {
        let alive = Rc::new(());
        let local = executor.local();
        for n in 0..5 {
            let (held, bomb) = (alive.clone(), (n == 2).then(|| Bomb(alive.clone())));
            let task = async move {
                let _held = (held, bomb);
                yield_now().await;
                pending::<()>().await;
            };
            local.spawn(task).unwrap().detach();
        }
        executor.turn();
        unwinds(|| drop(executor));
        is_whole(executor_on(local.cell()), &alive);
    });
}

#[test]
fn in_a_waker_as_the_executor_clears_its_timers() {
    on_both_ports(|executor| {
        let alive = Rc::new(());
        let local = executor.local();
        let mut sleep =
            Box::pin(crate::timer::Sleep::until(local, crate::time::Instant::from_nanos(9)));
        let waker = test_waker::panicking();
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let queued = local.spawn(pending::<()>()).unwrap();
        unwinds(|| drop(executor));
        let executor = executor_on(local.cell());
        assert!(queued.is_finished());
        drop(queued);
        is_whole(executor, &alive);
    });
}
