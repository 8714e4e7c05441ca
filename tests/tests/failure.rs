//! A shard that dies: every caller learns of it, and nothing goes on half dead. Scenarios S3, S11.

#![forbid(unsafe_code)]

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use miniss_linux::diagnostics::{Event, count};
use miniss_linux::time::sleep;
use miniss_linux::{
    BuildError, CallError, Driver, Runtime, ShardId, run_on, spawn, submit_to, unobserved,
};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::deadline;
use miniss_tests::kernel;
use miniss_tests::sockets::pair;

struct Throwing;

impl Wake for Throwing {
    fn wake(self: Arc<Self>) {
        panic!("a waker that throws");
    }
}

/// Has this shard's executor itself wake a waker that throws.
async fn die_of_a_waker() {
    let mut sleep = pin!(sleep(Duration::from_millis(1)));
    let waker = Waker::from(Arc::new(Throwing));
    poll_fn(|_| sleep.as_mut().poll(&mut Context::from_waker(&waker))).await;
    pending().await
}

/// Has the kernel refuse whatever this shard waits in, with something in flight.
async fn die_of_the_kernel() {
    let (stream, _peer) = pair();
    spawn(async move { stream.recv().await.map(drop) }).detach();
    sleep(Duration::from_millis(1)).await;
    for call in [libc::SYS_io_uring_enter, libc::SYS_epoll_pwait2, libc::SYS_epoll_wait] {
        kernel::refuse(call, libc::EPERM);
    }
    pending().await
}

/// Tells on which shard it is dropped.
struct Told(mpsc::Sender<Option<ShardId>>);

impl Drop for Told {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(ShardId::try_current());
    }
}

type Death = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// One of three shards dies while the others serve forever. `leaked`: how many operations with a
/// socket remain in its ring, if it has one.
fn run_ends(dying: usize, die: Death, cause: &str, leaked: usize) {
    let before = Census::take();
    let (tell, told) = mpsc::channel();
    let runtime = Runtime::builder().shards(3).build().unwrap();
    let result = runtime.try_run(async move || {
        let _told = Told(tell);
        if ShardId::current().index() == dying {
            die().await;
        }
        pending::<()>().await
    });
    let error = result.unwrap_err();
    assert_eq!(error.shard().index(), dying);
    assert!(error.to_string().starts_with(&format!("shard {dying} died: {cause}")), "{error}");
    assert_eq!(runtime.failure(), Some(error.clone()));
    assert_eq!(count(Event::ShardDied), 1);
    let leaked = if runtime.driver().kind() == Driver::IoUring { leaked } else { 0 };
    // Nothing starts any more, and the error is the same.
    assert_eq!(runtime.try_run(async || panic!("it ran")), Err::<Vec<()>, _>(error));
    drop(runtime);
    let mut told: Vec<_> = told.iter().flatten().map(ShardId::index).collect();
    told.sort();
    assert_eq!(told, [0, 1, 2], "each future is dropped on its own shard");
    assert_eq!(count(Event::OperationsLeaked), leaked as u64);
    Census { descriptors: before.descriptors + leaked, ..before }.assert_back();
}

#[test]
fn run_ends_when_a_waker_ends_a_shard() {
    alone("run_ends_when_a_waker_ends_a_shard", || {
        run_ends(1, || Box::pin(die_of_a_waker()), "a waker that throws", 0);
    });
}

#[test]
fn run_ends_when_a_waker_ends_shard_0() {
    alone("run_ends_when_a_waker_ends_shard_0", || {
        run_ends(0, || Box::pin(die_of_a_waker()), "a waker that throws", 0);
    });
}

#[test]
fn run_ends_when_a_ring_breaks() {
    alone("run_ends_when_a_ring_breaks", || {
        run_ends(2, || Box::pin(die_of_the_kernel()), "the kernel refuses to be entered", 1);
    });
}

#[test]
fn run_ends_when_the_ring_of_shard_0_breaks() {
    alone("run_ends_when_the_ring_of_shard_0_breaks", || {
        run_ends(0, || Box::pin(die_of_the_kernel()), "the kernel refuses to be entered", 1);
    });
}

