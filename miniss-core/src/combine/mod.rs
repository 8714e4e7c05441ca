//! Putting futures together: one after the other, side by side, and whatever happens.
//!
//! `[combine] ─▶ user future ─▶ task ─▶ run queue ─▶ executor`
//!
//! `async`, `await` and `?` are how new code reads best. These are the words of Seastar for code
//! that comes from there, and the few things that the language has no word for. None allocates,
//! except to hold a `Vec` of futures or a number of them that is not known beforehand, and where
//! more than eight futures have a waker each. What the
//! `futures` crate has (`join!`, `select!`, streams, `FuturesUnordered`) works on top of this crate
//! and is not here again.
//!
//! - [`FutureExt`]: [`and_then`](FutureExt::and_then), [`map_ok`](FutureExt::map_ok),
//!   [`map_err`](FutureExt::map_err), [`then_wrapped`](FutureExt::then_wrapped),
//!   [`or_else`](FutureExt::or_else), [`handle_error_if`](FutureExt::handle_error_if),
//!   [`finally`](FutureExt::finally), [`finally_on`](FutureExt::finally_on),
//!   [`forward_to`](FutureExt::forward_to).
//! - [`when_all`]: many at once, all outcomes. [`when_all_succeed`]: all values, or an error.
//!   [`when_any`]: the first one, and the others back.
#![cfg_attr(
    feature = "alloc",
    doc = "- [`parallel_for_each`], [`max_concurrent_for_each`], [`map_reduce`]: a future for each."
)]
//! - [`max_concurrent_for_each_fixed`]: a future for each item, without a heap.
//! - [`repeat`], [`do_until`]: loops that give way.
//! - [`yield_now`]: let the others run. [`maybe_yield`]: if the time is used up.
//! - [`do_with`]: a value that lives as long as the work on it.
//! - [`Spawn`], [`TurnBudget`]: what these ask of an executor.

mod chain;
mod finally;
mod for_each;
mod future_ext;
mod loops;
mod slots;
mod when_all;
mod when_any;
#[cfg(feature = "alloc")]
pub(crate) mod woken;
mod yield_now;

pub use finally::{CleanupOutcome, FinallyError, Spawn};
pub use for_each::max_concurrent_for_each_fixed;
#[cfg(feature = "alloc")]
pub use for_each::{map_reduce, max_concurrent_for_each, parallel_for_each};
pub use future_ext::FutureExt;
pub use loops::{do_until, do_with, repeat};
pub use when_all::{Outcomes, Results, WhenAll, when_all, when_all_succeed};
pub use when_any::{Race, Raced, WhenAny, when_any};
pub use yield_now::{MaybeYield, TurnBudget, YieldNow, maybe_yield, yield_now};
