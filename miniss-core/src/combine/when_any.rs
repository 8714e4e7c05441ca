//! Many futures at once until the first is ready, and the others back.
//!
//! The others are to be used on, so all of them must be `Unpin`: a future of an `async` block goes
//! in as a `Pin<&mut _>` made by [`pin!`](core::pin::pin), or as a `Pin<Box<_>>`.

#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::slots::Wakes;

/// Runs all `futures` at once until one of them is ready, and gives its output together with the
/// others, which may be awaited further.
///
/// | `futures` | output |
/// |---|---|
/// | a tuple of two to eight | a tuple of [`Raced`], of which one is `Done` |
/// | an array `[F; N]` | index, output, `[Option<F>; N]` with `None` at the index |
/// | a `Vec<F>`, with `alloc` | index, output, `Vec<F>` of the others in their order |
///
/// They are polled in the order of the input until one is ready, so of several that are ready it
/// is the first in that order, and those behind it are not polled.
///
/// With `alloc`, each of more than eight futures in an array or a `Vec` is polled only when it was
/// woken itself, and at most 128 of them before others on this core have a turn; their wakers take
/// a few words of the heap. A tuple, up to eight futures, and an array without `alloc` are polled
/// whenever one of them is woken. In any case the first poll of each call polls them all: to take
/// very many one after the other as they become ready, use the `FuturesUnordered` of the `futures`
/// crate.
///
/// # Panics
///
/// If `futures` is empty, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures. Where they are borrowed (`Pin<&mut _>`), they are left as they
/// are, and nothing is lost.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::{pin::pin, time::Duration};
/// use miniss_core::combine::{Raced, when_any};
/// use miniss_core::timer::Sleep;
///
/// let mut executor = executor();
/// let local = executor.local();
/// executor.block_on(async {
///     let answer = pin!(async {
///         Sleep::new(local, Duration::from_millis(5)).await;
///         42
///     });
///     let patience = pin!(Sleep::new(local, Duration::from_millis(1)));
///     match when_any((answer, patience)).await {
///         (Raced::Done(_), _) => unreachable!("it takes longer"),
///         (Raced::Running(answer), _) => assert_eq!(answer.await, 42),
///     }
/// });
/// ```
#[track_caller]
pub fn when_any<F: Race>(futures: F) -> WhenAny<F> {
    futures.check();
    WhenAny { futures: Some(futures), wakes: Wakes::new() }
}

/// One of the futures that were given to [`when_any`] as a tuple.
///
/// ```
/// # use core::future::{Pending, Ready, pending, ready};
/// # use miniss_core::doctest::executor;
/// use miniss_core::combine::{Raced, when_any};
/// let (never, three) = executor().block_on(when_any((pending::<()>(), ready(3))));
/// assert_eq!(three.output(), Some(3));
/// assert_eq!(never.output(), None);
/// ```
#[derive(Debug)]
pub enum Raced<F: Future> {
    /// The one that was ready, by its output.
    Done(F::Output),
    /// One that goes on.
    Running(F),
}

impl<F: Future> Raced<F> {
    /// The output of the one that was ready.
    pub fn output(self) -> Option<F::Output> {
        match self {
            Self::Done(output) => Some(output),
            Self::Running(_) => None,
        }
    }
}

/// The future of [`when_any`].
///
/// # Cancellation
///
/// As for [`when_any`].
///
/// ```
/// # use core::future::{Ready, ready};
/// use miniss_core::combine::{WhenAny, when_any};
/// let pair: WhenAny<[Ready<u32>; 2]> = when_any([ready(1), ready(2)]);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WhenAny<F> {
    futures: Option<F>,
    wakes: Wakes,
}

// What it is made for is `Unpin`.
impl<F> Unpin for WhenAny<F> {}

impl<F: Race> Future for WhenAny<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { futures: slot, wakes } = self.get_mut();
        let futures = slot.as_mut().expect("polled after it was ready");
        let Some(winner) = futures.poll_first(wakes, cx) else {
            return Poll::Pending;
        };
        wakes.end();
        let futures = slot.take().expect("they were polled a line ago");
        Poll::Ready(futures.finish(winner))
    }
}

