//! The attributes `main` and `test` of miniss-linux. Take them from there, with its feature
//! `macros`: `#[miniss_linux::main]`, `#[miniss_linux::test]`.
//!
//! Each makes a plain function of an async one: it holds the async one, and runs it on a runtime by
//! `miniss_linux::entry`. All misuse is told at once, each at the place that it is about.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod function;

use proc_macro::TokenStream;

/// Runs an `async fn main` on shard 0 of a runtime, and ends the runtime with it.
///
/// It may return what any `main` may. If there can be no runtime, it panics with the
/// [reason](https://docs.rs/miniss-linux/latest/miniss_linux/enum.BuildError.html).
///
/// ```
/// use miniss_linux::{ShardId, submit_to};
///
/// #[miniss_linux::main(shards = 2)]
/// async fn main() -> Result<(), miniss_linux::CallError> {
///     for shard in ShardId::all() {
///         submit_to(shard, async || println!("Hello from {}!", ShardId::current())).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// # Arguments
///
/// All may be left out, and each is the setting of that name in `miniss_linux::Builder`, unless a
/// line says more.
///
/// - `shards = 2`: a number, or an expression that gives one.
/// - `driver = epoll`: `auto`, `io_uring` or `epoll`.
/// - `name = "worker"`: `thread_name`.
/// - `builder = settings()`: an expression that gives the `Builder` to begin with, for all other
///   settings.
/// - `crate = other::name`: where `miniss_linux` is, if the program has it under another name.
///
/// ```
/// use miniss_linux::{Builder, Pinning, Runtime, ShardId};
/// use std::time::Duration;
///
/// fn settings() -> Builder {
///     Runtime::builder().pinning(Pinning::None).shutdown_timeout(Duration::from_secs(1))
/// }
///
/// #[miniss_linux::main(builder = settings(), shards = 3, driver = epoll, name = "worker")]
/// async fn main() {
///     assert_eq!(ShardId::all().len(), 3);
/// }
/// ```
///
/// What `main` returns must be something that a program can end with:
///
/// ```compile_fail,E0277
/// #[miniss_linux::main]
/// async fn main() -> u32 {
///     7
/// }
/// ```
///
/// What is to run on every shard is for `Runtime::run_to_exit`, in a plain `main`.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Main, arguments.into(), item.into()).into()
}

/// Makes a test of an `async fn`, which runs on shard 0 of a runtime of its own.
///
/// It may return what any test may, and have attributes as any test: `#[ignore]`,
/// `#[should_panic]`, with `expected`, too.
///
/// ```
/// # #[cfg(test)] mod tests {
/// use miniss_linux::spawn;
///
/// #[miniss_linux::test]
/// async fn a_task_gives_its_output() {
///     assert_eq!(spawn(async { 6 * 7 }).await.unwrap(), 42);
/// }
///
/// #[miniss_linux::test(driver = all, seeds = 20, deadline = "10 s")]
/// async fn the_order_of_tasks_does_not_matter() -> Result<(), miniss_linux::JoinError> {
///     let (one, other) = (spawn(async { 1 }), spawn(async { 2 }));
///     assert_eq!(one.await? + other.await?, 3);
///     Ok(())
/// }
/// # }
/// ```
///
/// # Arguments
///
/// Those of `main`, but that `shards` is 1 unless it says otherwise, and these:
///
/// - `driver = all`: runs the body on each driver, io_uring and epoll. One that the system refuses
///   is left out. With the environment variable `MINISS_DRIVER`, on that one only.
/// - `seeds = 20`: runs the body so many times, each time with ready tasks in another order
///   (`Builder::shuffle`, with the seeds 1 to 20). With the environment variable `MINISS_SHUFFLE`,
///   once, with that seed.
/// - `deadline = "10 s"`: a run that takes longer has failed; units are `ms`, `s` and `min`. It is
///   dropped where it waits: a poll that does not return is not ended.
/// - `start_paused = true`: the clock stands still, and is set forward when there is nothing else
///   to do (`Builder::start_paused`). A deadline is one of that clock, too: a body that waits for
///   nothing that could come has failed at once.
///
/// The first run that fails ends the test, and a line of the test's output tells which it was:
/// `this run comes back with MINISS_DRIVER=epoll MINISS_SHUFFLE=7 MINISS_SEED=1234`. A test with
/// `#[should_panic]` has to panic in each run.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function::expand(function::Kind::Test, arguments.into(), item.into()).into()
}
