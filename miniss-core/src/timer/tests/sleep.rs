//! Sleeping, polled by hand.

use std::boxed::Box;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::vec::Vec;

use super::*;

over_each_queue! {
    it_is_armed_by_the_first_poll_and_disarmed_by_drop
    a_duration_counts_from_creation
    zero_and_past_take_one_turn
    the_longest_duration_is_never
    the_last_waker_is_woken
    reset_moves_a_waiting_task
    reset_makes_an_elapsed_one_wait_again
    a_waker_may_drop_another_sleep_that_is_due
    the_end_of_the_executor_is_told_to_those_who_wait
}

const MS: Duration = Duration::from_millis(1);

/// A sleep in a place from which a waker may take it.
type Kept<Q> = Cell<Option<Pin<Box<Sleep<&'static ManualClock<Q>>>>>>;

fn ready<K: Timers>(sleep: &mut Pin<&mut Sleep<K>>) -> bool {
    poll(sleep.as_mut(), Waker::noop()).is_ready()
}

fn it_is_armed_by_the_first_poll_and_disarmed_by_drop<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut sleep = Box::pin(Sleep::new(clock, MS));
    assert_eq!(clock.armed(), 0);
    assert!(poll(sleep.as_mut(), Waker::noop()).is_pending());
    assert!(poll(sleep.as_mut(), Waker::noop()).is_pending());
    assert_eq!(clock.armed(), 1);
    drop(sleep);
    assert_eq!(clock.armed(), 0);
    assert_eq!(clock.advance(MS), 0);
}

fn a_duration_counts_from_creation<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut sleep = pin!(Sleep::new(clock, 3 * MS));
    clock.advance(2 * MS);
    assert!(!ready(&mut sleep));
    clock.advance(MS);
    assert!(ready(&mut sleep));
}

fn zero_and_past_take_one_turn<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    clock.advance(MS);
    for deadline in [Instant::ZERO, clock.now()] {
        let mut sleep = pin!(Sleep::until(clock, deadline));
        assert!(!ready(&mut sleep));
        assert_eq!(clock.advance(Duration::ZERO), 1);
        assert!(ready(&mut sleep));
        assert!(ready(&mut sleep), "and stays ready");
    }
}

fn the_longest_duration_is_never<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    clock.advance(MS);
    let mut sleep = pin!(Sleep::new(clock, Duration::MAX));
    assert!(!ready(&mut sleep));
    assert_eq!(clock.next_deadline(), None);
    clock.advance(Duration::MAX);
    assert!(!ready(&mut sleep));
}

fn the_last_waker_is_woken<Q: HasTimers>() {
    let (clock, log) = (leaked_clock::<Q>(), Log::default());
    let mut sleep = pin!(Sleep::new(clock, MS));
    assert!(poll(sleep.as_mut(), &log.waker(1)).is_pending());
    assert!(poll(sleep.as_mut(), &log.waker(2)).is_pending());
    clock.advance(MS);
    assert_eq!(log.take(), [2]);
}

fn reset_moves_a_waiting_task<Q: HasTimers>() {
    let (clock, log) = (leaked_clock::<Q>(), Log::default());
    let mut sleep = pin!(Sleep::new(clock, MS));
    sleep.as_mut().reset(clock.now() + 2 * MS);
    assert_eq!(clock.armed(), 0, "no one waits yet");
    assert!(poll(sleep.as_mut(), &log.waker(1)).is_pending());
    sleep.as_mut().reset(Instant::MAX);
    assert_eq!(clock.armed(), 0);
    sleep.as_mut().reset(clock.now() + 5 * MS);
    assert_eq!(clock.advance(4 * MS), 0);
    assert_eq!(clock.advance(MS), 1);
    assert_eq!(log.take(), [1]);
    assert!(ready(&mut sleep));
}

fn reset_makes_an_elapsed_one_wait_again<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut sleep = pin!(Sleep::new(clock, MS));
    assert!(!ready(&mut sleep));
    clock.advance(MS);
    assert!(sleep.is_elapsed());
    sleep.as_mut().reset(clock.now() + MS);
    assert!(!sleep.is_elapsed() && !ready(&mut sleep));
    clock.advance(MS);
    assert!(ready(&mut sleep));
}

fn a_waker_may_drop_another_sleep_that_is_due<Q: HasTimers>() {
    let clock = leaked_clock::<Q>();
    let mut other = Some(Box::pin(Sleep::new(clock, MS)));
    let mut first = Box::pin(Sleep::new(clock, MS));
    let slot = crate::kept::forever(Cell::new(None));
    let slot: &'static Kept<Q> = slot;
    assert!(poll(first.as_mut(), &calling(move || drop(slot.take()))).is_pending());
    let waker = calling(|| panic!("woken after it was dropped"));
    assert!(poll(other.as_mut().unwrap().as_mut(), &waker).is_pending());
    slot.set(other);
    assert_eq!(clock.advance(MS), 1);
    assert_eq!(clock.armed(), 0);
}

