//! Child processes: started off the shard, waited for without a thread, and never left as zombies.
//!
//! `command ─▶ [pool: fork, exec] ─▶ child ─▶ driver: pidfd ─▶ status`
//!
//! - `command`: [`Command`], the settings of [`std::process::Command`], and how a child is started.
//! - `child`: a [`Child`]: its streams, its end, its status.
//! - `reaper`: waits for the children that no one waits for any more.
//!
//! ```
//! use miniss_linux::Runtime;
//! use miniss_linux::process::Command;
//!
//! let runtime = Runtime::builder().shards(1).build().unwrap();
//! let output = runtime.block_on(async { Command::new("echo").arg("hello").output().await })?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod child;
mod command;
mod reaper;

pub use child::Child;
pub use command::Command;
pub use std::process::{ExitStatus, Output, Stdio};
