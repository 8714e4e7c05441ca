//! Calls of other cores are served within the budget of a turn, as tasks are.

use core::cell::Cell;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::vec::Vec;

use crate::call::{Endpoint, Mesh};
use crate::combine::yield_now;
use crate::kept::forever;
use crate::time::Instant;
use crate::timer::Wheel;
use crate::{Budget, Clock, Executor, ExecutorCell, Idle, Reactor, Unpark};

/// A clock that is set by hand; no one sleeps in earnest.
struct Unparker(AtomicU64);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {}
}

impl Clock for Unparker {
    type Timers = Wheel;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Relaxed))
    }
}

struct Port;

impl Reactor for Port {
    type Unparker = Unparker;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, _: Option<Instant>, _: Idle<'_>) {}
}

type End = Endpoint<Unparker, 256>;

/// Core 0, whose budget is to be tried, and three others.
struct Net {
    cores: Vec<Executor<Port>>,
    ends: Vec<End>,
}

impl Net {
    fn new(budget: Budget) -> Self {
        let mesh = Arc::new(Mesh::new(4));
        let core = |_| {
            Executor::new(forever(ExecutorCell::new(Unparker(AtomicU64::new(0)))), Port).unwrap()
        };
        let mut cores: Vec<_> = (0..4).map(core).collect();
        let open = |me: usize| Endpoint::open(mesh.clone(), me, cores[me].local()).unwrap();
        let ends = (0..4).map(open).collect();
        cores[0].set_budget(budget);
        cores.iter_mut().for_each(|core| while core.turn() {});
        Self { cores, ends }
    }

    /// Each of the others sends as much work as its lane holds.
    fn send(&self, work: fn(usize)) {
        for (from, end) in self.ends.iter().enumerate().skip(1) {
            (0..256).for_each(|_| drop(end.run_on(0, move || work(from))));
            end.flush();
        }
    }
}

std::thread_local! {
    static RAN: [Cell<u32>; 4] = const { [const { Cell::new(0) }; 4] };
}

fn count(from: usize) {
    RAN.with(|ran| ran[from].set(ran[from].get() + 1));
}

fn ran() -> [u32; 3] {
    RAN.with(|ran| [1, 2, 3].map(|from| ran[from].get()))
}

fn ran_in_all() -> u32 {
    ran().iter().sum()
}

#[test]
fn a_turn_serves_no_more_calls_than_it_has_polls() {
    for polls_max in [1, 7, 100, 256, 1_000] {
        let mut net = Net::new(Budget { polls_max, ..Budget::default() });
        net.send(count);
        let before = ran_in_all();
        while ran_in_all() < before + 3 * 256 {
            let (so_far, here) = (ran_in_all(), &mut net.cores[0]);
            assert!(here.turn() || ran_in_all() == before + 3 * 256, "the rest keeps it awake");
            assert!(ran_in_all() - so_far <= polls_max, "{polls_max} polls in a turn");
        }
    }
}

#[test]
fn tasks_go_on_while_calls_are_served() {
    let mut net = Net::new(Budget { polls_max: 10, ..Budget::default() });
    let turns = std::rc::Rc::new(Cell::new(0_u32));
    let count_turns = turns.clone();
    let task = async move {
        loop {
            count_turns.set(count_turns.get() + 1);
            yield_now().await;
        }
    };
    net.cores[0].local().spawn(task).unwrap().detach();
    net.send(count);
    let before = ran_in_all();
    while ran_in_all() < before + 3 * 256 {
        net.cores[0].turn();
    }
    assert!(turns.get() >= 3 * 256 / 10, "{} polls of a task beside the calls", turns.get());
}

#[test]
fn no_sender_is_kept_waiting_by_another() {
    let mut net = Net::new(Budget { polls_max: 4, ..Budget::default() });
    let before = ran();
    for _ in 0..30 {
        net.send(count);
        net.cores[0].turn();
    }
    let [one, two, three] = [0, 1, 2].map(|from| ran()[from] - before[from]);
    let (least, most) = (one.min(two).min(three), one.max(two).max(three));
    assert!(least > 0 && most <= least + 8, "{one}, {two} and {three} calls were served");
}

#[test]
fn slow_calls_end_a_turn_by_their_time() {
    let budget = Budget { polls_max: u32::MAX, time_max: Duration::from_micros(500) };
    let mut net = Net::new(budget);
    thread_local_clock::set(Some(net.cores[0].local().cell().unparker()));
    net.send(|from| {
        count(from);
        thread_local_clock::advance(Duration::from_micros(100));
    });
    let before = ran_in_all();
    while ran_in_all() < before + 3 * 256 {
        let so_far = ran_in_all();
        net.cores[0].turn();
        assert!(ran_in_all() - so_far <= 6, "{} calls of 100 us", ran_in_all() - so_far);
    }
}

#[test]
fn calls_that_become_slow_end_a_turn_by_their_time_too() {
    let budget = Budget { polls_max: u32::MAX, time_max: Duration::from_micros(500) };
    let mut net = Net::new(budget);
    thread_local_clock::set(Some(net.cores[0].local().cell().unparker()));
    for round in 0..4 {
        net.send(count);
        let before = ran_in_all();
        while ran_in_all() < before + 3 * 256 {
            net.cores[0].turn();
        }
        net.send(|from| {
            count(from);
            thread_local_clock::advance(Duration::from_micros(100));
        });
        let before = ran_in_all();
        let mut most_later = 0;
        while ran_in_all() < before + 3 * 256 {
            let so_far = ran_in_all();
            net.cores[0].turn();
            let served = ran_in_all() - so_far;
            assert!(served <= 64, "{served} calls of 100 us, in round {round}");
            most_later = if so_far == before { 0 } else { served.max(most_later) };
        }
        assert!(most_later <= 6, "{most_later} calls of 100 us once they were known to be slow");
    }
}

/// The clock of the core that serves, for work to set.
mod thread_local_clock {
    use super::*;

    std::thread_local! {
        static CLOCK: Cell<Option<&'static Unparker>> = const { Cell::new(None) };
    }

    pub(super) fn set(clock: Option<&'static Unparker>) {
        CLOCK.set(clock);
    }

    pub(super) fn advance(by: Duration) {
        let clock = CLOCK.get().expect("set before work is served");
        clock.0.fetch_add(by.as_nanos() as u64, Relaxed);
    }
}
