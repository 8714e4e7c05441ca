//! A gate: a count and a flag.

use super::*;
use crate::sync::Gate;

struct Model {
    inside: usize,
    closed: bool,
    line: Line<Self>,
}

impl Model {
    fn enter(&mut self) -> bool {
        self.inside += usize::from(!self.closed);
        !self.closed
    }

    fn leave(&mut self) {
        self.inside -= 1;
        if self.closed && self.inside == 0 {
            self.line.wake_all(());
        }
    }
}

impl Naive for Model {
    type Want = ();
    type Outcome = ();

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, (): ()) -> Option<()> {
        self.closed = true;
        (self.inside == 0).then_some(())
    }

    fn give_up(&mut self, _: Option<()>) {}
}

proptest! {
    #[test]
    fn a_gate_is_a_count_and_a_flag(before in 0..6usize, steps in steps(3)) {
        let gate = Gate::new();
        let mut pair = Pair::new(Model { inside: before, closed: false, line: Line::new() });
        let mut passes: Vec<_> = (0..before).map(|_| gate.enter().unwrap()).collect();
        for step in steps {
            match step {
                Step::Poll { slot, want: 0 } => {
                    // The call closes the gate, whatever slot its future is for.
                    pair.naive.closed = true;
                    pair.poll(slot, (), gate.close());
                }
                Step::Poll { slot, .. } if pair.slots[slot].is_some() => {
                    pair.poll(slot, (), gate.close());
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(0, n) if !passes.is_empty() => {
                    drop(passes.swap_remove(n % passes.len()));
                    pair.naive.leave();
                }
                Step::Act(1, _) => {
                    let pass = gate.enter();
                    prop_assert_eq!(pass.is_ok(), pair.naive.enter());
                    passes.extend(pass);
                }
                _ => {}
            }
            pair.check(gate.waiters());
            prop_assert_eq!(gate.is_closed(), pair.naive.closed);
            prop_assert_eq!(gate.count(), pair.naive.inside);
        }
    }
}
