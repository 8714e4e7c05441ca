//! `[finally]` on every pair of outcomes, and on cancellation at every moment.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::{FutureExt, yield_now};
use crate::error::{BrokenPromise, Cancelled, TimedOut};
use core::cell::{Cell, RefCell};
use core::future::{pending, ready};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::ToString;
use std::vec::Vec;

#[test]
fn a_fu_4_finally_keeps_the_original_result() {
    let cleaned = RefCell::new(0);
    let cleanup = || async { *cleaned.borrow_mut() += 1 };
    assert_eq!(now(ready(Ok::<_, TimedOut>(3)).finally(cleanup)), Ok(3));
    assert_eq!(now(ready(Err::<(), _>(TimedOut)).finally(cleanup)), Err(TimedOut));
    assert_eq!(*cleaned.borrow(), 2);
}

#[test]
fn a_fu_4_downstream_starts_only_after_an_async_cleanup() {
    for original in [Ok(3), Err(TimedOut)] {
        let log = RefCell::new(Vec::new());
        let cleanup = async || {
            log.borrow_mut().push("cleanup starts");
            yield_now().await;
            log.borrow_mut().push("cleanup ends");
        };
        let downstream = |outcome| {
            log.borrow_mut().push("downstream");
            ready(outcome)
        };
        let mut work = pin!(ready(original).finally(cleanup).then_wrapped(downstream));
        assert!(poll_once(work.as_mut()).is_pending());
        assert_eq!(*log.borrow(), ["cleanup starts"]);
        assert_eq!(poll_once(work), Poll::Ready(original));
        assert_eq!(*log.borrow(), ["cleanup starts", "cleanup ends", "downstream"]);
    }
}

#[test]
fn a_fu_5_finally_whose_cleanup_succeeds_keeps_the_result() {
    let fine = || ready(Ok::<(), Cancelled>(()));
    assert_eq!(now(ready(Ok::<_, TimedOut>(3)).finally(fine)), Ok(3));
    let failed = now(ready(Err::<(), _>(TimedOut)).finally(fine)).unwrap_err();
    assert_eq!(failed, FinallyError::Body(TimedOut));
    assert_eq!(failed.to_string(), TimedOut.to_string());
}

#[test]
fn a_fu_5_finally_whose_cleanup_fails_on_ok() {
    let fails = || ready(Err::<(), _>(Cancelled));
    let failed = now(ready(Ok::<_, TimedOut>(3)).finally(fails)).unwrap_err();
    assert_eq!(failed, FinallyError::Cleanup(Cancelled));
    assert_eq!(failed.to_string(), Cancelled.to_string());
    assert!(failed.source().is_none());
}

#[test]
fn a_fu_5_finally_whose_cleanup_fails_on_err() {
    let fails = || ready(Err::<(), _>(Cancelled));
    let failed = now(ready(Err::<(), _>(TimedOut)).finally(fails)).unwrap_err();
    assert_eq!((failed.body(), failed.cleanup()), (Some(&TimedOut), Some(&Cancelled)));
    assert!(failed.to_string().starts_with(&Cancelled.to_string()));
    assert_eq!(failed.source().and_then(|e| e.downcast_ref()), Some(&TimedOut));
}

#[test]
fn a_fu_5_nested_cleanups_that_fail_are_all_reachable() {
    let inner = ready(Err::<(), _>(TimedOut)).finally(|| ready(Err::<(), _>(Cancelled)));
    let failed = now(inner.finally(|| ready(Err::<(), _>(BrokenPromise)))).unwrap_err();
    let middle = failed.source().unwrap();
    assert!(failed.to_string().starts_with(&BrokenPromise.to_string()));
    assert!(middle.to_string().starts_with(&Cancelled.to_string()));
    assert_eq!(middle.source().unwrap().to_string(), TimedOut.to_string());
}

