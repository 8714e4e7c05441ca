//! What the scenario tests share.
//!
//! - [`alone`]: a test body in a process of its own, for whatever concerns the whole process.
//! - [`apart`]: packages that stand apart from the workspace, because they have no std.
//! - [`census`]: descriptors, threads, memory, context switches.
//! - [`deadline`]: no test hangs forever.
//! - [`drivers`]: those that there are to test.
//! - [`folder`]: folders for the files of a test.
//! - [`hung`]: files that never answer.
//! - [`random`]: numbers from a seed that is printed.
//! - [`sockets`]: pairs of connections, and peers that are no part of any runtime.
//! - [`hostile`]: the life of operations under a hostile driver, from bytes.
//! - [`kernel`]: refusals and signals, on demand.
//! - [`logger`]: keeps what the runtime reports.
//! - [`program`]: the examples as programs of their own, and other programs.
//! - [`resp`]: a client that speaks the Redis protocol.
//!
//! `tests/kernels/run` runs the tests on other kernels, older and newer ones: statically linked, in
//! an emulated machine. No step of `.ci/run` does.

pub mod alone;
pub mod apart;
pub mod census;
pub mod deadline;
pub mod drivers;
pub mod folder;
pub mod hostile;
pub mod hung;
pub mod kernel;
pub mod logger;
pub mod program;
pub mod random;
pub mod resp;
pub mod sockets;

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