#[test]
fn run_learns_of_a_shard_that_dies_when_its_own_part_is_done() {
    let _deadline = deadline("run_learns_of_a_shard_that_dies_when_its_own_part_is_done");
    let runtime = Runtime::builder().shards(3).build().unwrap();
    let run = AssertUnwindSafe(|| {
        runtime.run(async || {
            if ShardId::current().index() == 1 {
                spawn(die_of_a_waker()).detach();
            } else {
                pending::<()>().await;
            }
        })
    });
    let panic = catch_unwind(run).unwrap_err();
    let text = panic.downcast_ref::<String>().expect("a text");
    assert_eq!(text, "shard 1 died: a waker that throws");
}

#[test]
fn a_panic_in_main_is_no_death() {
    let _deadline = deadline("a_panic_in_main_is_no_death");
    let runtime = Runtime::builder().shards(2).build().unwrap();
    let finished = Arc::new(AtomicUsize::new(0));
    let counter = finished.clone();
    let run = AssertUnwindSafe(|| {
        runtime.try_run(async move || {
            assert_eq!(ShardId::current().index(), 0, "as planned");
            sleep(Duration::from_millis(20)).await;
            counter.fetch_add(1, Ordering::Relaxed);
        })
    });
    assert!(catch_unwind(run).is_err());
    assert_eq!(finished.load(Ordering::Relaxed), 1, "the others come to their end");
    assert_eq!(runtime.failure(), None);
    assert_eq!(runtime.run(async || 5), [5, 5]);
}

#[test]
fn block_on_does_not_go_on_half_dead() {
    alone("block_on_does_not_go_on_half_dead", || {
        let grace = Duration::from_millis(50);
        let runtime = Runtime::builder().shards(2).shutdown_timeout(grace).build().unwrap();
        let start = Instant::now();
        let main = AssertUnwindSafe(|| {
            runtime.block_on(async {
                let culprit = submit_to(1, die_of_a_waker).await;
                assert!(matches!(culprit, Err(CallError::ShardGone(_))));
                // There is time to come to an end in order, but no more than that.
                pending::<()>().await
            })
        });
        let panic = catch_unwind(main).unwrap_err();
        assert!(start.elapsed() >= grace);
        let text = panic.downcast_ref::<String>().expect("a text");
        assert_eq!(text, "shard 1 died: a waker that throws");
        assert_eq!(unobserved::count(), 0, "it was seen");
        assert_eq!(runtime.block_on(async { run_on(0, || 5).await }).unwrap(), 5);
    });
}

#[test]
fn block_on_goes_on_for_a_program_that_knows() {
    let _deadline = deadline("block_on_goes_on_for_a_program_that_knows");
    let grace = Duration::from_millis(20);
    let runtime = Runtime::builder().shards(3).shutdown_timeout(grace).build().unwrap();
    runtime.block_on(async {
        let culprit = submit_to(1, die_of_a_waker);
        let error = loop {
            // Sooner than the grace, however long anything takes.
            match runtime.failure() {
                Some(error) => break error,
                None => sleep(Duration::from_millis(1)).await,
            }
        };
        assert_eq!(error.shard(), ShardId::new(1));
        culprit.await.unwrap_err();
        sleep(10 * grace).await;
        assert!(run_on(1, || 5).await.is_err());
        assert_eq!(run_on(2, || 5).await.unwrap(), 5);
    });
}

#[test]
fn s11_a_thread_that_is_refused_is_an_error_that_names_its_shard() {
    alone("s11_a_thread_that_is_refused_is_an_error_that_names_its_shard", || {
        let before = Census::take();
        kernel::refuse(libc::SYS_clone3, libc::EAGAIN);
        kernel::refuse(libc::SYS_clone, libc::EAGAIN);
        let error = Runtime::builder().shards(3).build().unwrap_err();
        let BuildError::Start { shard, .. } = &error else { panic!("{error:?}") };
        assert_eq!(shard.index(), 1);
        assert!(error.to_string().contains("starting its thread"), "{error}");
        before.assert_back();
    });
}
