//! An event: a flag and a queue.

use super::*;
use crate::sync::Event;

struct Model {
    set: bool,
    line: Line<Self>,
}

impl Naive for Model {
    type Want = ();
    type Outcome = ();

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, (): ()) -> Option<()> {
        self.set.then_some(())
    }

    fn give_up(&mut self, _: Option<()>) {}
}

proptest! {
    #[test]
    fn an_event_is_a_flag_and_a_queue(steps in steps(5)) {
        let event = Event::new();
        let mut pair = Pair::new(Model { set: false, line: Line::new() });
        for step in steps {
            match step {
                Step::Poll { slot, .. } => {
                    pair.poll(slot, (), event.wait());
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(0, _) => {
                    event.set();
                    pair.naive.set = true;
                    pair.naive.line.wake_all(());
                }
                Step::Act(..) => {
                    event.reset();
                    pair.naive.set = false;
                }
            }
            pair.check(event.waiters());
            prop_assert_eq!(event.is_set(), pair.naive.set);
        }
    }
}
