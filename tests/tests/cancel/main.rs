//! Whatever is dropped, aborted or forgotten while the kernel has it in hand: nothing is lost,
//! leaked or written to.

mod ends;
mod given_up;
mod races;
mod torn;

use std::future::Future;
use std::time::Duration;

use miniss_linux::time::sleep;
use miniss_linux::{driver_stats, spawn, yield_now};
use miniss_tests::random::Random;

const TIMES: usize = 1000;

/// How an operation is given up.
#[derive(Debug, Clone, Copy, PartialEq)]
enum GiveUp {
    Drop,
    Abort,
    Forget,
}

/// Starts `operation`, lets some turns pass, and gives it up. `Some` if it was done by then.
async fn give_up<T: 'static>(
    how: GiveUp,
    random: &mut Random,
    operation: impl Future<Output = T> + 'static,
) -> Option<T> {
    let turns = random.below(4);
    match how {
        GiveUp::Drop => {
            let mut operation = Box::pin(operation);
            let done = poll_for(turns, operation.as_mut()).await;
            drop(operation);
            done
        }
        GiveUp::Abort => {
            let task = spawn(operation);
            for _ in 0..turns {
                yield_now().await;
            }
            task.abort();
            task.await.ok()
        }
        GiveUp::Forget => {
            let mut operation = Box::pin(operation);
            let done = poll_for(turns, operation.as_mut()).await;
            std::mem::forget(operation);
            done
        }
    }
}

/// Polls `future` once and after each of some turns.
async fn poll_for<F: Future>(turns: u64, mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    for turn in 0..=turns {
        let once = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx)));
        if let std::task::Poll::Ready(output) = once.await {
            return Some(output);
        }
        if turn < turns {
            yield_now().await;
        }
    }
    None
}

/// Waits until no more than `ops` operations are in flight.
async fn settled(ops: usize) {
    while driver_stats().in_flight > ops {
        sleep(Duration::from_micros(100)).await;
    }
}
