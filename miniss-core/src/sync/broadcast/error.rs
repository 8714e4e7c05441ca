//! Why there was no value.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

/// What a receiver got instead of a value.
///
/// ```
/// # use miniss_core::doctest::executor;
/// use miniss_core::sync::broadcast::{self, RecvError};
///
/// let (sender, mut receiver) = broadcast::channel(1);
/// sender.send('a').unwrap();
/// sender.send('b').unwrap();
/// drop(sender);
/// executor().block_on(async {
///     assert_eq!(receiver.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(receiver.recv().await, Ok('b'));
///     assert_eq!(receiver.recv().await, Err(RecvError::Closed));
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The last sender is gone, and all it sent has been received.
    Closed,
    /// So many values were overwritten before this receiver came to them. It goes on with the
    /// oldest that is kept.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed: nothing will be sent any more"),
            Self::Lagged(missed) => write!(f, "too slow: missed {missed} values"),
        }
    }
}

impl Error for RecvError {}

/// What a receiver that does not wait got instead of a value.
///
/// ```
/// use miniss_core::sync::broadcast::{self, TryRecvError};
///
/// let (sender, mut receiver) = broadcast::channel::<u32>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// There is nothing that it has not received.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("nothing new has been sent yet"),
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
        }
    }
}

impl Error for TryRecvError {}
