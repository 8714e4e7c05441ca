//! `[finally]` on every pair of outcomes.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::{FutureExt, yield_now};
use crate::error::{BrokenPromise, Cancelled, TimedOut};
use core::cell::RefCell;
use core::future::{pending, ready};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::string::ToString;

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
        let log = RefCell::new(std::vec::Vec::new());
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
fn dropping_does_not_run_the_cleanup() {
    let cleanup = || -> core::future::Ready<()> { panic!("the cleanup ran") };
    let mut work = Box::pin(pending::<Result<(), ()>>().finally(cleanup));
    assert!(poll_once(work.as_mut()).is_pending());
    drop(work);
}
