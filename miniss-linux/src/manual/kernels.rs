//! Kernels: what each version of Linux gives, what of it is used, and which were tried.
//!
//! A program needs no change for any of them. The version is never asked, because distributions
//! backport and sandboxes lie: a runtime asks for the best, and again for less where that is
//! refused. What it has in the end, the example `doctor` tells.
//!
//! # What each version gives
//!
//! | Linux | what we use | without it |
//! |---|---|---|
//! | 2.6.27 | `epoll`, `eventfd`, `timerfd` | no runtime |
//! | 5.11 | `epoll_pwait2`: the deadline of an epoll driver's sleep in nanoseconds | a `timerfd`, which is one more system call for a sleep with a deadline |
//! | 5.11 | the deadline of a ring's sleep in the call that enters it (`EXT_ARG`) | epoll |
//! | 5.13 | a poll that stays (multishot): other shards end a sleep by an eventfd that is never read | epoll |
//! | 5.17 | no completion for a cancel that worked (`CQE_SKIP_SUCCESS`) | a completion that is ignored |
//! | 5.18 | the ring is registered with itself, which spares a look-up on each enter; one entry that is refused does not hold up others (`SUBMIT_ALL`) | the descriptor; the rest is entered again |
//! | 5.19 | a table of memory that is registered and changes: the buffers of direct files | the kernel finds the memory of each read and write |
//! | 5.19 | an accept that stays, cancel of many operations, no interrupts for completions (`COOP_TASKRUN`) | epoll, for the first two |
//! | 6.0 | a receive that stays, into a pool of buffers; the kernel knows that one thread submits (`SINGLE_ISSUER`) | `recv` waits for data, and then receives into memory of its own |
//! | 6.1 | completions are worked off when the shard asks for them (`DEFER_TASKRUN`) | whenever it enters the kernel, among them in the middle of a turn |
//! | 6.6 | one array less between a shard and the kernel (`NO_SQARRAY`) | an index beside each entry |
//! | 6.9 | a file is cut off by the ring (`FTRUNCATE`) | by a thread of the pool |
//! | 6.15 | a shard that sleeps does not count as one that waits for a disk (`NO_IOWAIT`) | `top` shows an idle shard as waiting |
//!
//! So io_uring begins with 5.19; 6.1, which is in Debian 12, has what makes it fast. Not used are,
//! among others, NAPI (6.9), bundles of sends and receives (6.10), waits for several completions
//! and buffers that are used up in parts (6.12), rings that grow (6.13).
//!
//! # What was tried
//!
//! `tests/kernels/run` boots a kernel of Debian's in QEMU, with the tests as statically linked
//! programs and nothing else. It fetches the kernel by apt, and needs root only if it has to
//! install QEMU or cpio:
//!
//! ```sh
//! tests/kernels/run --test contract --test tcp --lib miniss-linux 6.1 6.12 newest
//! tests/kernels/run --test contract --variable MINISS_DRIVER=epoll 5.10
//! ```
//!
//! The second line is for a kernel whose io_uring lacks what we need. There `Auto` runs on epoll,
//! and tests that ask for a ring fail, since `SOCKET` is missing. Both ran on 30 November 2026, on
//! two emulated CPUs, in two to five minutes for each kernel:
//!
//! | Linux | Debian | driver | what passed |
//! |---|---|---|---|
//! | 5.10.262 | 11 | epoll | contract 271 |
//! | 6.1.192 | 12 | io_uring and epoll | contract 552, unit tests 131, TCP 53 |
//! | 6.12.118 | 13 | io_uring and epoll | contract 570, unit tests 132, TCP 61 |
//! | 7.2.13 | unstable | io_uring and epoll | contract 570, unit tests 132, TCP 61 |
//!
//! The unit tests run most cases of the drivers on both. All else runs on 6.18, in `.ci/run`.
//! Between 5.19 and 6.1 nothing has been tried: Debian has no such kernel any more.
//!
//! # What showed there
//!
//! - `ENOBUFS` of a receive that stays was taken as a sign that data is there. On a Unix socket of
//!   6.1 or 6.12 it also comes behind the last bytes that there are.
//! - Without `epoll_pwait2` the timer was opened by the first sleep, which ended the shard if
//!   it had no descriptor left. It is opened at the start.
//! - A machine so slow gives each poll of a task few units: a future that is polled once may not
//!   have begun. Tests that poll by hand run without a limit of time.

#![forbid(unsafe_code)]
