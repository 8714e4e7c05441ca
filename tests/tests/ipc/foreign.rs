//! Calls from threads that are no shard. Scenarios S3, T13.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use miniss_linux::time::sleep;
use miniss_linux::{CallError, ShardId, spawn, submit_to, yield_now};
use miniss_tests::deadline::deadline;

use super::runtime;

#[test]
fn foreign_threads_call_every_shard_and_wait_or_await() {
    let _deadline = deadline("foreign calls");
    let runtime = runtime(3);
    let (handle, barrier) = (runtime.handle(), Arc::new(Barrier::new(4)));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (handle, barrier) = (handle.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                for round in 0..500 {
                    let shard = round % 3;
                    let call = handle.submit_to(shard, async move || {
                        yield_now().await;
                        (ShardId::current().index(), round)
                    });
                    let answer = match thread % 2 {
                        0 => call.wait(),
                        _ => block_on_here(call),
                    };
                    assert_eq!(answer.unwrap(), (shard, round));
                }
                let error = handle.submit_to(1, async || panic!("over there")).wait();
                assert!(matches!(error.unwrap_err(), CallError::Panicked(_)));
                drop(handle.submit_to(2, async || 1));
            })
        })
        .collect();
    runtime.block_on(async {
        while threads.iter().any(|thread| !thread.is_finished()) {
            sleep(Duration::from_millis(1)).await;
        }
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Any executor will do: this one parks its thread.
fn block_on_here<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn foreign_calls_to_a_runtime_that_ends_or_has_ended_are_told_so() {
    let _deadline = deadline("foreign calls at the end");
    for round in 0..50 {
        let runtime = runtime(2);
        let handle = runtime.handle();
        let (tell, told) = mpsc::channel();
        let callers: Vec<_> = (0..4)
            .map(|number| {
                let (handle, tell) = (handle.clone(), tell.clone());
                thread::spawn(move || {
                    let never = async || std::future::pending::<()>().await;
                    let call = handle.submit_to(number % 2, never);
                    tell.send(()).unwrap();
                    let first = call.wait();
                    assert!(matches!(first, Err(CallError::ShardGone(_))), "{first:?}");
                    // However this one meets the end, it does not hang.
                    drop(handle.submit_to(number % 2, async || ()).wait());
                })
            })
            .collect();
        (0..4).for_each(|_| told.recv().unwrap());
        if round % 2 == 0 {
            runtime.block_on(sleep(Duration::from_micros(round * 10)));
        }
        drop(runtime);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        let gone = handle.submit_to(1, async || ()).wait();
        assert!(matches!(gone, Err(CallError::ShardGone(shard)) if shard.index() == 1));
    }
}

#[test]
fn t13_the_outcome_of_a_task_reaches_other_shards_and_threads_every_time() {
    let _deadline = deadline("T13");
    let runtime = runtime(2);
    let handle = runtime.handle();
    let thread = thread::spawn(move || {
        for number in 0..5000_u32 {
            let call = handle.submit_to(1, async move || spawn(async move { number }).await);
            assert_eq!(call.wait().unwrap().unwrap(), number);
        }
    });
    runtime.block_on(async {
        for number in 0..5000_u32 {
            let call = submit_to(1, async move || spawn(async move { number }).await);
            assert_eq!(call.await.unwrap().unwrap(), number);
        }
    });
    thread.join().unwrap();
}
