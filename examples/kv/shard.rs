//! What a shard owns: its keys, its counters, and the tasks that expire keys and free values.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use miniss_linux::time::sleep;
use miniss_linux::{ShardId, spawn, yield_now};

use crate::budget::Budget;
use crate::command::Facts;
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
pub fn set_up(shards: usize, port: u16, limits: Limits) {
    let counters = (0..shards).map(|_| Counters::default()).collect();
    let connections = AtomicU64::new(0);
    let budget = |_| Arc::new(Budget::new(limits.shard_bytes, None));
    let budgets = (0..shards).map(budget).collect();
    let start = Instant::now();
    SERVER.get_or_init(|| Server { port, start, limits, budgets, counters, connections });
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

/// What one shard counts; nobody else writes to its line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    clients: AtomicU64,
    commands: AtomicU64,
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
    pub fn handled(&self, requests: u64) {
        self.commands.store(self.commands.load(Relaxed) + requests, Relaxed);
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
    let server = server();
    let sum = |of: fn(&Counters) -> &AtomicU64| {
        server.counters.iter().map(|counters| of(counters).load(Relaxed)).sum()
    };
    Facts {
        tcp_port: server.port,
        process_id: std::process::id(),
        uptime_s: server.start.elapsed().as_secs(),
        clients: sum(|counters| &counters.clients),
        connections: server.connections.load(Relaxed),
        commands: sum(|counters| &counters.commands),
    }
}
