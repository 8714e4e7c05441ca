//! Sleeping, and doing nothing.

#![forbid(unsafe_code)]

use std::future::{Future, pending};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::compare::sample::{Meter, Sample};
use crate::rivals::{Place, Rival};

const SLEEPERS: usize = 10_000;
const TIME: Duration = Duration::from_millis(1);

/// Creates a sleep, polls it once and drops it, `count` times: a timeout that does not happen.
pub fn sleep<R: Rival>(count: usize) -> Sample {
    R::block_on(Place::default(), async {
        sleep_in_vain::<R>(1_000);
        let meter = Meter::start();
        sleep_in_vain::<R>(count);
        meter.stop(count)
    })
}

fn sleep_in_vain<R: Rival>(count: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..count {
        let sleep = pin!(R::sleep(black_box(10 * TIME)));
        assert!(sleep.poll(&mut cx).is_pending());
    }
}

/// 10,000 tasks that sleep a millisecond, `rounds` times.
pub fn sleepers<R: Rival>(rounds: usize) -> Sample {
    R::block_on(Place::default(), async {
        sleep_all::<R>().await;
        let meter = Meter::start();
        for _ in 0..rounds {
            sleep_all::<R>().await;
        }
        meter.stop_beyond(TIME * rounds as u32, rounds * SLEEPERS)
    })
}

async fn sleep_all<R: Rival>() {
    let task = || async {
        R::sleep(TIME).await;
    };
    let handles: Vec<_> = (0..SLEEPERS).map(|_| R::spawn(task())).collect();
    for handle in handles {
        handle.await;
    }
}

/// One task that waits forever, and a main task that sleeps for `ms`.
pub fn idle<R: Rival>(ms: usize) -> Sample {
    R::block_on(Place::default(), async {
        R::detach(pending());
        R::sleep(TIME).await;
        let meter = Meter::start();
        R::sleep(Duration::from_millis(ms as u64)).await;
        meter.stop_idle(ms)
    })
}
