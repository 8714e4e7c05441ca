//! Many futures at once: all their values, or the first error, when the last is there.

#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::future::Future;

use super::chain::convert;
use super::when_all::{Outcomes, when_all};

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
/// The method is for this module only.
///
/// ```
/// use miniss_core::combine::{Outcomes, Results, when_all_succeed};
///
/// async fn succeeds<F: Outcomes<Output: Results>>(futures: F) -> bool {
///     when_all_succeed(futures).await.is_ok()
/// }
/// ```
pub trait Results: sealed::Sealed {
    /// The values, in the order of the input.
    type Values;
    /// The error that all of them share.
    type Error;

    /// The values, or else the first error.
    #[doc(hidden)]
    fn values(self) -> Result<Self::Values, Self::Error>;
}

mod sealed {
    pub trait Sealed {}
}

impl<T, E, const N: usize> sealed::Sealed for [Result<T, E>; N] {}

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
impl<T, E> sealed::Sealed for Vec<Result<T, E>> {}

#[cfg(feature = "alloc")]
impl<T, E> Results for Vec<Result<T, E>> {
    type Values = Vec<T>;
    type Error = E;

    fn values(self) -> Result<Vec<T>, E> {
        self.into_iter().collect()
    }
}

macro_rules! tuple {
    ($($value:ident . $index:tt),+) => {
        impl<$($value,)+ Error> sealed::Sealed for ($(Result<$value, Error>,)+) {}

        impl<$($value,)+ Error> Results for ($(Result<$value, Error>,)+) {
            type Values = ($($value,)+);
            type Error = Error;

            fn values(self) -> Result<Self::Values, Error> {
                Ok(($(self.$index?,)+))
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::collections::test_waker::{now, poll_once};
    use crate::combine::yield_now;
    use core::future::ready;
    use core::pin::pin;
    use core::task::Poll;

    type Outcome = Result<u32, &'static str>;

    async fn late(outcome: Outcome) -> Outcome {
        yield_now().await;
        outcome
    }

    #[test]
    fn the_values_come_in_the_order_of_the_input() {
        assert_eq!(now(when_all_succeed([1, 2, 3].map(|i| ready(Outcome::Ok(i))))), Ok([1, 2, 3]));
        let mut pair = pin!(when_all_succeed((late(Ok(1)), ready(Ok::<_, &str>('b')))));
        assert!(poll_once(pair.as_mut()).is_pending());
        assert_eq!(poll_once(pair), Poll::Ready(Ok((1, 'b'))));
        assert_eq!(now(when_all_succeed([0; 0].map(|i| ready(Outcome::Ok(i))))), Ok([]));
    }

    #[test]
    fn the_error_is_the_first_in_order_not_in_time_once_all_are_done() {
        let mut row = pin!(when_all_succeed([late(Ok(1)), late(Err("two")), late(Err("three"))]));
        assert!(poll_once(row.as_mut()).is_pending());
        assert_eq!(poll_once(row), Poll::Ready(Err("two")));
        let mut tuple = pin!(when_all_succeed((late(Err("late")), ready(Outcome::Err("early")))));
        assert!(poll_once(tuple.as_mut()).is_pending(), "one that fails does not end the wait");
        assert_eq!(poll_once(tuple), Poll::Ready(Err("late")));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_vec_gives_a_vec() {
        let all = |last| when_all_succeed(std::vec![ready(Outcome::Ok(1)), ready(last)]);
        assert_eq!(now(all(Ok(2))), Ok(std::vec![1, 2]));
        assert_eq!(now(all(Err("no"))), Err("no"));
    }
}
