//! Putting futures together: one after the other, side by side, and whatever happens.
//!
//! `[combine] ─▶ user future ─▶ task ─▶ run queue ─▶ executor`
//!
//! `async`, `await` and `?` are how new code reads best. These are the words of Seastar for code
//! that comes from there, and the few things that the language has no word for. None allocates,
//! except to hold a `Vec` of futures.
//!
//! - [`FutureExt`]: [`then`](FutureExt::then), [`map`](FutureExt::map),
//!   [`then_wrapped`](FutureExt::then_wrapped), [`or_else`](FutureExt::or_else),
//!   [`handle_error_if`](FutureExt::handle_error_if), [`finally`](FutureExt::finally).
//! - [`when_all`]: many at once, all outcomes.
//! - [`do_with`]: a value that lives as long as the work on it.
//! - [`yield_now`]: let the others run.

mod chain;
mod do_with;
mod finally;
mod future_ext;
mod maybe_done;
mod or_else;
mod then;
mod when_all;
mod yield_now;

pub use do_with::do_with;
pub use finally::{CleanupOutcome, FinallyError};
pub use future_ext::FutureExt;
pub use when_all::{Outcomes, WhenAll, when_all};
pub use yield_now::{YieldNow, yield_now};
