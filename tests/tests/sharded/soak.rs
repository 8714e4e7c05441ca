//! All tools at once, by chance, among more shards than CPUs, on each driver: with drops, aborts
//! and panics. Scenarios S1, S4, S6.
//!
//! `MINISS_CALLS` says how many calls there are on each driver, if they are to be more.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use miniss_linux::sharded::{
    Foreign, Service, ServiceGroup, Sharded, ShardedRef, invoke_on_all, invoke_on_others,
    random_below,
};
use miniss_linux::time::timeout;
use miniss_linux::{
    CallError, Driver, JoinHandle, Runtime, ShardId, driver_stats, spawn, stats, yield_now,
};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, counted, resident_bytes};
use miniss_tests::deadline::SOON;
use miniss_tests::drivers::drivers;
use miniss_tests::random::Random;

use super::{Count, soon, until};

const SHARDS: usize = 6;
/// Of all shards together.
const CALLS: usize = 24_000;
/// What the memory of the process may grow by between the first calls and the last: what is under
/// way differs with their chances.
const GROWTH_MAX: u64 = 32 << 20;
/// Calls that a shard has under way at a time.
const UNDER_WAY: usize = 32;

static OUTER: ServiceGroup = ServiceGroup::new("outer", 1, 20);
static INNER: ServiceGroup =
    ServiceGroup::new("inner", 2, 10).queue_timeout(Duration::from_millis(20));

/// What there is of something, on all shards together: made and dropped.
#[derive(Clone, Default)]
struct Balance {
    made: Count,
    dropped: Count,
}

impl Balance {
    fn one(&self) -> One {
        self.made.add();
        One(self.clone())
    }

    fn is_even(&self) -> bool {
        self.made.value() == self.dropped.value()
    }
}

struct One(Balance);

impl Drop for One {
    fn drop(&mut self) {
        self.0.dropped.add();
    }
}

/// Not `Send`.
struct Part {
    home: Rc<ShardId>,
    inside: Cell<usize>,
    siblings: ShardedRef<Self>,
    balance: Balance,
    _one: One,
}

impl Service for Part {
    async fn stop(&self) {
        assert_eq!(*self.home, ShardId::current());
        assert_eq!(self.inside.get(), 0, "it is stopped when no call is in it any more");
    }
}

impl Part {
    /// Some work, which may panic, wait, and call a sibling.
    async fn work(&self, chance: u64) -> One {
        assert_eq!(*self.home, ShardId::current());
        let output = self.balance.one();
        self.inside.set(self.inside.get() + 1);
        let inside = Inside(&self.inside);
        match chance % 8 {
            0 => panic!("as planned"),
            1 | 2 => yield_now().await,
            3 => {
                let next = (self.home.index() + 1) % SHARDS;
                drop(self.siblings.invoke_on(next, async |part| part.balance.one()).await);
            }
            4 => {
                let next = (self.home.index() + 2) % SHARDS;
                let work = async |part: &Self| part.balance.one();
                drop(INNER.invoke_on(self.siblings, next, work).await);
            }
            _ => {}
        }
        drop(inside);
        output
    }
}

struct Inside<'a>(&'a Cell<usize>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// One call, of any kind, which may be given up.
async fn call(parts: ShardedRef<Part>, balance: Balance) {
    let (shard, chance) = (random_below(SHARDS as u64) as usize, random_below(1 << 32));
    let work = async move |part: &Part| part.work(chance).await;
    let patience = match random_below(4) {
        0 => Duration::from_micros(random_below(200)),
        _ => SOON,
    };
    let outcome = match random_below(8) {
        0 => timeout(patience, parts.invoke_on_all(work)).await.map(|all| all.map(drop)),
        1 => timeout(patience, parts.map(|part| part.balance.one())).await.map(|all| all.map(drop)),
        2 | 3 => {
            timeout(patience, OUTER.invoke_on(parts, shard, work)).await.map(|one| one.map(drop))
        }
        4 => {
            let foreign = Foreign::new(RefCell::new(balance.one()));
            let again = foreign.invoke(async |one: &RefCell<One>| one.borrow().0.one());
            drop(timeout(patience, again).await);
            if chance % 2 == 0 { timeout(patience, foreign.destroy()).await } else { Ok(Ok(())) }
        }
        _ => timeout(patience, parts.invoke_on(shard, work)).await.map(|one| one.map(drop)),
    };
    match outcome {
        Err(_) | Ok(Ok(()) | Err(CallError::Panicked(_) | CallError::QueueTimedOut(_))) => {}
        Ok(Err(error)) => panic!("{error}"),
    }
}

