//! Many futures at once: all outcomes, or all values or the first error, when the last is there.
//!
//! Up to eight futures share the waker of their task, so a wake polls every one that is not done:
//! the cheapest way for a handful. Where there are more, and a heap, each has a waker of its own,
//! and a wake polls the one that was woken (see `woken`).
//!
//! # Invariants
//!
//! - **Slots stay put.** A tuple or an array of slots lies in the pinned [`WhenAll`], a `Vec` of
//!   them in a pinned box; slots are polled there and never moved. Neither `WhenAll` nor [`Row`]
//!   has a `Drop`, and they are `Unpin` only where all their slots are.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};
use core::array;
use core::future::Future;
use core::ops::ControlFlow::{Break, Continue};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::chain::convert;
use super::slots::{MaybeDone, Wakes, each, nth, row};

/// Runs all `futures` at once and gives all their outputs, in the order of the input.
///
/// `futures` is a tuple of two to eight, an array or, with `alloc`, a `Vec`. It never fails by
/// itself: outputs are handed out as they are, errors among them, and one that fails stops none of
/// the others.
///
/// With `alloc`, each of more than eight futures in an array or a `Vec` is polled only when it was
/// woken itself, and at most 128 of them before others on this core have a turn; their wakers take
/// a few words of the heap. A tuple, up to eight futures, and an array without `alloc` are polled
/// whenever one of them is woken.
///
/// # Panics
///
/// When polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done, and the outputs of those that are.
///
/// ```
/// # use core::{pin::pin, task::{Context, Poll, Waker}};
/// use core::future::ready;
/// use miniss_core::combine::when_all;
///
/// let both = when_all((ready(Ok::<_, ()>(1)), ready(Err::<(), _>("no file"))));
/// # let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(both).poll(&mut cx), Poll::Ready((Ok(1), Err("no file"))));
/// ```
pub fn when_all<F: Outcomes>(futures: F) -> WhenAll<F> {
    WhenAll { slots: futures.into_slots() }
}

/// The future of [`when_all`].
///
/// # Cancellation
///
/// As for [`when_all`].
///
/// ```
/// # use core::future::{Ready, ready};
/// use miniss_core::combine::{WhenAll, when_all};
/// let pair: WhenAll<[Ready<u32>; 2]> = when_all([ready(1), ready(2)]);
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct WhenAll<F: Outcomes> {
    slots: F::Slots,
}

impl<F: Outcomes> Future for WhenAll<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: *Slots stay put*: `slots` is structurally pinned.
        let mut slots = unsafe { self.map_unchecked_mut(|when_all| &mut when_all.slots) };
        if F::poll_slots(slots.as_mut(), cx) { Poll::Ready(F::take(slots)) } else { Poll::Pending }
    }
}

/// A collection of futures that [`when_all`] can run.
///
/// It is implemented for tuples of two to eight futures, for arrays and, with `alloc`, for `Vec`.
/// The methods are for this module only.
///
/// ```
/// use miniss_core::combine::{Outcomes, when_all};
///
/// async fn timed<F: Outcomes>(futures: F) -> F::Output {
///     when_all(futures).await
/// }
/// ```
pub trait Outcomes: sealed::Sealed {
    /// The outputs, in the order of the input.
    type Output;
    /// Where the futures lie while they run. No one else is to use it.
    type Slots;

    #[doc(hidden)]
    fn into_slots(self) -> Self::Slots;
    /// Polls every future that is not done, and answers whether all are.
    #[doc(hidden)]
    fn poll_slots(slots: Pin<&mut Self::Slots>, cx: &mut Context<'_>) -> bool;
    #[doc(hidden)]
    fn take(slots: Pin<&mut Self::Slots>) -> Self::Output;
}

mod sealed {
    pub trait Sealed {}
}

/// A row of slots, and the wakers of the futures in them.
pub struct Row<S> {
    /// Structurally pinned.
    slots: S,
    running: usize,
    wakes: Wakes,
}

impl<S> Row<S> {
    const fn new(slots: S, running: usize) -> Self {
        Self { slots, running, wakes: Wakes::new() }
    }

    fn project(self: Pin<&mut Self>) -> (Pin<&mut S>, &mut usize, &mut Wakes) {
        // SAFETY: *Slots stay put*: `slots` is structurally pinned, and nothing else is.
        unsafe {
            let Self { slots, running, wakes } = self.get_unchecked_mut();
            (Pin::new_unchecked(slots), running, wakes)
        }
    }
}

/// Polls those futures of a row that may go on; whether none of them is left.
fn poll_row<F: Future>(
    mut slots: Pin<&mut [MaybeDone<F>]>,
    running: &mut usize,
    wakes: &mut Wakes,
    cx: &mut Context<'_>,
) -> bool {
    let _left = wakes.poll(slots.len(), cx, |part, cx| {
        let slot = nth(slots.as_mut(), part);
        if slot.is_running() && slot.poll_done(cx) {
            *running -= 1;
        }
        if *running == 0 { Break(()) } else { Continue(()) }
    });
    if *running == 0 {
        wakes.end();
    }
    *running == 0
}

impl<F: Future, const N: usize> sealed::Sealed for [F; N] {}

impl<F: Future, const N: usize> Outcomes for [F; N] {
    type Output = [F::Output; N];
    type Slots = Row<[MaybeDone<F>; N]>;

    fn into_slots(self) -> Self::Slots {
        Row::new(self.map(MaybeDone::Running), N)
    }

    fn poll_slots(slots: Pin<&mut Self::Slots>, cx: &mut Context<'_>) -> bool {
        let (slots, running, wakes) = slots.project();
        poll_row(row(slots), running, wakes, cx)
    }

