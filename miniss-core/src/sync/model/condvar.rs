//! A condition variable: one remembered signal and a queue.

use super::*;
use crate::sync::{Closed, Condvar};

struct Model {
    remembered: bool,
    closed: bool,
    line: Line<Self>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum News {
    Signal,
    All,
    Closed,
}

impl Model {
    fn notify_one(&mut self) {
        self.remembered |= !self.line.wake(News::Signal);
    }
}

impl Naive for Model {
    type Want = ();
    type Outcome = News;

    fn line(&mut self) -> &mut Line<Self> {
        &mut self.line
    }

    fn arrive(&mut self, (): ()) -> Option<News> {
        match self.closed {
            true => Some(News::Closed),
            false => core::mem::take(&mut self.remembered).then_some(News::Signal),
        }
    }

    fn give_up(&mut self, outcome: Option<News>) {
        if outcome == Some(News::Signal) {
            self.notify_one();
        }
    }
}

proptest! {
    #[test]
    fn a_condvar_is_one_signal_and_a_queue(steps in steps(11)) {
        let condvar = Condvar::new();
        let naive = Model { remembered: false, closed: false, line: Line::new() };
        let mut pair = Pair::new(naive);
        for step in steps {
            match step {
                Step::Poll { slot, .. } => {
                    if let Some((news, outcome)) = pair.poll(slot, (), condvar.wait()) {
                        prop_assert_eq!(outcome.is_err(), news == News::Closed);
                        prop_assert!(matches!(outcome, Ok(()) | Err(Closed)));
                    }
                }
                Step::Drop(slot) => pair.drop(slot),
                Step::Leak(slot) => pair.leak(slot),
                Step::Act(0..7, _) => {
                    condvar.notify_one();
                    pair.naive.notify_one();
                }
                Step::Act(10, n) if n % 8 == 0 => {
                    condvar.close();
                    pair.naive.closed = true;
                    pair.naive.line.wake_all(News::Closed);
                }
                Step::Act(7..10, _) => {
                    condvar.notify_all();
                    pair.naive.line.wake_all(News::All);
                }
                Step::Act(..) => {}
            }
            pair.check(condvar.waiters());
        }
    }
}
