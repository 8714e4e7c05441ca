//! Rows of tasks, timers and calls between cores.

#![forbid(unsafe_code)]

use super::{Role, Row};
use crate::compare::target::Bound::{Itself, Limit, Peer};
use crate::compare::target::{Figure, Target};
use crate::compare::work::{calls, memory, tasks, timers};
use crate::rivals::compio::Compio;
use crate::rivals::glommio::Glommio;
use crate::rivals::miniss::{self, Miniss};
use crate::rivals::monoio::Monoio;
use crate::rivals::smol::Smol;
use crate::rivals::tokio::Tokio;
use crate::rivals::{Rival, by_hand};

/// These rows.
pub fn rows() -> Vec<Row> {
    vec![
        spawn(),
        yielding(),
        sleep(),
        sleepers(),
        call_awake(),
        call_asleep(),
        call_again(),
        call_64(),
        call_64_spin(),
        idle(),
        parked(),
    ]
}

fn spawn() -> Row {
    Row::new("spawn", "spawn + join of a trivial local task, batches of 1,000")
        .target(Target::at_most(Peer(0.5)))
        .traced(20, 40)
        .everyone(500, by_hand::spawn, tasks::spawn::<Miniss>, peers!(tasks::spawn))
}

fn yielding() -> Row {
    Row::new("yield", "yield, 100 tasks in turn")
        .target(Target::at_most(Peer(0.33)))
        .traced(100, 200)
        .everyone(20_000, by_hand::yielding, tasks::yielding::<Miniss>, peers!(tasks::yielding))
}

fn sleep() -> Row {
    Row::new("sleep", "sleep: create, poll once, drop")
        .target(Target::at_most(Peer(0.3)))
        .traced(10_000, 20_000)
        .everyone(200_000, by_hand::sleep, timers::sleep::<Miniss>, peers!(timers::sleep))
}

fn sleepers() -> Row {
    Row::new("sleepers", "10,000 tasks that sleep 1 ms, per task beyond the millisecond")
        .target(Target::at_most(Peer(0.5)))
        .traced(2, 4)
        .everyone(20, by_hand::sleepers, timers::sleepers::<Miniss>, peers!(timers::sleepers))
}

fn call_awake() -> Row {
    Row::new(
        "call-awake",
        "call to another core and reply, both awake (peers that cannot spin sleep)",
    )
    .target(Target::at_most(Limit(3.0)))
    .traced(500, 2_500)
    .with(Role::Limit, "a cache line each way", 200_000, by_hand::calls_awake)
    .with(Role::Ours, Miniss::NAME, 200_000, calls::awake::<Miniss>)
    .with(Role::Variant, "miniss, submit_to", 200_000, |count| {
        miniss::task_calls(calls::Calls::awake(count))
    })
    .peers(2_000, peers!(calls::awake))
}

fn call_asleep() -> Row {
    let title = "call to another core and reply, after a millisecond in which both slept";
    Row::new("call-asleep", title)
        .unit("us", 1e3)
        .target(Target::at_most(Limit(1.0)))
        .with(Role::Limit, "a pipe each way", 300, by_hand::calls_asleep)
        .with(Role::Ours, Miniss::NAME, 300, calls::asleep::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 300, |count| {
            miniss::task_calls(calls::Calls::asleep(count))
        })
        .peers(300, peers!(calls::asleep))
}

fn call_again() -> Row {
    Row::new("call-again", "call to another core and reply, call after call, no one told to spin")
        .unit("us", 1e3)
        .target(Target::at_most(Limit(1.0)))
        .traced(500, 2_500)
        .with(Role::Limit, "an eventfd each way", 2_000, by_hand::calls_again)
        .with(Role::Ours, Miniss::NAME, 2_000, calls::untold::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 2_000, |count| {
            miniss::task_calls(calls::Calls::untold(count))
        })
        .peers(2_000, peers!(calls::untold))
}

fn call_64() -> Row {
    Row::new("call-64", "call to another core and reply, 64 callers at once, no one told to spin")
        .target(Target::at_most(Peer(0.3)))
        .traced(20, 40)
        .with(Role::Limit, "64 cache lines each way", 5_000, by_hand::calls_of_64)
        .with(Role::Ours, Miniss::NAME, 2_000, calls::of_64::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 2_000, |count| {
            miniss::task_calls(calls::Calls::of_64(count, false))
        })
        .peers(2_000, peers!(calls::of_64))
}

fn call_64_spin() -> Row {
    let title = "call to another core and reply, 64 callers at once, runtimes that can spin do";
    Row::new("call-64-spin", title)
        .target(Target::at_most(Peer(0.3)))
        .traced(20, 40)
        .with(Role::Limit, "64 cache lines each way", 5_000, by_hand::calls_of_64)
        .with(Role::Ours, Miniss::NAME, 2_000, calls::of_64_spinning::<Miniss>)
        .with(Role::Variant, "miniss, submit_to", 2_000, |count| {
            miniss::task_calls(calls::Calls::of_64(count, true))
        })
        .peers(2_000, peers!(calls::of_64_spinning))
}

fn idle() -> Row {
    Row::new("idle", "an idle second")
        .measure("CPU time")
        .unit("us", 1e3)
        .target(Target::at_most(Itself(0.0)).on(Figure::Syscalls))
        .traced(1_000, 2_000)
        .rounds_max(3)
        .everyone(1_000, by_hand::idle, timers::idle::<Miniss>, peers!(timers::idle))
}

fn parked() -> Row {
    Row::new("parked", "a parked task")
        .measure("memory beside its future of 64 B")
        .unit("B", 1.0)
        .target(Target::at_most(Itself(64.0)))
        .rounds_max(3)
        .everyone(200_000, by_hand::parked, memory::parked::<Miniss>, peers!(memory::parked))
}