/// A collection of futures that [`when_any`] can run.
///
/// It is implemented for tuples of two to eight futures, for arrays and, with `alloc`, for `Vec`.
/// The methods are for this module only.
///
/// ```
/// use miniss_core::combine::{Race, when_any};
///
/// async fn timed<F: Race>(futures: F) -> F::Output {
///     when_any(futures).await
/// }
/// ```
pub trait Race: sealed::Sealed {
    /// What [`when_any`] gives for it.
    type Output;
    #[doc(hidden)]
    type Winner;

    #[doc(hidden)]
    #[track_caller]
    fn check(&self) {}
    /// Polls one future after the other until one is ready.
    #[doc(hidden)]
    fn poll_first(&mut self, wakes: &mut Wakes, cx: &mut Context<'_>) -> Option<Self::Winner>;
    #[doc(hidden)]
    fn finish(self, winner: Self::Winner) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
}

fn poll_row<F: Future + Unpin>(
    futures: &mut [F],
    wakes: &mut Wakes,
    cx: &mut Context<'_>,
) -> Option<(usize, F::Output)> {
    let first =
        wakes.poll(futures.len(), cx, |part, cx| match Pin::new(&mut futures[part]).poll(cx) {
            Poll::Ready(output) => Break((part, output)),
            Poll::Pending => Continue(()),
        });
    first.break_value()
}

impl<F: Future + Unpin, const N: usize> sealed::Sealed for [F; N] {}

impl<F: Future + Unpin, const N: usize> Race for [F; N] {
    type Output = (usize, F::Output, [Option<F>; N]);
    type Winner = (usize, F::Output);

    fn check(&self) {
        assert!(N > 0, "none of no futures is ever ready");
    }

    fn poll_first(&mut self, wakes: &mut Wakes, cx: &mut Context<'_>) -> Option<Self::Winner> {
        poll_row(self, wakes, cx)
    }

    fn finish(self, (index, output): Self::Winner) -> Self::Output {
        let mut others = self.map(Some);
        others[index] = None;
        (index, output, others)
    }
}

#[cfg(feature = "alloc")]
impl<F: Future + Unpin> sealed::Sealed for Vec<F> {}

#[cfg(feature = "alloc")]
impl<F: Future + Unpin> Race for Vec<F> {
    type Output = (usize, F::Output, Vec<F>);
    type Winner = (usize, F::Output);

    fn check(&self) {
        assert!(!self.is_empty(), "none of no futures is ever ready");
    }

    fn poll_first(&mut self, wakes: &mut Wakes, cx: &mut Context<'_>) -> Option<Self::Winner> {
        poll_row(self, wakes, cx)
    }

    fn finish(mut self, (index, output): Self::Winner) -> Self::Output {
        drop(self.remove(index));
        (index, output, self)
    }
}

/// Puts the output of the future that was ready in its place.
fn raced<F: Future>(future: F, output: Option<F::Output>) -> Raced<F> {
    output.map_or(Raced::Running(future), Raced::Done)
}

macro_rules! tuple {
    ($($future:ident . $index:tt),+) => {
        impl<$($future: Future + Unpin),+> sealed::Sealed for ($($future,)+) {}

        impl<$($future: Future + Unpin),+> Race for ($($future,)+) {
            type Output = ($(Raced<$future>,)+);
            /// `Some` at one place.
            type Winner = ($(Option<$future::Output>,)+);

            fn poll_first(&mut self, _: &mut Wakes, cx: &mut Context<'_>) -> Option<Self::Winner> {
                $(
                    if let Poll::Ready(output) = Pin::new(&mut self.$index).poll(cx) {
                        let mut winner = Self::Winner::default();
                        winner.$index = Some(output);
                        return Some(winner);
                    }
                )+
                None
            }

            fn finish(self, winner: Self::Winner) -> Self::Output {
                ($(raced(self.$index, winner.$index),)+)
            }
        }
    };
}

tuple!(A.0, B.1);
tuple!(A.0, B.1, C.2);
tuple!(A.0, B.1, C.2, D.3);
tuple!(A.0, B.1, C.2, D.3, E.4);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6, H.7);

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
