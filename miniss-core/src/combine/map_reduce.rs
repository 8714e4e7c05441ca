//! Many results made at once, and one made of them, in order.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::future::Future;

use super::chain::{convert, on_first_poll};
use super::when_all::when_all;

/// Runs `map(item)` for all `items` at once; when all are done, folds the outputs into `initial`
/// by `reduce`, in the order of the items, whatever the order in which they came.
///
/// Nothing happens before the first poll. The futures lie in one box; their outputs are gathered in
/// a `Vec` before the first is reduced. All run at once, so for very many items let `map` acquire a
/// [`Semaphore`](crate::sync::Semaphore) first.
///
/// Outputs are handed on as they are: where `map` may fail, `reduce` says what becomes of it.
///
/// Needs the `alloc` feature.
///
/// # Panics
///
/// If one of the closures or futures does, or when polled after it was ready.
///
/// # Cancellation
///
/// Dropping it drops all futures that are not done, and the outputs of those that are.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use core::time::Duration;
/// use miniss_core::combine::map_reduce;
/// use miniss_core::timer::Sleep;
///
/// let mut executor = executor();
/// let local = executor.local();
/// let spell = async |letter: char| {
///     Sleep::new(local, Duration::from_micros(200 - letter as u64)).await;
///     letter
/// };
/// let add = |mut word: String, letter| {
///     word.push(letter);
///     word
/// };
/// let word = map_reduce("miniss".chars(), spell, String::new(), add);
/// assert_eq!(executor.block_on(word), "miniss");
/// ```
pub fn map_reduce<I, N, A>(
    items: I,
    map: impl FnMut(I::Item) -> N,
    initial: A,
    reduce: impl FnMut(A, N::Output) -> A,
) -> impl Future<Output = A>
where
    I: IntoIterator,
    N: Future,
{
    on_first_poll(move || {
        let all: Vec<N> = items.into_iter().map(map).collect();
        convert(when_all(all), move |outputs| outputs.into_iter().fold(initial, reduce))
    })
}

#[cfg(all(test, not(loom)))]
mod tests;
