//! Futures against deadlines, polled by hand.

use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use super::*;

over_each_queue! {
    what_is_ready_costs_no_timer
    it_times_out_at_the_deadline_and_wakes
    a_result_that_is_there_wins_over_the_deadline
    never_is_never
    dropping_it_drops_the_inner_future_and_the_timer
    at_its_end_it_has_dropped_the_inner_future_and_the_timer_though_it_is_kept
}

const MS: Duration = Duration::from_millis(1);

fn what_is_ready_costs_no_timer<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut timeout = pin!(Timeout::new(clock, Duration::ZERO, ready(5)));
    assert_eq!(poll(timeout.as_mut(), Waker::noop()), Poll::Ready(Ok(5)));
    assert_eq!(clock.armed(), 0);
}

fn it_times_out_at_the_deadline_and_wakes<Q: HasTimers>() {
    let (clock, log) = (leaked_clock::<Q>(), Log::default());
    let mut timeout = pin!(Timeout::new(clock, MS, pending::<()>()));
    assert!(poll(timeout.as_mut(), &log.waker(1)).is_pending());
    assert_eq!(clock.next_deadline(), Some(timeout.deadline()));
    clock.advance(MS);
    assert_eq!(log.take(), [1]);
    assert_eq!(poll(timeout.as_mut(), Waker::noop()), Poll::Ready(Err(TimedOut)));
}

fn a_result_that_is_there_wins_over_the_deadline<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut polls = 0;
    let inner = poll_fn(|_| {
        polls += 1;
        if polls == 2 { Poll::Ready('x') } else { Poll::Pending }
    });
    let mut timeout = pin!(Timeout::new(clock, MS, inner));
    assert!(poll(timeout.as_mut(), Waker::noop()).is_pending());
    clock.advance(MS);
    assert_eq!(poll(timeout.as_mut(), Waker::noop()), Poll::Ready(Ok('x')));
}

fn never_is_never<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut timeout = pin!(Timeout::new(clock, Duration::MAX, pending::<()>()));
    assert!(poll(timeout.as_mut(), Waker::noop()).is_pending());
    assert_eq!(clock.armed(), 0);
}

fn dropping_it_drops_the_inner_future_and_the_timer<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let held = Rc::new(());
    let inner = {
        let held = held.clone();
        async move {
            let _held = held;
            pending::<()>().await
        }
    };
    let mut timeout = std::boxed::Box::pin(Timeout::new(clock, MS, inner));
    assert!(poll(timeout.as_mut(), Waker::noop()).is_pending());
    assert_eq!((clock.armed(), Rc::strong_count(&held)), (1, 2));
    drop(timeout);
    assert_eq!((clock.armed(), Rc::strong_count(&held)), (0, 1));
}

fn at_its_end_it_has_dropped_the_inner_future_and_the_timer_though_it_is_kept<Q: HasTimers>() {
    struct Quiet;
    impl Wake for Quiet {
        fn wake(self: Arc<Self>) {}
    }
    for is_timely in [true, false] {
        let (clock, held, task) = (leaked_clock::<Q>(), Rc::new(()), Arc::new(Quiet));
        let waker = Waker::from(task.clone());
        let inner = {
            let (held, mut polls) = (held.clone(), 0);
            poll_fn(move |_| {
                let _held = &held;
                polls += 1;
                if is_timely && polls == 2 { Poll::Ready(5) } else { Poll::Pending }
            })
        };
        let mut timeout = pin!(Timeout::new(clock, MS, inner));
        assert!(poll(timeout.as_mut(), &waker).is_pending());
        assert_eq!((clock.armed(), Rc::strong_count(&held)), (1, 2));
        clock.advance(if is_timely { Duration::ZERO } else { MS });
        let outcome = if is_timely { Ok(5) } else { Err(TimedOut) };
        assert_eq!(poll(timeout.as_mut(), &waker), Poll::Ready(outcome));
        assert_eq!((clock.armed(), Rc::strong_count(&held)), (0, 1), "{outcome:?}");
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 1, "it keeps no waker");
    }
}
