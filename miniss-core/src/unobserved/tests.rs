//! What is reported, and what is not.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use std::thread_local;
use std::vec::Vec;

use super::*;
use crate::combine::yield_now;
use crate::doctest::executor;
use crate::error::BrokenPromise;
use crate::{Future, PromiseCell};

thread_local! {
    /// What was reported on this thread: tests run side by side.
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What `act` leaves unobserved.
fn reports(act: impl FnOnce()) -> Vec<String> {
    set_hook(|failure| SEEN.with_borrow_mut(|seen| seen.push(failure.to_string())));
    let before = count();
    act();
    let seen = SEEN.take();
    assert!(count().wrapping_sub(before) >= seen.len(), "what is reported is counted");
    seen
}

/// Only the name matters.
#[derive(Debug)]
struct NoFile;

impl From<BrokenPromise> for NoFile {
    fn from(_: BrokenPromise) -> Self {
        Self
    }
}

const FAILED: &str = "the failure of a promise: miniss_core::unobserved::tests::NoFile";

#[test]
fn a_failure_that_is_dropped_with_its_future_is_reported() {
    let seen = reports(|| {
        let (future, promise) = Future::<u32, NoFile>::fallible();
        promise.fail(NoFile).unwrap();
        drop(future);
        drop(Future::<u32, NoFile>::failed(NoFile));
        let cell = crate::kept::forever(PromiseCell::<u32, NoFile>::new());
        let (future, promise) = cell.pair().unwrap();
        promise.fail(NoFile).unwrap();
        drop(future);
    });
    assert_eq!(seen, [FAILED; 3]);
}

#[test]
fn what_was_seen_or_came_back_or_is_no_failure_is_not_reported() {
    let seen = reports(|| {
        let (mut future, promise) = Future::<u32, NoFile>::fallible();
        promise.fail(NoFile).unwrap();
        assert!(future.try_take().is_some());
        let (future, promise) = Future::<u32, NoFile>::fallible();
        drop(future);
        assert!(promise.fail(NoFile).is_err(), "the code that fails it gets the error back");
        let (future, promise) = Future::<u32, NoFile>::fallible();
        drop(promise);
        drop(future);
        let (future, promise) = Future::<u32>::new();
        promise.complete(5).unwrap();
        drop(future);
        drop(Future::ready(5));
        assert!(executor().block_on(Future::<u32, NoFile>::failed(NoFile)).is_err());
    });
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_task_that_panics_is_reported_unless_its_handle_is_asked() {
    let seen = reports(|| {
        let mut executor = executor();
        let local = executor.local();
        let asked = local.spawn(async { panic!("as planned") }).unwrap();
        let unasked = local.spawn(async { panic!("as planned") }).unwrap();
        local.spawn(async { panic!("as planned") }).unwrap().detach();
        let aborted = local.spawn(core::future::pending::<()>()).unwrap();
        aborted.abort();
        for _ in 0..3 {
            catch_unwind(AssertUnwindSafe(|| executor.block_on(yield_now()))).unwrap_err();
        }
        assert_eq!(SEEN.with_borrow(Vec::len), 1, "the detached one, at once");
        drop((unasked, aborted));
        assert!(executor.block_on(asked).is_err());
    });
    assert_eq!(seen, ["the failure of a task: panic"; 2]);
}

#[test]
fn a_panic_of_the_main_future_is_seen_by_whoever_waits_for_it() {
    let seen = reports(|| {
        let main = AssertUnwindSafe(|| executor().block_on(async { panic!("as planned") }));
        catch_unwind(main).unwrap_err();
    });
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn an_unseen_error_is_reported_until_someone_looks() {
    let seen = reports(|| {
        drop(Unseen::new(NoFile));
        drop(Unseen::new("as text").to_string());
        drop(std::format!("{:?}", Unseen::new(NoFile)));
        Unseen::from(NoFile).into_inner();
        let looked_at = Unseen::new(NoFile);
        looked_at.look();
    });
    assert_eq!(seen, ["an error: miniss_core::unobserved::tests::NoFile"]);
}
