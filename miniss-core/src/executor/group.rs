//! Scheduling groups, as tasks have them: a group is made, given shares, asked what it has done,
//! and left for another. How an executor keeps to the shares stands in
//! [`group_table`](super::group_table).
//!
//! Invariants: *Owner only* and *Headers are forever* (see [`crate::task`]).

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::cell::OwnerState;
use super::group_table::GroupTable;
use super::spawn::LocalHandle;
use super::stats::GroupStats;
use super::virtual_time::SHARES_MAX;
use super::wake::header_of;
use crate::error::GroupError;
use crate::reactor::Unpark;
use crate::task::cell::Header;

/// Names a scheduling group. It is a number, and may be sent anywhere.
///
/// [`LocalHandle::create_group`] makes a group. Every task begins in that of whatever spawns it.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::{SchedulingGroup, switch_to};
///
/// let mut executor = executor();
/// let local = executor.local();
/// let commands = local.create_group("commands", 1000).unwrap();
/// let expiry = local.create_group("expiry", 100).unwrap();
/// executor.block_on(async {
///     let before = switch_to(local, commands).await.unwrap();
///     assert_eq!(before, SchedulingGroup::MAIN);
///     let inherits = local.spawn(async move { local.current_group() }).unwrap();
///     assert_eq!(inherits.await, Ok(commands));
///     let other = async move { local.current_group() };
///     let other = local.with_group(expiry, || local.spawn(other).unwrap()).unwrap();
///     assert_eq!(other.await, Ok(expiry));
/// });
/// assert!(local.group_stats(commands).unwrap().polls >= 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SchedulingGroup {
    pub(super) index: u8,
    /// Tells it from those that had the index before. Zero: the main group.
    pub(super) generation: u32,
}

impl SchedulingGroup {
    /// The group of the tasks that no other group's task has spawned. It is always there, and has
    /// 1000 shares unless that is [changed](LocalHandle::set_shares).
    pub const MAIN: Self = Self { index: 0, generation: 0 };

    /// Its number on its executor, below 16. The main group has 0; a group that has ended leaves
    /// its number to another.
    ///
    /// ```
    /// assert_eq!(miniss_core::SchedulingGroup::MAIN.index(), 0);
    /// ```
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// Scheduling groups.
impl<U: Unpark> LocalHandle<U> {
    /// Gives this executor the memory for its groups, and those that use its executor cell later.
    /// Lending the same table again does nothing; nor does lending one if there is one already.
    ///
    /// # Errors
    ///
    /// [`GroupError::InUse`] if another executor uses it, [`GroupError::Closed`] if this one has
    /// ended.
    pub fn lend_groups(&self, table: &'static GroupTable) -> Result<(), GroupError> {
        let owner = self.open_owner().map_err(|_| GroupError::Closed)?;
        if !table.claim(self.cell().address()) {
            return Err(GroupError::InUse);
        }
        if owner.groups.get().is_none() {
            owner.groups.set(Some(table));
        }
        Ok(())
    }

    /// Makes a group with so many shares, from 1 to 1000. Groups that have work get time in
    /// proportion to their shares.
    ///
    /// While a group beside the main group has work, the executor reads its clock a few times a
    /// turn.
    ///
    /// # Errors
    ///
    /// [`GroupError::Full`] if there are 16, the main group included; [`GroupError::BadShares`];
    /// [`GroupError::NoTable`] without a heap, if none was lent; [`GroupError::Closed`].
    pub fn create_group(
        &self,
        name: &'static str,
        shares: u32,
    ) -> Result<SchedulingGroup, GroupError> {
        let (owner, table) = self.groups()?;
        check(shares)?;
        let group = table.free_group().ok_or(GroupError::Full)?;
        owner.add_group(table, group, name, shares);
        Ok(group)
    }

    /// Makes a group that was made on another core known on this one, with shares of its own here.
    /// So calls from there [keep their group](crate::call).
    ///
    /// One core makes all groups, the others adopt them. A group is destroyed by that core last.
    ///
    /// # Errors
    ///
    /// As for [`create_group`](Self::create_group); [`GroupError::Full`] if the index is that of
    /// another group here.
    ///
    /// ```
    /// # use miniss_core::doctest::executor;
    /// let (core_0, core_1) = (executor(), executor());
    /// let group = core_0.local().create_group("queries", 500).unwrap();
    /// core_1.local().adopt_group(group, "queries", 500).unwrap();
    /// ```
    pub fn adopt_group(
        &self,
        group: SchedulingGroup,
        name: &'static str,
        shares: u32,
    ) -> Result<(), GroupError> {
        let (owner, table) = self.groups()?;
        check(shares)?;
        if !table.is_free(group.index) {
            return Err(GroupError::Full);
        }
        owner.add_group(table, group, name, shares);
        Ok(())
    }

    /// Ends a group. Its tasks go on in the main group.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended, [`GroupError::Main`], [`GroupError::Closed`].
    ///
    /// ```
    /// # use miniss_core::{doctest::executor, error::GroupError};
    /// let executor = executor();
    /// let local = executor.local();
    /// let group = local.create_group("brief", 10).unwrap();
    /// local.destroy_group(group).unwrap();
    /// assert_eq!(local.destroy_group(group), Err(GroupError::NotFound));
    /// ```
    pub fn destroy_group(&self, group: SchedulingGroup) -> Result<(), GroupError> {
        let (owner, table) = self.groups()?;
        table.find(group)?;
        if group == SchedulingGroup::MAIN {
            return Err(GroupError::Main);
        }
        owner.remove_group(table, group);
        Ok(())
    }

