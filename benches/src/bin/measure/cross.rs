//! Rows between two cores: calls, awake, asleep, many at once, by each kind of unparker.

use std::time::{Duration, Instant};

use miniss_benches::limits::{cache_line_ping_pong, eventfd_ping_pong, process_cpu};
use miniss_benches::rounds::Row;
use miniss_linux::{Runtime, run_on, spawn, submit_to, yield_now};

/// Long enough that neither side falls asleep between two calls.
const SPIN: Duration = Duration::from_millis(2);
const NO_SPIN: Duration = Duration::ZERO;

/// Who is not told to spin does not: these rows are about sleeping, or about spinning all the time.
fn runtime(spin: Duration) -> Runtime {
    let builder = Runtime::builder().shards(2).idle_spin(spin).call_spin(Duration::ZERO);
    builder.build().expect("the kernel gives us rings")
}

/// Nanoseconds of a call and its reply, one after the other.
fn calls(runtime: &Runtime, count: usize, warm_up: usize) -> f64 {
    runtime.block_on(async {
        let mut start = Instant::now();
        for n in 0..warm_up + count {
            if n == warm_up {
                start = Instant::now();
            }
            run_on(1, || ()).await.expect("the shard is there");
        }
        start.elapsed().as_nanos() as f64 / count as f64
    })
}

fn task_calls(runtime: &Runtime, count: usize) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        for _ in 0..count {
            submit_to(1, async || ()).await.expect("the shard is there");
        }
        start.elapsed().as_nanos() as f64 / count as f64
    })
}

/// Nanoseconds per call, of 64 tasks that call one after the other.
fn calls_of_64(runtime: &Runtime, count: usize) -> f64 {
    const CALLERS: usize = 64;
    runtime.block_on(async {
        let caller = move || async move {
            for _ in 0..count {
                submit_to(1, async || ()).await.expect("the shard is there");
            }
        };
        let start = Instant::now();
        let callers: Vec<_> = (0..CALLERS).map(|_| spawn(caller())).collect();
        for caller in callers {
            caller.await.expect("it does not panic");
        }
        start.elapsed().as_nanos() as f64 / (count * CALLERS) as f64
    })
}

pub fn awake_row() -> Row<'static> {
    Row::new("call, both awake", "ns")
        .with("a cache line each way", || cache_line_ping_pong(50_000))
        .with("run_on", || calls(&runtime(SPIN), 20_000, 1_000))
        .with("submit_to", || task_calls(&runtime(SPIN), 20_000))
}

/// One sample of calls between cores that are awake, for a profiler.
pub fn awake_to_profile() -> f64 {
    calls(&runtime(SPIN), 1_000_000, 0)
}

/// Calls between cores that are asleep, for one who counts system calls.
pub fn asleep_to_profile() {
    calls(&runtime(NO_SPIN), 10_000, 0);
}

pub fn asleep_row() -> Row<'static> {
    Row::new("call, both asleep", "us")
        .with("an eventfd each way", || eventfd_ping_pong(1_000) / 1_000.0)
        .with("run_on", || calls(&runtime(NO_SPIN), 1_000, 10) / 1_000.0)
        .with("submit_to", || task_calls(&runtime(NO_SPIN), 1_000) / 1_000.0)
}

pub fn many_row() -> Row<'static> {
    Row::new("call, 64 callers, per call", "ns")
        .with("no spin", || calls_of_64(&runtime(NO_SPIN), 300))
        .with("idle_spin", || calls_of_64(&runtime(SPIN), 1_000))
}

/// Nanoseconds that a busy shard takes for a call that it does not wait for, and the CPU time of
/// the whole process for it.
fn calls_from_a_busy_shard(runtime: &Runtime, count: usize) -> f64 {
    runtime.block_on(async {
        let mut calls = 0.0;
        for _ in 0..count {
            let start = Instant::now();
            let call = run_on(1, || ());
            yield_now().await;
            calls += start.elapsed().as_nanos() as f64;
            drop(call);
            // Let the other side fall asleep again while this one works on.
            let busy = Instant::now();
            while busy.elapsed() < Duration::from_micros(200) {
                std::hint::spin_loop();
            }
            yield_now().await;
        }
        calls / count as f64
    })
}

/// Microseconds from a call of a busy shard until the other shard runs it.
fn time_to_run(runtime: &Runtime, count: usize) -> f64 {
    runtime.block_on(async {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let start = Instant::now();
            let call = run_on(1, Instant::now);
            // The turn ends late: 20 us of other work come first.
            while start.elapsed() < Duration::from_micros(20) {
                std::hint::spin_loop();
            }
            total += call.await.expect("the shard is there") - start;
            let busy = Instant::now();
            while busy.elapsed() < Duration::from_micros(200) {
                std::hint::spin_loop();
            }
        }
        total.as_secs_f64() * 1e6 / count as f64
    })
}

/// CPU time of the whole process, in microseconds per call, both sides asleep between calls.
fn cpu_of_calls(runtime: &Runtime, count: usize) -> f64 {
    let before = process_cpu();
    calls(runtime, count, 0);
    (process_cpu() - before).as_secs_f64() * 1e6 / count as f64
}

/// What it costs to wake a shard.
pub fn wake_rows() -> Vec<Row<'static>> {
    vec![
        Row::new("call, both asleep", "us")
            .with("eventfd", || calls(&runtime(NO_SPIN), 1_000, 10) / 1_000.0),
        Row::new("CPU of such a call", "us")
            .with("eventfd", || cpu_of_calls(&runtime(NO_SPIN), 1_000)),
        Row::new("busy shard calls a sleeping one: caller's time", "ns")
            .with("eventfd", || calls_from_a_busy_shard(&runtime(NO_SPIN), 300)),
        Row::new("busy shard calls a sleeping one: until it runs", "us")
            .with("eventfd", || time_to_run(&runtime(NO_SPIN), 300)),
        Row::new("64 callers, per call", "ns")
            .with("eventfd", || calls_of_64(&runtime(NO_SPIN), 300)),
    ]
}
