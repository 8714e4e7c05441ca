//! Whom the parts of a row wake: the task itself if they are few, else each its own place.

#![forbid(unsafe_code)]

use core::ops::ControlFlow;
use core::task::Context;

#[cfg(feature = "alloc")]
use super::woken::{FEW, Woken};
#[cfg(feature = "alloc")]
use alloc::boxed::Box;

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
