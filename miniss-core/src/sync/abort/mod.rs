//! Asking work to stop, once and with a reason.
//!
//! `user future ─▶ [abort] ─▶ wait list ─▶ run queue`
//!
//! Whoever may want work to stop holds an [`AbortSource`]; the work holds a reference to it. Work
//! that only awaits is given to [`run`](AbortSource::run), which drops it. Work that must do
//! something of its own awaits [`aborted`](AbortSource::aborted), asks
//! [`is_aborted`](AbortSource::is_aborted) between its steps, or leaves a closure with
//! [`on_abort`](AbortSource::on_abort). A [`child`](AbortSource::child) stops part of the work:
//! alone, or with the whole.
//!
//! None of it allocates. The source is used by reference; with a heap, `Rc<AbortSource>` is the
//! handle to pass around.
//!
//! - `source`: the reason, and what is to be done when it comes
//! - `hook`: an entry in the list of a source, and what may become of its memory meanwhile
//! - `wait`, `callback`, `child`: the three kinds of entry, and work under a `wait`

mod callback;
mod child;
mod hook;
mod source;
mod wait;

#[cfg(all(test, not(loom)))]
mod tests;

pub use callback::OnAbort;
pub use child::ChildSource;
pub use source::{AbortSource, Aborted};
pub use wait::{UntilAborted, WaitAborted};
