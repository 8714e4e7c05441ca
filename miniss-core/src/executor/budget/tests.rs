//! Tests of budget and pace.

use super::*;

const TIME_MAX_NS: u64 = 500_000;

/// An executor's turns, whose clock goes on with each poll and counts the looks at it.
struct Turns {
    budget: Budget,
    stride: Stride,
    polls: u64,
    now_ns: Cell<u64>,
    looks: Cell<u64>,
    /// What the reactor takes for each of its turns.
    reactor_ns: u64,
}

impl Turns {
    fn new(polls_max: u32) -> Self {
        let time_max = Duration::from_nanos(TIME_MAX_NS);
        let turns = Self {
            budget: Budget { polls_max, time_max },
            stride: Stride::begun(),
            polls: 0,
            now_ns: Cell::new(1),
            looks: Cell::new(0),
            reactor_ns: 0,
        };
        turns.stride.set_time_max(time_max);
        turns
    }

    /// One turn with `ready` polls of `poll_ns` each at most; how long it took.
    fn turn(&mut self, ready: u64, poll_ns: u64) -> u64 {
        let (start_ns, end) = (self.now_ns.get(), self.polls + ready);
        let mut spending = self.budget.start();
        let now = || {
            self.looks.set(self.looks.get() + 1);
            Instant::from_nanos(self.now_ns.get())
        };
        while self.polls < end {
            let polls = u64::from(spending.pay(&self.stride, self.polls, now));
            if polls == 0 {
                break;
            }
            let polls = polls.min(end - self.polls);
            self.polls += polls;
            self.now_ns.set(self.now_ns.get() + polls * poll_ns);
        }
        self.stride.end_turn(self.polls, now);
        let took_ns = self.now_ns.get() - start_ns;
        self.now_ns.set(self.now_ns.get() + self.reactor_ns);
        took_ns
    }

    /// Turns that are quick, until the executor knows it.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.turn(10, 100);
        }
        self.looks.set(0);
    }
}

#[test]
fn a_turn_has_as_many_quick_polls_as_it_may_and_one_at_least() {
    for polls_max in [0, 1, 31, 32, 100, 1_000] {
        let mut turns = Turns::new(polls_max);
        turns.turn(10_000, 1);
        assert_eq!(turns.polls, u64::from(polls_max.max(1)));
    }
}

#[test]
fn quick_polls_cost_a_look_in_32_however_short_the_turns_are() {
    for ready in [1, 5, 32, 100, 256] {
        let mut turns = Turns::new(256);
        turns.settle();
        let before = turns.polls;
        for _ in 0..1_000 {
            turns.turn(ready, 100);
        }
        let looks = turns.looks.get();
        assert!(looks <= (turns.polls - before) / 32 + 1, "{looks} looks");
    }
}

#[test]
fn a_poll_that_serves_others_looks_at_the_clock_as_seldom() {
    let time_max = Duration::from_nanos(TIME_MAX_NS);
    let (stride, now_ns, looks) = (Stride::begun(), Cell::new(1), Cell::new(0));
    let look = || {
        looks.set(looks.get() + 1);
        Instant::from_nanos(now_ns.get())
    };
    let serve = |count: u32| {
        let mut allowance = Allowance::new(Budget { polls_max: 256, time_max }, &stride, look);
        for _ in 0..count {
            assert!(allowance.is_left());
            now_ns.set(now_ns.get() + 100);
            allowance.spend();
        }
    };
    serve(256);
    looks.set(0);
    (0..1_000).for_each(|_| serve(20));
    assert_eq!(looks.get(), 0, "less than a stride in each poll");
    serve(256);
    assert!(looks.get() <= 256 / 32, "{} looks", looks.get());
}

#[test]
fn time_ends_a_turn_of_slow_polls_from_the_first_turn_on() {
    for poll_ns in [16_000, 100_000, TIME_MAX_NS, 10 * TIME_MAX_NS] {
        for ready in [1, 3, 30, 32, 33, 1_000] {
            let mut turns = Turns::new(10_000);
            for _ in 0..100 {
                let took_ns = turns.turn(ready, poll_ns);
                assert!(took_ns <= 2 * TIME_MAX_NS + poll_ns, "{ready} polls: {took_ns} ns");
            }
        }
    }
}

#[test]
fn polls_that_become_slow_are_noticed_within_a_stride_and_so_are_quick_ones() {
    for ready in [5, 30, 100] {
        let mut turns = Turns::new(10_000);
        for _ in 0..10 {
            turns.settle();
            let slow = turns.polls;
            while turns.looks.get() == 0 {
                turns.turn(ready, TIME_MAX_NS);
            }
            assert!(turns.polls - slow <= 32 + 1);
            for _ in 0..100 {
                assert!(turns.turn(ready, TIME_MAX_NS) <= 2 * TIME_MAX_NS);
            }
        }
        turns.settle();
        turns.turn(20, 100);
        assert!(turns.looks.get() <= 1, "quick again");
    }
}

