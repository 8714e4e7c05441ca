//! Step 6, Store: all of it together, as a small key-value store.
//!
//! You will see keys that each belong to one shard, and clients that find them from any.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/store.rs")]
//! ```
//!
//! # Try it
//!
//! ```console
//! $ cargo run --quiet
//! listening on 127.0.0.1:7000
//! ```
//!
//! In another terminal:
//!
//! ```console
//! $ printf 'set colour blue\nget colour\nget size\n' | nc -N 127.0.0.1 7000
//! done
//! blue
//! nothing
//! $ echo set size 7 | nc -N 127.0.0.1 7000
//! done
//! $ echo get colour | nc -N 127.0.0.1 7000
//! blue
//! ```
//!
//! Ctrl-C in the first one:
//!
//! ```console
//! ^Ckeys on each shard: [1, 1]
//! ```
//!
//! # What happened
//!
//! - **Each key has a home.** A function of the key tells its shard, and only that shard has it. So
//!   two clients cannot change one key at the same time, and there is no lock.
//! - **Each client has a shard, too.** Shard 0 accepts, and [`serve_on_shards`] has each connection
//!   served on the next shard in turn. There `serve` runs as a task, with its own buffer.
//! - **A request goes where its key is.** If that is the shard of the client, [`run_on`] runs the
//!   closure at once; if not, it is a call, and the reply comes back. The code is the same.
//! - **A [`ShardedRef`] is the way to all parts.** It is `Copy` and `Send`, so each closure takes
//!   it along. The [`Sharded`] itself stays in `main`, which stops it.
//! - **Lines are what the program makes of bytes.** `recv` brings whatever has come: half a line,
//!   or five. What is no whole line yet waits in `unread`.
//!
//! # Change it
//!
//! - A client that sends a line without an end fills the memory. Set a limit.
//! - Add `del KEY`, and `count`: the second asks all parts, by `map` or `map_reduce`.
//! - Give it the timeout and the grace of step 5. With clients on all shards, the passes need a
//!   part on each: the page of [`ShardShutdown`] has such a server.
//!
//! # Where to go from here
//!
//! - The example `kv` is this program grown up. It speaks the protocol of Redis, sends requests
//!   across in batches, and bounds what a client may hold.
//! - [`sharding`](super::super::sharding): which tool between shards when, and what each costs.
//! - [`running`](super::super::running): what a program says, and how it ends.
//! - [`net`](crate::net), [`fs`](crate::fs), [`time`](crate::time), [`sync`](crate::sync): what
//!   else there is, with an example for each.
//! - hyper and axum run on it: [`net`](crate::net#http), and the examples `http` and `web`.
//!
//! [`serve_on_shards`]: crate::net::Listener::serve_on_shards
//! [`run_on`]: crate::sharded::ShardedRef::run_on
//! [`Sharded`]: crate::sharded::Sharded
//! [`ShardedRef`]: crate::sharded::ShardedRef
//! [`ShardShutdown`]: crate::signal::ShardShutdown

#![forbid(unsafe_code)]
