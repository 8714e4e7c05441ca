//! How sending and receiving can fail. A value that was not sent comes back in the error.

#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt;

/// No one will receive the value, which is in here.
///
/// ```
/// use miniss_core::{doctest::executor, sync::channel::{self, SendError}};
///
/// let (sender, receiver) = channel::bounded(1);
/// drop(receiver);
/// assert_eq!(executor().block_on(sender.send(7)), Err(SendError(7)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sent: no one will receive it")
    }
}

impl<T> Error for SendError<T> {}

/// Why a value could not be sent at once. The value is in here.
///
/// ```
/// use miniss_core::sync::channel::{self, TrySendError};
///
/// let (sender, receiver) = channel::bounded(1);
/// sender.try_send('a').unwrap();
/// assert_eq!(sender.try_send('b'), Err(TrySendError::Full('b')));
/// drop(receiver);
/// assert_eq!(sender.try_send('c'), Err(TrySendError::Closed('c')));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// There is no room now, or others wait for it.
    Full(T),
    /// No one will receive it.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The value.
    ///
    /// ```
    /// use miniss_core::sync::channel::TrySendError;
    /// assert_eq!(TrySendError::Full(3).into_inner(), 3);
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "not sent: there is no room now",
            Self::Closed(_) => "not sent: no one will receive it",
        })
    }
}

impl<T> Error for TrySendError<T> {}

/// Why there was nothing to receive at once.
///
/// ```
/// use miniss_core::sync::channel::{self, TryRecvError};
///
/// let (sender, mut receiver) = channel::bounded::<u32>(1);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing is there now.
    Empty,
    /// Nothing is there, and nothing will come.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing has been sent yet",
            Self::Closed => "closed: nothing will be sent any more",
        })
    }
}

impl Error for TryRecvError {}