#[test]
fn a_poll_has_fewer_units_while_single_polls_take_long_and_then_only() {
    let mut turns = Turns::new(10_000);
    for (poll_ns, units) in [(TIME_MAX_NS, 1), (TIME_MAX_NS / 10, UNITS)] {
        (0..20).for_each(|_| _ = turns.turn(3, poll_ns));
        assert_eq!(turns.stride.units(), units, "polls of {poll_ns} ns");
    }
    turns.reactor_ns = 10 * TIME_MAX_NS;
    for ready in [1, 40] {
        (0..100).for_each(|_| _ = turns.turn(ready, 100));
        assert_eq!(turns.stride.units(), UNITS, "a slow reactor is none of their doing");
    }
}

#[test]
fn without_a_limit_the_clock_is_not_looked_at() {
    let mut turns = Turns::new(10_000);
    turns.budget.time_max = Duration::ZERO;
    turns.stride.set_time_max(Duration::ZERO);
    turns.turn(1_000, 10 * TIME_MAX_NS);
    assert_eq!((turns.polls, turns.looks.get()), (1_000, 0));
}

#[test]
fn the_longest_time_is_no_limit_either() {
    let mut turns = Turns::new(u32::MAX);
    turns.budget.time_max = Duration::MAX;
    turns.stride.set_time_max(Duration::MAX);
    turns.turn(100_000, 1_000_000_000);
    assert_eq!(turns.polls, 100_000);
}

fn at(micros: u64) -> impl FnOnce() -> Instant {
    move || Instant::from_nanos(micros * 1_000)
}

/// The pace of an executor, with what it knows of its turns.
struct Paced(Pace, Stride);

impl Paced {
    fn new(time_max: Duration) -> Self {
        let stride = Stride::begun();
        stride.set_time_max(time_max);
        assert_eq!(Duration::from_nanos(stride.time_max_ns()), time_max);
        Self(Pace::new(), stride)
    }

    fn is_spent(&self, poll: u64, now: impl FnOnce() -> Instant) -> bool {
        self.0.is_spent(poll, &self.1, now)
    }
}

fn pace() -> Paced {
    Paced::new(Duration::from_nanos(TIME_MAX_NS))
}

#[test]
fn time_counts_from_the_first_question_of_a_poll() {
    let pace = pace();
    assert!(!pace.is_spent(1, at(10_000)));
    assert!(!pace.is_spent(1, at(10_499)));
    assert!(!pace.is_spent(2, at(10_500)), "another poll");
    assert!(pace.is_spent(2, at(11_000)));
    assert!(pace.is_spent(2, at(11_001)), "until the poll has ended");
    assert!(!pace.is_spent(3, at(11_002)));
}

/// Asks after each `gap_ns` until the time is over; how long that took, and how many looks.
fn ask_until_spent(pace: &Paced, poll: u64, mut gap_ns: impl FnMut(u32) -> u64) -> (u64, u32) {
    let (mut now_ns, mut looks) = (7_000, 0);
    for asked in 0.. {
        let look = || {
            looks += 1;
            Instant::from_nanos(now_ns)
        };
        if pace.is_spent(poll, look) {
            break;
        }
        now_ns += gap_ns(asked);
    }
    (now_ns - 7_000, looks)
}

#[test]
fn quick_questions_cost_a_look_in_32_and_slow_ones_more_so_that_time_is_kept() {
    let pace = pace();
    for gap_ns in [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] {
        let (took_ns, looks) = ask_until_spent(&pace, gap_ns, |_| gap_ns);
        assert!(took_ns < TIME_MAX_NS + gap_ns, "{gap_ns} ns: after {took_ns} ns");
        let looks_max = TIME_MAX_NS.div_ceil(32 * gap_ns) as u32 + 10;
        assert!(looks <= looks_max, "{gap_ns} ns: {looks} looks");
    }
}

#[test]
fn questions_that_become_slow_are_late_by_a_stride_at_most() {
    for slow_from in [1, 2, 10, 100, 1_000, 10_000] {
        let gap_ns = |asked| if asked < slow_from { 10 } else { 50_000 };
        let (took_ns, _) = ask_until_spent(&pace(), 1, gap_ns);
        assert!(took_ns <= TIME_MAX_NS + 32 * 50_000, "{slow_from}: {took_ns}");
    }
}

#[test]
fn another_executor_counts_from_its_own_first_question() {
    let pace = pace();
    assert!(!pace.is_spent(1, at(10_000)));
    pace.0.start_again();
    assert!(!pace.is_spent(1, at(20_000)));
}

#[test]
fn without_a_limit_no_one_looks_at_the_clock() {
    let pace = Paced::new(Duration::ZERO);
    assert!(!pace.is_spent(1, || unreachable!("there is no limit")));
}
