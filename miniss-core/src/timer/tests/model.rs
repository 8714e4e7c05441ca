//! The queues against an ordered map, under random orders.

use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::timer::wheel::SCAN_MAX;

#[derive(Debug, Clone)]
enum Step {
    /// Arm node `0`, which may be armed already, at so far from now.
    Arm(usize, i128),
    Cancel(usize),
    Drop(usize),
    /// Advance by so much.
    Advance(u64),
    /// Advance to where `next_deadline` says, as an executor does.
    Park,
}

const NODES: usize = 64;

/// Times of every magnitude, most of them short, so that deadlines collide.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4_u64,
        4 => 0..200_u64,
        4 => (0..64_u32, any::<u64>()).prop_map(|(shift, bits)| bits >> shift),
        2 => (0..63_u32, 0..3_u64).prop_map(|(shift, more)| (1 << shift) - 1 + more),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..NODES, span()).prop_map(|(id, after)| Step::Arm(id, after.into())),
        1 => (0..NODES, span()).prop_map(|(id, ago)| Step::Arm(id, -i128::from(ago))),
        1 => (0..NODES).prop_map(|id| Step::Arm(id, i128::MAX)),
        2 => (0..NODES).prop_map(Step::Cancel),
        2 => (0..NODES).prop_map(Step::Drop),
        4 => span().prop_map(Step::Advance),
        6 => Just(Step::Park),
    ]
}

/// What the queue should be: the armed nodes in order of deadline, then of arming.
#[derive(Default)]
struct Model {
    armed: BTreeMap<(u64, usize), usize>,
    armings: usize,
    now: u64,
}

impl Model {
    fn cancel(&mut self, id: usize) {
        self.armed.retain(|_, armed| *armed != id);
    }

    fn arm(&mut self, id: usize, deadline: u64) {
        self.cancel(id);
        if deadline != u64::MAX {
            self.armings += 1;
            self.armed.insert((deadline.max(self.now), self.armings), id);
        }
    }

    fn advance(&mut self, now: u64) -> Vec<usize> {
        self.now = now;
        let later = match now.checked_add(1) {
            Some(next) => self.armed.split_off(&(next, 0)),
            None => BTreeMap::new(),
        };
        core::mem::replace(&mut self.armed, later).into_values().collect()
    }
}

/// The queue, its nodes and the model, which do everything together.
struct Pair<Q: HasTimers> {
    queue: &'static Q,
    nodes: Vec<Pin<Box<TimerNode<Q>>>>,
    log: Log,
    model: Model,
}

impl<Q: HasTimers> Pair<Q> {
    fn new() -> Self {
        let nodes = (0..NODES).map(|_| Box::pin(TimerNode::new())).collect();
        Self { queue: leaked_queue(), nodes, log: Log::default(), model: Model::default() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Arm(id, offset) => {
                let sum = i128::from(self.model.now).saturating_add(offset);
                self.arm(id, sum.clamp(0, u64::MAX.into()) as u64);
            }
            Step::Cancel(id) => {
                self.nodes[id].cancel();
                self.model.cancel(id);
            }
            Step::Drop(id) => {
                self.nodes[id] = Box::pin(TimerNode::new());
                self.model.cancel(id);
            }
            Step::Advance(span) => self.advance(self.model.now.saturating_add(span)),
            Step::Park => {
                let next = self.queue.next_deadline().map_or(self.model.now, Instant::as_nanos);
                self.advance(next);
            }
        }
        self.compare();
    }

    fn arm(&mut self, id: usize, deadline: u64) {
        self.nodes[id].register(&self.log.waker(id));
        self.queue.arm(self.nodes[id].as_ref(), Instant::from_nanos(deadline));
        self.model.arm(id, deadline);
    }

    fn advance(&mut self, now: u64) {
        let expected = self.model.advance(now);
        assert_eq!(self.queue.advance(Instant::from_nanos(now)), expected.len());
        assert_eq!(self.log.take(), expected);
        assert!(expected.iter().all(|&id| self.nodes[id].has_fired()));
    }

    /// What must hold between any two steps.
    fn compare(&self) {
        assert_eq!(self.queue.len(), self.model.armed.len());
        let earliest = self.model.armed.keys().next().map(|&(deadline, _)| deadline);
        let next = self.queue.next_deadline().map(Instant::as_nanos);
        assert_eq!(next.is_some(), earliest.is_some());
        assert!(next <= earliest, "{next:?} would sleep through {earliest:?}");
        assert!(next >= earliest.map(|_| self.model.now), "{next:?} lies in the past");
        if self.model.armed.len() <= SCAN_MAX {
            assert_eq!(next, earliest);
        }
    }
}

fn run<Q: HasTimers>(steps: Vec<Step>) {
    let mut pair = Pair::<Q>::new();
    steps.into_iter().for_each(|step| pair.take(step));
}

proptest! {
    #[test]
    fn the_wheel_does_what_an_ordered_map_does(
        steps in prop::collection::vec(step(), 1..400)
    ) {
        run::<Wheel>(steps);
    }

    #[test]
    fn the_list_does_what_an_ordered_map_does(
        steps in prop::collection::vec(step(), 1..400)
    ) {
        run::<TimerList>(steps);
    }
}
