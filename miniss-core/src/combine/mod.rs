//! Futures put together: one after the other, side by side, and with a cleanup that runs in any
//! case. Reach for them where `async` and `await` alone do not say it, or to port Seastar code.
//!
//! `[combine] ─▶ user future ─▶ task ─▶ run queue ─▶ executor`
//!
//! New code reads best with `async`, `await` and `?`. Here are the words of Seastar for code that
//! comes from there, and the few things that the language has no word for. None allocates, except
//! to hold a `Vec` of futures or a number of them that is not known beforehand, and where more than
//! eight futures have a waker each. What the `futures` crate has (`join!`, `select!`, streams,
//! `FuturesUnordered`) works on top of this crate and is not here again.
//!
//! - `future_ext`: [`FutureExt`] with [`and_then`](FutureExt::and_then),
//!   [`map_ok`](FutureExt::map_ok), [`map_err`](FutureExt::map_err),
//!   [`then_wrapped`](FutureExt::then_wrapped), [`or_else`](FutureExt::or_else),
//!   [`handle_error_if`](FutureExt::handle_error_if), [`finally`](FutureExt::finally),
//!   [`finally_on`](FutureExt::finally_on), [`forward_to`](FutureExt::forward_to).
//! - `chain`: two futures in a row, in the space of the larger one.
//! - `finally`: a cleanup, and what becomes of its own failure; [`Spawn`], which starts its task.
//! - `when_all`: [`when_all`], many at once, all outcomes; [`when_all_succeed`], all values, or an
//!   error.
//! - `when_any`: [`when_any`], the first one, and the others back.
#![cfg_attr(
    feature = "alloc",
    doc = "- `for_each`: [`parallel_for_each`], [`max_concurrent_for_each`], [`map_reduce`],
  a future for each item; [`max_concurrent_for_each_fixed`], the same without a heap."
)]
#![cfg_attr(
    feature = "alloc",
    doc = "- `join_set`: [`JoinSet`], tasks that belong together, whose outcomes come as they end."
)]
#![cfg_attr(
    not(feature = "alloc"),
    doc = "- `for_each`: [`max_concurrent_for_each_fixed`], a future for each item, without a heap."
)]
//! - `slots`, `woken`: where many futures are while they run, and which of them were woken.
//! - `loops`: [`repeat`], [`do_until`], loops that let others run; [`do_with`], a value that lives
//!   as long as the work on it.
//! - `yield_now`: [`yield_now`] lets the others run; [`maybe_yield`] does if the time is used up,
//!   which a [`TurnBudget`] knows.

mod chain;
mod finally;
mod for_each;
mod future_ext;
#[cfg(feature = "alloc")]
mod join_set;
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
#[cfg(feature = "alloc")]
pub use join_set::JoinSet;
pub use loops::{do_until, do_with, repeat};
pub use when_all::{Outcomes, Results, WhenAll, when_all, when_all_succeed};
pub use when_any::{Race, Raced, WhenAny, when_any};
pub use yield_now::{MaybeYield, TurnBudget, YieldNow, maybe_yield, yield_now};
