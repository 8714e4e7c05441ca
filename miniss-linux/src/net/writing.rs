//! A write in progress: first its turn, then sends until the kernel has taken what it is to take.
//!
//! `user future ─▶ stream ─▶ [writing] ─▶ op ─▶ kernel`
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

use miniss_core::sync::Acquire;

use super::connection::{Connection, WriteTurn};
use crate::buf::{BufResult, IoBuf};
use crate::driver::Op;
use crate::op::send::Send;

/// A write of a buffer; gives the number of bytes written.
pub(super) struct Writing<'a, B: IoBuf> {
    connection: &'a Rc<Connection>,
    /// Goes on until everything is written.
    whole: bool,
    stage: Stage<'a, B>,
}

enum Stage<'a, B: IoBuf> {
    New(B),
    /// Somebody else writes. Only who has to wait takes memory for it.
    Waiting(B, Pin<Box<Acquire<'a>>>),
    Sending {
        op: Op<Send<B>>,
        _turn: WriteTurn<'a>,
    },
    Ended,
}

/// Nothing in it is pinned but what is in the box.
impl<B: IoBuf> Unpin for Writing<'_, B> {}

impl<'a, B: IoBuf> Writing<'a, B> {
    pub(super) fn new(connection: &'a Rc<Connection>, buffer: B, whole: bool) -> Self {
        Self { connection, whole, stage: Stage::New(buffer) }
    }

    fn start(&self, buffer: B, done: usize) -> Op<Send<B>> {
        // The kernel goes on by itself, as far as it can.
        let flags = if self.whole { libc::MSG_WAITALL } else { 0 };
        let send = Send { connection: self.connection.clone(), buffer, done, flags };
        self.connection.fd.driver().start(send)
    }

    /// Takes the turn if it is free, else a place in the queue.
    fn begin(&mut self) {
        if let Stage::New(buffer) = mem::replace(&mut self.stage, Stage::Ended) {
            self.stage = match self.connection.try_turn_to_write() {
                Some(_turn) => Stage::Sending { op: self.start(buffer, 0), _turn },
                None => Stage::Waiting(buffer, Box::pin(self.connection.wait_to_write())),
            };
        }
    }

    /// It is our turn.
    fn begin_late(&mut self, turn: WriteTurn<'a>) {
        if let Stage::Waiting(buffer, _) = mem::replace(&mut self.stage, Stage::Ended) {
            self.stage = Stage::Sending { op: self.start(buffer, 0), _turn: turn };
        }
    }

    /// Goes on behind a send that left something, or ends.
    fn after(&mut self, result: io::Result<usize>, send: Send<B>) -> Option<BufResult<usize, B>> {
        let total = send.buffer.as_init().len();
        let end = match result {
            Ok(0) if self.whole && send.done < total => Err(io::ErrorKind::WriteZero.into()),
            Ok(len) if self.whole && send.done + len < total => {
                let rest = self.start(send.buffer, send.done + len);
                if let Stage::Sending { op, .. } = &mut self.stage {
                    *op = rest;
                }
                return None;
            }
            Ok(len) => Ok(send.done + len),
            Err(error) => Err(error),
        };
        self.stage = Stage::Ended;
        Some((end, send.buffer))
    }
}

impl<B: IoBuf> Future for Writing<'_, B> {
    type Output = BufResult<usize, B>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.stage {
                Stage::New(_) => self.begin(),
                Stage::Waiting(_, acquire) => {
                    let unit = ready!(acquire.as_mut().poll(cx));
                    let turn = self.connection.turn(unit);
                    self.begin_late(turn);
                }
                Stage::Sending { op, .. } => {
                    let (result, send) = ready!(Pin::new(op).poll(cx));
                    if let Some(end) = self.after(result, send) {
                        return Poll::Ready(end);
                    }
                }
                Stage::Ended => panic!("a write was polled after it had ended"),
            }
        }
    }
}
