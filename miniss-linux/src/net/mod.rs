//! TCP sockets.
//!
//! `user future ─▶ [socket] ─▶ driver ─▶ op ─▶ kernel`
//!
//! Sockets belong to the shard that made them. What waits on one panics where that shard does not
//! run, in another runtime on the thread or in none: it would wait forever. A socket may be dropped
//! anywhere on its thread, and closes at once.
//!
//! Operations own their buffers while the kernel works
//! on them and give them back: `let (result, buffer) = stream.read(buffer).await`. For receiving
//! there is a second form, [`TcpStream::recv`], that takes a buffer from a pool only when there is
//! data.
//!
//! There is no `AsyncRead` or `AsyncWrite`: their reads borrow a buffer, which the kernel could
//! then write to after the borrow has ended. Adapters for code that needs them are yet to come.

mod connection;
mod fd;
mod listener;
mod read;
mod read_side;
mod split;
mod stream;
#[cfg(test)]
mod tests;
mod write;
mod writing;

pub(crate) use connection::{Connection, WriteTurn};
pub(crate) use fd::Fd;
pub use listener::{ListenOptions, TcpListener};
pub(crate) use read_side::OrphanEnd;
#[cfg(test)]
pub(crate) use read_side::Reading;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::TcpStream;

pub use crate::driver::uring::buffers::PoolBuf;
