//! Why an operation was not started, or a table not made.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

/// Why an operation found no place in a table.
///
/// See [`FixedOps`](super::FixedOps) for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// There is no slot free, and none could be made. When others have ended, there will be.
    NoRoom,
    /// The operation does not [fit](super::OpTable::fits) a slot, and the table does not box it.
    TooLarge,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoom => "no slot is free for the operation: wait until another has ended",
            Self::TooLarge => "the operation does not fit a slot: lend it its buffer",
        })
    }
}

impl Error for InsertError {}

/// An operation that was not started: the operation, untouched, and why.
///
/// See [`FixedOps`](super::FixedOps) for an example.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<O> {
    /// What was to be started.
    pub op: O,
    /// Why it was not.
    pub reason: InsertError,
}

impl<O> Refused<O> {
    pub(super) fn new(op: O, reason: InsertError) -> Self {
        Self { op, reason }
    }
}

impl<O> fmt::Debug for Refused<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<O> fmt::Display for Refused<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<O> Error for Refused<O> {}

/// Another table uses this memory, or one that is gone left an operation in flight there.
///
/// ```
/// use miniss_core::op::{FixedOps, OpTable, OpsInUse};
///
/// static OPS: FixedOps<4> = FixedOps::new();
///
/// let table = OpTable::fixed(&OPS).unwrap();
/// assert_eq!(OpTable::fixed(&OPS).err(), Some(OpsInUse));
/// drop(table);
/// assert!(OpTable::fixed(&OPS).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpsInUse;

impl fmt::Display for OpsInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table uses this memory already, or left an operation in flight there")
    }
}

impl Error for OpsInUse {}
