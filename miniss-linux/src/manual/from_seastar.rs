//! From Seastar: what has which name here, and what differs.
//!
//! The model is the same: one thread for each core, with its own tasks and I/O, nothing shared, and
//! messages between. Many names are the same, too. What differs everywhere:
//!
//! - **A future is lazy.** In Rust it does nothing until it is awaited, or spawned as a task. A
//!   call is the exception: [`submit_to`] is on its way at once.
//! - **`async` and `await` take the place of chains.** What `then` and `do_with` are for, the
//!   language does: a variable of an async block lives as long as the block. The combinators are
//!   here for code that comes from Seastar.
//! - **A future that is dropped is cancelled.** Seastar's futures run to their end. Each async
//!   function here says under *Cancellation* what becomes of its work.
//! - **Errors are values, panics are not.** A fallible future gives a `Result`, and `?` passes it
//!   on. A panic ends its task, and is told by the task's handle.
//! - **What may cross is checked.** A closure that takes an `Rc` to another shard does not compile.
//! - **Buffers are owned,** as a `temporary_buffer` is: a read takes one and gives it back, or
//!   brings one.
//!
//! # When to stay with Seastar
//!
//! - You need its own network stack, or DPDK: here the kernel's sockets are used.
//! - You need memory that is divided among the shards, or a scheduler of disk requests: here there
//!   is neither.
//! - You need it proven in production. No one is known to run rust-miniss there.
//!
//! # Futures
//!
//! | Seastar | here | what differs |
//! |---|---|---|
//! | `future`, `promise` | [`Future`](crate::Future), [`Promise`](crate::Promise) | they may go to another thread |
//! | `make_ready_future` | [`Future::ready`](crate::Future::ready) | an async block is more usual |
//! | `make_exception_future` | [`Future::failed`](crate::Future::failed) | `Err(…)` in an async block |
//! | `co_await`, `then` | the language | `.await` |
//! | `then_wrapped`, `handle_exception` | [`then_wrapped`](crate::combine::FutureExt::then_wrapped), [`or_else`](crate::combine::FutureExt::or_else) | `match future.await { … }` does the same |
//! | `finally` | [`finally`](crate::combine::FutureExt::finally), [`finally_on`](crate::combine::FutureExt::finally_on) | the second runs its cleanup also if the future is dropped |
//! | `do_with` | [`do_with`](crate::combine::do_with) | an async block that owns the value does the same |
//! | `keep_doing`, `repeat`, `do_until` | [`repeat`](crate::combine::repeat), [`do_until`](crate::combine::do_until) | or `loop`, with [`maybe_yield`](crate::maybe_yield) |
//! | `parallel_for_each` | [`parallel_for_each`](crate::combine::parallel_for_each) | |
//! | `max_concurrent_for_each` | [`max_concurrent_for_each`](crate::combine::max_concurrent_for_each) | |
//! | `map_reduce` | [`combine::map_reduce`](crate::combine::map_reduce) | over shards: [`sharded::map_reduce`](crate::sharded::map_reduce) |
//! | `when_all`, `when_all_succeed` | [`when_all`](crate::combine::when_all), [`when_all_succeed`](crate::combine::when_all_succeed) | |
//! | `when_any` | [`when_any`](crate::combine::when_any) | |
//! | `(void)f()`, to let it run | [`detach`](crate::JoinHandle::detach) | `spawn(f()).detach()` |
//! | `seastar::async`, `get()` | lacking | a task has no stack of its own. Use `async`; what blocks goes by [`spawn_blocking`](crate::spawn_blocking) |
//! | a failure that no one saw | [`unobserved`](crate::unobserved) | counted and reported, or given to a hook |
//!
//! # Between shards
//!
//! | Seastar | here | what differs |
//! |---|---|---|
//! | `smp::submit_to` | [`submit_to`] | the closure is async; a plain one goes by [`run_on`](crate::run_on), without a task |
//! | `smp::invoke_on_all` | [`invoke_on_all`](crate::sharded::invoke_on_all) | [`invoke_on_others`](crate::sharded::invoke_on_others), too |
//! | `this_shard_id`, `smp::count` | [`ShardId::current`](crate::ShardId::current), [`ShardId::all`](crate::ShardId::all) | |
//! | `sharded<T>` | [`Sharded`](crate::sharded::Sharded) | started by an async closure for each part; `stop` is a method of [`Service`](crate::sharded::Service) |
//! | `peering_sharded_service` | [`ShardedRef`](crate::sharded::ShardedRef) | each part is given one when it is made |
//! | `sharded_parameter` | [`Sharded::start`](crate::sharded::Sharded::start) | its first closure makes the argument of each shard |
//! | `foreign_ptr` | [`Foreign`](crate::sharded::Foreign) | |
//! | `smp_service_group` | [`ServiceGroup`](crate::sharded::ServiceGroup) | a `static`, with a queue that is bounded |
//! | `thread_local` | [`shard_local!`](crate::shard_local) | dropped when the shard ends |
//! | `alien::submit_to`, `alien::run_on` | [`Handle::submit_to`](crate::Handle::submit_to) | awaited, or waited for by a thread |
//! | `lw_shared_ptr`, `shared_ptr` | that of std | `Rc` |
//!
//! # On one shard
//!
//! | Seastar | here | what differs |
//! |---|---|---|
//! | `gate` | [`Gate`](crate::sync::Gate) | `enter` gives a pass; its drop leaves |
//! | `semaphore`, `get_units` | [`Semaphore`](crate::sync::Semaphore) | `acquire` gives [`Units`](crate::sync::Units) |
//! | `rwlock`, `shared_mutex` | [`RwLock`](crate::sync::RwLock) | it holds the value |
//! | `condition_variable` | [`Condvar`](crate::sync::Condvar) | |
//! | `shared_future`, `shared_promise` | [`SharedFuture`](crate::sync::SharedFuture), [`SharedPromise`](crate::sync::SharedPromise) | any future: [`Shared`](crate::sync::Shared) |
//! | `abort_source` | [`AbortSource`](crate::sync::AbortSource) | with children; as a token: [`CancellationToken`](crate::sync::CancellationToken) |
//! | `queue`, `pipe` | [`channel`](crate::sync::channel) | between shards: [`mpsc`](crate::sharded::mpsc) |
//! | `scheduling_group` | [`SchedulingGroup`](crate::sharded::SchedulingGroup) | of tasks only; it has no share of the disk |
//! | `with_scheduling_group` | [`SchedulingGroup::with`](crate::sharded::SchedulingGroup::with), [`switch_to`](crate::sharded::switch_to) | |
//! | `need_preempt`, `maybe_yield` | [`need_preempt`](crate::need_preempt), [`maybe_yield`](crate::maybe_yield) | a poll is bounded in any case: [`coop`](crate::coop) |
//! | `yield` | [`yield_now`](crate::yield_now) | |
//! | `sleep`, `sleep_abortable` | [`sleep`](crate::time::sleep) | [`AbortSource::run`](crate::sync::AbortSource::run) around it |
//! | `timer` | [`interval`](crate::time::interval) | or a task that sleeps |
//! | `with_timeout` | [`timeout`](crate::time::timeout) | it drops the future; Seastar's lets it go on |
//! | `manual_clock` | [`start_paused`](crate::Builder::start_paused), [`advance`](crate::time::advance) | and in the core `ManualClock`, for what is written over `Timers` |
//!
//! # Input and output
//!
//! | Seastar | here | what differs |
//! |---|---|---|
//! | `listen`, `load_balancing_algorithm` | [`ListenOptions`](crate::net::ListenOptions), [`Placement`](crate::net::Placement) | each shard listens for itself, or one [serves on all](crate::net::Listener::serve_on_shards) |
//! | `connected_socket` | [`TcpStream`](crate::net::TcpStream) | |
//! | `input_stream` | [`recv`](crate::net::Stream::recv), [`read`](crate::net::Stream::read) | by traits: [`PollStream`](crate::net#lines-while-another-task-writes) |
//! | `output_stream` | [`write_all`](crate::net::Stream::write_all) | no buffer is between, so there is nothing to flush |
//! | `temporary_buffer` | [`PoolBuf`](crate::net::PoolBuf) | |
//! | `open_file_dma` | [`DirectFile`](crate::fs::DirectFile) | through the kernel's memory: [`File`](crate::fs::File) |
//! | `make_file_input_stream`, `make_file_output_stream` | [`FileReader`](crate::fs::FileReader), [`FileWriter`](crate::fs::FileWriter) | |
//! | I/O priority, `io_queue` | lacking | bound what is in flight by a [`Semaphore`](crate::sync::Semaphore) |
//! | `tls` | the crate rustls | above a `PollStream`: [TLS](crate::net#tls) |
//! | `httpd` | the crates hyper and axum | [a server](crate::net#http) |
//! | `rpc` | lacking | |
//!
//! # The program
//!
//! | Seastar | here | what differs |
//! |---|---|---|
//! | `app_template` | [`main`](macro@crate::main), [`Builder`](crate::Builder) | options of the command line are yours, for example by `clap` |
//! | the body, on every shard | [`run_to_exit`](crate::Runtime::run_to_exit) | with its status as that of the program |
//! | `reactor`, `engine()` | [`Driver`](crate::Driver) | it has no interface of its own; a port with another reactor stands on miniss-core |
//! | `stop_signal`, `at_exit` | [`GracefulShutdown`](crate::signal::GracefulShutdown) | |
//! | memory of each shard, `-m` | lacking | all shards use the allocator of the program. Limits are the system's |
//! | `logger` | the crate log | [what the runtime says](super::running#what-the-runtime-says) |
//! | `metrics` | [`stats`](crate::stats), [`driver_stats`](crate::driver_stats) | numbers only; no exporter |
//! | `--blocked-reactor-notify-ms` | [`stall_limit`](crate::Builder::stall_limit) | |
//! | `--smp`, `--cpuset` | [`shards`](crate::Builder::shards), [`Pinning`](crate::Pinning) | |
//! | `--poll-mode`, `--idle-poll-time-us` | [`idle_spin`](crate::Builder::idle_spin) | |
//!
//! [`submit_to`]: crate::submit_to

#![forbid(unsafe_code)]