    fn take(slots: Pin<&mut Self::Slots>) -> Self::Output {
        let mut slots = each(row(slots.project().0));
        array::from_fn(|_| slots.next().expect("as many slots as outputs").take())
    }
}

#[cfg(feature = "alloc")]
impl<F: Future> sealed::Sealed for Vec<F> {}

#[cfg(feature = "alloc")]
impl<F: Future> Outcomes for Vec<F> {
    type Output = Vec<F::Output>;
    type Slots = Row<Pin<Box<[MaybeDone<F>]>>>;

    fn into_slots(self) -> Self::Slots {
        let running = self.len();
        Row::new(Box::into_pin(self.into_iter().map(MaybeDone::Running).collect()), running)
    }

    fn poll_slots(slots: Pin<&mut Self::Slots>, cx: &mut Context<'_>) -> bool {
        let (slots, running, wakes) = slots.project();
        poll_row(slots.as_deref_mut(), running, wakes, cx)
    }

    fn take(slots: Pin<&mut Self::Slots>) -> Self::Output {
        each(slots.project().0.as_deref_mut()).map(MaybeDone::take).collect()
    }
}

macro_rules! tuple {
    ($($future:ident . $index:tt),+) => {
        impl<$($future: Future),+> sealed::Sealed for ($($future,)+) {}

        impl<$($future: Future),+> Outcomes for ($($future,)+) {
            type Output = ($($future::Output,)+);
            type Slots = ($(MaybeDone<$future>,)+);

            fn into_slots(self) -> Self::Slots {
                ($(MaybeDone::Running(self.$index),)+)
            }

            fn poll_slots(mut slots: Pin<&mut Self::Slots>, cx: &mut Context<'_>) -> bool {
                let mut done = true;
                $(
                    // SAFETY: *Slots stay put*: a field of a pinned tuple is pinned.
                    let slot = unsafe { slots.as_mut().map_unchecked_mut(|all| &mut all.$index) };
                    done &= slot.poll_done(cx);
                )+
                done
            }

            fn take(mut slots: Pin<&mut Self::Slots>) -> Self::Output {
                ($(
                    // SAFETY: *Slots stay put*: a field of a pinned tuple is pinned.
                    unsafe { slots.as_mut().map_unchecked_mut(|all| &mut all.$index) }.take(),
                )+)
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

/// Runs all `futures` at once and gives all their values, or an error if one has failed.
///
/// `futures` is what [`when_all`] takes, each with a `Result` as its output, and all with one type
/// of error. One that fails stops none of the others: only when all are done the first error in the
/// order of the input is given, and values and other errors are dropped.
///
/// # Errors
///
/// The first error in the order of the input.
///
/// # Panics
///
/// When polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done, and the outputs of those that are.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::combine::when_all_succeed;
///
/// async fn load(name: &str) -> Result<usize, String> {
///     if name.is_empty() { Err("no name".into()) } else { Ok(name.len()) }
/// }
/// # executor().block_on(async {
/// assert_eq!(when_all_succeed((load("a"), load("bc"))).await, Ok((1, 2)));
/// assert_eq!(when_all_succeed([load("a"), load("")]).await, Err("no name".into()));
/// # });
/// ```
pub fn when_all_succeed<F>(
    futures: F,
) -> impl Future<Output = Result<<F::Output as Results>::Values, <F::Output as Results>::Error>>
where
    F: Outcomes<Output: Results>,
{
    convert(when_all(futures), Results::values)
}

/// What [`when_all_succeed`] can sum up: many results, with one type of error.
///
/// It is implemented for tuples of two to eight results, for arrays and, with `alloc`, for `Vec`.
///
/// ```
/// use miniss_core::combine::{Outcomes, Results, when_all_succeed};
///
/// async fn succeeds<F: Outcomes<Output: Results>>(futures: F) -> bool {
///     when_all_succeed(futures).await.is_ok()
/// }
/// ```
pub trait Results {
    /// The values, in the order of the input.
    type Values;
    /// The error that all of them share.
    type Error;

    /// The values.
    ///
    /// # Errors
    ///
    /// The first error in the order of the input.
    fn values(self) -> Result<Self::Values, Self::Error>;
}

impl<T, E, const N: usize> Results for [Result<T, E>; N] {
    type Values = [T; N];
    type Error = E;

    fn values(self) -> Result<[T; N], E> {
        let mut failed = None;
        let values = self.map(|result| match result {
            Ok(value) => Some(value),
            Err(error) => {
                failed.get_or_insert(error);
                None
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(values.map(|value| value.expect("what has not failed has a value"))),
        }
    }
}

#[cfg(feature = "alloc")]
impl<T, E> Results for Vec<Result<T, E>> {
    type Values = Vec<T>;
    type Error = E;

    fn values(self) -> Result<Vec<T>, E> {
        self.into_iter().collect()
    }
}

macro_rules! results {
    ($($value:ident . $index:tt),+) => {
        impl<$($value,)+ Error> Results for ($(Result<$value, Error>,)+) {
            type Values = ($($value,)+);
            type Error = Error;

            fn values(self) -> Result<Self::Values, Error> {
                Ok(($(self.$index?,)+))
            }
        }
    };
}

results!(A.0, B.1);
results!(A.0, B.1, C.2);
results!(A.0, B.1, C.2, D.3);
results!(A.0, B.1, C.2, D.3, E.4);
results!(A.0, B.1, C.2, D.3, E.4, F.5);
results!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);
results!(A.0, B.1, C.2, D.3, E.4, F.5, G.6, H.7);

#[cfg(all(test, not(any(loom, shuttle))))]
mod succeed_tests;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
