//! The contract of a driver: one body for each case, run on every driver.
//!
//! What a program sees of sockets, timers, wakes, cancels and ends is written down here, values and
//! errno, so that each driver can be held to the same. A case is a small `async fn`; the harness
//! runs it on a runtime of each driver, one case at a time, and counts what the shard holds before
//! and after: descriptors, tasks, timers, operations in flight. `MINISS_DRIVER` chooses one driver;
//! `.ci/without-io-uring` runs all of it where filters refuse io_uring.
//!
//! # The failure catalogue
//!
//! The names of tests begin with their row. Tests outside of this folder run on the driver that
//! `MINISS_DRIVER` names.
//!
//! | row | what | where |
//! |---|---|---|
//! | R1, R2 | submission and completion queue full | `tcp/limits.rs` |
//! | R3 | `EBUSY`, `EAGAIN` from an enter | `os.rs`: no kernel here answers so, and a filter does |
//! | R4 | signals, and a stop | `tcp/limits.rs`, here `stopped.rs` |
//! | R5 | short reads and writes | `rows.rs`, `tcp/forms.rs` |
//! | R6 | cancels that race data | `cancel/races.rs`, here `stream/dropped.rs` |
//! | R7, R8, R9 | reads dropped, forgotten, left to the end | `cancel/ends.rs`, here `runtime.rs` |
//! | R10, R11 | a close with operations in flight | `tcp/close.rs`, here `stream/close.rs` |
//! | R12 | operations that give descriptors, cancelled | `cancel/given_up.rs` |
//! | R13 | no provided buffer is free | `tcp/pressure.rs` |
//! | R14 | a multishot ends early | `rows.rs`, by overflow; in other ways by `hostile.rs` |
//! | R15 | zero-copy sends | the loopback copies, and ends at once: `r15_…` in `driver/tests/hostile.rs` |
//! | R16, R17 | io_uring refused, wholly or in part | `os.rs`, `.ci/without-io-uring` |
//! | R18 | an operation is missing | no filter takes one away: older kernels, `kernels/run` |
//! | R19, R20 | too little locked memory, too few descriptors | `rows.rs`, `os.rs`, `examples.rs` |
//! | R21 | a fork | `rows.rs`; its docs forbid that the child uses the runtime |
//! | R22 | a runtime on another thread | does not compile: the docs of `Runtime` |
//! | R23 | suspend | a CI machine is not suspended; left to a simulation |
//! | R24 | idle costs nothing | `idle.rs` |
//! | R25 | no wake is lost | `ipc/wakes.rs`, here `wakes.rs` |
//! | F10, A-SC-1 | what blocks | here `blocking.rs` |
//! | N1 | no descriptor for an accept | `tcp/limits.rs` |
//! | N2 | gone before they are accepted | here `tcp/accept.rs`; a loopback is never down |
//! | N3 | a reset in the middle of a write | here `tcp/reset.rs`, `tcp/close.rs` |
//! | N4 | a silent peer | `rows.rs`: a filter on its socket drops all that comes |
//! | N5 | half close | `tcp/forms.rs`, here `stream/close.rs` |
//! | N6, N8 | slow and idle connections | `rows.rs`, hundreds: no descriptors for 100,000 |
//! | N7 | a slow reader | `tcp/pressure.rs` |
//! | N9 | a storm of connects to a full backlog | `rows.rs`, `tcp/limits.rs` |
//! | N10 | a shard that stops listening | `rows.rs` |
//! | N11 | datagrams cut off, refused | here `datagram/udp.rs`, `datagram/batches.rs` |
//! | N12 | connects given up | here `tcp/connect.rs`, `tcp/set_up.rs`, `cancel/given_up.rs` |
//! | N13 | a graceful end | here `signals.rs`; with requests in flight `kv/stop.rs` |
//! | N14 | a signal to any shard | here `signals.rs`; that it ends nothing `rows.rs` |
//! | F1 | no room left | here `files/rows.rs`, in a file system of 4 MiB; left out where we may not mount |
//! | F2 | `/dev/full` | here `files/rows.rs` |
//! | F3, A-FIO-4 | direct reads and writes that fit no device | here `files/direct.rs` |
//! | F4 | no direct reads and writes | here `files/direct.rs`, of a file in `/proc` |
//! | F5 | more than 2 GiB, holes, offsets beyond all files | here `files/rows.rs` |
//! | F6 | a file cut off or removed while it is read | here `files/rows.rs` |
//! | F7, F9 | a disk that fails, a loss of power | no kernel here does so on demand: left to a simulation |
//! | F8 | a disk that never answers | here `files/hung.rs`, by FUSE; left out where we may not mount |
//! | A-FIO-1, A-FIO-3 | reads and writes, a thousand at once | here `files/rows.rs` |
//! | A-FIO-2 | files without the runtime's tasks | here `files/rows.rs`: polled by hand |
//! | A-FM-1 to A-FM-5 | open, size, status, close | here `files/rows.rs` |

#![forbid(unsafe_code)]

mod async_fd;
mod blocking;
mod datagram;
mod files;
mod harness;
mod paused;
mod pipes;
mod processes;
mod rows;
mod runtime;
mod signals;
mod spliced;
mod stdio;
mod stopped;
mod stream;
mod tasks;
mod tcp;
mod timers;
mod unix;
mod wakes;
