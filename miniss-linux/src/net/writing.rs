//! A write in progress: first its turn, then sends until the kernel has taken what it is to take.
//!
//! The turn lies in the send, not here. So a write that is dropped in the middle keeps it until the
//! kernel has let go of the send, and nothing of it can go out behind a later write.
//!
//! Written out as a state machine, since it is part of the task of every connection: an `async fn`
//! would keep the buffer beside the operation that has it, and room for a wait that hardly ever
//! comes.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use miniss_core::coop::Leaf;
use miniss_core::sync::Acquire;

use crate::buf::{BufResult, IoBuf};
use crate::driver::Op;
use crate::op::connection::{Connection, WriteTurn};
use crate::op::send::Send;

/// A write of a buffer; gives the number of bytes written.
pub(super) struct Writing<'a, B: IoBuf> {
    connection: &'a Rc<Connection>,
    /// Goes on until everything is written.
    whole: bool,
    leaf: Leaf,
    stage: Stage<'a, B>,
}

enum Stage<'a, B: IoBuf> {
    New(B),
    /// Someone else writes. Only who has to wait takes memory for it.
    Waiting(B, Pin<Box<Acquire<'a>>>),
    Sending(Op<Send<B>>),
    Ended,
}

/// Nothing in it is pinned but what is in the box.
impl<B: IoBuf> Unpin for Writing<'_, B> {}

impl<'a, B: IoBuf> Writing<'a, B> {
    pub(super) fn new(connection: &'a Rc<Connection>, buffer: B, whole: bool) -> Self {
        Self { connection, whole, leaf: Leaf::new(), stage: Stage::New(buffer) }
    }

    fn send(&mut self, turn: WriteTurn, buffer: B, done: usize) {
        // The kernel goes on by itself, as far as it can.
        let flags = if self.whole { libc::MSG_WAITALL } else { 0 };
        let op = self.connection.fd.driver().start(Send { turn, buffer, done, flags });
        self.connection.set_sending(&op);
        self.stage = Stage::Sending(op);
    }

    /// Takes the turn if it is free.
    fn begin(&mut self) -> Option<BufResult<usize, B>> {
        let Stage::New(buffer) = mem::replace(&mut self.stage, Stage::Ended) else { return None };
        match self.connection.try_turn_to_write() {
            Some(turn) => self.send(turn, buffer, 0),
            None => return self.wait(buffer),
        }
        None
    }

    /// Takes a place in the queue, unless the stream was closed or there is nothing to write.
    #[cold]
    fn wait(&mut self, buffer: B) -> Option<BufResult<usize, B>> {
        if let Err(error) = self.connection.fd.check_open() {
            return Some((Err(error), buffer));
        }
        if buffer.as_init().is_empty() {
            return Some((Ok(0), buffer));
        }
        self.stage = Stage::Waiting(buffer, Box::pin(self.connection.wait_to_write()));
        None
    }

    /// It is our turn.
    #[cold]
    fn begin_late(&mut self, turn: WriteTurn) -> Option<BufResult<usize, B>> {
        let Stage::Waiting(buffer, _) = mem::replace(&mut self.stage, Stage::Ended) else {
            return None;
        };
        if let Err(error) = self.connection.fd.check_still_open() {
            return Some((Err(error), buffer));
        }
        self.send(turn, buffer, 0);
        None
    }

    /// Goes on behind a send that left something, or ends.
    fn after(&mut self, result: io::Result<usize>, send: Send<B>) -> Option<BufResult<usize, B>> {
        let result = match result {
            Ok(len) if self.whole && send.done + len < send.buffer.as_init().len() => {
                return self.send_rest(len, send);
            }
            result => result.map(|len| send.done + len),
        };
        Some((result, send.buffer))
    }

    #[cold]
    fn send_rest(&mut self, len: usize, sent: Send<B>) -> Option<BufResult<usize, B>> {
        let Send { turn, buffer, done, .. } = sent;
        let may_go_on = match len {
            0 => Err(io::ErrorKind::WriteZero.into()),
            _ => self.connection.fd.check_still_open(),
        };
        if let Err(error) = may_go_on {
            return Some((Err(error), buffer));
        }
        self.send(turn, buffer, done + len);
        None
    }
}

impl<B: IoBuf> Future for Writing<'_, B> {
    type Output = BufResult<usize, B>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let end = match &mut self.stage {
                Stage::New(_) => {
                    ready!(self.leaf.poll_proceed(cx));
                    self.begin()
                }
                Stage::Waiting(_, acquire) => {
                    let unit = ready!(acquire.as_mut().poll(cx));
                    let turn = self.connection.turn(unit);
                    self.begin_late(turn)
                }
                Stage::Sending(op) => {
                    let (result, send) = ready!(Pin::new(op).poll(cx));
                    self.after(result, send)
                }
                Stage::Ended => panic!("a write was polled after it had ended"),
            };
            if let Some(end) = end {
                self.stage = Stage::Ended;
                return Poll::Ready(end);
            }
        }
    }
}
