//! Runs a case on every driver, one after the other, and sees that it leaves nothing behind.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Budget, Builder, Driver, Runtime};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, counted, threads_named};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::drivers;

/// Counts of a process mean something only if one case runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The name of each runtime's threads, by which they are counted.
const THREADS: &str = "counted";

fn name(driver: Driver) -> &'static str {
    match driver {
        Driver::Auto => "on the driver that works here",
        Driver::IoUring => "on io_uring",
        Driver::Epoll => "on epoll",
    }
}

/// Runs `case` on the one shard of a runtime of each driver. The shard must come back to what it
/// held before: descriptors, tasks, timers, operations in flight.
///
/// # Panics
///
/// If it does not, or the case fails.
#[track_caller]
pub fn on_each_driver(case: impl AsyncFn()) {
    on_shard_of_each_driver(&|| Box::pin(case()));
}

/// Compiled once: a runtime for the type of each case would be nearly all of this program.
#[track_caller]
fn on_shard_of_each_driver<'a>(case: &dyn Fn() -> Pin<Box<dyn Future<Output = ()> + 'a>>) {
    with_each_driver(|builder| {
        let runtime = builder.shards(1).build().expect("a runtime with one shard");
        runtime.block_on(counted(case()));
    });
}

/// Lets `case` build runtimes of each driver. The process must come back to the descriptors and
/// the threads of runtimes that it had before.
///
/// # Panics
///
/// If it does not, or the case fails.
#[track_caller]
pub fn with_each_driver(case: impl Fn(Builder)) {
    let _turn = turn();
    each_driver(case);
}

/// As [`with_each_driver`], in a process of its own; `test` is the full name of the test.
///
/// # Panics
///
/// As there.
#[track_caller]
pub fn alone_with_each_driver(test: &str, case: impl Fn(Builder)) {
    let _turn = turn();
    alone(test, || each_driver(case));
}

/// The turn of a test that has descriptors of this process: others count them.
pub fn turn() -> MutexGuard<'static, ()> {
    // A case that failed has told so, and is no reason for others to fail.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
fn each_driver(case: impl Fn(Builder)) {
    open_what_stays_open();
    for driver in drivers() {
        println!("{}:", name(driver));
        let _deadline = deadline(name(driver));
        let before = (Census::take().descriptors, threads_named(THREADS));
        // However slow the machine, each poll has all its units: a future that is polled by hand
        // makes use of its first poll.
        let budget = Budget { time_max: Duration::ZERO, ..Budget::default() };
        case(Runtime::builder().driver(driver).budget(budget).thread_name(THREADS));
        let end = Instant::now() + SOON;
        let now = || (Census::take().descriptors, threads_named(THREADS));
        while now() != before && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(now(), before, "descriptors and shards, now and before, {}", name(driver));
    }
}

/// One file stands for all sockets that were closed while they were lent, from the first one on.
fn open_what_stays_open() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let runtime = Runtime::builder().shards(1).build().expect("a runtime with one shard");
        runtime.block_on(async {
            let (stream, _peer) = miniss_tests::sockets::pair();
            stream.close().await.expect("a socket can be closed");
            stream.as_fd();
        });
    });
}

/// The output of a future that must end.
///
/// # Panics
///
/// If it does not end [`SOON`].
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let output = timeout(SOON, future).await;
        output.unwrap_or_else(|_| panic!("not done after {SOON:?}: {caller}"))
    }
}

/// The number of a system error.
///
/// # Panics
///
/// If there is none.
#[track_caller]
pub fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("the system refuses this");
    error.raw_os_error().unwrap_or_else(|| panic!("no error of the system: {error:?}"))
}

/// One poll, of which no one is told when more can be done.
pub fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// One poll of a future that is then dropped.
pub fn poll_and_drop<F: Future>(future: F) -> Poll<F::Output> {
    poll_once(pin!(future))
}

/// What `work` gives, which runs on a thread of its own while the shard goes on.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, promise) = miniss_linux::Future::new();
    let thread = thread::spawn(move || promise.complete(work()).ok());
    let output = soon(done).await.expect("the thread ends with a value");
    thread.join().expect("it has ended");
    output
}

/// Lets the operations that were begun reach the kernel, and what is there already be seen.
pub async fn settle() {
    sleep(Duration::from_millis(2)).await;
}
