//! A random life of a watch, against counting versions.

use super::*;
use crate::collections::test_waker::{Counter, poll_with};
use crate::sync::Closed;
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};
use proptest::prelude::*;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

const RECEIVERS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    Look(usize),
    Poll(usize),
    Renew(usize),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => Just(Step::Send),
        10 => (0..RECEIVERS).prop_map(Step::Look),
        30 => (0..RECEIVERS).prop_map(Step::Poll),
        5 => (0..RECEIVERS).prop_map(Step::Renew),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..80)
}

type Back = (Receiver<u32>, Result<(), Closed>);

enum State {
    Idle(Receiver<u32>),
    Waits(Pin<Box<dyn Future<Output = Back>>>),
    Gone,
}

/// One receiver, the version it has seen, and whether its waker has been called.
struct Side {
    state: State,
    seen: u32,
    wakes: (Arc<Counter>, Waker),
}

impl Side {
    fn new(receiver: Receiver<u32>, seen: u32) -> Self {
        Self { state: State::Idle(receiver), seen, wakes: Counter::new() }
    }

    /// Polls a wait for a change, a new one if none is going on.
    fn poll(&mut self) -> Poll<Result<(), Closed>> {
        let mut waits = match core::mem::replace(&mut self.state, State::Gone) {
            State::Waits(waits) => waits,
            State::Idle(mut receiver) => Box::pin(async move {
                let outcome = receiver.changed().await;
                (receiver, outcome)
            }),
            State::Gone => panic!("gone before"),
        };
        self.wakes = Counter::new();
        match poll_with(Pin::new(&mut waits), &self.wakes.1) {
            Poll::Pending => {
                self.state = State::Waits(waits);
                Poll::Pending
            }
            Poll::Ready((receiver, outcome)) => {
                self.state = State::Idle(receiver);
                Poll::Ready(outcome)
            }
        }
    }
}

fn live(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (sender, receiver) = channel(0);
    let mut sender = Some(sender);
    let mut sides: Vec<Side> = (0..RECEIVERS).map(|_| Side::new(receiver.clone(), 0)).collect();
    let mut version = 0;
    for step in steps {
        match step {
            Step::Send => {
                let Some(sender) = &sender else { continue };
                version += 1;
                sender.send(version).unwrap();
            }
            Step::Look(at) => {
                let State::Idle(receiver) = &mut sides[at].state else { continue };
                prop_assert_eq!(*receiver.borrow_and_update(), version);
                sides[at].seen = version;
            }
            Step::Poll(at) => {
                let side = &mut sides[at];
                let expected = match () {
                    () if side.seen != version => Poll::Ready(Ok(())),
                    () if sender.is_none() => Poll::Ready(Err(Closed)),
                    () => Poll::Pending,
                };
                prop_assert_eq!(side.poll(), expected);
                side.seen = version;
            }
            Step::Renew(at) => {
                let Some(sender) = &sender else { continue };
                sides[at] = Side::new(sender.subscribe(), version);
            }
            Step::Close => sender = None,
        }
        for side in &sides {
            let is_over = side.seen != version || sender.is_none();
            let woken = side.wakes.0.wakes();
            match &side.state {
                State::Idle(receiver) => {
                    prop_assert_eq!(receiver.has_changed(), side.seen != version);
                }
                State::Waits(_) => prop_assert_eq!(woken, usize::from(is_over)),
                State::Gone => unreachable!("a poll puts it back"),
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_watch_does_what_a_version_number_would_do(steps in steps()) {
        live(steps)?;
    }
}
