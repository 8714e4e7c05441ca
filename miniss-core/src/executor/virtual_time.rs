//! Which group is next: weighted fair queueing by virtual time.
//!
//! Each group has a virtual time, which goes on while the group runs: the slower, the more shares
//! it has. The group whose time is least runs next. So the times of the groups that have work stay
//! close together, and the processor's time is split in proportion to shares.
//!
//! A group that was idle has fallen behind. If it kept its time it could run alone until it had
//! caught up. So it enters with the *floor*, the least time of those that had work, and has its
//! turn soon; but it has saved up nothing.
//!
//! Equal times are told apart by index, so the order hangs on nothing but the calls.

#![forbid(unsafe_code)]

use core::cell::Cell;

/// How many groups an executor has at most, the main group included. A set of them is a word, and
/// the least time is found by a look at each.
pub(crate) const GROUPS_MAX: usize = 16;

/// The most shares that a group can have. The least is one.
pub(crate) const SHARES_MAX: u32 = 1_000;

/// Units of virtual time for a nanosecond of a group with one share. With [`SHARES_MAX`] there are
/// 16,777 of them, so rounding is below one in ten thousand.
const UNITS_PER_NS: u64 = 1 << 24;

/// A time beyond this makes all times smaller by the floor.
const TIME_MAX: u64 = 1 << 62;

/// The virtual times of all groups, by index.
#[derive(Debug)]
pub(crate) struct VirtualTimes {
    times: [Cell<u64>; GROUPS_MAX],
    /// Units for a nanosecond.
    slopes: [Cell<u64>; GROUPS_MAX],
    floor: Cell<u64>,
}

impl VirtualTimes {
    pub(crate) const fn new() -> Self {
        Self {
            times: [const { Cell::new(0) }; GROUPS_MAX],
            slopes: [const { Cell::new(0) }; GROUPS_MAX],
            floor: Cell::new(0),
        }
    }

    /// A new group: it has used nothing.
    pub(crate) fn reset(&self, group: usize) {
        self.times[group].set(0);
    }

    /// What the group runs from now on counts for so many shares.
    pub(crate) fn set_shares(&self, group: usize, shares: u32) {
        debug_assert!((1..=SHARES_MAX).contains(&shares));
        self.slopes[group].set(UNITS_PER_NS / u64::from(shares));
    }

    /// The group had no work, and has some now.
    pub(crate) fn enter(&self, group: usize) {
        let time = &self.times[group];
        time.set(time.get().max(self.floor.get()));
    }

    /// The group that is next among `groups`, a set of bits; `None` if that is empty.
    pub(crate) fn least(&self, groups: usize) -> Option<usize> {
        let members = (0..GROUPS_MAX).filter(|group| groups & (1 << group) != 0);
        let group = members.min_by_key(|&group| self.times[group].get())?;
        self.floor.set(self.floor.get().max(self.times[group].get()));
        Some(group)
    }

    /// The group ran for so long.
    pub(crate) fn charge(&self, group: usize, ns: u64) {
        let units = ns.saturating_mul(self.slopes[group].get());
        let time = self.times[group].get().saturating_add(units);
        self.times[group].set(time);
        if time > TIME_MAX {
            self.rebase();
        }
    }

    /// The group ran for so long while no other had work: whichever enters now is next.
    pub(crate) fn charge_alone(&self, group: usize, ns: u64) {
        self.charge(group, ns.saturating_sub(1));
        self.floor.set(self.floor.get().max(self.times[group].get()));
        self.charge(group, 1);
    }

    /// Time begins again at the floor. Groups that have work stand above it; those below have none,
    /// and would enter there.
    #[cold]
    fn rebase(&self) {
        let floor = self.floor.take();
        self.times.iter().for_each(|time| time.set(time.get().saturating_sub(floor)));
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Debug, Clone)]
    enum Step {
        Enter(usize),
        Leave(usize),
        SetShares(usize, u32),
        /// The group whose turn it is runs for so long.
        Run(u64),
        /// So does the one group that is busy.
        RunAlone(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let group = 0..GROUPS_MAX;
        prop_oneof![
            2 => group.clone().prop_map(Step::Enter),
            1 => group.clone().prop_map(Step::Leave),
            1 => (group, 1..=SHARES_MAX).prop_map(|(group, shares)| Step::SetShares(group, shares)),
            4 => (0..1_000_000_u64).prop_map(Step::Run),
            1 => (0..1_u64 << 37).prop_map(Step::Run),
            2 => (1..1_u64 << 37).prop_map(Step::RunAlone),
        ]
    }

    /// Numbers without an end, so that time never begins again.
    struct Naive {
        times: [u128; GROUPS_MAX],
        shares: [u32; GROUPS_MAX],
        floor: u128,
    }

    impl Naive {
        fn next(&mut self, busy: &[usize]) -> Option<usize> {
            let group = busy.iter().copied().min_by_key(|&group| (self.times[group], group))?;
            self.floor = self.floor.max(self.times[group]);
            Some(group)
        }

        fn run(&mut self, group: usize, ns: u64) {
            let slope = UNITS_PER_NS / u64::from(self.shares[group]);
            self.times[group] += u128::from(ns) * u128::from(slope);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_next_group_is_that_of_times_that_never_begin_again(
            steps in prop::collection::vec(step(), 1..300),
        ) {
            let times = VirtualTimes::new();
            let mut naive =
                Naive { times: [0; GROUPS_MAX], shares: [100; GROUPS_MAX], floor: 0 };
            (0..GROUPS_MAX).for_each(|group| times.set_shares(group, 100));
            let mut busy = Vec::new();
            for step in steps {
                match step {
                    Step::Enter(group) if !busy.contains(&group) => {
                        busy.push(group);
                        times.enter(group);
                        naive.times[group] = naive.times[group].max(naive.floor);
                    }
                    Step::Enter(_) => {}
                    Step::Leave(group) => busy.retain(|&other| other != group),
                    Step::SetShares(group, shares) => {
                        times.set_shares(group, shares);
                        naive.shares[group] = shares;
                    }
                    Step::RunAlone(ns) => {
                        let [group] = busy[..] else { continue };
                        times.charge_alone(group, ns);
                        naive.run(group, ns - 1);
                        naive.floor = naive.floor.max(naive.times[group]);
                        naive.run(group, 1);
                    }
                    Step::Run(ns) => {
                        let set = busy.iter().fold(0, |set, group| set | 1 << group);
                        let next = times.least(set);
                        prop_assert_eq!(next, naive.next(&busy));
                        if let Some(group) = next {
                            times.charge(group, ns);
                            naive.run(group, ns);
                        }
                    }
                }
            }
        }
    }
}