#[test]
fn dropped_in_the_middle_the_body_goes_first_and_then_the_cleanup_runs() {
    struct Logs<'a>(&'a RefCell<Vec<&'static str>>);
    impl Drop for Logs<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push("body dropped");
        }
    }
    let log = RefCell::new(Vec::new());
    let held = Logs(&log);
    let body = async {
        let _held = held;
        pending::<Result<(), ()>>().await
    };
    let cleanup = async || {
        log.borrow_mut().push("cleanup starts");
        yield_now().await;
        log.borrow_mut().push("after the first wait");
    };
    let mut work = Box::pin(body.finally(cleanup));
    assert!(poll_once(work.as_mut()).is_pending());
    assert!(log.borrow().is_empty());
    drop(work);
    assert_eq!(*log.borrow(), ["body dropped", "cleanup starts"]);
}

#[test]
fn what_was_never_polled_has_not_begun_and_is_not_cleaned_up() {
    let cleanup = || -> core::future::Ready<()> { panic!("the cleanup ran") };
    drop(pending::<Result<(), ()>>().finally(cleanup));
}

#[test]
fn dropped_in_its_cleanup_it_does_not_start_another() {
    let started = Cell::new(0);
    let cleanup = async || {
        started.set(started.get() + 1);
        pending::<()>().await;
    };
    let mut work = Box::pin(ready(Ok::<(), ()>(())).finally(cleanup));
    assert!(poll_once(work.as_mut()).is_pending());
    drop(work);
    assert_eq!(started.get(), 1);
}

#[test]
fn a_body_that_panics_is_cleaned_up_once_by_the_drop() {
    let started = Cell::new(0);
    let cleanup = async || started.set(started.get() + 1);
    let body = async { panic!("the body panics") };
    let mut work = Box::pin(FutureExt::finally::<(), (), _>(body, cleanup));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(work.as_mut()))).is_err());
    drop(work);
    assert_eq!(started.get(), 1);
}

#[test]
fn a_body_whose_drop_panics_is_cleaned_up_too() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("the body's drop panics");
        }
    }
    for ready_at_once in [false, true] {
        let started = Cell::new(0);
        let cleanup = async || started.set(started.get() + 1);
        let held = Panics;
        let body = core::future::poll_fn(move |_| {
            let _ = &held;
            if ready_at_once { Poll::Ready(Ok::<(), ()>(())) } else { Poll::Pending }
        });
        let mut work = Box::pin(body.finally(cleanup));
        let end = || {
            let _ = poll_once(work.as_mut());
            drop(work);
        };
        assert!(catch_unwind(AssertUnwindSafe(end)).is_err());
        assert_eq!(started.get(), 1);
    }
}

#[test]
fn nested_cleanups_run_from_the_inside_out_on_cancellation() {
    let log = RefCell::new(Vec::new());
    let say = |what| {
        let log = &log;
        move || async move { log.borrow_mut().push(what) }
    };
    let body = pending::<Result<(), ()>>();
    let mut work = Box::pin(body.finally(say("inner")).finally(say("outer")));
    assert!(poll_once(work.as_mut()).is_pending());
    drop(work);
    assert_eq!(*log.borrow(), ["inner", "outer"]);
}

#[test]
fn it_grows_by_words_per_cleanup() {
    async fn wide() -> Result<(), ()> {
        let buffer = [0_u8; 512];
        yield_now().await;
        core::hint::black_box(buffer);
        Ok(())
    }
    let cleanup = || async { yield_now().await };
    let work = wide().finally(cleanup).finally(cleanup).finally(cleanup);
    assert!(size_of_val(&work) < size_of_val(&wide()) + 3 * 64, "{}", size_of_val(&work));
}

#[cfg(feature = "alloc")]
mod on_a_task {
    use super::*;
    use crate::doctest::{Unparker, executor};
    use crate::executor::LocalHandle;
    use crate::timer::Sleep;
    use core::time::Duration;
    use std::rc::Rc;

