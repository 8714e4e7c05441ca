//! What can go wrong, one small type per cause.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor`: any of them may end a wait with one of these.

use core::error::Error;
use core::fmt;

/// The promise was dropped before it was completed: no value will ever come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenPromise;

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the promise was dropped before it was completed")
    }
}

impl Error for BrokenPromise {}

/// The work was aborted, or its executor ended, before it had a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled before it finished")
    }
}

impl Error for Cancelled {}

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed before it finished")
    }
}

impl Error for TimedOut {}

/// There is no room; the value that did not fit is inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room left; try again when some has been freed")
    }
}

impl<T> Error for Full<T> {}
