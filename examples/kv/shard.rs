//! What a shard owns: its keys, its clients, and the tasks that expire keys and free values.
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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use miniss_linux::sharded::{SchedulingGroup, Service, Sharded, ShardedRef};
use miniss_linux::sync::{AbortSource, Aborted};
use miniss_linux::time::sleep;
use miniss_linux::{ShardId, spawn, yield_now};

use crate::batch::{Batch, REPLY_BYTES_MAX};
use crate::budget::Budget;
use crate::round::Stock;
use crate::server::Server;
use crate::stop::Clients;
use crate::store::Store;
use crate::store::garbage::Garbage;
use crate::traffic::Traffic;

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
    /// What it counts of them.
    pub traffic: Rc<Traffic>,
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
        let store = Store::new(index, server.shards);
        Self {
            siblings,
            budget: Arc::new(Budget::new(server.limits.shard_bytes(), None)),
            stock: Rc::default(),
            clients: Clients::default(),
            traffic: store.traffic.clone(),
            index,
            store: RefCell::new(store),
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
    use crate::testing::server;
    use miniss_linux::Runtime;

    /// By the time that the groups are charged with, which decides whose turn it is, however slow
    /// the machine is.
    #[test]
    fn commands_have_four_times_as_long_as_expiry_while_both_have_work() {
        const KEYS: u64 = 20_000;
        let compare = async |shard: Rc<Shard>| {
            let groups = [SchedulingGroup::MAIN, shard.background];
            let busy = || groups.map(|group| group.stats().expect("both are there").busy);
            let (mut start, mut before) = (None, busy());
            while shard.with_store(|store| store.deadlines()) > 0 {
                for number in 0..100 {
                    let key = format!("stays:{number}");
                    shard.with_store(|store| store.read(key.as_bytes(), now_ms()));
                }
                let now = busy();
                if shard.with_store(|store| store.expired) > 0 && now[1] > before[1] {
                    // Commands have their turn again, so expiry had used up its share. What they
                    // have used in this turn, which the machine may have interrupted, counts from
                    // now on, with what they used since they looked last.
                    let start = *start.get_or_insert([before[0], now[1]]);
                    // When expiry had its turn, it had used up no more than its share.
                    let (commands, expiry) =
                        (now[0] - start[0], before[1].saturating_sub(start[1]));
                    assert!(commands >= expiry.mul_f64(3.9), "{commands:?} for {expiry:?}");
                }
                before = now;
                yield_now().await;
            }
        };
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(async {
            let service = Shard::start(server(1)).await.unwrap();
            let shard = service.local();
            shard.with_store(|store| {
                for number in 0..KEYS {
                    let key = number.to_string();
                    let found = store.locate(key.as_bytes(), 0);
                    let place = store.put_string(found, key.as_bytes(), b"x");
                    store.set_deadline(place, 1);
                }
            });
            let background = shard.background;
            spawn(compare(shard)).await.unwrap();
            let slices = background.stats().unwrap().slices;
            assert!(slices >= KEYS / EXPIRE_AT_ONCE as u64, "{slices} slices");
            service.stop().await.unwrap();
        });
    }
}
