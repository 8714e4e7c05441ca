//! Scheduling groups: the same ones on all shards, each of which splits its own time.
//!
//! Shard 0 gives out their names, so that a group is the same on all shards; the others adopt it
//! behind it, and let go of it before it. So a name is free only when no shard knows it any more.

use miniss_core::error::GroupError;
use miniss_core::{GroupStats, LocalHandle};

use super::calls::invoke_on_others;
use crate::driver::Unparker;
use crate::runtime::{ShardId, submit_to, with_current};

/// Tasks that have a share of each shard's time in common.
///
/// Among the groups that have work on a shard, its time is split in proportion to their shares. A
/// task is in the group of whatever spawned it, until it [switches](switch_to); a call to another
/// shard takes its group along. Everything else is in the [main group](Self::MAIN).
///
/// A group is a number: cheap to copy, and good on all shards of its runtime.
///
/// ```
/// use miniss_linux::sharded::{SchedulingGroup, switch_to};
/// use miniss_linux::{Runtime, spawn, submit_to};
///
/// let runtime = Runtime::builder().shards(2).build().unwrap();
/// runtime.block_on(async {
///     let commands = SchedulingGroup::create("commands", 1000).await.unwrap();
///     let expiry = SchedulingGroup::create("expiry", 100).await.unwrap();
///
///     let sweep = expiry.with(|| spawn(async { SchedulingGroup::current() })).unwrap();
///     assert_eq!(sweep.await.unwrap(), expiry);
///
///     switch_to(commands).await.unwrap();
///     let there = submit_to(1, async || SchedulingGroup::current()).await;
///     assert_eq!(there.unwrap(), commands);
///
///     expiry.set_shares(50).await.unwrap(); // at any time, on all shards
///     assert_eq!(expiry.stats().unwrap().shares, 50);
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchedulingGroup(miniss_core::SchedulingGroup);

impl SchedulingGroup {
    /// The group of whatever no other group has spawned. It has 1000 shares unless that is changed.
    pub const MAIN: Self = Self(miniss_core::SchedulingGroup::MAIN);

    /// Makes a group on all shards, with so many shares on each, from 1 to 1000.
    ///
    /// # Errors
    ///
    /// [`GroupError::Full`] if there are 16, the main group included; [`GroupError::BadShares`];
    /// [`GroupError::Closed`] if the runtime ends.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// The group is made in any case.
    pub async fn create(name: &'static str, shares: u32) -> Result<Self, GroupError> {
        on_shard_0(async move || {
            let group = local().create_group(name, shares)?;
            with_current(|shard| {
                shard.beat.as_ref().map(|beat| beat.name_group(group.index(), name))
            });
            // A shard that is gone needs none; on the others the name is free.
            let adopt = async move || local().adopt_group(group, name, shares);
            invoke_on_others(adopt).outcomes().await;
            Ok(Self(group))
        })
        .await
    }

    /// Ends the group on all shards. Its tasks go on in the main group.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended; [`GroupError::Main`]; [`GroupError::Closed`] if
    /// the runtime ends.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// The group ends in any case.
    pub async fn destroy(self) -> Result<(), GroupError> {
        on_shard_0(async move || {
            invoke_on_others(async move || local().destroy_group(self.0)).outcomes().await;
            local().destroy_group(self.0)
        })
        .await
    }

    /// Changes the shares of the group on all shards, from 1 to 1000.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended; [`GroupError::BadShares`];
    /// [`GroupError::Closed`] if the runtime ends.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancellation
    ///
    /// They are changed in any case.
    pub async fn set_shares(self, shares: u32) -> Result<(), GroupError> {
        on_shard_0(async move || {
            let set = async move || local().set_shares(self.0, shares);
            invoke_on_others(set).outcomes().await;
            local().set_shares(self.0, shares)
        })
        .await
    }

    /// The group of the task that is polled.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn current() -> Self {
        Self(local().current_group())
    }

    /// Calls `run`: the tasks that it spawns and the calls that it makes are in this group.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if the group has ended; then `run` is not called.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn with<T>(self, run: impl FnOnce() -> T) -> Result<T, GroupError> {
        local().with_group(self.0, run)
    }

    /// What the group has done on this shard, and how long it waited for its turns.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn stats(self) -> Result<GroupStats, GroupError> {
        local().group_stats(self.0)
    }
}

/// Moves the calling task to `group`: it gives way, and goes on when it is the group's turn. Gives
/// the group that it was in before. If it is in `group` already, it goes on at once.
///
/// # Errors
///
/// [`GroupError::NotFound`] if the group has ended.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Cancellation
///
/// Dropping it after its first poll leaves the task in the new group.
pub async fn switch_to(group: SchedulingGroup) -> Result<SchedulingGroup, GroupError> {
    miniss_core::switch_to(local(), group.0).await.map(SchedulingGroup)
}

#[track_caller]
fn local() -> LocalHandle<Unparker> {
    with_current(|shard| shard.local)
}

async fn on_shard_0<F, T>(work: F) -> Result<T, GroupError>
where
    F: AsyncFnOnce() -> Result<T, GroupError> + Send + 'static,
    T: Send + 'static,
{
    submit_to(ShardId::new(0), work).await.unwrap_or(Err(GroupError::Closed))
}
