//! `[repeat]` and `do_until`: how often, in which order, and how they end.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use core::cell::Cell;
use core::ops::ControlFlow::{Break, Continue};
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// A budget of so many questions.
struct Questions(Cell<u32>);

impl TurnBudget for Questions {
    fn need_preempt(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

fn plenty() -> Questions {
    Questions(Cell::new(u32::MAX))
}

#[test]
fn it_repeats_until_it_breaks_off() {
    let mut calls = 0;
    let counting = repeat(plenty(), async || {
        calls += 1;
        if calls == 5 { Break(calls * 2) } else { Continue(()) }
    });
    assert_eq!(now(counting), 10);
}

#[test]
fn it_gives_way_when_the_budget_is_spent() {
    let calls = Cell::new(0);
    let mut counting = pin!(repeat(Questions(Cell::new(3)), async || {
        calls.set(calls.get() + 1);
        if calls.get() == 5 { Break(()) } else { Continue(()) }
    }));
    assert!(poll_once(counting.as_mut()).is_pending());
    assert_eq!(calls.get(), 3);
    assert!(poll_once(counting.as_mut()).is_pending());
    assert_eq!(calls.get(), 4);
    assert!(poll_once(counting.as_mut()).is_ready());
}

#[test]
fn a_call_begins_when_the_one_before_it_has_ended() {
    let inside = Cell::new(false);
    let calls = Cell::new(0);
    let mut counting = pin!(repeat(plenty(), async || {
        assert!(!inside.replace(true));
        yield_now().await;
        inside.set(false);
        calls.set(calls.get() + 1);
        if calls.get() == 3 { Break("done") } else { Continue(()) }
    }));
    for _ in 0..3 {
        assert!(poll_once(counting.as_mut()).is_pending());
    }
    assert_eq!(poll_once(counting), Poll::Ready("done"));
}

#[test]
fn do_until_asks_first_and_stops_at_the_first_error() {
    let never = || -> core::future::Ready<Result<(), ()>> { panic!("it was to stop at once") };
    assert_eq!(now(do_until(plenty(), || true, never)), Ok(()));
    let mut calls = 0;
    let failing = do_until(
        plenty(),
        || false,
        async || {
            calls += 1;
            if calls == 3 { Err("third") } else { Ok(()) }
        },
    );
    assert_eq!(now(failing), Err("third"));
    assert_eq!(calls, 3);
}

#[test]
fn dropping_a_loop_or_a_panic_in_it_drops_the_call_under_way_once() {
    let alive = Rc::new(());
    for panics in [false, true] {
        let mut endless = Box::pin(repeat(plenty(), async || {
            let _held = alive.clone();
            yield_now().await;
            assert!(!panics, "a call panics");
            core::future::pending::<ControlFlow<()>>().await
        }));
        assert!(poll_once(endless.as_mut()).is_pending());
        assert_eq!(Rc::strong_count(&alive), 2);
        let polled = catch_unwind(AssertUnwindSafe(|| poll_once(endless.as_mut())));
        assert_eq!(polled.is_err(), panics);
        drop(endless);
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}
