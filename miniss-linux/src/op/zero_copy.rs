//! A send that does not copy: the network reads from the caller's buffer.
//!
//! It completes twice. First comes the result, when all bytes are queued in their order: other
//! writes may follow from then on. The last completion comes when the kernel no longer reads the
//! buffer, for TCP when the peer has acknowledged it. So the buffer stays here until then, also
//! when no one waits any more; the connection does not, or a peer that reads nothing could keep it
//! from being closed.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use miniss_core::op::{Completion, Operation};

use super::connection::{Connection, WriteTurn};
use crate::buf::{IoBuf, op_len};
use crate::driver::{Op, Prepare, Request, result_of};

/// A send of what is left of a buffer, without a copy.
pub(crate) struct SendZeroCopy<B> {
    /// `None` once all is queued.
    turn: Option<WriteTurn>,
    connection: Weak<Connection>,
    buffer: B,
    /// Bytes at the front that have been sent before, and those that this one asks for.
    done: usize,
    asked: usize,
    /// The result, once it has come.
    result: Option<Completion>,
    /// No one waits any more.
    is_given_up: bool,
}

impl<B: IoBuf> SendZeroCopy<B> {
    /// The result has come; with all bytes queued, it is the turn of others.
    fn note(&mut self, result: Completion) {
        self.result = Some(result);
        if self.sent() >= self.done + self.asked {
            self.turn = None;
        }
    }

    /// Bytes at the front that are sent, if this has its result.
    fn sent(&self) -> usize {
        let now = self.result.and_then(|result| result_of(result).ok());
        self.done + now.unwrap_or(0)
    }

    /// No one waits any more. What went out is told before others have their turn.
    fn give_up(&mut self) {
        self.is_given_up = true;
        if self.result.is_some() {
            self.count_cancelled();
        }
    }

    fn count_cancelled(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.cancelled_after(self.sent());
        }
        // What was not sent will not be.
        self.turn = None;
    }
}

impl<B: IoBuf> Operation for SendZeroCopy<B> {
    /// The turn comes back if something is left.
    type Output = (io::Result<usize>, Option<WriteTurn>, B);

    fn settle(self, completion: Completion) -> Self::Output {
        (result_of(self.result.unwrap_or(completion)), self.turn, self.buffer)
    }

    fn wants_cancel_after(&mut self, completion: Completion, _: u32) -> bool {
        self.note(completion);
        false
    }

    /// Also called for a result that someone has waited for, when all has ended.
    fn orphan_part(&mut self, completion: Completion) {
        if self.is_given_up && self.result.is_none() {
            self.result = Some(completion);
            self.count_cancelled();
        }
    }

    fn settle_orphan(mut self, completion: Completion) {
        self.orphan_part(completion);
    }
}

impl<B: IoBuf> Prepare for SendZeroCopy<B> {
    fn prepare(&mut self) -> Request {
        let bytes = &self.buffer.as_init()[self.done..];
        self.asked = bytes.len();
        let fd = self.turn.as_ref().map_or(-1, |turn| turn.fd.number());
        // The kernel goes on by itself until everything is sent, if it can.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        Request::SendZeroCopy { fd, bytes: bytes.as_ptr(), len: op_len(bytes.len()), flags }
    }
}

/// Waits for a send without a copy, until the buffer is no longer read.
pub(crate) struct SendingZeroCopy<B: IoBuf>(Op<SendZeroCopy<B>>);

impl<B: IoBuf> SendingZeroCopy<B> {
    /// Starts one, of what is behind the first `done` bytes of `buffer`.
    pub(crate) fn start(
        connection: &Rc<Connection>,
        turn: WriteTurn,
        buffer: B,
        done: usize,
    ) -> Self {
        let op = connection.start(SendZeroCopy {
            turn: Some(turn),
            connection: Rc::downgrade(connection),
            buffer,
            done,
            asked: 0,
            result: None,
            is_given_up: false,
        });
        connection.set_sending(&op);
        Self(op)
    }
}

impl<B: IoBuf> Future for SendingZeroCopy<B> {
    type Output = (io::Result<usize>, Option<WriteTurn>, B);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<B: IoBuf> Drop for SendingZeroCopy<B> {
    fn drop(&mut self) {
        self.0.with(SendZeroCopy::give_up);
    }
}
