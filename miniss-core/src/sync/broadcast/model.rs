//! A random life of a broadcast, against one that forgets nothing.

use super::*;
use crate::collections::test_waker::{Counter, poll_with};
use core::future::Future;
use core::pin::Pin;
use core::task::{Poll, Waker};
use proptest::prelude::*;
use std::boxed::Box;
use std::sync::Arc;
use std::vec::Vec;

const KEPT: usize = 3;
const RECEIVERS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    Poll(usize),
    TryRecv(usize),
    Renew(usize),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => Just(Step::Send),
        20 => (0..RECEIVERS).prop_map(Step::Poll),
        10 => (0..RECEIVERS).prop_map(Step::TryRecv),
        5 => (0..RECEIVERS).prop_map(Step::Renew),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..80)
}

type Received = Result<u64, RecvError>;

enum State {
    Idle(Receiver<u64>),
    Waits(Pin<Box<dyn Future<Output = (Receiver<u64>, Received)>>>),
    Gone,
}

/// One receiver, and the value it has to see next. Values are numbered as they are sent.
struct Side {
    state: State,
    next: u64,
    wakes: (Arc<Counter>, Waker),
}

impl Side {
    fn new(receiver: Receiver<u64>, next: u64) -> Self {
        Self { state: State::Idle(receiver), next, wakes: Counter::new() }
    }

    /// What this receiver must get, and so has got, when `sent` values have been sent.
    fn expect(&mut self, sent: u64, is_closed: bool) -> Poll<Received> {
        let oldest = sent.saturating_sub(KEPT as u64);
        if self.next < oldest {
            let missed = oldest - self.next;
            self.next = oldest;
            return Poll::Ready(Err(RecvError::Lagged(missed)));
        }
        if self.next == sent {
            return if is_closed { Poll::Ready(Err(RecvError::Closed)) } else { Poll::Pending };
        }
        self.next += 1;
        Poll::Ready(Ok(self.next - 1))
    }

    fn poll(&mut self) -> Poll<Received> {
        let mut waits = match core::mem::replace(&mut self.state, State::Gone) {
            State::Waits(waits) => waits,
            State::Idle(mut receiver) => Box::pin(async move {
                let received = receiver.recv().await;
                (receiver, received)
            }),
            State::Gone => panic!("gone before"),
        };
        self.wakes = Counter::new();
        match poll_with(Pin::new(&mut waits), &self.wakes.1) {
            Poll::Pending => {
                self.state = State::Waits(waits);
                Poll::Pending
            }
            Poll::Ready((receiver, received)) => {
                self.state = State::Idle(receiver);
                Poll::Ready(received)
            }
        }
    }
}

fn without_waiting(received: Poll<Received>) -> Result<u64, TryRecvError> {
    match received {
        Poll::Pending => Err(TryRecvError::Empty),
        Poll::Ready(Ok(value)) => Ok(value),
        Poll::Ready(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
        Poll::Ready(Err(RecvError::Lagged(missed))) => Err(TryRecvError::Lagged(missed)),
    }
}

fn live(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (sender, receiver) = channel(KEPT);
    let mut sender = Some(sender);
    let mut sides: Vec<Side> = (0..RECEIVERS).map(|_| Side::new(receiver.clone(), 0)).collect();
    let mut sent = 0;
    for step in steps {
        match step {
            Step::Send => {
                let Some(sender) = &sender else { continue };
                prop_assert_eq!(sender.send(sent), Ok(RECEIVERS + 1));
                sent += 1;
            }
            Step::Poll(at) => {
                let expected = sides[at].expect(sent, sender.is_none());
                prop_assert_eq!(sides[at].poll(), expected);
            }
            Step::TryRecv(at) => {
                let State::Idle(_) = sides[at].state else { continue };
                let expected = without_waiting(sides[at].expect(sent, sender.is_none()));
                let State::Idle(receiver) = &mut sides[at].state else { continue };
                prop_assert_eq!(receiver.try_recv(), expected);
            }
            Step::Renew(at) => {
                let Some(sender) = &sender else { continue };
                sides[at] = Side::new(sender.subscribe(), sent);
            }
            Step::Close => sender = None,
        }
        for side in &sides {
            let is_over = side.next != sent || sender.is_none();
            if let State::Waits(_) = side.state {
                prop_assert_eq!(side.wakes.0.wakes(), usize::from(is_over));
            }
        }
    }
    drop(receiver);
    Ok(())
}

proptest! {
    #[test]
    fn a_broadcast_does_what_one_that_forgets_nothing_would_do(steps in steps()) {
        live(steps)?;
    }
}
