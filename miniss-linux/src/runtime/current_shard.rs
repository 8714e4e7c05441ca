//! The shard that a future happens to be on, for combinators that start tasks or give way.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;

use miniss_core::combine::{self, MaybeYield, Spawn, TurnBudget};
use miniss_core::error::SpawnError;

use super::current;
use super::shard::Shard;
use super::spawn::JoinHandle;
use crate::error::JoinError;
use crate::guard::Guarded;

/// Stands for the shard that this thread is in, looked up at each use.
///
/// It is what [`combine`] asks for where it needs an executor: a [`Spawn`] for
/// [`finally_on`](combine::FutureExt::finally_on), a [`TurnBudget`] for [`combine::repeat`] and
/// [`combine::do_until`]. Outside of a runtime nothing can be spawned and no budget is ever spent.
///
/// ```
/// use std::{cell::Cell, future::pending, rc::Rc};
/// use miniss_linux::combine::FutureExt;
/// use miniss_linux::time::{Duration, sleep, timeout};
/// use miniss_linux::{CurrentShard, Runtime};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// runtime.block_on(async {
///     let closed = Rc::new(Cell::new(false));
///     let flag = closed.clone();
///     let work = pending::<Result<(), ()>>().finally_on(CurrentShard, async move || {
///         sleep(Duration::from_millis(1)).await; // a cleanup that waits
///         flag.set(true);
///     });
///     assert!(timeout(Duration::from_millis(1), work).await.is_err());
///     while !closed.get() {
///         sleep(Duration::from_millis(1)).await;
///     }
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct CurrentShard;

impl Spawn for CurrentShard {
    type Ended = JoinError;
    type Task<T: 'static> = JoinHandle<T>;

    fn try_spawn<F>(&self, future: F) -> Result<JoinHandle<F::Output>, F>
    where
        F: Future<Output: 'static> + 'static,
    {
        let mut future = Some(future);
        let task = current::try_with(|shard| try_spawn_in(shard, &mut future)).flatten();
        task.ok_or_else(|| future.expect("it was not spawned"))
    }
}

/// Takes the future only if there is room for it.
fn try_spawn_in<F>(shard: &Shard, future: &mut Option<F>) -> Option<JoinHandle<F::Output>>
where
    F: Future<Output: 'static> + 'static,
{
    let inner = match shard.local.reserve() {
        Ok(room) => room.spawn(Guarded::new(future.take()?)),
        Err(SpawnError::TooLarge) => {
            let room = shard.local.reserve::<Guarded<Pin<Box<F>>>>().ok()?;
            room.spawn(Guarded::new(Box::pin(future.take()?)))
        }
        Err(_) => return None,
    };
    Some(JoinHandle::new(inner))
}

impl TurnBudget for CurrentShard {
    #[inline]
    fn is_spent(&self) -> bool {
        current::try_with(|shard| shard.local.is_spent()).unwrap_or(false)
    }
}

/// Gives way to the other tasks of this shard, but only if the time of the turn is used up
/// ([`Budget::time_max`](crate::Budget::time_max)); else it goes on at once, for the price of a
/// look at the clock.
///
/// For loops over much work, a microsecond or more between two calls: timers, sockets and the
/// other tasks have their turn in between. [`yield_now`](crate::yield_now) gives way in any case.
///
/// # Cancellation
///
/// Safe: there is nothing to lose.
///
/// ```
/// use miniss_linux::{Runtime, maybe_yield};
///
/// let runtime = Runtime::builder().shards(1).build().unwrap();
/// let sum = runtime.block_on(async {
///     let mut sum = 0_u64;
///     for chunk in (0..1_000_000_u64).collect::<Vec<_>>().chunks(1_000) {
///         sum += chunk.iter().sum::<u64>();
///         maybe_yield().await;
///     }
///     sum
/// });
/// assert_eq!(sum, 499_999_500_000);
/// ```
pub const fn maybe_yield() -> MaybeYield<CurrentShard> {
    combine::maybe_yield(CurrentShard)
}