    /// Changes the shares of a group, from 1 to 1000. It counts from the next slice on.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended, [`GroupError::BadShares`],
    /// [`GroupError::Closed`].
    ///
    /// ```
    /// # use miniss_core::{SchedulingGroup, doctest::executor};
    /// # let executor = executor();
    /// # let local = executor.local();
    /// local.set_shares(SchedulingGroup::MAIN, 200).unwrap();
    /// ```
    pub fn set_shares(&self, group: SchedulingGroup, shares: u32) -> Result<(), GroupError> {
        let (_, table) = self.groups()?;
        table.find(group)?;
        check(shares)?;
        table.set_shares(group, shares);
        Ok(())
    }

    /// The group of the task that is polled: that of the tasks that are spawned now.
    pub fn current_group(&self) -> SchedulingGroup {
        let Some(owner) = self.owner() else { return SchedulingGroup::MAIN };
        let index = owner.current_group();
        owner.groups.get().map_or(SchedulingGroup::MAIN, |table| table.named(index))
    }

    /// Calls `run`. The tasks that it spawns are in `group`; the calls that it makes are, too.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if the group has ended, [`GroupError::Closed`]. `run` is not
    /// called then.
    pub fn with_group<T>(
        &self,
        group: SchedulingGroup,
        run: impl FnOnce() -> T,
    ) -> Result<T, GroupError> {
        let (owner, table) = self.groups()?;
        table.find(group)?;
        Ok(owner.with_group(group.index, run))
    }

    /// What a group has done since it was made.
    ///
    /// # Errors
    ///
    /// [`GroupError::NotFound`] if it has ended, [`GroupError::Closed`].
    pub fn group_stats(&self, group: SchedulingGroup) -> Result<GroupStats, GroupError> {
        let (owner, table) = self.groups()?;
        table.stats(owner, group, self.now())
    }

    /// The table, which is made if there is none.
    fn groups(&self) -> Result<(&'static OwnerState, &'static GroupTable), GroupError> {
        let owner = self.open_owner().map_err(|_| GroupError::Closed)?;
        #[cfg(feature = "alloc")]
        if owner.groups.get().is_none() {
            // It stays with the executor cell, as the memory of its tasks does.
            self.lend_groups(alloc::boxed::Box::leak(alloc::boxed::Box::default()))?;
        }
        let table = owner.groups.get().ok_or(GroupError::NoTable)?;
        if !owner.groups_are_own.replace(true) {
            table.reset(owner, self.now());
        }
        Ok((owner, table))
    }
}

fn check(shares: u32) -> Result<(), GroupError> {
    if (1..=SHARES_MAX).contains(&shares) { Ok(()) } else { Err(GroupError::BadShares) }
}

/// Moves the calling task to `group`: it gives way, and goes on when it is the group's turn. What
/// it spawns from then on is in that group, too. Gives the group that it was in before.
///
/// If it is in that group already, it goes on at once. A part of a whole, as of
/// [`when_all`](crate::combine::when_all), moves the whole task.
///
/// # Errors
///
/// [`GroupError::NotFound`] if the group has ended, [`GroupError::Closed`], and
/// [`GroupError::NoTask`] where no task of the executor is polled.
///
/// # Cancellation
///
/// Dropping it after its first poll leaves the task in the new group.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::switch_to;
///
/// let mut executor = executor();
/// let local = executor.local();
/// let background = local.create_group("background", 50).unwrap();
/// executor.block_on(async {
///     let before = switch_to(local, background).await.unwrap();
///     assert_eq!(local.current_group(), background);
///     switch_to(local, before).await.unwrap();
/// });
/// ```
pub const fn switch_to<U: Unpark>(local: LocalHandle<U>, group: SchedulingGroup) -> SwitchTo<U> {
    SwitchTo { local, group, before: None, was_polled: false }
}

/// The future of [`switch_to`].
///
/// # Cancellation
///
/// Dropping it after its first poll leaves the task in the new group.
#[must_use = "futures do nothing unless polled"]
pub struct SwitchTo<U: Unpark> {
    local: LocalHandle<U>,
    group: SchedulingGroup,
    before: Option<SchedulingGroup>,
    was_polled: bool,
}

impl<U: Unpark> Unpin for SwitchTo<U> {}

impl<U: Unpark> SwitchTo<U> {
    /// The task that is polled: that of the waker; or, if that is a part's, the one that the
    /// executor polls, which it knows in turns of groups.
    fn task(&self, table: &GroupTable, cx: &Context<'_>) -> Option<&'static Header> {
        let of_waker = header_of(cx.waker()).filter(|slot| {
            // SAFETY: *Headers are forever*.
            unsafe { slot.as_ref() }.executor == self.local.cell().address()
        });
        // SAFETY: as above.
        of_waker.or(table.running()).map(|slot| unsafe { slot.as_ref() })
    }
}

impl<U: Unpark> Future for SwitchTo<U> {
    type Output = Result<SchedulingGroup, GroupError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let table = match self.local.groups() {
            Ok((_, table)) => table,
            Err(error) => return Poll::Ready(Err(error)),
        };
        if let Err(error) = table.find(self.group) {
            return Poll::Ready(Err(error));
        }
        let was_polled = mem::replace(&mut self.was_polled, true);
        match self.task(table, cx) {
            Some(task) => {
                let before = task.group.replace(self.group.index);
                if before == self.group.index {
                    return Poll::Ready(Ok(self.before.unwrap_or(self.group)));
                }
                self.before = Some(table.named(before));
            }
            // In a turn without groups the task of a part is not known: so in the next.
            None if !was_polled => {}
            None => return Poll::Ready(Err(GroupError::NoTask)),
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<U: Unpark> fmt::Debug for SwitchTo<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchTo").field("group", &self.group).finish_non_exhaustive()
    }
}
