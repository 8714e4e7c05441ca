//! First steps: six small programs, from one task to a key-value store on two shards.
//!
//! Each step shows a whole program, what you type, what you see, and why. A step takes five to ten
//! minutes. You should know some Rust, and have seen `async` and `await` before.
//!
//! 1. [Hello](step_1_hello): a runtime, its shard, and a task.
//! 2. [Echo](step_2_echo): a server, and buffers that go in and come back.
//! 3. [State](step_3_state): what the tasks of one shard share, without a lock.
//! 4. [Shards](step_4_shards): two of them, and calls from one to the other.
//! 5. [Shutdown](step_5_shutdown): timeouts, and an end in order.
//! 6. [Store](step_6_store): all of it together, as a small key-value store.
//!
//! If you know tokio or Seastar, [`from_tokio`](super::from_tokio) and
//! [`from_seastar`](super::from_seastar) tell the differences, name by name.
//!
//! # Before you begin
//!
//! You need Linux on x86-64, Rust 1.95 or newer, and a copy of the repository rust-miniss. The
//! clients of the servers are `nc`, from Debian's package `netcat-openbsd`. In the folder that
//! holds `rust-miniss`, make a project of your own:
//!
//! ```console
//! $ cargo new first-steps
//! $ cd first-steps
//! $ cargo add miniss-linux --path ../rust-miniss/miniss-linux --features macros
//! ```
//!
//! You type what stands behind a `$`. All else is printed. The program of each step goes into
//! `src/main.rs`, in place of what is there.
//!
//! If you would rather not copy them: in `rust-miniss` itself each program is an example, which
//! `cargo run --example step-1-hello` starts.

#![forbid(unsafe_code)]

// The program of a step stands once, in `programs`. The page shows that file, the package
// `examples` compiles it, and a test types what the page says and compares what is printed
// (`tests/tests/tutorial.rs`). So none of them can differ from the others.
pub mod step_1_hello;
pub mod step_2_echo;
pub mod step_3_state;
pub mod step_4_shards;
pub mod step_5_shutdown;
pub mod step_6_store;
