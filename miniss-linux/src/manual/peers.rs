//! Peers: every row of the comparison with other runtimes, and where we lose.
//!
//! One command measures all rows on your machine, beside the peers at these versions and beside
//! programs by hand without a runtime. It takes about 20 minutes:
//!
//! ```sh
//! cargo run --release -p miniss-benches --bin compare
//! ```
//!
//! With `-- --install` behind it, it first installs what it can use of Debian's packages (`strace`,
//! `fio`, `redis-tools`, `wrk`). What is missing is said in the row that wants it.
//!
//! This is its summary from 1 December 2026, on a virtual machine with two cores of an AMD EPYC
//! (family 25, model 17, 32 KiB of L1 for data), Linux 6.18, with `chrt -f 50` before the command
//! and nothing beside it: medians of up to 5 interleaved rounds (9 of spawn, yield and call-awake).
//! A ratio is the median of the ratios of each round. The *limit* is the program by hand, and fio
//! 3.33 with its engine for io_uring for `direct`.
//!
#![doc = include_str!("peers.md")]
//!
//! A week before, on another machine, spawn took 14.4 ns (0.36 of the best peer), yield 7.1 and a
//! call 337. Since then each poll of a task has a budget, tasks have groups and names, and calls
//! keep their order: spawn takes a tenth more instructions, a call up to a fifth. The machine has a
//! part in it, too, for monoio's spawn went from 39 ns to 27; the two were not told apart.
//!
//! HTTP, by runtime. All have the same hyper 1.12, and nginx sends the same body as a constant:
//!
//! | requests per CPU second of the server | ours | on epoll | tokio | monoio | compio | nginx |
//! |---|---|---|---|---|---|---|
//! | hyper-hello | 145 k/s | 143 k/s | 147 k/s | 142 k/s | 94.3 k/s | 142 k/s |
//! | axum-json | 134 k/s | 131 k/s | 129 k/s | 109 k/s | 81.4 k/s | 140 k/s |
//!
//! The medians of the ratios to the best peer are 0.99 and 0.97: a tie. In a profile of hyper-hello
//! the kernel sends for 63 in 100 of the time, receives for 12 and waits for 4, so no runtime above
//! it can be much faster than another.
//!
//! Over epoll an echo makes 2.39 system calls, 2.02 on tokio. kv over epoll takes 8.18 us of
//! CPU per GET with one request in flight, and 826 ns with 16. Other runs of direct-1 came to 0.97
//! to 1.05 of fio's rate, of direct-32 to 0.97 to 1.01, of direct-128 to 0.98 to 1.02. Of 32 direct
//! reads at once each takes 0.16 system calls here and 0.03 on monoio: the device begins before all
//! of them are there. [Sharding](super::sharding#one-hot-shard) has the other subjects of skew, and
//! what helps.
//!
//! - echo: client and server cost the kernel about the same. The core of the client is always
//!   busy, so its speed is part of the rate. CPU per operation is the server's alone.
//! - echo-busy: the same with equal work for everyone on each request, so that the server is the
//!   slower side. The work is part of CPU per operation.
//! - connections: growth of the server's own memory over 2,000 connections that have echoed once.
//!   By hand and in miniss a pool of buffers serves all connections. It is in use before, so it is
//!   not part of the growth. `tokio, readable` takes a buffer only when there is something to read,
//!   as its documentation shows.
//! - kv: with one request in flight redis-benchmark, on a core of its own, has as much to do as the
//!   server, so its speed is part of the rate. CPU per operation is the server's alone.
//! - kv-2cores: kv with two shards, and redis-server as it comes, without I/O threads: with two,
//!   which spin, it was 8 to 15 times slower here. The client needs a core, too, so the rate says
//!   little. CPU per operation says more.
//! - direct: CPU is that of the processes. What the kernel does on another core when the device has
//!   finished is not in it. glommio spins, and so runs at the usual priority: at a higher one, the
//!   kernel's threads that it waits for would not run.
//!
//! How not to be fooled by such figures stands in `miniss_core::manual::measuring`.

#![forbid(unsafe_code)]
