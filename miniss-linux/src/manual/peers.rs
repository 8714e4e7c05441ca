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
//! This is its summary from 23 November 2026, on a virtual machine with two cores of an AMD EPYC,
//! Linux 6.18: medians of up to 9 interleaved rounds. A ratio is the median of the ratios of each
//! round. The *limit* is the program by hand. Since that day each poll of a task has a budget, and
//! calls keep their order: spawn takes a tenth more instructions, an echo request 7 in 100, a call
//! up to a fifth. Times were not measured again.
//!
#![doc = include_str!("peers.md")]
//!
//! The rows of the second driver are younger: 30 November 2026, the same kind of machine, medians
//! of 5 rounds (`echo-epoll` 15, kv 3). *Ours* is on epoll:
//!
//! | row | measure | ours | peer | × peer | ours on io_uring |
//! |---|---|---|---|---|---|
//! | echo-epoll | CPU per request | 5.20 us | 5.33 us (tokio 1.54.1) | 1.00 | 4.12 us |
//! | echo-epoll | requests per second | 191 k/s | 185 k/s (tokio 1.54.1) | 1.03 | 235 k/s |
//! | connections-epoll | an idle connection | 422 B | 1,024 B (tokio, readable) | 0.41 | 512 B |
//! | kv-get | CPU per request | 7.43 us | 8.07 us (redis-server 7) | 0.92 | 7.16 us |
//! | kv-16-get | CPU per request | 750 ns | 1.01 us (redis-server 7) | 0.74 | 756 ns |
//! | kv-16-set | CPU per request | 734 ns | 1.11 us (redis-server 7) | 0.66 | 696 ns |
//!
//! Over epoll an echo makes 2.08 system calls here and 2.02 on tokio. Ratios of kv are those of the
//! medians.
//!
//! So are the rows of files: 30 November 2026, the same kind of machine (family 25, model 17) while
//! it compiled other programs, with `chrt -f 50` before the command; medians of 7 rounds. The limit
//! of `direct` is fio 3.33 with its engine for io_uring, on the same file:
//!
//! | row | measure | ours | peer | limit | × peer | × limit |
//! |---|---|---|---|---|---|---|
//! | file-read | time | 1548 ns | 1560 ns (compio 0.19.2) | 800 ns | 0.95 | 2.03 |
//! | file-read-32 | time | 839 ns | 851 ns (monoio 0.2.4) | 746 ns | 1.03 | 1.15 |
//! | file-write | time | 11.6 us | 12.1 us (compio 0.19.2) | 5.88 us | 0.96 | 2.03 |
//! | file-commit | time | 530 us | 534 us (monoio 0.2.4) | 708 us | 1.01 | 0.72 |
//! | direct-1 | reads per second | 15.3 k/s | 15.8 k/s (monoio 0.2.4) | 15.0 k/s | 0.97 | 1.05 |
//! | direct-1 | CPU per read | 31.2 us | 31.6 us (monoio 0.2.4) | 33.2 us | 1.02 | 0.93 |
//! | direct-32 | reads per second | 89.9 k/s | 71.1 k/s (monoio 0.2.4) | 92.2 k/s | 1.24 | 0.97 |
//! | direct-32 | CPU per read | 3.78 us | 4.58 us (compio 0.19.2) | 5.55 us | 0.82 | 0.70 |
//! | direct-128 | reads per second | 99.1 k/s | 89.6 k/s (monoio 0.2.4) | 99.0 k/s | 1.13 | 1.00 |
//! | direct-128 | CPU per read | 3.73 us | 4.52 us (glommio 0.9.0) | 5.53 us | 0.82 | 0.67 |
//!
//! Other runs of direct-1 came to 0.97 and 1.01 of fio's rate, of direct-32 to 0.98, 0.99 and 1.01,
//! of direct-128 to 0.98 and 1.02. Of 32 direct reads at once each takes 0.16 system calls here and
//! 0.03 on monoio: the device begins before all of them are there.
//!
//! And so is one hot shard of two, against tokio on two threads that steal: on the same day under a
//! load of 19 with `chrt -f 50`, medians of 7 rounds. [Sharding](super::sharding#one-hot-shard) has
//! the other subjects, and what helps:
//!
//! | row | measure | ours | peer | × peer |
//! |---|---|---|---|---|
//! | skew | requests per second | 18.3 k/s | 26.3 k/s (tokio 1.54.1, two threads) | 0.70 |
//! | skew | CPU per request | 60.1 us | 62.9 us (tokio 1.54.1, two threads) | 0.95 |
//! | skew-p50 | median latency | 3.56 ms | 2.46 ms (tokio 1.54.1, two threads) | 1.45 |
//! | skew-p99 | 99th percentile of latency | 3.83 ms | 4.01 ms (tokio 1.54.1, two threads) | 0.96 |
//!
//! And so are the rows of HTTP: on the same day under a load of 28 with `chrt -f 50`, medians of 7
//! rounds. Runtimes have the same hyper 1.12, and nginx sends the same body as a constant:
//!
//! | requests per CPU second of the server | ours | on epoll | tokio | monoio | compio | nginx |
//! |---|---|---|---|---|---|---|
//! | hyper-hello | 113 k/s | 108 k/s | 112 k/s | 109 k/s | 72.6 k/s | 110 k/s |
//! | axum-json | 84.9 k/s | 91.5 k/s | 87.9 k/s | 89.9 k/s | 69.3 k/s | 93.4 k/s |
//!
//! The medians of the ratios to the best peer are 0.99 and 0.98: a tie. In a profile of hyper-hello
//! the kernel sends for 63 in 100 of the time, receives for 12 and waits for 4, so no runtime above
//! it can be much faster than another. Rates and latencies drowned in that load, and are left out.
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
