//! Idle is idle: nothing to do costs nothing. Scenarios R24, A-IPC-5.

#![forbid(unsafe_code)]

use std::io::Write;
use std::thread;
use std::time::Duration;

use miniss_linux::net::TcpListener;
use miniss_linux::time::sleep;
use miniss_linux::{Builder, Runtime, driver_stats, run_on, spawn, stats, submit_to, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::{Census, WATCHES, context_switches, cpu_time, own_cpu_time, thread_id};
use miniss_tests::deadline::deadline;
use miniss_tests::sockets::pair;

const WATCHED: Duration = Duration::from_secs(1);

/// Gives each shard of a runtime something to wait for, and fails if there comes no second in which
/// its worker does nothing at all.
fn assert_idle(builder: Builder, wait_for: impl AsyncFnOnce() + Clone + Send + 'static) {
    let runtime = builder.shards(2).build().unwrap();
    let workers = runtime.block_on(async {
        submit_to(0, wait_for.clone()).await.unwrap();
        submit_to(1, wait_for).await.unwrap();
        run_on(1, thread_id).await.unwrap()
    });
    // Shard 0 is this thread, which is in no one's hands outside of `block_on`.
    let is_quiet = |_| {
        let before = (context_switches(workers), cpu_time(workers));
        thread::sleep(WATCHED);
        (context_switches(workers), cpu_time(workers)) == before
    };
    assert!((0..WATCHES).any(is_quiet), "an idle shard went on and on");
    assert_eq!(runtime.block_on(async { submit_to(1, async || 5).await }).unwrap(), 5);
}

/// As [`assert_idle`], for shard 0: it counts its own entries into the kernel. The first second may
/// see the end of what started it.
fn assert_shard_0_idle(builder: Builder) {
    let runtime = builder.shards(2).build().unwrap();
    let mut last = (0, 0);
    let is_quiet = |_| {
        last = runtime.block_on(async {
            let before = (driver_stats().enters, context_switches(thread_id()));
            sleep(WATCHED).await;
            let after = (driver_stats().enters, context_switches(thread_id()));
            (after.0 - before.0, after.1 - before.1)
        });
        last.0 <= 4 && last.1 <= 4
    };
    assert!((0..WATCHES).any(is_quiet), "entries into the kernel, context switches: {last:?}");
}

fn builders() -> [Builder; 2] {
    [Runtime::builder(), Runtime::builder().idle_spin(Duration::from_micros(200))]
}

#[test]
fn r24_a_shard_with_nothing_to_do_does_nothing() {
    alone("r24_a_shard_with_nothing_to_do_does_nothing", || {
        let assert_idle = |builder| assert_idle(builder, async || {});
        Census::around(|| builders().into_iter().for_each(assert_idle));
    });
}

#[test]
fn r24_a_sleep_far_away_and_a_pending_accept_cost_nothing() {
    alone("r24_a_sleep_far_away_and_a_pending_accept_cost_nothing", || {
        let wait_for = async || {
            spawn(sleep(Duration::from_secs(3600))).detach();
            spawn(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                listener.accept().await.map(drop)
            })
            .detach();
        };
        let assert_idle = |builder| assert_idle(builder, wait_for);
        Census::around(|| builders().into_iter().for_each(assert_idle));
    });
}

#[test]
fn r24_one_timer_costs_one_entry_into_the_kernel() {
    alone("r24_one_timer_costs_one_entry_into_the_kernel", || {
        Census::around(|| builders().into_iter().for_each(assert_shard_0_idle));
    });
}

#[test]
fn a_shard_that_spins_finds_what_comes_before_it_sleeps() {
    let _deadline = deadline("spin");
    let builder = Runtime::builder().shards(2).idle_spin(Duration::from_secs(1));
    let runtime = builder.build().unwrap();
    let handle = runtime.handle();
    let enters = || handle.submit_to(1, async || driver_stats().enters).wait().unwrap();
    let before = enters();
    for _ in 0..100 {
        // Without a spin it would fall asleep meanwhile.
        thread::sleep(Duration::from_millis(1));
        handle.submit_to(1, async || ()).wait().unwrap();
    }
    let entered = enters() - before;
    assert!(entered < 50, "100 calls, {entered} entries into the kernel");
}

#[test]
fn a_shard_that_spins_sees_what_its_sockets_receive() {
    let _deadline = deadline("spin and receive");
    let runtime = Runtime::builder().shards(1).idle_spin(Duration::MAX).build().unwrap();
    runtime.block_on(async {
        let (stream, mut peer) = pair();
        let sender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            peer.write_all(b"x").unwrap();
        });
        assert_eq!(stream.recv().await.unwrap()[..], *b"x");
        sender.join().unwrap();
    });
}

#[test]
fn a_spin_that_never_pays_is_given_up() {
    let _deadline = deadline("spin in vain");
    let builder = Runtime::builder().shards(1).idle_spin(Duration::from_millis(5));
    let used = builder.build().unwrap().block_on(async {
        let before = own_cpu_time();
        for _ in 0..60 {
            sleep(Duration::from_millis(7)).await;
        }
        own_cpu_time() - before
    });
    assert!(used < Duration::from_millis(150), "60 sleeps took {used:?} of CPU time");
}

#[test]
fn a_shard_that_is_never_idle_takes_what_its_sockets_receive_and_counts_it() {
    let _deadline = deadline("never idle");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (stream, mut peer) = pair();
        let read = spawn(async move { stream.recv().await.unwrap().to_vec() });
        let before = stats();
        for _ in 0..10 {
            yield_now().await;
        }
        assert_eq!(stats().events, before.events, "nothing has come");
        peer.write_all(b"x").unwrap();
        while !read.is_finished() {
            yield_now().await;
        }
        let after = stats();
        assert_eq!(read.await.unwrap(), b"x");
        assert!(after.events > before.events);
        assert_eq!(after.parks, before.parks);
    });
}
