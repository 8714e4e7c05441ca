//! The timer and the executor that hyper is given.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::FutureExt;
use hyper::rt::{Executor, Sleep, Timer};
use miniss_linux::time::{ShardTimers, sleep};
use miniss_linux::{CurrentShard, yield_now};
use miniss_tests::deadline::deadline;

use crate::on_each_driver;

type BoxSleep = Pin<Box<dyn Sleep>>;

fn poll_once(sleep: &mut BoxSleep) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_sleep_is_never_early_and_can_be_reset() {
    let _deadline = deadline("hyper's sleep");
    on_each_driver(async || {
        let (timer, start) = (ShardTimers::default(), Instant::now());
        Timer::sleep(&timer, Duration::from_millis(5)).await;
        assert!(start.elapsed() >= Duration::from_millis(5));
        timer.sleep_until(start + Duration::from_millis(10)).await;
        assert!(start.elapsed() >= Duration::from_millis(10));
        assert!(Timer::now(&timer) >= start + Duration::from_millis(10));

        // Before it was polled, while it waits, and after it was ready.
        let mut sleep = Timer::sleep(&timer, Duration::from_secs(3600));
        timer.reset(&mut sleep, Instant::now() + Duration::from_millis(5));
        sleep.as_mut().await;
        timer.reset(&mut sleep, Instant::now() + Duration::from_secs(3600));
        assert!(poll_once(&mut sleep).is_pending());
        let start = Instant::now();
        timer.reset(&mut sleep, start + Duration::from_millis(5));
        sleep.await;
        assert!(start.elapsed() >= Duration::from_millis(5));
    });
}

#[test]
fn a_sleep_of_another_timer_becomes_ours() {
    struct Never;
    impl Future for Never {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Sleep for Never {}
    let _deadline = deadline("hyper's reset");
    on_each_driver(async || {
        let mut sleep: BoxSleep = Box::pin(Never);
        ShardTimers::default().reset(&mut sleep, Instant::now());
        sleep.await;
    });
}

#[test]
fn a_sleep_that_was_not_polled_may_go_to_another_thread() {
    let _deadline = deadline("hyper's sleep elsewhere");
    let make = || Timer::sleep(&ShardTimers::default(), Duration::from_millis(5));
    let sleep = Cell::new(Some(thread::spawn(make).join().unwrap()));
    on_each_driver(async || sleep.replace(Some(make())).unwrap().await);
    thread::spawn(move || drop(sleep)).join().unwrap();
}

#[test]
fn a_sleep_that_was_polled_stays_on_its_thread() {
    let _deadline = deadline("hyper's sleep, moved");
    on_each_driver(async || {
        let timer = ShardTimers::default();
        let mut moved = Timer::sleep(&timer, Duration::from_millis(5));
        assert!(poll_once(&mut moved).is_pending());
        let polling = thread::spawn(move || poll_once(&mut moved).is_ready());
        assert!(polling.join().is_err(), "it was polled on another thread");

        // The one that was dropped there does not harm the timers here.
        sleep(Duration::from_millis(20)).await;
    });
}

#[test]
fn a_task_that_it_spawns_runs_on_the_shard_and_need_not_be_send() {
    let _deadline = deadline("hyper's executor");
    on_each_driver(async || {
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        CurrentShard.execute(async move {
            yield_now().await;
            flag.set(true);
        });
        assert!(!done.get());
        while !done.get() {
            yield_now().await;
        }
        assert!(async { Rc::strong_count(&done) }.now_or_never().is_some());
    });
}