/// So many calls of one shard, some of which are aborted.
async fn calls(count: usize, parts: ShardedRef<Part>, balance: Balance) {
    let mut under_way: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..count {
        if under_way.len() == UNDER_WAY {
            let task = under_way.swap_remove(random_below(UNDER_WAY as u64) as usize);
            if random_below(10) == 0 {
                task.abort();
            }
            if let Err(error) = soon(task).await {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        under_way.push(spawn(call(parts, balance.clone())));
    }
    for task in under_way {
        soon(task).await.unwrap();
    }
}

#[test]
fn s1_s4_s6_whatever_becomes_of_calls_nothing_is_left_of_them() {
    alone("soak::s1_s4_s6_whatever_becomes_of_calls_nothing_is_left_of_them", || {
        // Thousands of them.
        std::panic::set_hook(Box::new(|panic| {
            if panic.payload_as_str() != Some("as planned") {
                eprintln!("{panic}");
            }
        }));
        let seed = Random::new().number();
        let set = std::env::var("MINISS_CALLS").ok().map(|calls| calls.parse().unwrap());
        let calls = set.unwrap_or(CALLS) / SHARDS;
        // Once before: the process keeps the memory of tasks, and so does the allocator.
        drivers().into_iter().for_each(|driver| soak(driver, seed, calls.min(CALLS / SHARDS)));
        let memory = resident_bytes();
        for driver in drivers() {
            Census::around(|| soak(driver, seed, calls));
        }
        let grown = resident_bytes().saturating_sub(memory);
        assert!(grown < GROWTH_MAX, "{grown} bytes more than after the first calls");
    });
}

/// The calls of all shards on a runtime of its own, of which nothing is left.
fn soak(driver: Driver, seed: u64, calls_of_each: usize) {
    let start = Instant::now();
    let builder = Runtime::builder().shards(SHARDS).driver(driver).random_seed(seed);
    let runtime = builder.shutdown_timeout(SOON).build().unwrap();
    let balance = Balance::default();
    runtime.block_on(counted(async {
        let made = balance.clone();
        let make = async move |(), siblings| {
            let (home, _one) = (Rc::new(ShardId::current()), made.one());
            Part { home, inside: Cell::new(0), siblings, balance: made, _one }
        };
        let parts = Sharded::start(|_| (), make).await.unwrap();
        let (service, to_all) = (*parts, balance.clone());
        let work = async move || calls(calls_of_each, service, to_all).await;
        let all = invoke_on_all(work);
        all.await.unwrap();
        soon(parts.stop()).await.unwrap();
        // Outputs of calls that were given up may still be on their way.
        until(|| balance.is_even()).await;
        // No task waits any more, and no operation is left in flight, on any shard.
        let held = async || (stats().tasks_live, stats().timers_armed, driver_stats().in_flight);
        let rests = async || {
            let held = invoke_on_others(held).await.unwrap();
            held.iter().all(|one| *one == held[0] && one.1 == 0)
        };
        while !soon(rests()).await {
            yield_now().await;
        }
    }));
    drop(runtime);
    let made = balance.made.value();
    assert!(balance.is_even() && made > SHARDS * calls_of_each);
    println!("{driver:?}: {} calls, {made} values, {:?}", SHARDS * calls_of_each, start.elapsed());
}