    /// A cleanup that takes its time and then says so.
    fn slow(
        local: LocalHandle<Unparker>,
        done: &Rc<Cell<u32>>,
    ) -> impl FnOnce() -> core::pin::Pin<Box<dyn Future<Output = ()>>> + use<> {
        let done = done.clone();
        move || {
            Box::pin(async move {
                Sleep::new(local, Duration::from_micros(20)).await;
                done.set(done.get() + 1);
            })
        }
    }

    fn later(local: LocalHandle<Unparker>) -> Sleep<LocalHandle<Unparker>> {
        Sleep::new(local, Duration::from_micros(200))
    }

    #[test]
    fn what_follows_waits_for_the_cleanup_on_both_outcomes() {
        let mut executor = executor();
        let local = executor.local();
        let done = Rc::new(Cell::new(0));
        for (count, outcome) in [(1, Ok(3)), (2, Err(TimedOut))] {
            let work = ready(outcome).finally_on(local, slow(local, &done));
            assert_eq!(executor.block_on(work), outcome);
            assert_eq!(done.get(), count);
        }
    }

    #[test]
    fn the_errors_of_both_are_kept() {
        let mut executor = executor();
        let fails = async || Err::<(), _>(Cancelled);
        let work = ready(Err::<(), _>(TimedOut)).finally_on(executor.local(), fails);
        let both = FinallyError::Both { body: TimedOut, cleanup: Cancelled };
        assert_eq!(executor.block_on(work), Err(both));
    }

    #[test]
    fn dropped_at_any_moment_the_cleanup_runs_to_its_end_once() {
        // The body takes two polls, and the cleanup some more.
        for polls in 0..6 {
            let mut executor = executor();
            let local = executor.local();
            let done = Rc::new(Cell::new(0));
            let body = async {
                yield_now().await;
                yield_now().await;
                Ok::<(), ()>(())
            };
            let mut work = Box::pin(body.finally_on(local, slow(local, &done)));
            executor.block_on(async {
                for _ in 0..polls {
                    if poll_once(work.as_mut()).is_ready() {
                        break;
                    }
                    yield_now().await;
                }
                drop(work);
                later(local).await;
            });
            assert_eq!(done.get(), u32::from(polls > 0), "dropped after {polls} polls");
        }
    }

    #[test]
    fn without_an_executor_it_runs_in_place() {
        let local = executor().local();
        let done = Rc::new(Cell::new(0));
        let count = || {
            let done = done.clone();
            move || async move { done.set(done.get() + 1) }
        };
        assert_eq!(now(ready(Ok::<_, ()>(3)).finally_on(local, count())), Ok(3));
        assert_eq!(done.get(), 1);
        let mut endless = Box::pin(pending::<Result<(), ()>>().finally_on(local, count()));
        assert!(poll_once(endless.as_mut()).is_pending());
        drop(endless);
        assert_eq!(done.get(), 2);
    }

    #[test]
    fn the_end_of_the_executor_starts_the_cleanup_in_place() {
        let executor = executor();
        let local = executor.local();
        let done = Rc::new(Cell::new(0));
        let flag = done.clone();
        let quick = move || async move { flag.set(1) };
        let work = async move {
            let body = pending::<Result<(), ()>>();
            body.finally_on(local, quick).await
        };
        local.spawn(work).unwrap().detach();
        let mut executor = executor;
        executor.turn();
        assert_eq!(done.get(), 0);
        drop(executor);
        assert_eq!(done.get(), 1);
    }

    #[test]
    fn a_cleanup_too_large_for_a_slot_is_boxed() {
        let mut executor = executor();
        let local = executor.local();
        let ballast = [7_u8; 4096];
        let sum = Rc::new(Cell::new(0));
        let total = sum.clone();
        let cleanup = move || async move {
            yield_now().await;
            total.set(ballast.iter().map(|byte| u32::from(*byte)).sum::<u32>());
        };
        executor.block_on(ready(Ok::<(), ()>(())).finally_on(local, cleanup)).unwrap();
        assert_eq!(sum.get(), 7 * 4096);
    }
}
