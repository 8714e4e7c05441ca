//! A barrier: a queue of a certain length.

use super::*;
use crate::sync::Barrier;

struct Model {
    parties: usize,
    line: Line<Self>,
}

impl Naive for Model {
    type Want = ();
    /// Whether it is the leader.
    type Outcome = bool;

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, (): ()) -> Option<bool> {
        let last = self.line.waiting.len() + 1 >= self.parties;
        if last {
            self.line.wake_all(false);
        }
        last.then_some(true)
    }

    fn give_up(&mut self, _: Option<bool>) {}
}

proptest! {
    #[test]
    fn a_barrier_is_a_queue_of_a_certain_length(parties in 0..SLOTS, steps in steps(1)) {
        let barrier = Barrier::new(parties);
        let mut pair = Pair::new(Model { parties, line: Line::new() });
        for step in steps {
            match step {
                Step::Poll { slot, .. } => {
                    if let Some((leader, result)) = pair.poll(slot, (), barrier.wait()) {
                        prop_assert_eq!(result.is_leader(), leader);
                    }
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(..) => {}
            }
            pair.check(barrier.arrived());
        }
    }
}
