//! Sharding: which tool when, the rules of calls, what each tool costs, and more cores on paper.
//!
//! A shard owns its data; no other shard touches it. So the best tool is none: place data so that
//! the work that needs it is on the same shard. What still has to cross has a tool below.
//!
//! # Which tool
//!
//! Costs are nanoseconds on the machine [below](#what-each-costs): of one call after the other, and
//! of each of 64 at once.
//!
//! | I want to … | tool | alone | of 64 |
//! |---|---|---:|---:|
//! | ask another shard for something that is there | [`run_on`], [`ShardedRef::run_on`] | 1,141 | 283 |
//! | have another shard do what may wait | [`submit_to`] | 1,245 | 182 |
//! | keep a part of my state on each shard | [`Sharded`]; others call [`invoke_on`] | 1,274 | 289 |
//! | hold one value of another shard, and end it | [`Foreign`] | 1,259 | 273 |
//! | send no shard more than it can bear | [`ServiceGroup`] | 1,334 | 270 |
//! | do the same on all shards | [`invoke_on_all`] | 1,374 | |
//! | have one figure of all shards | [`map_reduce`], [`ShardedRef::map`] | 1,356 | |
//! | stream values to one shard, also from threads | [`mpsc`], with room for many | | 25 |
//! | have a variable on each shard | [`shard_local!`] | 9 to 13 | |
//! | split a shard's time among kinds of work | [`SchedulingGroup`], [`switch_to`] | 104 | |
//! | serve a connection where its data are | [`DetachedStream`], [`Placement`] | 2,900 | |
//!
//! - **A plain closure or an async one?** Plain ([`run_on`]), if it neither waits nor takes longer
//!   than some microseconds: it runs between the tasks there, and others wait for it. On the own
//!   shard it runs at once.
//! - **[`Sharded`] or [`shard_local!`]?** A service that is started, called from other shards and
//!   stopped in order is [`Sharded`]. A counter or a cache that only code on its shard uses is
//!   [`shard_local!`]. Both find their value in the storage of the shard; keep what
//!   [`local`](crate::sharded::ShardedRef::local) gives in a variable where a loop needs it.
//! - **A call or a channel?** A call, if there is an answer. Values in one direction go through a
//!   channel with room for many, because each sleep of an end costs more than hundreds of values.
//! - **[`Foreign`] or [`submit_to`]?** [`Foreign`], if something must be kept there between calls
//!   and be dropped there: a handle to a file, an open cursor.
//!
//! # Rules
//!
//! **A dropped call goes on.** A call is on its way when it is made, not when it is polled. If it
//! is dropped, the work goes on, and its output is dropped on the caller's shard. So a timeout
//! around a call ends the wait and not the work. If both should end, give the work its own timeout.
//!
//! **The error tells what was done.**
//!
//! | [`CallError`] | what happened there | to make it again |
//! |---|---|---|
//! | [`QueueTimedOut`](crate::CallError::QueueTimedOut) | nothing: the call was not made | is safe |
//! | [`NotRunning`](crate::CallError::NotRunning) | nothing: the service was not there, or stopped | is safe |
//! | [`Panicked`](crate::CallError::Panicked) | some of it, until it panicked; others there go on | depends on the work |
//! | [`ShardGone`](crate::CallError::ShardGone) | none, some or all of it: the shard ended before it answered | depends on the work |
//!
//! **Order.** Calls from one shard to another begin in the order in which they were made. That is
//! all: their ends have no order, calls to two shards have none, and a call and a value in a
//! channel have none.
//!
//! **Calls are not bounded, groups are.** A lane holds 128 calls; more of them wait on the caller's
//! side, as many as memory has room for. A caller that awaits each call has one under way. Where
//! calls are made without waiting, or very many tasks call the same shard, use a [`ServiceGroup`].
//! Its bound is split: each of the other shards has an equal part, one call at least. Answers need
//! no room, so no two shards wait for each other's lanes.
//!
//! **A queue timeout is about the queue.** It ends with the wait for room in the group. How long
//! the work takes is not limited by it.
//!
//! **Groups call up.** Work that has room in one group and waits for room in another may close a
//! circle with work of other shards. So groups have levels, and work may only call in groups of
//! higher levels. A debug build panics where it does not, at once and not only when the circle
//! closes. Tasks that the work spawns, and calls outside of groups, are not followed.
//!
//! ```
//! use std::time::Duration;
//!
//! use miniss_linux::sharded::ServiceGroup;
//! use miniss_linux::time::sleep;
//! use miniss_linux::{CallError, Runtime, spawn};
//!
//! static STORAGE: ServiceGroup =
//!     ServiceGroup::new("storage", 1, 1).queue_timeout(Duration::from_millis(1));
//!
//! let runtime = Runtime::builder().shards(2).build().unwrap();
//! runtime.block_on(async {
//!     // It takes longer than that, and is not limited.
//!     let slow = STORAGE.reserve(1).await.unwrap();
//!     let slow = slow.submit(async || sleep(Duration::from_millis(50)).await);
//!     // It waits for room.
//!     let next = STORAGE.submit_to(1, async || ()).await;
//!     assert!(matches!(next, Err(CallError::QueueTimedOut(_))));
//!     slow.await.unwrap();
//! });
//! ```
//!
//! # What each costs
//!
//! 30 November 2026, on a virtual machine with two cores of an AMD EPYC, Linux 6.18, while other
//! programs compiled (load 18): `chrt -f 50 measure --rounds 9 shards`, medians of interleaved
//! rounds, each tool in the setting in which a runtime comes. Instructions are those of both shards
//! in user space, of each of 64 calls at once; valgrind counted them
//! (`measure --times 6400 "64: run_on"`), without spinning, over epoll.
//!
//! | a call to another shard | alone, ns | of 64, ns | instructions |
//! |---|---:|---:|---:|
//! | by hand: a cache line there and back | 391 | 43 | |
//! | [`run_on`] | 1,141 | 283 | 881 |
//! | [`submit_to`] | 1,245 | 182 | 1,103 |
//! | [`ShardedRef::run_on`] | 1,235 | 254 | 974 |
//! | [`ShardedRef::invoke_on`](crate::sharded::ShardedRef::invoke_on) | 1,274 | 289 | 1,294 |
//! | [`Foreign::invoke`](crate::sharded::Foreign::invoke) | 1,259 | 273 | 1,269 |
//! | [`ServiceGroup::submit_to`](crate::sharded::ServiceGroup::submit_to), room for all | 1,334 | 270 | 1,751 |
//! | the same, room for 8 of the 64 | | 638 | 2,376 |
//! | [`invoke_on_all`] on two shards | 1,374 | | |
//! | [`map_reduce`] on two shards | 1,356 | | |
//!
//! **Where the cores are decides.** The host moved them in the course of the day: a line there and
//! back took 100 ns at times and 400 at others, [`run_on`] 411 and 944, [`submit_to`] 452 and 1,109
//! (`measure call-awake`). Compare with the first line, not with another machine. Two shards that
//! both sleep pay 29 us for the same call: that is the kernel's, and [`call_spin`] spares it.
//! With 64 callers [`submit_to`] was faster than [`run_on`] each time; why is not known.
//!
//! | on the shard itself | ns | instructions |
//! |---|---:|---:|
//! | by hand: a `thread_local!` that is a constant at first | 1.6 | 9 |
//! | [`shard_local!`] | 9 to 13 | 99 |
//! | [`Sharded`], [`local`](crate::sharded::ShardedRef::local) | 16 | 87 |
//! | [`run_on`], own shard | 49 | 380 |
//! | [`submit_to`], own shard | 90 | 845 |
//! | spawn and join a task: no groups; in the main group; in another | 24; 27; 30 | 279; 349; 395 |
//! | yield, 100 tasks in turn: no groups; in the main group | 9.4; 14 | 136; 206 |
//! | [`switch_to`] another group | 104 | 1,111 |
//!
//! | a value through [`mpsc`] | both ends as they come, ns | both awake ([`idle_spin`]), ns |
//! |---|---:|---:|
//! | within a shard, room for 128 | 14 | |
//! | to another, room for 1,024 | 25 | |
//! | room for 128 | 247 | 71 |
//! | room for 128, [`recv_many`](crate::sharded::mpsc::Receiver::recv_many) | 250 | |
//! | room for 1 | 32,400 | 1,209 |
//!
//! With room for 1,024 an end sleeps once for eight times as many values; there is hardly another
//! knob. To move a connection ([`DetachedStream`]), with the call that takes it there, takes 2.9 us
//! and 3,000 instructions: its receive is cancelled here, and begins there with the next read.
//!
//! | a connection from connect to close, one byte | time, us | CPU with the client, us |
//! |---|---:|---:|
//! | each shard listens ([`reuse_port`]) | 84 | 106 |
//! | [`Fixed`](crate::net::Placement::Fixed), the shard that accepts | 79 | 104 |
//! | [`Fixed`](crate::net::Placement::Fixed), the other | 87 | 116 |
//! | [`InTurn`](crate::net::Placement::InTurn) | 99 | 130 |
//! | [`LeastConnections`] | 79 | 105 |
//! | [`PEER_PORT`](crate::net::Placement::PEER_PORT) | 80 | 105 |
//! | [`PEER_ADDRESS`](crate::net::Placement::PEER_ADDRESS) | 88 | 116 |
//!
//! These are one after the other, so that the shard with the fewest is always the first, and by the
//! peer's address all go to one shard, here the other. What is dear in it is the sleep of a second
//! shard, 12 to 26 us of CPU time, and not the choice.
//!
//! # More cores, on paper
//!
//! Two cores are all that was measured. The rest of this section is arithmetic.
//!
//! **Messages per request.** If keys are spread by a hash over n shards, a request comes to the
//! wrong one in (n - 1) / n of all cases. Then it takes two messages, there and back:
//!
//! | shards | 2 | 4 | 8 | 16 | 64 |
//! |---|---|---|---|---|---|
//! | messages per request | 1 | 1.5 | 1.75 | 1.88 | 1.97 |
//!
//! It does not grow beyond two: from four shards to any number by a third. Work on all shards is
//! another matter. [`invoke_on_all`] takes 2 (n - 1) messages, and if each shard does it, together
//! they take 2 n (n - 1). Keep that to what is seldom.
//!
//! **Cache lines per message.** A call lies in a node that goes there and comes back. With a small
//! closure and a small output it is two lines. A third line has the slot of the lane; it is shared
//! by up to eight messages that are sent together. The receiver's count, the peer's state and the
//! other half of the lane stay where they are as long as both are awake.
//!
//! | | lines for a message | for a call, there and back |
//! |---|---|---|
//! | alone | 3 | 6 |
//! | eight or more together to one shard | 2 1/8 | 4 1/4 |
//!
//! What was measured fits that. The line of the slot and the node come one after the other, and the
//! two lines of the node together: four waits a call. As the host moved the cores apart, a way of
//! a line from core to core took 150 ns more, a [`run_on`] 530 ns and a [`submit_to`] 660 ns more:
//! 3.5 and 4.3 ways.
//!
//! With more shards, the calls of a turn go to more lanes. 16 of them gather before they are sent:
//! from 17 shards on, spread evenly, hardly two share a slot's line or the fence with which a lane
//! is published. So 6 lines a call is what many shards pay.
//!
//! **What that makes of n cores.** Let a request take r of CPU time without crossing, and a
//! crossing c on both sides together. Then n shards do as much as n r / (r + c (n - 1) / n) of them
//! that never cross. With the half microsecond that 64 callers at once cost both shards here:
//!
//! | a request takes | 2 shards | 16 shards | 64 shards |
//! |---|---|---|---|
//! | 1 us | 1.6 | 10.9 | 42.9 |
//! | 5 us (an echo, with the kernel) | 1.9 | 14.6 | 58.3 |
//! | 50 us | 2.0 | 15.9 | 63.4 |
//!
//! **What grows with the number of shards.**
//!
//! | | grows with | at 2 | at 16 | at 64 | at 256 |
//! |---|---|---|---|---|---|
//! | lanes, of 1.4 KiB | n² | 5.5 KiB | 352 KiB | 5.5 MiB | 88 MiB |
//! | lines that each turn of a shard looks at | 2 (n - 1) | 2 | 30 | 126 | 510 |
//! | messages of one `invoke_on_all` | 2 (n - 1) | 2 | 30 | 126 | 510 |
//! | a shard's part of a [`ServiceGroup`] for 256 calls | 1 / (n - 1) | 256 | 17 | 4 | 1 |
//!
//! **Where it would break.** The looks come first. At 64 shards they are 8 KiB of the first cache
//! in each turn. At 256 they fill it, and a turn in which little happens costs microseconds. The
//! memory of lanes is bearable up to some hundreds of shards; at 1,024 it is 1.4 GiB. Then there is
//! whatever belongs to one shard: the one that accepts for a [`Placement`], and looks at n counters
//! for [`LeastConnections`]; shard 0, which gives out scheduling groups; and a hot shard, which
//! bounds all of them. And no tool knows which cores are near each other.
//!
//! # One hot shard
//!
//! No shard steals work from another. If one shard has the share h of all work, n shards together
//! do no more than 1 / h shards could, and the requests there wait for each other. It shows as one
//! shard whose thread is busy while others idle. The row `skew` of `compare` has 64 connections
//! with equally many requests of 50 us each, 58 of them on one of two shards:
//!
//! | | requests per second | median latency | p99 | CPU per request |
//! |---|---|---|---|---|
//! | miniss, as it is | 18.3 k/s | 3.6 ms | 3.8 ms | 60.1 us |
//! | miniss, [`LeastConnections`] | 28.4 k/s | 1.9 ms | 2.8 ms | 57.8 us |
//! | miniss, work given away by a [`ServiceGroup`] with room for 16 | 22.6 k/s | 2.3 ms | 8.9 ms | 60.1 us |
//! | the same, and connections in a [`SchedulingGroup`] | 23.1 k/s | 2.0 ms | 6.9 ms | 60.3 us |
//! | tokio 1.54.1 on two threads, which steal | 26.3 k/s | 2.5 ms | 4.0 ms | 62.9 us |
//!
//! (30 November 2026, as above; `chrt -f 50 compare --rounds 7 skew skew-p50 skew-p99`. The client
//! takes a part of the second core.) **Work stealing does 1.4 times as much** as a runtime without
//! it, if nothing is done about the hot shard. If connections are placed well, they need no
//! stealing, and cost less than with it. To give work away is between the two, and its price is a
//! long wait for some: on the hot shard, calls and answers wait behind all requests that are ready.
//! A group of their own for the connections takes a part of that wait away, since calls are
//! received and sent in the main group. What is left is the wait of the answer for its task, and
//! that goes, too, if the task awaits its call in the main group. Counted, since others used the
//! machine: on a shard with 58 tasks that compute for 50 us whenever they are polled, so many of
//! those polls pass while one call is there and back (median of 150 calls):
//!
//! | the tasks that compute | the call is awaited | polls meanwhile |
//! |---|---|---|
//! | in the main group | there | 177: three rounds |
//! | in a group of their own | there | 90 |
//! | in a group of their own | in the main group | 31: no round, only the other shard |
//! | in the main group | in a group of its own | 150 |
//!
//! What helps, in this order:
//!
//! 1. **Place better.** Many connections that are alike: listen on each shard
//!    ([`reuse_port`]), and if the kernel's hash is uneven for
//!    few of them, [`LeastConnections`]. It counts connections, not
//!    work: it does not see that one of them asks for more. Data: more, smaller parts than shards.
//! 2. **Give work away where there is room**, if the work does not need the data of its shard. It
//!    costs a call for each request:
//!
//! ```
//! use std::error::Error;
//!
//! use miniss_linux::sharded::{SchedulingGroup, ServiceGroup, switch_to};
//! use miniss_linux::{Runtime, spawn};
//!
//! static AWAY: ServiceGroup = ServiceGroup::new("away", 1, 16);
//!
//! fn digest(request: Vec<u8>) -> u64 {
//!     request.into_iter().map(u64::from).sum()
//! }
//!
//! /// For a connection that is in a scheduling group of its kind.
//! async fn answer(request: Vec<u8>) -> Result<u64, Box<dyn Error>> {
//!     let Some(room) = AWAY.try_reserve(1) else { return Ok(digest(request)) };
//!     // Behind calls and answers only, not behind all requests.
//!     let group = switch_to(SchedulingGroup::MAIN).await?;
//!     let digest = room.submit(async move || digest(request)).await;
//!     switch_to(group).await?;
//!     Ok(digest?)
//! }
//!
//! let runtime = Runtime::builder().shards(2).build().unwrap();
//! runtime.block_on(async {
//!     let connections = SchedulingGroup::create("connections", 1000).await.unwrap();
//!     let connection = connections.with(|| spawn(async {
//!         assert_eq!(answer(vec![1, 2, 3]).await.unwrap(), 6);
//!     }));
//!     connection.unwrap().await.unwrap();
//! });
//! ```
//!
//! 3. **Move the connection** to another shard, once it is seen to be a busy one
//!    ([`detach`](crate::net::Stream::detach)).
//! 4. **What blocks or computes for milliseconds** belongs to
//!    [`spawn_blocking`](crate::spawn_blocking), or into pieces with
//!    [`maybe_yield`](crate::maybe_yield).
//!
//! Scheduling groups by themselves do not help a hot shard to get more done. They choose who waits
//! there.
//!
//! # Scheduling groups: what shares mean
//!
//! - Shares split the time of **one shard** among the groups that have work **on that shard**. With
//!   1000 and 100 shares both busy, the first has ten elevenths of the time; if it has nothing to
//!   do, the second has all of it. Nothing is saved up: a group that was idle does not catch up.
//! - They are no limit, no reservation and no priority. The latency of a group follows from its
//!   wait for the slices of others: each ends with its turn, half a millisecond
//!   ([`Budget`](crate::Budget)), unless a poll takes longer. **No poll is interrupted**: a task
//!   that computes for 20 ms takes 20 ms, whatever its shares. Have it call
//!   [`maybe_yield`](crate::maybe_yield).
//! - Time is the time that passes on the shard's clock. If the system takes the core away within a
//!   slice, the group pays for it.
//! - Tasks, timers and calls inherit the group, but what [`run_on`] runs does not: its closure runs
//!   in the main group, as all that the runtime does itself: to receive calls, to answer them. So
//!   do not give the main group few shares: every call would wait for it.
//! - There are 16 groups at most. Make one for a kind of work (commands, expiry, compaction), not
//!   for a client.
//!
//! [`CallError`]: crate::CallError
//! [`DetachedStream`]: crate::net::DetachedStream
//! [`Foreign`]: crate::sharded::Foreign
//! [`Placement`]: crate::net::Placement
//! [`SchedulingGroup`]: crate::sharded::SchedulingGroup
//! [`ServiceGroup`]: crate::sharded::ServiceGroup
//! [`Sharded`]: crate::sharded::Sharded
//! [`ShardedRef::map`]: crate::sharded::ShardedRef::map
//! [`ShardedRef::run_on`]: crate::sharded::ShardedRef::run_on
//! [`call_spin`]: crate::Builder::call_spin
//! [`idle_spin`]: crate::Builder::idle_spin
//! [`invoke_on`]: crate::sharded::ShardedRef::invoke_on
//! [`invoke_on_all`]: crate::sharded::invoke_on_all
//! [`map_reduce`]: crate::sharded::map_reduce
//! [`mpsc`]: crate::sharded::mpsc
//! [`LeastConnections`]: crate::net::Placement::LeastConnections
//! [`reuse_port`]: crate::net::ListenOptions::reuse_port
//! [`run_on`]: crate::run_on
//! [`shard_local!`]: crate::shard_local
//! [`submit_to`]: crate::submit_to
//! [`switch_to`]: crate::sharded::switch_to

#![forbid(unsafe_code)]
