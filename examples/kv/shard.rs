//! What a shard owns: its keys, its counters, and the tasks that expire keys and free values.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use miniss_linux::time::sleep;
use miniss_linux::{Driver, ShardId, spawn, yield_now};

use crate::budget::Budget;
use crate::command::Facts;
use crate::command::info::Flow;
use crate::limits::Limits;
use crate::store::Store;
use crate::store::garbage::Garbage;

/// Time between two looks for keys whose time has come.
const EXPIRE_EVERY: Duration = Duration::from_millis(100);
/// Keys that are expired between two other tasks.
const EXPIRE_AT_ONCE: usize = 256;

thread_local! {
    /// The keys of this shard; a shard is a thread.
    static STORE: RefCell<Store> =
        RefCell::new(Store::new(ShardId::current().index(), shards()));
    static IS_EXPIRING: Cell<bool> = const { Cell::new(false) };
    static IS_FREEING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` with the keys of this shard. If that leaves keys with a deadline, a task looks after
/// them until there are none; another one frees large values that were removed.
pub fn with_store<T>(f: impl FnOnce(&mut Store) -> T) -> T {
    STORE.with_borrow_mut(|store| {
        let result = f(store);
        if store.deadlines() > 0 && !IS_EXPIRING.replace(true) {
            spawn(expire()).detach();
        }
        if !store.garbage().is_empty() && !IS_FREEING.replace(true) {
            spawn(free()).detach();
        }
        result
    })
}

async fn free() {
    while STORE.with_borrow_mut(|store| store.garbage().step()) {
        yield_now().await;
    }
    IS_FREEING.set(false);
}

async fn expire() {
    while STORE.with_borrow(|store| store.deadlines() > 0) {
        sleep(EXPIRE_EVERY).await;
        while with_store(|store| store.expire_due(now_ms(), EXPIRE_AT_ONCE)) == EXPIRE_AT_ONCE {
            yield_now().await;
        }
    }
    IS_EXPIRING.set(false);
}

/// Calls `f` with what is to be freed on this shard.
pub fn with_garbage(f: impl FnOnce(&mut Garbage)) {
    with_store(|store| f(store.garbage()));
}

/// The time, in milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// What all shards may read and each writes its own part of.
struct Server {
    driver: Driver,
    port: u16,
    start: Instant,
    limits: Limits,
    /// What the connections of each shard may hold together.
    budgets: Box<[Arc<Budget>]>,
    counters: Box<[Counters]>,
    connections: AtomicU64,
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// To be called once, before the first connection.
pub fn set_up(shards: usize, driver: Driver, port: u16, limits: Limits) {
    let counters = (0..shards).map(|_| Counters::default()).collect();
    let connections = AtomicU64::new(0);
    let budget = |_| Arc::new(Budget::new(limits.shard_bytes, None));
    let budgets = (0..shards).map(budget).collect();
    let start = Instant::now();
    SERVER.get_or_init(|| Server { driver, port, start, limits, budgets, counters, connections });
}

fn server() -> &'static Server {
    SERVER.get().expect("set up before the first connection")
}

/// How many shards there are.
pub fn shards() -> usize {
    server().counters.len()
}

/// The limits for connections.
pub fn limits() -> &'static Limits {
    &server().limits
}

/// What the connections of this shard may hold together.
pub fn shard_budget() -> Arc<Budget> {
    server().budgets[ShardId::current().index()].clone()
}

/// A number that no other connection has.
pub fn next_connection() -> u64 {
    server().connections.fetch_add(1, Relaxed) + 1
}

/// What one shard counts; no one else writes to its line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    clients: AtomicU64,
    commands: Rate,
    input_bytes: Rate,
    output_bytes: Rate,
    /// The second, since the epoch, that the rates count.
    second: AtomicU64,
}

/// How much there was: ever, and lately.
#[derive(Debug, Default)]
struct Rate {
    total: AtomicU64,
    /// What `total` was when the second began.
    before: AtomicU64,
    /// How much there was in the second before.
    last: AtomicU64,
}

impl Counters {
    /// Those of this shard.
    pub fn here() -> &'static Self {
        &server().counters[ShardId::current().index()]
    }

    /// A connection was opened.
    pub fn opened(&self) {
        self.clients.store(self.clients.load(Relaxed) + 1, Relaxed);
    }

    /// A connection was closed.
    pub fn closed(&self) {
        self.clients.store(self.clients.load(Relaxed) - 1, Relaxed);
    }

    /// Requests were handled.
    pub fn handled(&self, requests: u64, now_ms: u64) {
        let (now, second) = (now_ms / 1000, self.second.load(Relaxed));
        if now != second {
            self.second.store(now, Relaxed);
            self.rates().into_iter().for_each(|rate| rate.begin_second(now == second + 1));
        }
        self.commands.add(requests);
    }

    /// `bytes` were received.
    pub fn received(&self, bytes: usize) {
        self.input_bytes.add(bytes as u64);
    }

    /// `bytes` were sent.
    pub fn sent(&self, bytes: usize) {
        self.output_bytes.add(bytes as u64);
    }

    fn rates(&self) -> [&Rate; 3] {
        [&self.commands, &self.input_bytes, &self.output_bytes]
    }

    /// How much of something there was, and how much in the second before `now_ms`.
    fn flow(&self, rate: &Rate, now_ms: u64) -> Flow {
        let total = rate.total.load(Relaxed);
        let this = total.saturating_sub(rate.before.load(Relaxed));
        let (last, left_ms) = (rate.last.load(Relaxed), 1000 - now_ms % 1000);
        let per_second = match (now_ms / 1000).saturating_sub(self.second.load(Relaxed)) {
            0 => this + last * left_ms / 1000,
            1 => this * left_ms / 1000,
            _ => 0,
        };
        Flow { total, per_second }
    }
}

impl Rate {
    fn add(&self, more: u64) {
        self.total.store(self.total.load(Relaxed) + more, Relaxed);
    }

    fn begin_second(&self, is_next: bool) {
        let total = self.total.load(Relaxed);
        let this = total - self.before.load(Relaxed);
        self.last.store(if is_next { this } else { 0 }, Relaxed);
        self.before.store(total, Relaxed);
    }
}

/// Logs a warning, unless there was one within the last minute: clients can cause many.
pub fn warn_seldom(text: &str) {
    const SILENCE_MS: u64 = 60_000;
    static LAST_MS: AtomicU64 = AtomicU64::new(0);
    let now_ms = now_ms();
    let is_time = |last_ms: u64| (now_ms.abs_diff(last_ms) >= SILENCE_MS).then_some(now_ms);
    // Relaxed: nothing else is told by it.
    if LAST_MS.fetch_update(Relaxed, Relaxed, is_time).is_ok() {
        log::warn!("{text}");
    }
}

/// What the server knows of itself.
pub fn facts() -> Facts {
    let (server, now_ms) = (server(), now_ms());
    let flow = |of: fn(&Counters) -> &Rate| {
        let flows = server.counters.iter().map(|counters| counters.flow(of(counters), now_ms));
        flows.fold(Flow::default(), |sum, flow| Flow {
            total: sum.total + flow.total,
            per_second: sum.per_second + flow.per_second,
        })
    };
    Facts {
        multiplexing_api: match server.driver {
            Driver::Epoll => "epoll",
            Driver::Auto | Driver::IoUring => "io_uring",
        },
        tcp_port: server.port,
        process_id: std::process::id(),
        uptime: server.start.elapsed(),
        now: Duration::from_millis(now_ms),
        shards: shards(),
        timeout_s: server.limits.timeout.map_or(0, |timeout| timeout.as_secs()),
        keepalive_s: server.limits.keepalive.map_or(0, |time| time.as_secs()),
        request_bytes_max: server.limits.request_bytes_max(),
        clients: server.counters.iter().map(|counters| counters.clients.load(Relaxed)).sum(),
        connections: server.connections.load(Relaxed),
        commands: flow(|counters| &counters.commands),
        input_bytes: flow(|counters| &counters.input_bytes),
        output_bytes: flow(|counters| &counters.output_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_tell_what_there_was_in_the_last_second() {
        let counters = Counters::default();
        let per_second = |now_ms| counters.flow(&counters.commands, now_ms).per_second;
        counters.handled(100, 50_000);
        assert_eq!((per_second(50_000), per_second(50_999)), (100, 100));
        assert_eq!((per_second(51_000), per_second(51_500)), (100, 50));
        counters.handled(30, 51_500);
        assert_eq!((per_second(51_500), per_second(51_900)), (80, 40));
        assert_eq!((per_second(52_000), per_second(53_000)), (30, 0));
        counters.handled(7, 60_000);
        assert_eq!((per_second(60_000), counters.flow(&counters.commands, 0).total), (7, 137));
    }
}
