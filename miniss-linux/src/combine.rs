//! Futures put together: one after the other, side by side, and with a cleanup that runs in any
//! case.
//!
//! New code reads best with `async`, `await` and `?`. Here are the words of Seastar for code that
//! comes from there, and the few things that the language has no word for. What the `futures` crate
//! has (`join!`, `select!`, streams, `FuturesUnordered`) works here and is not here again.
//!
//! ```
//! use std::time::Duration;
//!
//! use miniss_linux::combine::{when_all, when_any};
//! use miniss_linux::time::sleep;
//! use miniss_linux::{Runtime, submit_to};
//!
//! Runtime::builder().shards(2).build().unwrap().block_on(async {
//!     let calls = (submit_to(0, async || "zero"), submit_to(1, async || "one"));
//!     let (zero, one) = when_all(calls).await;
//!     assert_eq!((zero.unwrap(), one.unwrap()), ("zero", "one"));
//!
//!     // The first to end; the other comes back, to be awaited or dropped.
//!     let (short, long) = (sleep(Duration::from_millis(1)), sleep(Duration::MAX));
//!     let (short, long) = when_any((Box::pin(short), Box::pin(long))).await;
//!     assert!(short.output().is_some() && long.output().is_none());
//! });
//! ```
//!
//! What follows goes into an async function or block of such a program. The items themselves are
//! those of `miniss-core`, whose pages have every method, and examples on the core's own executor.
//! Where one asks for a [`TurnBudget`] or a [`Spawn`], give it
//! [`CurrentShard`](crate::CurrentShard).
//!
//! # One after the other
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::future::ready;
//!
//! use miniss_linux::combine::FutureExt;
//!
//! async fn load(name: &str) -> Result<u32, &'static str> {
//!     if name == "missing" { Err("no file") } else { Ok(3) }
//! }
//!
//! assert_eq!(load("there").map_ok(|n| n + 1).and_then(|n| ready(Ok(n * 2))).await, Ok(8));
//! assert_eq!(load("missing").or_else(|_| load("there")).await, Ok(3));
//! assert_eq!(load("missing").map_err(str::len).await, Err(7));
//! # });
//! ```
//!
//! # A cleanup in any case
//!
//! A cleanup that waits, whether the work succeeds, fails or panics. [`finally`] has it wait with
//! the work; [`finally_on`] also sees to it when the work is dropped.
//!
//! [`finally`]: FutureExt::finally
//! [`finally_on`]: FutureExt::finally_on
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::CurrentShard;
//! use miniss_linux::combine::FutureExt;
//! use miniss_linux::time::{Duration, sleep};
//!
//! let work = async { Err::<(), _>("it failed") };
//! let cleanup = || sleep(Duration::from_millis(1));
//! assert_eq!(work.finally_on(CurrentShard, cleanup).await, Err("it failed"));
//! # });
//! ```
//!
//! # `select!`, `join!`, `try_join!`
//!
//! Those of `futures`, and of tokio with its feature `macros`, work here and are not here again:
//! what they put together is polled with the waker of the task. Where several futures are ready,
//! `select!` takes one by chance. That of `futures` has the same chance in each run of a program
//! with one shard, so a run that is shuffled by [`MINISS_SHUFFLE`](crate::Builder::shuffle) comes
//! again; with more shards it depends on which of them is the first to choose. That of tokio has
//! another chance in each run. Where a run has to come again, take `select_biased!` of `futures`,
//! `biased;` in that of tokio, or [`when_any`]: the first in the order of the text.
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::pin::pin;
//!
//! use futures::{FutureExt, join, select};
//! use miniss_linux::time::{Duration, sleep};
//!
//! let short = sleep(Duration::from_millis(1)).map(|()| "short");
//! let mut short = pin!(short.fuse());
//! let mut long = pin!(sleep(Duration::MAX).fuse());
//! let first = select! {
//!     name = short => name,
//!     () = long => "long",
//! };
//! assert_eq!(first, "short");
//! assert_eq!(join!(async { 1 }, async { 2 }), (1, 2));
//! # });
//! ```
//!
//! # A future for each
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use miniss_linux::combine::{
//!     map_reduce, max_concurrent_for_each, parallel_for_each, when_all_succeed,
//! };
//! use miniss_linux::yield_now;
//!
//! let store = async |number: u32| {
//!     yield_now().await;
//!     if number < 100 { Ok(()) } else { Err(number) }
//! };
//! assert_eq!(parallel_for_each(0..50, store).await, Ok(()));
//! assert_eq!(max_concurrent_for_each(90..110, 8, store).await, Err(100));
//! let sum = map_reduce(0..10, async |number| number * 2, 0, |sum, number| sum + number);
//! assert_eq!(sum.await, 90);
//! assert_eq!(when_all_succeed((store(1), store(2))).await, Ok(((), ())));
//! # });
//! ```
//!
//! # Loops that give way
//!
//! A task that computes for long lets others run: by itself with
//! [`maybe_yield`](crate::maybe_yield), or in loops that do it between two rounds.
//!
//! ```
//! # miniss_linux::Runtime::builder().shards(1).build().unwrap().block_on(async {
//! use std::cell::Cell;
//! use std::ops::ControlFlow::{Break, Continue};
//!
//! use miniss_linux::combine::{do_until, do_with, repeat};
//! use miniss_linux::{CurrentShard, maybe_yield};
//!
//! let mut sum = 0_u64;
//! for number in 0..1_000 {
//!     sum += number;
//!     maybe_yield().await;
//! }
//! assert_eq!(sum, 499_500);
//!
//! let rounds = Cell::new(0);
//! let round = async || {
//!     rounds.set(rounds.get() + 1);
//!     Ok::<(), ()>(())
//! };
//! do_until(CurrentShard, || rounds.get() == 10, round).await.unwrap();
//! let last = repeat(CurrentShard, async || match rounds.replace(rounds.get() + 1) {
//!     20 => Break("twenty"),
//!     _ => Continue(()),
//! });
//! assert_eq!(last.await, "twenty");
//!
//! // A value that lives as long as the work on it.
//! let length = do_with(String::from("kept"), async |text: &mut String| text.len()).await;
//! assert_eq!(length, 4);
//! # });
//! ```

#[doc(no_inline)]
pub use miniss_core::combine::*;
