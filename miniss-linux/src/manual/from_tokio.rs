//! From tokio: what has which name here, what differs, and when to stay.
//!
//! Many names are the same: `spawn`, `sleep`, `timeout`, `TcpListener`, `JoinSet` and more. Five
//! things differ everywhere; read these first.
//!
//! - **A task stays on its shard.** There is no work stealing. A task that computes for long holds
//!   up its shard while others may be idle. You place work: by [`submit_to`], by a [`Sharded`], or
//!   by the shard that accepts a connection.
//! - **Nothing need be `Send`.** `Rc`, `Cell` and `RefCell` do for what the tasks of one shard
//!   share. Sockets, timers and handles of tasks are `!Send`. What crosses to another shard is a
//!   closure and its output.
//! - **Buffers are owned.** A read takes its buffer by value and gives it back beside the result:
//!   [`BufResult`]. [`recv`] needs no buffer of yours.
//! - **A future that is dropped is cancelled,** as in tokio. But the kernel may go on with an
//!   operation, and keeps its buffer until it is done. Each async function says under
//!   *Cancellation* what becomes of its work.
//! - **What is in [`sync`] is for one shard.** It takes no atomic operation. Between shards there
//!   are calls, [`sharded::mpsc`] and [`Future::new`].
//!
//! Two runtimes in one program: [`beside`](super::beside). From nothing to a server, step by step:
//! the [tutorial](super::tutorial).
//!
//! # When to stay with tokio
//!
//! - The program has to run on Windows, on macOS, or on another processor than x86-64.
//! - It lives on crates that start tokio's tasks or timers by themselves, as `reqwest`, `tonic` and
//!   most clients of databases do. For a few calls into such a crate, run tokio
//!   [beside](super::beside).
//! - Its work is uneven and cannot be placed: a few long computations, anywhere, at any time. Work
//!   stealing is made for that.
//! - Others have to find their way in it from the first day, or it must stand on what has been in
//!   production for years. No one is known to run rust-miniss in production.
//!
//! # The runtime
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `#[tokio::main]` | [`main`](macro@crate::main) | a shard for each CPU; `shards = 1` for one |
//! | `#[tokio::test]` | [`test`](macro@crate::test) | one shard, if nothing else is said; it can run on both drivers, and in many orders of tasks |
//! | `Runtime::new`, `block_on` | [`Runtime`](crate::Runtime) | shard 0 is the thread that made it, and works in `block_on` |
//! | `Builder` | [`Builder`](crate::Builder) | `worker_threads` is `shards`, `max_blocking_threads` is `blocking_threads`, `thread_stack_size` is `stack_bytes`; nothing is to be enabled |
//! | `on_thread_start` | lacking | begin with [`invoke_on_all`](crate::sharded::invoke_on_all) |
//! | `Handle` | [`Handle`](crate::Handle) | any thread may call a shard: `submit_to` |
//! | `Handle::block_on` | [`ForeignCall::wait`](crate::ForeignCall::wait) | blocks a thread that is no shard, until its call is done |
//! | `shutdown_timeout` | [`shutdown_timeout`](crate::Builder::shutdown_timeout) | set before |
//! | `RuntimeMetrics` | [`stats`](crate::stats), [`driver_stats`](crate::driver_stats) | of the shard that asks |
//! | `tokio-console`, `tracing` | lacking | [`stall_limit`](crate::Builder::stall_limit) reports what holds a shard |
//!
//! # Tasks
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `spawn` | [`spawn`](crate::spawn) | on this shard, and it stays there |
//! | `spawn`, to have it elsewhere | [`submit_to`], [`spawn_on`](crate::spawn_on) | an async closure, `async move \|\| …`; the future is made there |
//! | `LocalSet`, `spawn_local` | [`spawn`](crate::spawn) | each shard is one; no set is needed |
//! | `JoinHandle` | [`JoinHandle`](crate::JoinHandle) | the same: a drop detaches, `abort` cancels |
//! | `JoinSet` | [`JoinSet`](crate::task::JoinSet) | its page tells the small differences |
//! | `spawn_blocking` | [`spawn_blocking`](crate::spawn_blocking) | the same |
//! | `block_in_place` | lacking | no thread can take over the other tasks: use [`spawn_blocking`](crate::spawn_blocking) |
//! | `yield_now` | [`yield_now`](crate::yield_now) | [`maybe_yield`](crate::maybe_yield) does it if the time is used up |
//! | `task::Builder::name` | [`spawn_named`](crate::task::spawn_named) | |
//! | `task_local!` | [`task_local!`](crate::task_local) | the same |
//! | `unconstrained`, `coop` | [`unconstrained`](crate::coop::unconstrained), [`consume_budget`](crate::coop::consume_budget) | |
//! | `CancellationToken` | [`CancellationToken`](crate::sync::CancellationToken) | it stays on its shard; all shards at once: [`GracefulShutdown`](crate::signal::GracefulShutdown) |
//! | `TaskTracker` | [`Gate`](crate::sync::Gate) | each task holds a pass |
//!
//! # Futures together
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `select!`, `join!`, `try_join!` | the same | those of tokio and of `futures` [work here](crate::combine#select-join-try_join) |
//! | `futures::join_all` | [`when_all`](crate::combine::when_all) | that of `futures` works, too |
//! | `StreamExt`, `tokio_stream` | those of futures | a receiver becomes a stream by `poll_fn` and `poll_recv` |
//!
//! # Time
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `sleep`, `sleep_until` | [`sleep`](crate::time::sleep), [`sleep_until`](crate::time::sleep_until) | not rounded to a millisecond |
//! | `timeout` | [`timeout`](crate::time::timeout) | [`TimedOut`](crate::time::TimedOut) becomes no `io::Error` by itself |
//! | `interval` | [`interval`](crate::time::interval) | |
//! | `set_missed_tick_behavior` | [`with_missed_tick`](crate::time::Interval::with_missed_tick) | [`MissedTick`](crate::time::MissedTick): `Burst`, `Delay`, `Skip`, with the same default |
//! | `Instant` | [`Instant`](crate::time::Instant) | of the same clock as that of std, and converts both ways |
//! | `start_paused` | [`start_paused`](crate::Builder::start_paused), also an argument of [`test`](macro@crate::test) | for a runtime from its start to its end; what the kernel has in progress gets a millisecond |
//! | `time::advance` | [`advance`](crate::time::advance) | |
//! | `time::pause`, `resume` | lacking | |
//! | `DelayQueue` | lacking | a task with a `sleep` for each is cheap |
//!
//! # Between tasks
//!
//! | tokio | here, for one shard | what differs |
//! |---|---|---|
//! | `Mutex` | [`Mutex`](crate::sync::Mutex) | a `RefCell` does, if no borrow is held over an await |
//! | `Arc<Mutex<T>>`, for all threads | [`Sharded`] | each shard has a part, and is called |
//! | `RwLock`, `Semaphore`, `Barrier` | [`RwLock`](crate::sync::RwLock), [`Semaphore`](crate::sync::Semaphore), [`Barrier`](crate::sync::Barrier) | first come, first served |
//! | `Notify` | [`Event`](crate::sync::Event), [`Condvar`](crate::sync::Condvar) | an event stays set until it is reset; a notice that waits for its taker is a [`Semaphore`](crate::sync::Semaphore) of 0 units and `release(1)` |
//! | `mpsc` | [`channel`](crate::sync::channel) | between shards, or from threads: [`sharded::mpsc`], which is bounded |
//! | `oneshot` | [`Future::new`], [`Promise`](crate::Promise) | between shards and threads, too |
//! | `broadcast` | [`broadcast`](crate::sync::broadcast) | one that is too slow is told how many it missed, as in tokio |
//! | `watch` | [`watch`](crate::sync::watch) | |
//! | `OnceCell` | [`Shared`](crate::sync::Shared) | a future whose output many await |
//!
//! Those of tokio work as well, between shards and between the two runtimes; see
//! [`beside`](super::beside).
//!
//! # Sockets
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `TcpListener` | [`TcpListener`](crate::net::TcpListener) | one for each shard with [`reuse_port`](crate::net::ListenOptions::reuse_port), or one for all with [`serve_on_shards`](crate::net::Listener::serve_on_shards) |
//! | `TcpStream` | [`TcpStream`](crate::net::TcpStream) | reads and writes take `&self` |
//! | `TcpSocket` | [`ListenOptions`](crate::net::ListenOptions), [`ConnectOptions`](crate::net::ConnectOptions) | |
//! | `read(&mut buffer)` | [`read`](crate::net::Stream::read) | `read(buffer)`: it comes back beside the result |
//! | `read_buf`, `readable` and `try_read` | [`recv`] | the bytes come in a buffer of the shard's; none means the end |
//! | `write_all(&bytes)` | [`write_all`](crate::net::Stream::write_all) | `write_all(bytes).await.0?` |
//! | `split` | not needed | share the stream by reference or by `Rc` |
//! | `into_split` | [`into_split`](crate::net::Stream::into_split) | |
//! | `copy`, `copy_bidirectional` | [`copy`](crate::net::copy()), [`copy_bidirectional`](crate::net::copy_bidirectional) | both ways also [with a limit of idleness](crate::net::copy_bidirectional_with_idle_timeout) |
//! | `UdpSocket` | [`UdpSocket`](crate::net::UdpSocket) | buffers are owned; many messages in one call |
//! | `UnixStream`, `UnixListener` | [`UnixStream`](crate::net::UnixStream), [`UnixListener`](crate::net::UnixListener) | |
//! | `UnixDatagram` | [`UnixDatagram`](crate::net::UnixDatagram) | it can send descriptors |
//! | `lookup_host` | [`lookup_host`](crate::net::lookup_host) | |
//! | `AsyncFd` | [`AsyncFd`](crate::AsyncFd) | no guards: [`read_with`](crate::AsyncFd::read_with), [`write_with`](crate::AsyncFd::write_with) |
//!
//! # Reading and writing by traits
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `AsyncRead`, `AsyncWrite` | [`PollStream`](crate::net#lines-while-another-task-writes) | a stream becomes one by `from`; features `tokio`, `futures-io` and `hyper` |
//! | `BufReader`, `lines` | [`PollStream`](crate::net#lines-while-another-task-writes) | tokio's own, around a `PollStream` |
//! | `tokio_util::codec` | the same | around a [`PollStream`](crate::net::PollStream), with feature `tokio` |
//! | `tokio-rustls` | the crate futures-rustls | above a `PollStream`: [TLS](crate::net#tls) |
//! | `hyper`, `axum` | [`ShardTimers`](crate::time::ShardTimers), [`CurrentShard`](crate::CurrentShard) | the [page of sockets](crate::net#http) has a server |
//! | `stdin`, `stdout`, `stderr` | [`stdin`](crate::pipe::stdin), [`stdout`](crate::pipe::stdout), [`stderr`](crate::pipe::stderr) | nothing is read ahead or kept back |
//!
//! # Files, processes, signals
//!
//! | tokio | here | what differs |
//! |---|---|---|
//! | `fs::read`, `write`, `rename`, … | [`fs`](crate::fs) | the same names; io_uring does most of it without a thread |
//! | `File` | [`File`](crate::fs::File) | [`read_at`](crate::fs::File::read_at) and [`write_at`](crate::fs::File::write_at), at an offset; buffers are owned |
//! | `BufReader`, `BufWriter` of a file | [`FileReader`](crate::fs::FileReader), [`FileWriter`](crate::fs::FileWriter) | one reads ahead, the other writes while the next piece is filled |
//! | `process::Command` | [`Command`](crate::process::Command) | `spawn` and `status` are awaited; as in tokio, a child goes on when its handle is dropped |
//! | `ctrl_c`, `signal` | [`ctrl_c`](crate::signal::ctrl_c), [`signal`](crate::signal::signal()) | for servers: [`GracefulShutdown`](crate::signal::GracefulShutdown) |
//!
//! [`submit_to`]: crate::submit_to
//! [`Sharded`]: crate::sharded::Sharded
//! [`BufResult`]: crate::buf::BufResult
//! [`recv`]: crate::net::Stream::recv
//! [`sync`]: crate::sync
//! [`sharded::mpsc`]: crate::sharded::mpsc
//! [`Future::new`]: crate::Future::new

#![forbid(unsafe_code)]
