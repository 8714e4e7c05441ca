//! How cost grows: with tasks, timers, connections, shards, queue depth and message size.
//!
//! Tables and pictures are what this command wrote, on the day and the machine that stand below
//! each table:
//!
//! ```sh
//! cargo run --release -p miniss-benches --bin growth -- --write-manual
//! ```
//!
//! Each point is a process of its own. The points of a curve were measured in turn, several times,
//! and what is shown are medians. Both axes are logarithmic. Shapes and ratios count; absolute
//! figures belong to one machine. Dashed lines are programs by hand that do the same without a
//! runtime. Where it says real-time priority, rates over two cores may be a fifth too low: the
//! kernel takes 50 ms of each second from such threads, and a point counts for 250 ms.
//!
//! # The machine
//!
//! How long a step takes that begins where the last one ended, at random in so many bytes, 128
//! bytes apart:
//!
#![doc = include_str!("growth/memory.svg")]
//!
#![doc = include_str!("growth/memory.md")]
//!
//! Four steps: the first level of the cache, of 48 KiB; the second, of 1 MiB; a third of which this
//! virtual machine has about 4 MiB, whatever the data sheet says; and memory, at 150 ns and more.
//! With pages of 2 MiB (`MADV_HUGEPAGE`) only what is beyond 64 MiB is faster, by a quarter, so it
//! is not the translation of addresses that makes the great step. Most curves below follow these.
//!
//! # Tasks
//!
//! Parked tasks, each with a future of 64 bytes. One that is woken wakes another and parks again,
//! so a poll is one wake and one poll; up to 64 are under way at a time. By hand it is the same
//! walk over as many pairs of cache lines: take from a queue, call through a pointer, put the next
//! in.
//!
#![doc = include_str!("growth/tasks.svg")]
//!
#![doc = include_str!("growth/tasks.md")]
//!
//! - **Nothing depends on the number of tasks but where they are.** From 10 to 1,000 a wake and a
//!   poll cost the same. A single task pays twice as much, for then each turn of the executor, with
//!   its look at the ring, polls one task.
//! - **The knees are the caches'.** A task of 128 bytes and its wakers of 16 fill the second level
//!   at about 7,000 tasks and the third at about 28,000. In the order of spawning the next tasks
//!   are fetched ahead, and there is hardly a step.
//! - At random among a million, a wake and a poll are one access to memory, sometimes two: the
//!   task's header when it is woken, and its future when it is polled, which the wake fetches
//!   ahead. By hand costs half: in a loop that short a processor looks far enough ahead to wait for
//!   several tasks at once.
//! - **To spawn one more costs the same** however many there are: its slot is one that was just
//!   given back. To spawn a million that stay costs more for each than a hundred, because memory
//!   that was never touched comes from the kernel page by page.
//! - What less than 1,000 tasks take from the heap, and how long they take to end, is lost in what
//!   a runtime has and does anyhow.
//!
//! # Timers
//!
//! Deadlines at random over a minute, in the core alone: its clock stands still until told. The
//! clock then goes on by up to 64 deadlines at a time.
//!
#![doc = include_str!("growth/timers.svg")]
//!
#![doc = include_str!("growth/timers.md")]
//!
//! - **A timeout that does not happen costs the same among a million others.** To arm is to append
//!   to a list, and to cancel is to unlink; a heap would walk down a tree.
//! - One that fires is filed again, from nearer, a few times in its life, and beyond the caches
//!   each time is an access to memory.
//! - **The longest turn grows with the number of timers.** When time reaches a slot of the wheel,
//!   its timers are filed again all at once. The coarsest slots in use here begin at multiples of
//!   2³⁶ ns, 69 s: of all deadlines, the six of seven that lie beyond the next multiple are filed
//!   again in the turn in which it comes. With 10,000 timers no one notices; a shard with a million
//!   of them pauses for some milliseconds, once in 69 s. A heap pays evenly instead, and in full
//!   for all that is cancelled.
//!
//! # Connections
//!
//! TCP echo of 64 bytes over the loopback, the server on one core and the client on the other, one
//! request under way on each connection. The server by hand on io_uring has a table for some 3,000
//! connections; the one on epoll takes more.
//!
#![doc = include_str!("growth/connections.svg")]
//!
#![doc = include_str!("growth/connections.md")]
//!
//! - **One connection is dear**: for each request both sides fall asleep and are woken, by an
//!   interrupt from the other core. From 4 connections on someone is always ready.
//! - **From there to 10,000 a request becomes about twice as dear, and by as much for the servers
//!   by hand.** At 64 connections 97% of the server's time are the kernel's
//!   (`perf record -e cpu-clock`). For each connection its two sockets take 11 KiB of the kernel's
//!   memory (`Slab` in `/proc/meminfo`), which no cache holds from a few hundred on.
//! - **The runtime's own memory for a connection does not grow**: what the server took beyond what
//!   it had after 600 earlier connections. An idle connection holds no receive buffer.
//! - At 10,000 more operations may complete at once than the completion queue holds, and the
//!   runtime says so, once. Nothing is lost;
//!   [`Builder::ring_entries`](crate::Builder::ring_entries) makes it longer.
//!
//! # Shards
//!
//! More shards than cores is not how to run them, but it must not break. Each has 16 tasks that
//! call other shards, one call after the other: all others in turn, or always the next one. A shard
//! alone calls itself. These points run without real-time priority, for threads that have it do not
//! take turns.
//!
#![doc = include_str!("growth/shards.svg")]
//!
#![doc = include_str!("growth/shards.md")]
//!
//! - **No collapse.** On two cores 64 shards that all call each other do no less than 8, and where
//!   each calls the next they do two thirds, at half as much CPU time again for each call.
//! - **A call to oneself** is a queue and a task. The step from one shard to two is that to another
//!   core; two shards on two cores stay awake for each other's answers
//!   ([`call_spin`](crate::Builder::call_spin)). The next step, from two shards to four, is that to
//!   shards that share a core, and so to sleep and to the kernel, which switches threads.
//! - **Start and end** take a tenth of a millisecond for each of a few shards, and up to a fifth
//!   for each of 64: a thread, a ring, its end. Memory is 80 KiB for each shard, and 1.6 KiB for
//!   each ordered pair, its lane. That is the one term that grows with the square, and with 64
//!   shards it is more than half.
//!
//! # Calls under way
//!
//! Tasks on one shard that call another, each one call after the other, on two cores.
//!
#![doc = include_str!("growth/calls.svg")]
//!
#![doc = include_str!("growth/calls.md")]
//!
//! - **Asleep, the cost of a batch is constant**: twice as many calls under way cost half as much
//!   each. What is paid for is one wake of each side: an interrupt and a switch. So it is with
//!   [`call_spin`](crate::Builder::call_spin) of zero.
//! - **As it comes, a shard looks for answers before it sleeps**, and one call costs less than a
//!   hundredth: cache lines, and no kernel. With [`idle_spin`](crate::Builder::idle_spin), which
//!   looks before every sleep, it is a little less still, for no one asks the clock how long it
//!   took.
//! - Depth then gains less, for there is less to share: the ways of the lines between the cores,
//!   which a processor can have several of under way. With 256 calls under way the lane, which has
//!   room for 128, is full at times, and who made them waits to hear that there is room again.
//! - Whether a call is a task there (`submit_to`) or not (`run_on`) costs some 160 ns alone, and 20
//!   or less where several are under way.
//!
//! # Requests under way on a connection
//!
//! One connection with so many requests of 64 bytes sent ahead.
//!
#![doc = include_str!("growth/pipeline.svg")]
//!
#![doc = include_str!("growth/pipeline.md")]
//!
//! - As with calls, what is shared is the wake and the way through the kernel's network: 256
//!   requests sent ahead cost hardly more CPU time than one alone. Ours stays beside the server by
//!   hand, for both receive up to 256 such requests in one buffer and send it back as one.
//!
//! # Message size
//!
//! 16 connections, on each one message under way, there and back.
//!
#![doc = include_str!("growth/messages.svg")]
//!
#![doc = include_str!("growth/messages.md")]
//!
//! - **Up to 16 KiB, a receive buffer, it is the message that costs**: the rate in bytes grows with
//!   its size.
//! - **A longer one comes in pieces of 16 KiB, and each is echoed for itself.** That costs both
//!   sides more than the longer message saves; by hand, with buffers of the same size, it is the
//!   same. With buffers of 64 KiB, one setting, a byte of such messages costs about half. So
//!   whoever moves much at a time asks for [larger buffers](crate::Builder::recv_buffers), or reads
//!   into one of his own.

#![forbid(unsafe_code)]
