//! Measuring: which counters there are, what to measure with, and how not to fool oneself.
//!
//! # Counters
//!
//! [`LocalHandle::stats`](crate::LocalHandle::stats) gives what its executor has done since it
//! began. It is always on. To count is a load, an add and a store, without atomics, on lines that
//! the loop uses anyway. The clock is read twice for each sleep, when there is time, and not for
//! each poll. A reading is a copy of a dozen words and one look at the clock.
//!
//! | field of [`Stats`](crate::Stats) | unit | counts |
//! |---|---|---|
//! | `turns` | times | rounds of the loop |
//! | `polls` | times | tasks taken from the run queue |
//! | `spawned` | tasks | tasks started, `block_on`'s own among them |
//! | `wakes_local` | times | local wakes that put a task in the queue |
//! | `wakes_remote` | times | headers taken from the inbox |
//! | `parks` | times | calls of [`Reactor::park`](crate::Reactor::park) |
//! | `events` | events | what [`Reactor::poll`](crate::Reactor::poll) said it settled |
//! | `timers_fired` | timers | those whose deadline came |
//! | `busy`, `idle` | time | outside of `park`, and inside |
//! | `stalls` | times | polls that held the core for 25 ms or longer |
//! | `tasks_live` | tasks | slots in use now |
//! | `timers_armed` | timers | armed now |
//!
//! To be exact: `polls` also counts the few tasks that had ended or were aborted when the executor
//! came to them. `wakes_remote` counts a header whether or not its task was then put in the queue.
//! `events` does not count what `park` settles. A slot is in use while a task is in it, a handle
//! holds its outcome, or a reservation keeps it.
//!
//! Counts wrap after 2⁶⁴. A local wake of a task that is queued already is not counted; a remote
//! one is counted only if the header was not in the inbox yet. If the unparker's
//! [`is_local`](crate::Unpark::is_local) is always `false`, all wakes are remote, those of timers
//! too.
//!
//! What a difference of two readings tells:
//!
//! ```
//! use miniss_core::combine::yield_now;
//! # let mut executor = miniss_core::doctest::executor();
//! # let local = executor.local();
//! let before = local.stats();
//! executor.block_on(async {
//!     for _ in 0..10 {
//!         yield_now().await;
//!     }
//! });
//! let after = local.stats();
//! assert_eq!(after.polls - before.polls, 11);
//! assert_eq!(after.spawned - before.spawned, 1); // the main future is a task
//! assert_eq!(after.parks - before.parks, 0); // someone was always ready
//! ```
//!
//! Beside these there are [`unobserved::count`](crate::unobserved::count), failures that no one saw
//! in the whole program; [`OpTable::in_flight`](crate::op::OpTable::in_flight) and
//! [`stale`](crate::op::OpTable::stale); and on Linux `miniss_linux::driver_stats`: entries into
//! the kernel, what they submitted, what is in flight.
//!
//! # What there is to measure with
//!
//! - `cargo bench -p miniss-benches`: each part of the core by itself, over a port without a
//!   kernel. Criterion watches for changes.
//! - `cargo run --release -p miniss-benches --bin measure`: the runtime against the same work by
//!   hand, in interleaved rounds, as a table.
//! - `cargo test -p miniss-tests --test allocations`: that the steady state allocates nothing.
//! - `cargo test -p miniss-tests --test idle`: that idle shards do nothing.
//! - `cargo test -p miniss-tests --test instructions`: how many instructions spawn, yield, wakes,
//!   timers, promises, calls and an echo request take, and how often their data is not in the
//!   cache, against `tests/tests/instructions/expected.txt`.
//! - `.ci/thread-sanitizer`: what threads share, under ThreadSanitizer.
//! - `.ci/fuzz`: the life of operations under a hostile driver, which libFuzzer makes up.
//! - `cargo test -p miniss-tests --test bare`: how large programs without std are, against what is
//!   expected in `tests/tests/bare/sizes.txt`.
//! - `cargo run --release -p miniss-benches --bin compare`: the rows of
//!   `miniss_linux::manual::peers`: tokio, monoio, compio, glommio, smol, redis-server and programs
//!   by hand, each in a process of its own, with CPU time, system calls and memory.
//! - `cargo run --release -p miniss-benches --bin growth`: how cost grows, from one task, timer,
//!   connection or shard to very many; its plots are `miniss_linux::manual::growth`.
//! - `cargo run --release -p miniss-benches --bin echo_load -- compare`: echo servers of all of
//!   them and two by hand, against a client on raw io_uring.
//!
//! `measure --help` names its rows. `measure` alone runs those that compare with what the machine
//! allows, where that can be done by hand: a cache line there and back is the limit for a call, a
//! list and a function pointer that for a task. The `profile-…` rows do one thing for some seconds,
//! for a profiler to watch.
//!
//! # Not fooling oneself
//!
//! **Interleave.** What is compared runs in turn, A B A B, many times, in one process. If other
//! programs use the machine too, or its clock goes up and down, both are disturbed alike. Two runs,
//! one after the other, do not compare: the second finds another machine.
//!
//! **Medians, and the middle half.** Means are moved by one page fault. `measure` prints the median
//! of its rounds and the quarters around it; where those overlap, there is no difference.
//!
//! **Ratios.** What counts is the ratio of medians of one run. Absolute nanoseconds are for
//! orientation, and belong to one machine.
//!
//! **A limit by hand.** The first line of a row is the same work without a runtime. It tells what
//! there is to gain. It also checks the measurement: what is faster than the limit has left
//! something out.
//!
//! **Keep others away.** `chrt -f 50` before the command, on a machine that others use. With it,
//! sleeping threads wake up sooner, so use it for all that is compared or for nothing.
//!
//! **CPU time beside elapsed time.** A runtime that spins is fast and eats a core. The rows
//! `echo-cpu` and `sleepers` count CPU time for that reason.
//!
//! **Instructions, where time is too coarse.** They hardly change from run to run, so they show a
//! difference of one in a hundred that no clock shows. They do not show caches, waiting for another
//! core, or the kernel:
//!
//! ```sh
//! cargo build --release -p miniss-benches --bin measure
//! valgrind --tool=callgrind --callgrind-out-file=out target/release/measure --rounds 1 sleep
//! callgrind_annotate out
//! ```
//!
//! The number of rounds is fixed, so the work is fixed. A criterion bench runs for a time, not for
//! a count, so only the shares of its functions compare.
//!
//! **A count as a test.** `tests/src/bin/instructions` does one thing `n` times on one thread;
//! callgrind counts it for `n` and for `2 n`, and the difference is the steady state alone, without
//! start, warm-up and end. For one build it repeats to a tenth of an instruction, so a row may be
//! off by 1 in 100 only. Echo rows run over a real ring and real sockets, whose clients are plain
//! sockets of the same thread; what the kernel does is not counted. Compiler and C library matter
//! as well: with others the test allows 15 in 100, and says so. Fewer than expected fails too:
//! write the file again with `MINISS_INSTRUCTIONS=write`, so that the gain is kept. A count is not
//! a time. The call rows have both executors on one thread, where looking into lanes takes more
//! instructions than a wake did; between two cores it takes a third less time.
//!
//! **Cache misses as a test.** The same runs count how often data is not in a first cache of 32
//! KiB, nor in a second of 512 KiB: a model of a core that is not the largest. On such a core the
//! lead over other runtimes at spawn, yield and calls was half of what it is with a first cache of
//! 48 KiB. The rows ending in `-many` have more tasks than the first cache holds. The model knows
//! no prefetch, and nothing of a line that another core has written; so a miss here costs anything
//! from nothing to a hundred nanoseconds. Which things share a line or a set depends on where they
//! lie, so a change elsewhere in the program moves a count a little: a row may be off by 10 in 100,
//! or by a quarter of a miss.
//!
//! To find the function behind a row, run the program itself; the core is inlined into
//! `task::cell::poll`, so look at source files rather than at symbols:
//!
//! ```sh
//! cargo build --release -p miniss-tests --bin instructions
//! valgrind --tool=callgrind target/release/instructions linux-echo-64 64000
//! callgrind_annotate callgrind.out.*
//! ```
//!
//! valgrind runs io_uring, but use it with one shard: a program with four of them hung under it.
//!
//! **Ratios within a round.** A virtual core may change between two speeds from one second to the
//! next (64 cache lines there and back: 7 ns each or 33). The median of each round's ratios says
//! more than the ratio of two medians, and `compare` prints the former.
//!
//! **Real-time priority has a limit.** Under `chrt -f` the kernel takes 50 ms of each second from
//! threads that would use all of it (`/proc/sys/kernel/sched_rt_runtime_us`). Where two cores are
//! busy at once, rates then jump by a fifth from one quarter of a second to the next. On a machine
//! that has nothing else to do, leave it out.
//!
//! **Where the time goes**, and how many system calls:
//!
//! ```sh
//! perf record target/release/measure profile-wake
//! perf report
//! strace -f -c target/release/measure profile-asleep
//! ```
//!
//! In a virtual machine `perf` may have no hardware counters and then samples by time. With
//! `strace` each call takes many times as long: its counts are good, its times are not.
//!
//! **One change at a time, and the figure beside it.** A decision that rests on a figure says which
//! row and which machine, and what figure would change it; see [`decisions`](super::decisions).
//!
//! # What the first figures taught
//!
//! Taken as [`decisions`](super::decisions) says; the tables are there.
//! - **For local wakes the designs of a waker are alike**: about two nanoseconds to clone or to
//!   wake, for an address, an id or a biased count. For remote wakes they differ, by several times
//!   in a burst. So the remote wake and the end of a task's life decided, not the fast path.
//! - **The clock is expensive.** Of the 35 ns to make, poll and drop a sleep, 24 are the clock's.
//!   So the executor does not read it for each poll. A bare `rdtsc` takes 9.5 ns here and the
//!   coarse clock 3. But the first would be a clock of our own, to be set right on every machine
//!   and after every migration. The second is up to 4 ms behind, and a timer would be early or late
//!   by as much. A deadline taken at the end of the turn would cost nothing, and be late by the
//!   rest of the turn. A sleep counts from the call that makes it, to the nanosecond, and this is
//!   the price.
//! - **One byte beside a future cost 64.** A flag that said whether a future had been dropped
//!   pushed a future of 64 bytes into the next size of slot, and a waiting task to 131 bytes beside
//!   its future. The task's state word had that bit already. Now it is 64 and a fraction.
//! - **Futures count their arguments twice.** What an idle connection took fell from 1,077 to 501
//!   bytes when two functions were no longer `async fn` (`miniss_linux::manual::decisions`), and
//!   nothing became slower or faster by it: the instructions of an echo request stayed the same.
//! - **Small buffers make large messages expensive.** Echo of messages of 16 KiB and more moved
//!   0.42 GB/s through receive buffers of 4 KiB and 2.7 through buffers of 16 KiB. With memory that
//!   is touched only where bytes arrive, the larger ones cost nothing when messages are short.
//! - **Beyond the cache, prefetch.** One prefetch of the future, when its task
//!   is woken, took a wake and a poll among a million tasks from 118 to 73 ns.
//! - **A call between cores that are awake costs cache lines, and each must earn its place.** With
//!   a remote wake, by bits, inbox and header, a call took 390 to 420 ns by `run_on` and 520 to 560
//!   by `submit_to`. About five locked operations sent a batch and five received it, on as many
//!   lines that both cores wrote. A trial without header and inbox, but with the flag and the
//!   shared queue, was no faster. Only when all of it was gone, and the receiver looked at the lane
//!   itself, the time fell, to 286 and 318 ns (0.69 to 0.75 and 0.57 to 0.61), where a bare line
//!   each way takes 125. In what is left a node goes there and back beside its slot.
//! - **A link in the line that is waited for is a wait for each link.** Calls that crossed as a
//!   linked list came in one by one, a cache line each. Addresses in a circular buffer are fetched
//!   ahead. Over the same protocol a queue for many producers, which fetches nothing ahead, took
//!   1.28 times as long for one call and 1.7 to 2.0 times for 64.
//! - **Lockstep is a matter of sleep, not of calls.** 64 callers that took 570 to 700 ns each
//!   without spinning took 50 with it: each round was one sleep and one wake on each side. Spinning
//!   that learns whether it pays took both their time and their CPU time to a tenth.
//! - **When cores sleep, our own time does not show**: 29 us there and back by eventfd and 30 by
//!   `MSG_RING`, nearly all of it interrupt and scheduler. So robustness decided between the two.
//! - **Batches can wait too long.** When all calls of a turn left at its end, 64 callers took a
//!   quarter longer than with sending after every 16, which is what an endpoint does now.
//!
//! # How much the tests notice
//!
//! A change of meaning that no test notices is a hole in the tests. On 30 November 2026 all changes
//! that `cargo mutants` 27.1 lists were tried in these parts of the core:
//!
//! | part | tried | do not compile | noticed | noticed since | left |
//! |---|---|---|---|---|---|
//! | `executor`, `task`, `run_queue`, `waker` | 615 | 136 | 422 | 20 | 37 |
//! | `timer`, `time` | 191 | 51 | 134 | 4 | 2 |
//! | `combine`, `collections`, `coop` | 394 | 163 | 224 | 3 | 4 |
//! | `sync` | 940 | 599 | 329 | 7 | 5 |
//!
//! *Noticed* is: a test fails, or does not end (143 of them). All but 34 of those were noticed by
//! tests beside the code; 2 only by those without a heap, 17 by examples in the docs, 14 by
//! `tests/retained`, 1 by `tests/futures_crate`. *Noticed since* is: by a test that was written for
//! it; two of them make it fail to compile. What is *left*, 48 changes, is:
//!
//! - 30 that change nothing: an exclusive or in the place of an or, of bits that are never set yet
//!   (18); a shift by zero the other way, or `>=` where equal numbers give the same (4); the state
//!   of a slot that no one looks at (3); two marks that change places (1); and 4 that do once more
//!   what is done already.
//! - 14 that change cost alone: one look at the clock more, or one a nanosecond later (8); no
//!   prefetch; one poll or allocation more, or fewer (5).
//! - 4 that make another sequence of numbers of `set_shuffle`, whose orders differ as well.
//!
//! Before that, fifty were tried by hand in call, task, promise, combine, collections and sync: 43
//! were noticed, some of them only since; the other seven change nothing, or cost alone.
//!
//! To be quick, all changes were compiled into one program, which is told by its environment which
//! one is to be; those of constants were compiled one by one. This does the same in more time:
//!
//! ```sh
//! cargo mutants -p miniss-core --cap-lints true -f 'miniss-core/src/sync/**' \
//!     -e '**/tests.rs' -e '**/tests/**' -e '**/model/**' -e '**/model.rs' -e '**/loom.rs' \
//!     --exclude-re '::fmt|tests?::'
//! ```
//!
//! ## On Linux
//!
//! On 2026-11-30 `cargo mutants` 27.1 listed 765 mutants in what threads and the kernel share, as
//! it was before there were two drivers. They were compiled into one program, too; constants became
//! functions for that. First the unit tests of miniss-linux ran against each, then the scenarios of
//! `tests/tests` against those that no unit test noticed. A mutant that makes a test hang is
//! noticed. Hangs of unit tests were seen once, within 40 seconds; those of scenarios in two runs.
//!
//! | | `driver` | `net` | `op` |
//! |---|---|---|---|
//! | listed | 438 | 178 | 149 |
//! | do not compile | 79 | 76 | 47 |
//! | noticed by unit tests | 244 | 47 | 76 |
//! | noticed by scenarios alone | 73 | 34 | 15 |
//! | noticed since, by scenarios that were added | 2 | 12 | 6 |
//! | left: no scenario notices them | 26 | 5 | 4 |
//! | left, by reading alone, without a run of the scenarios | 14 | 4 | 1 |
//!
//! What was added: many more operations end at once than the queue of completions holds, and the
//! futures of some are dropped before their ends are seen. Only there a cancelled receive brings
//! bytes, on the kernels of today: elsewhere the cancel comes first. No test had seen whether the
//! next read waits for it, nor whether a dropped half then gives its buffers and memory back.
//!
//! A run over the code as it was before its files were merged led to 43 more tests, and to a fault
//! of the program: where shards woke each other by messages between rings, one whose ring broke
//! woke no one, and the others slept on. That way of waking is gone.
//!
//! Those that are left, by their reasons:
//! - 14 that change nothing: a shift by zero, a bit set by `^` instead of `|`, a second lock.
//! - 6 bounds off by one, or that lie elsewhere, where either side is as good.
//! - 22 that change cost alone: how long and how often one spins, looks, asks or waits.
//! - 4 levels of older kernels.
//! - 8 that answer what we cannot bring about: errors of `accept` that the loopback does not give,
//!   a firewall's among them; errors of `close(2)`; an eventfd with the number 0; and a send that
//!   the kernel cut short and then went on with, which `MSG_WAITALL` does not let happen.
//!
//! To repeat it:
//!
//! ```sh
//! cargo mutants -p miniss-linux -f 'miniss-linux/src/driver/**' -e '**/tests/**' \
//!     -e '**/tests.rs' -E fmt --timeout 40 -- --lib
//! ```
//!
//! and then, for each mutant in its `missed.txt`, the scenarios of the area (`tests/tests`). Some
//! make rings without end, whose memory is the kernel's: give them a machine of their own, or a
//! memory cgroup.
//!
//! # Measuring a port of your own
//!
//! First measure that an idle port does nothing. Let it wait for nothing, or for one timer, and
//! read the counters before and after:
//!
//! - `turns` and `parks` stand still while nothing happens: it sleeps as it should.
//! - `parks` grows and `polls` does not: `park` returns for nothing. A deadline is rounded down, an
//!   unpark is not taken back, or an interrupt is not acknowledged.
//! - `turns` grows and `parks` does not: something is always ready, such as a task that wakes
//!   itself. Then `polls` grows as well.
//! - `idle` stands still over a sleep: the clock stops in the sleep, and timers will be late.
//! - `wakes_remote` grows where `wakes_local` was expected: `is_local` says `false` on the owner's
//!   core.
//! - `parks` grows with `timers_fired`, one by one, where many timers are due at about the same
//!   time: each has a sleep of its own. A port may round deadlines up, and then they fire together.
//!
//! Then measure that no unpark is wasted: count them in the unparker. There is at most one per
//! sleep, so they are never more than `parks`. `examples/own-reactor` and `examples/bare-metal`
//! print and check such counts, and `tests/tests/bare` runs them.
//!
//! A port to a clock that you move yourself measures the core alone, and a test on it gives the
//! same counts in every run:
//!
//! ```
//! # use core::time::Duration;
//! # use miniss_core::{doctest::executor, timer::Sleep};
//! let mut executor = executor();
//! let local = executor.local();
//! executor.block_on(Sleep::new(local, Duration::from_micros(10)));
//! let stats = local.stats();
//! assert_eq!((stats.timers_fired, stats.spawned, stats.tasks_live), (1, 1, 0));
//! assert_eq!(stats.polls, 2); // one that arms the timer, one that finds it over
//! assert!(stats.parks > 0 && stats.idle > Duration::ZERO);
//! ```
