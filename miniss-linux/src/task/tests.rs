//! Values of tasks, polled by hand.

#![forbid(unsafe_code)]

use super::*;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Waker;

task_local! {
    static NUMBER: u32;
    /// What is there is dropped with the scope.
    pub(super) static TEXT: Rc<String>;
}

fn number() -> Option<u32> {
    NUMBER.try_with(|number| *number).ok()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Notes the value that is in force when it is dropped.
struct Notes<'n>(&'n Cell<Option<u32>>);

impl Drop for Notes<'_> {
    fn drop(&mut self) {
        self.0.set(number());
    }
}

#[test]
fn a_value_is_there_in_each_poll_and_not_between() {
    let mut turns = 0;
    let counts = poll_fn(|_| {
        turns += 1;
        assert_eq!(number(), Some(5));
        if turns == 3 { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut scoped = pin!(NUMBER.scope(5, counts));
    while poll(scoped.as_mut()).is_pending() {
        assert_eq!(number(), None);
    }
    assert_eq!(number(), None);
}

#[test]
fn scopes_within_scopes_hide_the_outer_value_and_two_tasks_do_not_mix() {
    let step = || poll_fn(|_| Poll::Ready(number()));
    let nested = async {
        let inner = NUMBER.scope(2, step()).await;
        (number(), inner, NUMBER.sync_scope(3, number))
    };
    let mut one = pin!(NUMBER.scope(1, nested));
    let mut other = pin!(NUMBER.scope(7, async {
        crate::yield_now().await;
        number()
    }));
    assert!(poll(other.as_mut()).is_pending());
    assert_eq!(poll(one.as_mut()), Poll::Ready((Some(1), Some(2), Some(3))));
    assert_eq!(poll(other.as_mut()), Poll::Ready(Some(7)));
}

#[test]
fn a_future_is_dropped_in_its_scope_whether_it_ends_or_is_given_up() {
    let seen = Cell::new(None);
    {
        let notes = Notes(&seen);
        let mut ends = pin!(NUMBER.scope(5, async move { drop(notes) }));
        assert!(poll(ends.as_mut()).is_ready());
    }
    assert_eq!(seen.take(), Some(5));
    let given_up = |notes| async move {
        pending::<()>().await;
        drop(notes);
    };
    drop(NUMBER.scope(6, given_up(Notes(&seen))));
    assert_eq!(seen.take(), Some(6), "one that was never polled");
    {
        let mut waits = pin!(NUMBER.scope(7, given_up(Notes(&seen))));
        assert!(poll(waits.as_mut()).is_pending());
    }
    assert_eq!(seen.take(), Some(7));
    assert_eq!(number(), None);
}

#[test]
fn a_panic_leaves_the_value_of_the_scope_around() {
    NUMBER.sync_scope(1, || {
        let panics = catch_unwind(|| NUMBER.sync_scope(2, || panic!("as planned")));
        assert!(panics.is_err());
        let mut scoped = Box::pin(NUMBER.scope(3, async { panic!("as planned") }));
        let polled = catch_unwind(AssertUnwindSafe(|| poll(scoped.as_mut())));
        assert!(polled.is_err());
        drop(scoped);
        assert_eq!(number(), Some(1));
    });
    assert_eq!(number(), None);
}

#[test]
fn a_value_that_is_looked_at_is_not_exchanged() {
    let seen = Cell::new(None);
    let notes = Notes(&seen);
    let scoped = NUMBER.scope(2, async move { drop(notes) });
    NUMBER.sync_scope(1, || {
        NUMBER.with(|_| {
            assert!(catch_unwind(|| NUMBER.sync_scope(2, || ())).is_err());
            drop(scoped);
        });
        assert_eq!(number(), Some(1));
    });
    assert_eq!(seen.take(), Some(1), "the one that was looked at stayed in force");
}

#[test]
fn a_value_is_dropped_with_its_scope_and_a_copy_of_it_is_not() {
    let text = Rc::new("text".to_owned());
    let copy = TEXT.sync_scope(text.clone(), || TEXT.get());
    assert_eq!(Rc::strong_count(&text), 2);
    drop((copy, TEXT.scope(text.clone(), pending::<()>())));
    assert_eq!(Rc::strong_count(&text), 1);
    assert_eq!(TEXT.try_with(|_| ()), Err(AccessError));
    assert!(catch_unwind(|| TEXT.with(|_| ())).is_err());
}
