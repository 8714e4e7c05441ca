//! Ours, every peer and the limit side by side.
//!
//! `arguments ─▶ rows ─▶ rounds of children ─▶ outcome ─▶ table, JSON, plot`
//!
//! Each run of a subject is a process of its own, which is this program again with the hidden
//! subcommand `subject`: so CPU time, peak memory and system calls are its own, and what one
//! runtime leaves behind meets no one else. The parent runs the subjects of a row in turn, so that
//! a disturbance of the machine meets everyone, and takes the median of the ratios of each round.
//!
//! - [`args`]: the command line.
//! - [`rows`]: what is compared, with which others, and what we want to reach: add a row there.
//! - [`work`]: the programs themselves, over [`Rival`](crate::rivals::Rival).
//! - [`sample`]: what one run showed. [`child`]: one run. [`syscalls`]: one under strace.
//! - [`rounds`]: all runs of a row. [`outcome`]: what they showed. [`target`]: is it enough?
//! - [`table`]: everyone. [`summary`]: the targets. [`report`], [`plot`]: for later.
//! - [`machine`]: where it was, and when.
//! - [`running`]: a server in another process. [`process`]: what is asked of the kernel.
//! - [`allocator`]: counts allocations.

pub mod allocator;
pub mod args;
pub mod child;
pub mod machine;
pub mod outcome;
pub mod plot;
pub mod process;
pub mod report;
pub mod rounds;
pub mod rows;
pub mod running;
pub mod sample;
pub mod summary;
pub mod syscalls;
pub mod table;
pub mod target;
pub mod work;
