//! The same work by hand, without a runtime: what a rival can at best come near.
//!
//! Where [`limits`] has the program, this only runs it as a row wants it; the others are here.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::compare::sample::{Meter, Sample};
use crate::compare::work::calls::PAUSE;
use crate::compare::work::memory::{FUTURE_BYTES, measured};
use crate::limits::{self, pin};

/// What a line of the table calls it.
pub const NAME: &str = "by hand";

/// A sample of one of the programs of [`limits`], which say nanoseconds per operation.
fn sampled(operations: usize, limit: impl FnOnce() -> f64) -> Sample {
    let meter = Meter::start();
    let ns = limit();
    Sample { value: ns, ..meter.stop(operations) }
}

/// Slots of a table that are taken, queued, run, read and freed.
pub fn spawn(batches: usize) -> Sample {
    pin(0);
    limits::spawn_by_hand(10);
    sampled(batches * 1_000, || limits::spawn_by_hand(batches))
}

/// A queue of functions.
pub fn yielding(rounds: usize) -> Sample {
    pin(0);
    limits::yield_by_hand(10);
    sampled(rounds * 100, || limits::yield_by_hand(rounds))
}

/// Reads the clock, as every timer must.
pub fn sleep(count: usize) -> Sample {
    pin(0);
    let meter = Meter::start();
    (0..count).for_each(|_| _ = black_box(Instant::now()));
    meter.stop(count)
}

/// A queue of deadlines, which are in order, and one sleep of the thread until the last.
pub fn sleepers(rounds: usize) -> Sample {
    const SLEEPERS: usize = 10_000;
    const TIME: Duration = Duration::from_millis(1);
    pin(0);
    let mut deadlines = VecDeque::with_capacity(SLEEPERS);
    let meter = Meter::start();
    for _ in 0..rounds {
        deadlines.extend((0..SLEEPERS).map(|_| Instant::now() + TIME));
        while let Some(deadline) = deadlines.pop_front() {
            let now = Instant::now();
            if deadline > now {
                thread::sleep(deadline - now);
            }
        }
    }
    meter.stop_beyond(TIME * rounds as u32, rounds * SLEEPERS)
}

/// A cache line each way, both sides spinning.
pub fn calls_awake(count: usize) -> Sample {
    sampled(count, || limits::cache_line_ping_pong(count))
}

/// A pipe each way, both sides asleep before each call.
pub fn calls_asleep(count: usize) -> Sample {
    let (mut requested, mut request) = io::pipe().expect("there are descriptors");
    let (mut replied, mut reply) = io::pipe().expect("there are descriptors");
    let server = thread::spawn(move || {
        pin(1);
        let mut byte = [0];
        // Until the caller has gone.
        while requested.read_exact(&mut byte).is_ok() {
            reply.write_all(&byte).expect("the caller waits");
        }
    });
    pin(0);
    let (meter, mut called, mut byte) = (Meter::start(), Duration::ZERO, [0]);
    for _ in 0..count {
        thread::sleep(PAUSE);
        let start = Instant::now();
        request.write_all(&byte).expect("the server is there");
        replied.read_exact(&mut byte).expect("the server replies");
        called += start.elapsed();
    }
    drop(request);
    let sample = meter.stop(count);
    server.join().expect("the server does not panic");
    Sample { value: called.as_nanos() as f64 / count as f64, ..sample }
}

/// An eventfd each way, call after call.
pub fn calls_again(count: usize) -> Sample {
    sampled(count, || limits::eventfd_ping_pong(count))
}

/// 64 cache lines each way, both sides spinning.
pub fn calls_of_64(rounds: usize) -> Sample {
    sampled(rounds * 64, || limits::cache_lines_of_64(rounds))
}

/// A thread that sleeps.
pub fn idle(ms: usize) -> Sample {
    let meter = Meter::start();
    thread::sleep(Duration::from_millis(ms as u64));
    meter.stop_idle(ms)
}

/// A table of futures with one cache line beside each.
pub fn parked(count: usize) -> Sample {
    const LINE_BYTES: usize = 64;
    measured(count, || vec![[1_u8; FUTURE_BYTES + LINE_BYTES]; count])
}
