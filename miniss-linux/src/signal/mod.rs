//! Signals, told to tasks; and the end of a server in order, which begins with one.
//!
//! `signal ─▶ [handler] ─▶ eventfd ─▶ driver ─▶ task`
//!
//! - `handler`: what runs in signal context, and the lists that it reads.
//! - `listen`: [`ctrl_c`], [`signal()`] and [`SignalKind`].
//! - `shutdown`: [`GracefulShutdown`], and [the part of a shard](ShardShutdown) in it.
//!
//! A signal is told to each listener once, on its own shard, whichever thread the kernel has chosen
//! to interrupt. Signals of a kind that come before they are taken are told as one, as the kernel
//! has them, too.
//!
//! # Beside other handlers
//!
//! A handler that was there before goes on being called. One that is installed while a listener is
//! there has to call the one it has found, which is ours, as is the custom. When the last listener
//! of a kind is dropped, the signal does again what it did before; but if someone has installed a
//! handler over ours, that one stays.
//!
//! A signal that is blocked in every thread reaches no handler, and so no listener.

mod handler;
mod listen;
mod shutdown;

pub use listen::{Signal, SignalKind, ctrl_c, signal};
pub use shutdown::{GracefulShutdown, ShardShutdown};
