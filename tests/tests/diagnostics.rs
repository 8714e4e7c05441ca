//! What the runtime reports harms no one who reports, whatever the logger does. Scenario R2.

#![forbid(unsafe_code)]

use std::io::Write;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use log::Level;
use miniss_linux::diagnostics::{Event, count};
use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::sleep;
use miniss_linux::{
    Driver, Future, Runtime, driver_stats, run_on, spawn, spawn_blocking, submit_to, unobserved,
};
use miniss_tests::alone::alone;
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::io_uring_is_refused;
use miniss_tests::kernel;
use miniss_tests::logger::install;
use miniss_tests::sockets::pair;

/// More completions at once than the queue of the current shard holds; all of them arrive.
async fn overflow() {
    let (reads, peers): (Vec<_>, Vec<_>) = (0..200)
        .map(|_| {
            let (ours, peer) = pair();
            (spawn(async move { ours.read(vec![0; 8]).await.0 }), peer)
        })
        .unzip();
    let before = driver_stats().cq_overflows;
    sleep(Duration::from_millis(5)).await;
    peers.iter().for_each(|mut peer| peer.write_all(b"x").unwrap());
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), 1);
    }
    assert!(driver_stats().cq_overflows > before, "the queue was not full");
}

/// Shard 1 overflows twice, with a logger that does `then`; it lives, and did not say so twice in
/// five seconds. A ring has a queue that overflows, epoll has none.
fn overflows_harm_nothing(then: fn()) {
    if io_uring_is_refused() {
        return;
    }
    let (logger, start) = (install(then), Instant::now());
    // A stall, which a slow machine has, is no business of this logger.
    let builder = Runtime::builder().shards(2).driver(Driver::IoUring).ring_entries(4);
    let runtime = builder.stall_limit(Duration::ZERO).build().unwrap();
    for _ in 0..2 {
        runtime.block_on(async { submit_to(1, overflow).await.unwrap() });
    }
    assert_eq!(runtime.block_on(async { run_on(1, || 5).await }).unwrap(), 5);
    drop(runtime);
    let lines = logger.lines_of("miniss_linux::driver");
    assert!((1..=1 + start.elapsed().as_secs() / 5).contains(&(lines.len() as u64)), "{lines:?}");
    for (level, line) in lines {
        assert!(level == Level::Warn && line.contains("ring_entries"), "{line}");
    }
    assert!(count(Event::QueueOverflowed) >= 2);
}

#[test]
fn a_logger_that_panics_harms_no_shard() {
    alone("a_logger_that_panics_harms_no_shard", || {
        overflows_harm_nothing(|| panic!("no reader"));
    });
}

#[test]
fn a_logger_that_uses_the_runtime_harms_no_shard() {
    alone("a_logger_that_uses_the_runtime_harms_no_shard", || {
        overflows_harm_nothing(|| {
            // It enters the kernel, has something to report itself, and leaves work behind.
            let (ours, peer) = pair();
            spawn(async move { ours.write_all("reported").await.0 }).detach();
            drop(Future::<u32, &str>::failed("no file"));
            drop(spawn(async move { peer }));
        });
    });
}

#[test]
fn accepting_goes_on_after_a_shortage_that_could_not_be_reported() {
    alone("accepting_goes_on_after_a_shortage_that_could_not_be_reported", || {
        let _deadline = deadline("accepting after a shortage");
        let (logger, start) = (install(|| panic!("no reader")), Instant::now());
        let runtime = Runtime::builder().shards(1).build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = std::net::TcpStream::connect(address).unwrap();
            kernel::limit_descriptors(3);
            let accepting = spawn(async move { listener.accept().await.map(|(stream, _)| stream) });
            while count(Event::AcceptRests) < 3 {
                sleep(Duration::from_millis(5)).await;
            }
            kernel::limit_descriptors(1024);
            let accepted: TcpStream = accepting.await.unwrap().unwrap();
            assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
        });
        let lines = logger.lines_of("miniss_linux::net");
        assert!(
            (1..=1 + start.elapsed().as_secs() / 5).contains(&(lines.len() as u64)),
            "{lines:?}"
        );
        assert!(lines[0].1.contains("RLIMIT_NOFILE"), "{lines:?}");
    });
}

#[test]
fn failures_that_no_one_saw_are_logged_unless_the_program_has_a_hook() {
    alone("failures_that_no_one_saw_are_logged_unless_the_program_has_a_hook", || {
        let logger = install(|| {});
        let runtime = Runtime::builder().shards(1).build().unwrap();
        drop(Future::<u32, &str>::failed("no file"));
        let expected = (Level::Warn, "no one saw the failure of a promise: &str".to_owned());
        assert_eq!(logger.lines_of("miniss_linux::unobserved"), [expected]);
        unobserved::set_hook(|_| {});
        drop(Runtime::builder().shards(1).build().unwrap());
        drop(Future::<u32, &str>::failed("no file"));
        assert_eq!(count(Event::Unobserved), 1, "the program's hook was replaced");
        drop(runtime);
    });
}

#[test]
fn the_end_of_a_runtime_tells_what_goes_on() {
    alone("the_end_of_a_runtime_tells_what_goes_on", || {
        let logger = install(|| {});
        let [began, release] = [(); 2].map(|()| Arc::new(Barrier::new(3)));
        let tells = began.clone();
        let (began, goes_on) = (began.clone(), release.clone());
        let blocks = move || _ = (began.wait(), goes_on.wait());
        let builder = Runtime::builder().shards(2).shutdown_timeout(Duration::from_millis(50));
        let runtime = builder.stall_limit(Duration::from_secs(3600)).build().unwrap();
        let (work, task) = (blocks.clone(), blocks);
        let line = line!() + 2;
        runtime.block_on(async {
            drop(spawn_blocking(work));
            drop(submit_to(1, async || spawn(async move { task() }).detach()));
        });
        tells.wait();
        drop(runtime);
        release.wait();
        let said: Vec<_> = logger.lines_of("miniss_linux::runtime");
        for (what, line) in [("work from", line), ("spawned at", line + 1)] {
            let place = format!("{what} tests/tests/diagnostics.rs:{line}:");
            assert!(said.iter().any(|(_, text)| text.contains(&place)), "{place} {said:?}");
        }
    });
}

#[test]
fn a_hook_that_panics_harms_no_shard() {
    alone("a_hook_that_panics_harms_no_shard", || {
        unobserved::set_hook(|_| panic!("no reader"));
        let runtime = Runtime::builder().shards(2).build().unwrap();
        let before = unobserved::count();
        runtime.block_on(async {
            for shard in 0..2 {
                let fails = async || {
                    drop(Future::<u32, &str>::failed("no file"));
                    drop(spawn(async { panic!("as planned") }));
                    // Also while another panic unwinds.
                    let _failed = Future::<u32, &str>::failed("no file");
                    panic!("as planned");
                };
                drop(submit_to(shard, fails));
            }
            while unobserved::count() < before + 8 {
                sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(run_on(1, || 5).await.unwrap(), 5);
        });
        assert_eq!(runtime.failure(), None);
    });
}

#[test]
fn without_a_logger_events_are_counted() {
    alone("without_a_logger_events_are_counted", || {
        drop(Runtime::builder().shards(64).build().unwrap());
        assert_eq!(count(Event::Unpinned), 1);
        assert_eq!(count(Event::QueueOverflowed), 0, "no queue was full");
    });
}
