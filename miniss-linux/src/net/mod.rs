//! TCP sockets.
//!
//! `user future ─▶ [socket] ─▶ driver ─▶ op ─▶ kernel`
//!
//! Sockets belong to the shard that made them. What waits on one panics where that shard does not
//! run, in another runtime on the thread or in none: it would wait forever. A socket may be dropped
//! anywhere on its thread, and closes at once.
//!
//! Operations own their buffers while the kernel works on them and give them back, beside the
//! result:
//!
//! ```
//! # miniss_linux::doctest::connected(async |stream, peer| {
//! stream.write_all("ping").await.0?; // the buffer is not wanted back
//! let (result, buffer) = peer.read(vec![0; 64]).await; // this one is
//! assert_eq!(buffer[..result?], *b"ping");
//! # Ok(()) });
//! ```
//!
//! More on that pair: [`BufResult`](crate::buf::BufResult). For receiving there is a second form,
//! [`TcpStream::recv`], that takes a buffer from a pool only when there is data.
//!
//! There is no `AsyncRead` or `AsyncWrite`: their reads borrow a buffer, which the kernel could
//! then write to after the borrow has ended. Adapters for code that needs them are yet to come.

mod listener;
mod read;
mod split;
mod stream;
#[cfg(test)]
mod tests;
mod write;

pub use listener::{ListenOptions, TcpListener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::TcpStream;

pub use crate::driver::buffers::PoolBuf;
pub use crate::op::fd::{is_cancelled, is_closed};
