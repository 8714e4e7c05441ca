//! A future, or what became of it: a seat in `when_all`.
//!
//! # Invariants
//!
//! - **Seats are pinned.** A running future is polled in its seat and dropped in its seat, by
//!   `Pin::set`. The output that takes its place is not pinned and may be moved out. `MaybeDone`
//!   has no `Drop`, and its `Unpin` depends on the future's alone.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

#[derive(Debug)]
pub enum MaybeDone<F: Future> {
    Running(F),
    Done(F::Output),
    Taken,
}

// "Seats are pinned": the output is never pinned, so it has no say.
impl<F: Future + Unpin> Unpin for MaybeDone<F> {}

impl<F: Future> MaybeDone<F> {
    /// Whether it is not done yet.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Polls the future unless it is done; whether it is.
    pub(super) fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        // SAFETY: "Seats are pinned": the future is not moved, only polled in its place.
        let Self::Running(future) = (unsafe { self.as_mut().get_unchecked_mut() }) else {
            return true;
        };
        // SAFETY: "Seats are pinned": `future` lies in a pinned seat.
        let Poll::Ready(output) = unsafe { Pin::new_unchecked(future) }.poll(cx) else {
            return false;
        };
        self.set(Self::Done(output));
        true
    }

    /// The output of a future that is done.
    ///
    /// # Panics
    ///
    /// If it is not, or its output has been taken.
    pub(super) fn take(self: Pin<&mut Self>) -> F::Output {
        // SAFETY: "Seats are pinned": a running future is left where it is.
        let this = unsafe { self.get_unchecked_mut() };
        match this {
            Self::Done(_) => {}
            Self::Running(_) | Self::Taken => panic!("polled after it was ready"),
        }
        match core::mem::replace(this, Self::Taken) {
            Self::Done(output) => output,
            Self::Running(_) | Self::Taken => unreachable!("it was done a line ago"),
        }
    }
}
