//! A random life of a channel, against a naive one.

use super::*;
use crate::collections::test_waker::poll_once;
use core::future::Future;
use core::pin::Pin;
use core::task::Poll;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::VecDeque;
use std::vec::Vec;

const ROOM: usize = 2;
const SENDS: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Step {
    Send(usize),
    Poll(usize),
    Drop(usize),
    TrySend,
    Recv,
    Close,
    Abort,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0..SENDS).prop_map(Step::Send),
        20 => (0..SENDS).prop_map(Step::Poll),
        10 => (0..SENDS).prop_map(Step::Drop),
        10 => Just(Step::TrySend),
        30 => Just(Step::Recv),
        1 => Just(Step::Close),
        1 => Just(Step::Abort),
    ];
    prop::collection::vec(step, 0..100)
}

type Sent = Result<(), SendError<u32>>;

/// A channel as one would write it without wakers: what is queued, and which send has what.
#[derive(Default)]
struct Naive {
    queue: VecDeque<u32>,
    granted: Vec<usize>,
    waiting: VecDeque<usize>,
    closed: bool,
}

impl Naive {
    fn has_room(&self) -> bool {
        self.queue.len() + self.granted.len() < ROOM
    }

    fn grant(&mut self) {
        while self.has_room() && !self.closed {
            let Some(next) = self.waiting.pop_front() else { return };
            self.granted.push(next);
        }
    }

    /// The outcome of a send that is new, or the question whether it waits.
    fn send(&mut self, at: usize, value: u32) -> Poll<Sent> {
        match self.try_send(value) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(TrySendError::Closed(value)) => Poll::Ready(Err(SendError(value))),
            Err(TrySendError::Full(_)) => {
                self.waiting.push_back(at);
                Poll::Pending
            }
        }
    }

    fn try_send(&mut self, value: u32) -> Result<(), TrySendError<u32>> {
        match () {
            () if self.closed => Err(TrySendError::Closed(value)),
            () if !self.has_room() || !self.waiting.is_empty() => Err(TrySendError::Full(value)),
            () => {
                self.queue.push_back(value);
                Ok(())
            }
        }
    }

    fn poll(&mut self, at: usize, value: u32) -> Poll<Sent> {
        if self.closed {
            self.forget(at);
            return Poll::Ready(Err(SendError(value)));
        }
        if self.waiting.contains(&at) {
            return Poll::Pending;
        }
        self.forget(at);
        self.queue.push_back(value);
        Poll::Ready(Ok(()))
    }

    fn forget(&mut self, at: usize) {
        self.granted.retain(|granted| *granted != at);
        self.waiting.retain(|waiting| *waiting != at);
    }

    fn recv(&mut self) -> Result<u32, TryRecvError> {
        let none = if self.closed { TryRecvError::Closed } else { TryRecvError::Empty };
        let value = self.queue.pop_front().ok_or(none)?;
        self.grant();
        Ok(value)
    }

    fn close(&mut self) {
        self.closed = true;
        self.waiting.clear();
    }
}

type Sending<'a> = (u32, Pin<Box<dyn Future<Output = Sent> + 'a>>);

fn live(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (sender, mut receiver) = bounded(ROOM);
    let mut sends: [Option<Sending<'_>>; SENDS] = [const { None }; SENDS];
    let mut naive = Naive::default();
    for (value, step) in (0..).zip(steps) {
        match step {
            Step::Send(at) if sends[at].is_none() => {
                let mut sending: Pin<Box<dyn Future<Output = Sent>>> = Box::pin(sender.send(value));
                let polled = poll_once(Pin::new(&mut sending));
                prop_assert_eq!(polled, naive.send(at, value));
                sends[at] = polled.is_pending().then_some((value, sending));
            }
            Step::Send(at) | Step::Poll(at) => {
                let Some((value, sending)) = &mut sends[at] else { continue };
                let polled = poll_once(Pin::new(sending));
                prop_assert_eq!(polled, naive.poll(at, *value));
                if polled.is_ready() {
                    sends[at] = None;
                }
            }
            Step::Drop(at) => {
                sends[at] = None;
                naive.forget(at);
                naive.grant();
            }
            Step::TrySend => prop_assert_eq!(sender.try_send(value), naive.try_send(value)),
            Step::Recv => prop_assert_eq!(receiver.try_recv(), naive.recv()),
            Step::Close => {
                receiver.close();
                naive.close();
            }
            Step::Abort => {
                sender.abort();
                naive.close();
                naive.queue.clear();
            }
        }
        prop_assert_eq!(sender.len(), naive.queue.len());
        prop_assert_eq!(sender.queue.room().waiters(), naive.waiting.len());
        prop_assert_eq!(sender.is_closed(), naive.closed);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_channel_does_what_a_naive_one_would_do(steps in steps()) {
        live(steps)?;
    }
}
