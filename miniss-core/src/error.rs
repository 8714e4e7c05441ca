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

/// Another executor uses the anchor: one core, one anchor, one executor at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorInUse;

impl fmt::Display for AnchorInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an executor uses this anchor already; give each executor its own")
    }
}

impl Error for AnchorInUse {}

/// Why a task could not be spawned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The executor is ending or gone.
    Closed,
    /// There is no slot free, and none could be made.
    NoRoom,
    /// The future is larger than a slot, and there is no heap to box it.
    TooLarge,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "cannot spawn: the executor is ending or gone",
            Self::NoRoom => "cannot spawn: no free slot and no memory for more",
            Self::TooLarge => "cannot spawn: the future is over 1024 bytes and there is no heap",
        })
    }
}

impl Error for SpawnError {}

/// The core that was to do the work has ended, or ended before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the core that was to do the work has ended")
    }
}

impl Error for Gone {}
