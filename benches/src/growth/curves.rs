//! All curves.

#![forbid(unsafe_code)]

use super::curve::{Axis, Curve, Panel, Series, limit, ours};
use super::work::{calls, echo, memory, shards, tasks, timers};

const MILLION: [usize; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// All of them, in the order of the manual.
pub fn all() -> [Curve; 8] {
    [MEMORY, TASKS, TIMERS, CONNECTIONS, SHARDS, CALLS, PIPELINE, MESSAGES]
}

const MEMORY: Curve = Curve {
    name: "memory",
    title: "The machine: memory that is walked through at random",
    x: Axis::binary("bytes"),
    xs: &[32 << 10, 128 << 10, 512 << 10, 2 << 20, 8 << 20, 32 << 20, 128 << 20],
    panels: &[Panel { y: Axis::decimal("ns"), series: &[limit("a step that waits for the last")] }],
    takes_turns: false,
    measure: memory::measure,
};

const TASKS: Curve = Curve {
    name: "tasks",
    title: "Parked tasks",
    x: Axis::decimal("tasks"),
    xs: &MILLION,
    panels: &[
        Panel {
            y: Axis::decimal("ns"),
            series: &[
                ours("wake and poll, in order"),
                ours("wake and poll, at random"),
                limit("by hand, at random"),
            ],
        },
        Panel {
            y: Axis::decimal("ns"),
            series: &[
                ours("spawn and park one of them"),
                ours("spawn and join one more"),
                ours("end one with the runtime"),
            ],
        },
        Panel { y: Axis::decimal("bytes of heap per task"), series: &[ours("task of 64 bytes")] },
    ],
    takes_turns: false,
    measure: tasks::measure,
};

const TIMERS: Curve = Curve {
    name: "timers",
    title: "Armed timers",
    x: Axis::decimal("timers"),
    xs: &MILLION,
    panels: &[
        Panel {
            y: Axis::decimal("ns"),
            series: &[
                ours("arm and cancel one more"),
                ours("arm and fire one of them"),
                limit("binary heap: push and pop"),
            ],
        },
        Panel { y: Axis::decimal("longest turn, us"), series: &[ours("64 timers due")] },
    ],
    takes_turns: false,
    measure: timers::measure,
};

const CONNECTIONS: Curve = Curve {
    name: "connections",
    title: "Connections, each with one request of 64 bytes under way",
    x: Axis::decimal("connections"),
    xs: &[1, 4, 16, 64, 256, 1_000, 3_000, 10_000],
    panels: &[
        Panel {
            y: Axis::decimal("server's CPU per request, us"),
            series: &[ours("miniss"), limit("io_uring by hand"), limit("epoll by hand")],
        },
        Panel {
            y: Axis::decimal("thousand requests a second"),
            series: &[ours("miniss"), limit("io_uring by hand"), limit("epoll by hand")],
        },
        Panel {
            y: Axis::decimal("server's memory per connection, bytes"),
            series: &[ours("miniss")],
        },
    ],
    takes_turns: false,
    measure: echo::connections,
};

const SHARDS: Curve = Curve {
    name: "shards",
    title: "Shards on two cores, 16 callers on each",
    x: Axis::binary("shards"),
    xs: &[1, 2, 4, 8, 16, 32, 64],
    panels: &[
        Panel {
            y: Axis::decimal("million calls a second"),
            series: &[ours("everyone calls all"), ours("everyone calls the next")],
        },
        Panel {
            y: Axis::decimal("CPU per call, ns"),
            series: &[ours("everyone calls all"), ours("everyone calls the next")],
        },
        Panel { y: Axis::decimal("ms"), series: &[ours("start"), ours("end")] },
        Panel { y: Axis::decimal("private memory, MiB"), series: &[ours("the whole process")] },
    ],
    takes_turns: true,
    measure: shards::measure,
};

const DEPTHS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

const CALL_SERIES: [Series; 4] =
    [ours("run_on, no one spins"), ours("run_on"), ours("submit_to"), ours("run_on, idle_spin")];

const CALLS: Curve = Curve {
    name: "calls",
    title: "Calls under way between two shards",
    x: Axis::binary("calls under way"),
    xs: &DEPTHS,
    panels: &[
        Panel { y: Axis::decimal("ns per call"), series: &CALL_SERIES },
        Panel { y: Axis::decimal("CPU of both shards per call, ns"), series: &CALL_SERIES },
    ],
    takes_turns: false,
    measure: calls::measure,
};

const PIPELINE: Curve = Curve {
    name: "pipeline",
    title: "Requests of 64 bytes under way on one connection",
    x: Axis::binary("requests under way"),
    xs: &DEPTHS,
    panels: &[
        Panel {
            y: Axis::decimal("server's CPU per request, us"),
            series: &[ours("miniss"), limit("io_uring by hand")],
        },
        Panel {
            y: Axis::decimal("thousand requests a second"),
            series: &[ours("miniss"), limit("io_uring by hand")],
        },
    ],
    takes_turns: false,
    measure: echo::pipeline,
};

const MESSAGES: Curve = Curve {
    name: "messages",
    title: "Message size, 16 connections with one message under way on each",
    x: Axis::binary("bytes"),
    xs: &[64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20],
    panels: &[
        Panel {
            y: Axis::decimal("GB/s there and as much back"),
            series: &[ours("miniss"), ours("buffers of 64 KiB"), limit("io_uring by hand")],
        },
        Panel {
            y: Axis::decimal("server's CPU per byte, ns"),
            series: &[ours("miniss"), ours("buffers of 64 KiB"), limit("io_uring by hand")],
        },
    ],
    takes_turns: false,
    measure: echo::messages,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_points_grow() {
        let curves = all();
        for (index, curve) in curves.iter().enumerate() {
            assert!(curves[..index].iter().all(|other| other.name != curve.name));
            assert!(curve.xs.is_sorted_by(|a, b| a < b) && curve.xs[0] > 0, "{}", curve.name);
            assert!(curve.series().count() > 0);
        }
    }
}
