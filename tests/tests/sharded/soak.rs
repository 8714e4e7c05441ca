//! All tools at once, by chance, among more shards than CPUs: with drops, aborts and panics.
//! Scenarios S1, S4, S6.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use miniss_linux::sharded::{
    Foreign, Service, ServiceGroup, Sharded, ShardedRef, invoke_on_all, random_below,
};
use miniss_linux::time::timeout;
use miniss_linux::{CallError, JoinHandle, Runtime, ShardId, spawn, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::SOON;
use miniss_tests::random::Random;

use super::{Count, soon, until};

const SHARDS: usize = 6;
/// Of each shard.
const CALLS: usize = 4_000;
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

/// The calls of one shard, some of which are aborted.
async fn calls(parts: ShardedRef<Part>, balance: Balance) {
    let mut under_way: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..CALLS {
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
        let before = Census::take();
        let builder = Runtime::builder().shards(SHARDS).random_seed(seed).shutdown_timeout(SOON);
        let (runtime, balance) = (builder.build().unwrap(), Balance::default());
        runtime.block_on(async {
            let made = balance.clone();
            let make = async move |(), siblings| {
                let (home, _one) = (Rc::new(ShardId::current()), made.one());
                Part { home, inside: Cell::new(0), siblings, balance: made, _one }
            };
            let parts = Sharded::start(|_| (), make).await.unwrap();
            let (service, to_all) = (*parts, balance.clone());
            let all = invoke_on_all(async move || calls(service, to_all).await);
            all.await.unwrap();
            soon(parts.stop()).await.unwrap();
            // Outputs of calls that were given up may still be on their way.
            until(|| balance.is_even()).await;
        });
        drop(runtime);
        assert!(balance.is_even() && balance.made.value() > SHARDS * CALLS);
        before.assert_back();
    });
}
