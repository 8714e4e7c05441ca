//! What a shard owns: its keys, its counters, and the tasks that expire keys and free values.
//!
//! `socket ─▶ parser ─▶ route ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! A [`Shard`] is a service: an instance is made on each shard before the first connection comes,
//! connections hold the one of their own shard, batches run on those of others, and each is dropped
//! where it was made when all have stopped.
//!
//! **Commands go first.** Whatever answers clients is in the main scheduling group, and with it the
//! runtime's own tasks, which bring the batches of other shards. Expiry and freeing are in a group
//! of their own, with a [share](BACKGROUND_SHARES) of the time while there are commands, and all
//! that is left when there are none.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use miniss_linux::sharded::{SchedulingGroup, Service, Sharded, ShardedRef};
use miniss_linux::sync::{AbortSource, Aborted};
use miniss_linux::time::sleep;
use miniss_linux::{Driver, ShardId, spawn, yield_now};

use crate::batch::{Batch, REPLY_BYTES_MAX};
use crate::budget::Budget;
use crate::command::Facts;
use crate::command::info::Flow;
use crate::limits::Limits;
use crate::round::Stock;
use crate::stop::Clients;
use crate::store::Store;
use crate::store::garbage::Garbage;

/// Shares of expiry and freeing, beside the 1000 of commands: a fifth of the time. With much less,
/// a busy server would keep what it should have freed.
const BACKGROUND_SHARES: u32 = 250;
/// Time between two looks for keys whose time has come.
const EXPIRE_EVERY: Duration = Duration::from_millis(100);
/// Keys that are expired between two other tasks.
const EXPIRE_AT_ONCE: usize = 256;

/// What one shard owns.
#[derive(Debug)]
pub struct Shard {
    /// The way to all of them, this one too.
    pub siblings: ShardedRef<Self>,
    /// What they have in common.
    pub server: Arc<Server>,
    /// What the connections of this shard may hold together.
    pub budget: Arc<Budget>,
    /// What its rounds use one after the other.
    pub stock: Rc<Stock>,
    /// Who is connected to this shard.
    pub clients: Clients,
    /// Which one this is.
    pub index: usize,
    store: RefCell<Store>,
    background: SchedulingGroup,
    is_expiring: Cell<bool>,
    is_freeing: Cell<bool>,
    stopping: AbortSource,
}

impl Shard {
    /// Makes one on each shard.
    ///
    /// # Errors
    ///
    /// If a shard cannot have it.
    pub async fn start(server: Arc<Server>) -> Result<Sharded<Self>, Box<dyn Error>> {
        let background = SchedulingGroup::create("background", BACKGROUND_SHARES).await?;
        let new = async move |server, siblings| Self::new(server, siblings, background);
        Ok(Sharded::start(|_| server.clone(), new).await?)
    }

    fn new(server: Arc<Server>, siblings: ShardedRef<Self>, background: SchedulingGroup) -> Self {
        let index = ShardId::current().index();
        Self {
            siblings,
            budget: Arc::new(Budget::new(server.limits.shard_bytes(), None)),
            stock: Rc::default(),
            clients: Clients::default(),
            index,
            store: RefCell::new(Store::new(index, server.shards())),
            background,
            is_expiring: Cell::new(false),
            is_freeing: Cell::new(false),
            stopping: AbortSource::new(),
            server,
        }
    }

    /// Calls `f` with the keys of this shard. If that leaves keys with a deadline, a task looks
    /// after them until there are none; another one frees large values that were removed.
    pub fn with_store<T>(&self, f: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.borrow_mut();
        let result = f(&mut store);
        if store.deadlines() > 0 && !self.is_expiring.replace(true) {
            self.begin(Self::expire);
        }
        if !store.garbage().is_empty() && !self.is_freeing.replace(true) {
            self.begin(Self::free);
        }
        result
    }

    /// Calls `f` with what is to be freed on this shard.
    pub fn with_garbage(&self, f: impl FnOnce(&mut Garbage)) {
        self.with_store(|store| f(store.garbage()));
    }

    /// Runs requests of another shard.
    pub fn run(&self, mut batch: Box<Batch>) -> Box<Batch> {
        self.with_store(|store| batch.run(store, now_ms(), REPLY_BYTES_MAX));
        batch
    }

    /// What this shard counts.
    pub fn counters(&self) -> &Counters {
        &self.server.counters[self.index]
    }

    /// Does `work` behind the commands, until it ends or the shard stops.
    #[cold]
    fn begin(&self, work: impl AsyncFnOnce(&Self) + 'static) {
        let Some(shard) = self.siblings.try_local() else { return };
        let work = async move {
            let _ = shard.stopping.run(work(&shard)).await;
        };
        // The group is there to the end.
        let _ = self.background.with(|| spawn(work).detach());
    }

    async fn free(&self) {
        while self.store.borrow_mut().garbage().step() {
            yield_now().await;
        }
        self.is_freeing.set(false);
    }

    async fn expire(&self) {
        let expire = |store: &mut Store| store.expire_due(now_ms(), EXPIRE_AT_ONCE);
        while self.store.borrow().deadlines() > 0 {
            sleep(EXPIRE_EVERY).await;
            while self.with_store(expire) == EXPIRE_AT_ONCE {
                yield_now().await;
            }
        }
        self.is_expiring.set(false);
    }
}

impl Service for Shard {
    async fn stop(&self) {
        self.stopping.abort(Aborted);
    }
}

/// The time, in milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// What all shards may read and each writes its own part of.
#[derive(Debug)]
pub struct Server {
    /// What the shards run on.
    pub driver: Driver,
    /// The limits for connections.
    pub limits: Limits,
    port: u16,
    start: Instant,
    counters: Box<[Counters]>,
    connections: AtomicU64,
}

impl Server {
    /// A server of so many shards, to which no one has connected yet.
    pub fn new(shards: usize, driver: Driver, port: u16, limits: Limits) -> Self {
        let counters = (0..shards).map(|_| Counters::default()).collect();
        let (start, connections) = (Instant::now(), AtomicU64::new(0));
        Self { driver, limits, port, start, counters, connections }
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.counters.len()
    }

    /// A number that no other connection has.
    pub fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }

    /// What the server knows of itself.
    pub fn facts(&self) -> Facts {
        let now_ms = now_ms();
        let flow = |of: fn(&Counters) -> &Rate| {
            let flows = self.counters.iter().map(|counters| counters.flow(of(counters), now_ms));
            flows.fold(Flow::default(), |sum, flow| Flow {
                total: sum.total + flow.total,
                per_second: sum.per_second + flow.per_second,
            })
        };
        Facts {
            multiplexing_api: match self.driver {
                Driver::Epoll => "epoll",
                Driver::Auto | Driver::IoUring => "io_uring",
            },
            tcp_port: self.port,
            process_id: std::process::id(),
            uptime: self.start.elapsed(),
            now: Duration::from_millis(now_ms),
            shards: self.shards(),
            timeout_s: self.limits.timeout_s,
            keepalive_s: self.limits.keepalive_s,
            request_bytes_max: self.limits.request_bytes_max(),
            clients: self.counters.iter().map(|counters| counters.clients.load(Relaxed)).sum(),
            connections: self.connections.load(Relaxed),
            commands: flow(|counters| &counters.commands),
            input_bytes: flow(|counters| &counters.input_bytes),
            output_bytes: flow(|counters| &counters.output_bytes),
        }
    }
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
