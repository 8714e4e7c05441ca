//! Slots for many futures side by side: rows of them, what became of each, and the waker of each.
//!
//! # Invariants
//!
//! - **A row is pinned whole.** The elements of a pinned slice are pinned: they are only reached
//!   through this module, which never moves one, and slices and arrays have no `Drop`.
//! - **Slots are pinned.** A running future is polled in its slot and dropped in its slot, by
//!   `Pin::set`. The output that takes its place is not pinned and may be moved out. `MaybeDone`
//!   has no `Drop`, and its `Unpin` depends on the future's alone.

use core::future::Future;
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll};

#[cfg(feature = "alloc")]
use super::woken::{FEW, Woken};
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

/// The slots of a row, one after the other.
pub(super) fn each<T>(row: Pin<&mut [T]>) -> impl Iterator<Item = Pin<&mut T>> {
    // SAFETY: *A row is pinned whole*: the slice is only walked, nothing is moved.
    let row = unsafe { row.get_unchecked_mut() };
    // SAFETY: *A row is pinned whole*: so its elements are pinned.
    row.iter_mut().map(|slot| unsafe { Pin::new_unchecked(slot) })
}

/// One slot of a row.
pub(super) fn nth<T>(row: Pin<&mut [T]>, index: usize) -> Pin<&mut T> {
    // SAFETY: *A row is pinned whole*: an element is reached, and nothing is moved.
    unsafe { row.map_unchecked_mut(|row| &mut row[index]) }
}

/// An array of slots as a row.
pub(super) fn row<T, const N: usize>(slots: Pin<&mut [T; N]>) -> Pin<&mut [T]> {
    // SAFETY: *A row is pinned whole*: an array and the slice of it are the same place.
    unsafe { slots.map_unchecked_mut(|slots| slots.as_mut_slice()) }
}

#[derive(Debug)]
pub enum MaybeDone<F: Future> {
    Running(F),
    Done(F::Output),
    Taken,
}

// *Slots are pinned*: the output is never pinned, so it has no say.
impl<F: Future + Unpin> Unpin for MaybeDone<F> {}

impl<F: Future> MaybeDone<F> {
    /// Whether it is not done yet.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Polls the future unless it is done; whether it is.
    pub(super) fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        // SAFETY: *Slots are pinned*: the future is not moved, only polled in its place.
        let Self::Running(future) = (unsafe { self.as_mut().get_unchecked_mut() }) else {
            return true;
        };
        // SAFETY: *Slots are pinned*: `future` lies in a pinned slot.
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
        // SAFETY: *Slots are pinned*: a running future is left where it is.
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

/// The wakers of the parts of one row.
///
/// Few parts share that of the task, and so do all where there is no heap: then each poll of the
/// whole polls every part.
pub struct Wakes {
    /// For many parts, from the first poll on.
    #[cfg(feature = "alloc")]
    woken: Option<Box<Woken>>,
}

impl Wakes {
    pub(super) const fn new() -> Self {
        Self {
            #[cfg(feature = "alloc")]
            woken: None,
        }
    }

    /// The whole is done: parts that are woken late wake no one.
    pub(super) fn end(&mut self) {
        #[cfg(feature = "alloc")]
        drop(self.woken.take());
    }

    /// Calls `poll` for those of `count` parts that may go on, in their order, until it breaks off.
    pub(super) fn poll<B>(
        &mut self,
        count: usize,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(usize, &mut Context<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        #[cfg(feature = "alloc")]
        if count > FEW {
            let woken = self.woken.get_or_insert_with(|| Box::new(Woken::new(count)));
            return poll_woken(woken, cx, poll);
        }
        (0..count).try_for_each(|part| poll(part, cx))
    }
}

#[cfg(feature = "alloc")]
fn poll_woken<B>(
    woken: &mut Woken,
    cx: &mut Context<'_>,
    mut poll: impl FnMut(usize, &mut Context<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    woken.begin(cx.waker());
    while let Some(part) = woken.next() {
        woken.poll(part, |cx| poll(part, cx))?;
    }
    woken.end(cx.waker());
    ControlFlow::Continue(())
}

impl core::fmt::Debug for Wakes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Wakes").finish_non_exhaustive()
    }
}
