//! Intervals, polled by hand.

use std::pin::pin;
use std::task::{Poll, Waker};
use std::vec::Vec;

use super::*;

over_each_queue! {
    the_first_tick_is_at_once_and_the_others_follow
    each_policy_does_with_missed_ticks_what_it_says
    a_cancelled_tick_is_not_lost_and_cannot_starve
    a_period_too_short_to_keep_up_still_takes_turns
    the_longest_period_ticks_once
    at_the_end_of_the_clock_the_next_tick_is_never
}

const MS: Duration = Duration::from_millis(1);

fn ms(count: u32) -> Instant {
    Instant::ZERO + count * MS
}

/// Takes one tick, for which the executor needs one turn.
fn tick<Q: HasTimers>(
    clock: &ManualClock<Q>,
    interval: &mut Interval<&'static ManualClock<Q>>,
) -> Instant {
    let mut tick = pin!(interval.tick());
    assert!(poll(tick.as_mut(), Waker::noop()).is_pending(), "each tick takes a turn");
    assert_eq!(clock.advance(Duration::ZERO), 1);
    match poll(tick, Waker::noop()) {
        Poll::Ready(due) => due,
        Poll::Pending => panic!("not due"),
    }
}

fn the_first_tick_is_at_once_and_the_others_follow<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut interval = Interval::new(clock, 10 * MS);
    assert_eq!(tick(clock, &mut interval), ms(0));
    let mut second = pin!(interval.tick());
    assert!(poll(second.as_mut(), Waker::noop()).is_pending());
    assert_eq!(clock.advance(9 * MS), 0);
    assert_eq!(clock.advance(MS), 1);
    assert_eq!(poll(second, Waker::noop()), Poll::Ready(ms(10)));
}

/// The ticks after the one at 0 when the task comes back at 35 ms, period 10 ms.
fn after_a_long_pause<Q: HasTimers>(missed: MissedTick) -> Vec<Instant> {
    let clock = leaked_clock::<Q>();
    let mut interval = Interval::new(clock, 10 * MS).with_missed_tick(missed);
    tick(clock, &mut interval);
    clock.advance(35 * MS);
    (0..3)
        .map(|_| {
            let ahead = interval.next_tick().saturating_duration_since(clock.now());
            clock.advance(ahead);
            tick(clock, &mut interval)
        })
        .collect()
}

fn each_policy_does_with_missed_ticks_what_it_says<Q: HasTimers>() {
    assert_eq!(after_a_long_pause::<Q>(MissedTick::Burst), [ms(10), ms(20), ms(30)]);
    assert_eq!(after_a_long_pause::<Q>(MissedTick::Delay), [ms(10), ms(45), ms(55)]);
    assert_eq!(after_a_long_pause::<Q>(MissedTick::Skip), [ms(10), ms(40), ms(50)]);
}

fn a_cancelled_tick_is_not_lost_and_cannot_starve<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut interval = Interval::starting_at(clock, ms(5), 10 * MS);
    assert!(poll(pin!(interval.tick()), Waker::noop()).is_pending());
    assert_eq!(clock.armed(), 0);
    clock.advance(6 * MS);
    assert_eq!(poll(pin!(interval.tick()), Waker::noop()), Poll::Ready(ms(5)));
    assert_eq!(interval.next_tick(), ms(15));
}

fn a_period_too_short_to_keep_up_still_takes_turns<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut interval = Interval::new(clock, Duration::from_nanos(1));
    clock.advance(MS);
    for nanos in 0..100 {
        assert_eq!(tick(clock, &mut interval), Instant::from_nanos(nanos));
    }
}

fn the_longest_period_ticks_once<Q: HasTimers>() {
    for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        let clock = leaked_clock::<Q>();
        clock.advance(MS);
        let mut interval = Interval::new(clock, Duration::MAX).with_missed_tick(missed);
        assert_eq!(tick(clock, &mut interval), ms(1));
        for _ in 0..2 {
            assert!(poll(pin!(interval.tick()), Waker::noop()).is_pending());
            assert_eq!(clock.advance(Duration::MAX), 0);
        }
    }
}

#[test]
#[should_panic(expected = "must not be zero")]
fn a_period_of_zero_is_the_callers_error() {
    let _ = Interval::new(leaked_clock::<Wheel>(), Duration::ZERO);
}

fn at_the_end_of_the_clock_the_next_tick_is_never<Q: HasTimers>() {
    for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        let clock = leaked_clock::<Q>();
        clock.advance(Duration::MAX);
        for period in [Duration::from_nanos(1), Duration::MAX] {
            let start = Instant::ZERO;
            let mut interval = Interval::starting_at(clock, start, period).with_missed_tick(missed);
            tick(clock, &mut interval);
            let next = if (missed, period) == (MissedTick::Burst, Duration::from_nanos(1)) {
                start + period
            } else {
                Instant::MAX
            };
            assert_eq!(interval.next_tick(), next, "{missed:?}, {period:?}");
        }
    }
}
