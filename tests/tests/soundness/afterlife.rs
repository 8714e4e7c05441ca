//! Wakers, handles and `LocalHandle`s that are used when what they stand for has long gone: the
//! task, the executor, the thread.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use miniss_core::AbortHandle;
use miniss_core::call::{Endpoint, Mesh};
use miniss_core::error::Cancelled;
use miniss_core::timer::{Interval, Sleep};

use crate::abuses::unwinds;
use crate::port::{Core, Unparker, core_on, is_whole, on_both_ports, settle};

const LONG: Duration = Duration::from_secs(1);

/// The waker and the abort handle of a task that waits forever, started in `core`.
fn task_of(core: &mut Core) -> (Waker, AbortHandle) {
    let (send, waker) = mpsc::channel();
    let task = poll_fn(move |cx| {
        send.send(cx.waker().clone()).unwrap();
        Poll::<()>::Pending
    });
    let task = core.local().spawn(task).unwrap();
    let abort = task.abort_handle();
    task.detach();
    settle(core);
    (waker.recv().unwrap(), abort)
}

/// Uses them in every way, here and on other threads at once.
fn use_up(waker: &Waker, abort: &AbortHandle) {
    let elsewhere = || {
        for _ in 0..50 {
            let clone = waker.clone();
            waker.wake_by_ref();
            clone.wake();
            abort.clone().abort();
        }
    };
    thread::scope(|scope| {
        scope.spawn(elsewhere);
        scope.spawn(elsewhere);
        elsewhere();
    });
}

#[test]
fn a_waker_after_its_task() {
    on_both_ports(|mut core| {
        let (waker, abort) = task_of(&mut core);
        abort.abort();
        settle(&mut core);
        use_up(&waker, &abort);
        is_whole(core);
    });
}

#[test]
fn a_waker_after_its_executor() {
    on_both_ports(|mut core| {
        let (waker, abort) = task_of(&mut core);
        let cell = core.local().cell();
        drop(core);
        use_up(&waker, &abort);
        is_whole(core_on(cell));
        use_up(&waker, &abort);
    });
}

#[test]
fn a_waker_after_its_thread() {
    let (waker, abort) = thread::spawn(|| {
        let (send, parts) = mpsc::channel();
        on_both_ports(|mut core| send.send(task_of(&mut core)).unwrap());
        parts.recv().unwrap()
    })
    .join()
    .unwrap();
    use_up(&waker, &abort);
}

#[test]
fn a_waker_while_another_thread_has_its_cell() {
    on_both_ports(|mut core| {
        let (waker, abort) = task_of(&mut core);
        let cell = core.local().cell();
        drop(core);
        let next = thread::spawn(move || is_whole(core_on(cell)));
        use_up(&waker, &abort);
        next.join().unwrap();
    });
}

#[test]
fn a_waker_in_the_destructor_of_a_thread_local() {
    thread_local! {
        static LAST: RefCell<Option<WakesLast>> = const { RefCell::new(None) };
    }
    struct WakesLast(Waker, AbortHandle);
    impl Drop for WakesLast {
        fn drop(&mut self) {
            use_up(&self.0, &self.1);
        }
    }
    let last = || {
        on_both_ports(|mut core| {
            let (waker, abort) = task_of(&mut core);
            LAST.set(Some(WakesLast(waker, abort)));
        });
    };
    thread::spawn(last).join().unwrap();
}

#[test]
fn handles_of_tasks_after_the_executor() {
    on_both_ports(|mut core| {
        let cell = core.local().cell();
        let mut done = core.local().spawn(async { Rc::new(1) }).unwrap();
        let aborted = core.local().spawn(pending::<()>()).unwrap();
        settle(&mut core);
        drop(core);
        let mut next = core_on(cell);
        aborted.abort();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(std::pin::Pin::new(&mut done).poll(&mut cx), Poll::Ready(Ok(Rc::new(1))));
        assert_eq!(next.block_on(aborted), Err(Cancelled));
        drop(done);
        is_whole(next);
    });
}

#[test]
fn a_local_after_its_executor() {
    on_both_ports(|core| {
        let local = core.local();
        let cell = local.cell();
        drop(core);
        assert!(!local.is_open());
        assert!(local.spawn(async {}).is_err());
        _ = (local.now(), local.stats());
        let next = core_on(cell);
        assert!(!local.is_open(), "it is another's");
        assert!(local.spawn(async {}).is_err());
        is_whole(next);
    });
}

#[test]
fn timers_made_after_the_executor() {
    on_both_ports(|core| {
        let local = core.local();
        let cell = local.cell();
        drop(core);
        let mut sleep = Box::pin(Sleep::new(local, LONG));
        // It says so by a panic.
        unwinds(|| sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        _ = catch_unwind(AssertUnwindSafe(|| sleep.as_mut().reset(local.now())));
        drop((sleep, Interval::new(local, LONG)));
        is_whole(core_on(cell));
    });
}

#[test]
fn an_endpoint_and_its_calls_after_the_executor() {
    on_both_ports(|mut core| {
        let cell = core.local().cell();
        let mesh = std::sync::Arc::new(Mesh::<Unparker, 4>::new(1));
        let end = Endpoint::open(mesh, 0, core.local()).unwrap();
        let call = end.submit_to(0, async || pending::<()>().await);
        settle(&mut core);
        drop(core);
        let mut next = core_on(cell);
        assert!(next.block_on(call).is_err());
        let late = end.submit_to(0, async || 1);
        assert!(next.block_on(late).is_err());
        drop(end);
        is_whole(next);
    });
}
