//! `[yield_now]`; `maybe_yield` over a clock that goes on by a microsecond at each look, those of
//! the work between two questions included.

use super::*;
use crate::collections::test_waker::{Counter, now, poll_with};
use core::cell::Cell;
use core::pin::pin;

struct Spent(Cell<bool>);

impl TurnBudget for Spent {
    fn need_preempt(&self) -> bool {
        self.0.replace(false)
    }
}

#[test]
fn wakes_itself_once() {
    let (counter, waker) = Counter::new();
    let mut given_way = pin!(yield_now());
    assert!(poll_with(given_way.as_mut(), &waker).is_pending());
    assert_eq!(counter.wakes(), 1);
    assert!(poll_with(given_way.as_mut(), &waker).is_ready());
    assert_eq!(counter.wakes(), 1);
}

#[test]
fn it_gives_way_once_and_only_if_the_budget_is_spent() {
    let budget = Spent(Cell::new(false));
    now(maybe_yield(&budget));
    let (counter, waker) = Counter::new();
    budget.0.set(true);
    let mut given_way = maybe_yield(&budget);
    assert!(poll_with(Pin::new(&mut given_way), &waker).is_pending());
    assert_eq!(counter.wakes(), 1);
    budget.0.set(true);
    assert!(poll_with(Pin::new(&mut given_way), &waker).is_ready(), "once, whatever it finds");
    assert_eq!(counter.wakes(), 1);
}

#[cfg(feature = "alloc")]
mod on_an_executor {
    use super::*;
    use crate::Executor;
    use crate::combine::{repeat, yield_now};
    use crate::doctest::{self, Yield};
    use crate::executor::Budget;
    use crate::timer::Sleep;
    use core::ops::ControlFlow::{Break, Continue};
    use core::time::Duration;
    use std::rc::Rc;
    use std::vec::Vec;

    /// Looks at the clock in the time of a turn.
    const SLICE: u64 = 1_000;

    fn executor() -> Executor<Yield> {
        let mut executor = doctest::executor();
        let time_max = Duration::from_micros(SLICE);
        executor.set_budget(Budget { time_max, ..Budget::default() });
        executor
    }

    #[test]
    fn a_short_loop_is_not_interrupted_and_a_long_one_about_once_a_slice() {
        for (rounds, yields) in [(SLICE / 2, 0..=0), (SLICE * 20, 19..=21)] {
            let mut executor = executor();
            let local = executor.local();
            executor.block_on(async {
                for _ in 0..rounds {
                    let _work = local.now();
                    maybe_yield(local).await;
                }
            });
            let given_way = local.stats().polls - 1;
            assert!(yields.contains(&given_way), "{given_way} of {yields:?}");
        }
    }

    #[test]
    fn a_long_loop_lets_a_ticker_tick() {
        let mut executor = executor();
        let local = executor.local();
        let ticks = Rc::new(Cell::new(0));
        let ticked = ticks.clone();
        let ticker = async move {
            loop {
                Sleep::new(local, Duration::from_micros(2 * SLICE)).await;
                ticked.set(ticked.get() + 1);
            }
        };
        local.spawn(ticker).unwrap().detach();
        executor.block_on(async {
            let start = local.now();
            while local.now() - start < Duration::from_micros(100 * SLICE) {
                maybe_yield(local).await;
            }
        });
        assert!((25..=50).contains(&ticks.get()), "{} of 50 ticks", ticks.get());
    }

    #[test]
    fn those_with_much_to_do_take_turns_one_slice_each() {
        let mut executor = executor();
        let local = executor.local();
        let log = Rc::new(core::cell::RefCell::new(Vec::new()));
        for id in 0..3 {
            let log = log.clone();
            let long = async move {
                for _ in 0..4 {
                    log.borrow_mut().push(id);
                    while !local.need_preempt() {}
                    yield_now().await;
                }
            };
            local.spawn(long).unwrap().detach();
        }
        for turn in 1..=12 {
            executor.turn();
            assert_eq!(local.stats().polls, turn, "a spent slice ends the turn");
        }
        assert_eq!(*log.borrow(), [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_spent_slice_ends_a_turn_that_was_quick_so_far() {
        let mut executor = executor();
        let local = executor.local();
        executor.block_on(async {
            for _ in 0..1_000 {
                yield_now().await;
            }
        });
        let polls = local.stats().polls;
        for _ in 0..3 {
            local.spawn(async move { while !local.need_preempt() {} }).unwrap().detach();
        }
        for turn in 1..=3 {
            executor.turn();
            assert_eq!(local.stats().polls - polls, turn);
        }
    }

    #[test]
    fn work_that_asks_for_itself_does_not_hide_from_its_loop_that_the_time_is_up() {
        let mut executor = executor();
        let local = executor.local();
        let mut slices = 0;
        executor.block_on(repeat(local, async || {
            while !local.need_preempt() {}
            slices += 1;
            if slices == 5 { Break(()) } else { Continue(()) }
        }));
        assert_eq!(local.stats().polls, 5, "it gave way between two of them");
    }

    #[test]
    fn without_a_limit_of_time_it_never_gives_way() {
        let mut executor = executor();
        executor.set_budget(Budget { time_max: Duration::ZERO, ..Budget::default() });
        let local = executor.local();
        executor.block_on(async {
            for _ in 0..10 * SLICE {
                maybe_yield(local).await;
            }
        });
        assert_eq!(local.stats().polls, 1);
    }

    #[test]
    fn once_the_executor_is_gone_it_goes_on() {
        let local = executor().local();
        now(async {
            for _ in 0..10 * SLICE {
                maybe_yield(local).await;
            }
        });
    }
}