fn the_end_of_the_executor_is_told_to_those_who_wait<Q: HasTimers>() {
    let (clock, log) = (leaked_clock::<Q>(), Log::default());
    let mut done = pin!(Sleep::new(clock, MS));
    let mut late = pin!(Sleep::new(clock, 2 * MS));
    assert!(poll(done.as_mut(), &log.waker(0)).is_pending());
    assert!(poll(late.as_mut(), &log.waker(1)).is_pending());
    clock.advance(MS);
    clock.stop();
    assert_eq!(log.take(), [0, 1]);
    assert!(ready(&mut done), "what had fired stays so");
    let polled = catch_unwind(AssertUnwindSafe(|| ready(&mut late)));
    let message = polled.unwrap_err().downcast::<std::string::String>().unwrap();
    assert!(message.contains("executor has ended"), "{message}");
}

/// A waker whose clone advances the clock by 1 ms.
fn advances_when_cloned(clock: &'static ManualClock) -> Waker {
    // SAFETY: called through the vtable alone, with the clock that the waker was made from.
    unsafe fn clone(clock: *const ()) -> RawWaker {
        // SAFETY: it was made from `clock`, which lives forever, on this thread.
        unsafe { &*clock.cast::<ManualClock>() }.advance(MS);
        RawWaker::new(clock, &VTABLE)
    }
    unsafe fn nothing(_: *const ()) {}
    const VTABLE: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);
    // SAFETY: it stays on this thread, and its functions need nothing else.
    unsafe { Waker::from_raw(RawWaker::new(core::ptr::from_ref(clock).cast(), &VTABLE)) }
}

#[test]
fn a_deadline_that_passes_while_the_waker_is_cloned_is_seen() {
    let clock = leaked_clock::<Wheel>();
    let mut sleep = pin!(Sleep::new(clock, MS));
    assert!(!ready(&mut sleep));
    assert!(poll(sleep.as_mut(), &advances_when_cloned(clock)).is_ready());
}

/// Compiles only while `Sleep` is neither `Send` nor `Unpin`: otherwise two impls would answer.
#[test]
fn it_stays_on_its_thread_and_where_it_is() {
    trait Unless<A> {
        fn ok() {}
    }
    impl<T: ?Sized> Unless<()> for T {}
    #[allow(dead_code)]
    struct IfSend;
    impl<T: ?Sized + Send> Unless<IfSend> for T {}
    #[allow(dead_code)]
    struct IfUnpin;
    impl<T: ?Sized + Unpin> Unless<IfUnpin> for T {}
    <Sleep<&'static ManualClock> as Unless<_>>::ok();
}

#[test]
#[cfg(target_pointer_width = "64")]
fn sizes_stay_what_they_are() {
    assert_eq!(size_of::<Sleep<&'static ManualClock>>(), 56 + 8 + size_of::<usize>());
}

/// As requests with timeouts do: nearly all of them are answered in time.
#[test]
fn of_a_million_sleeps_the_one_in_a_hundred_that_is_not_cancelled_fires_in_order() {
    const SLEEPS: u64 = if cfg!(miri) { 2_000 } else { 1_000_000 };
    let clock = leaked_clock::<Wheel>();
    // Deadlines all over an hour, in no order: multiples of a number prime to their count.
    let deadline = |index: u64| Instant::from_nanos((index * 7_919 % SLEEPS + 1) * 3_600_000);
    let mut sleeps: Vec<_> =
        (0..SLEEPS).map(|index| Box::pin(Sleep::until(clock, deadline(index)))).collect();
    for sleep in &mut sleeps {
        assert!(poll(sleep.as_mut(), Waker::noop()).is_pending());
    }
    assert_eq!(clock.armed() as u64, SLEEPS);
    let mut index = 0;
    sleeps.retain(|_| {
        index += 1;
        index % 100 == 0
    });
    assert_eq!(clock.armed() as u64, SLEEPS / 100);
    sleeps.sort_by_key(|sleep| sleep.deadline());
    for mut sleep in sleeps {
        let due = sleep.deadline();
        assert!(clock.next_deadline().is_some_and(|next| next <= due), "it would oversleep");
        assert_eq!(clock.advance(due - clock.now() - Duration::from_nanos(1)), 0, "never early");
        assert_eq!(clock.advance(Duration::from_nanos(1)), 1);
        assert!(poll(sleep.as_mut(), Waker::noop()).is_ready());
    }
    assert_eq!(clock.armed(), 0);
}
