//! What the machine allows at the same size: no runtime, the same memory, the same order.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hint::black_box;

use super::tasks::{next, under_way};
use crate::limits::nanos_per;

/// Bytes of the future of a parked task.
pub const FUTURE_BYTES: usize = 64;

/// A task by hand: a line with what to call and one with its state, like a task's header and
/// future.
#[repr(align(64))]
struct Job {
    run: fn(&mut Job),
    polls: u64,
    state: State,
}

#[repr(align(64))]
struct State([u8; FUTURE_BYTES]);

/// Nanoseconds to take the first job from a queue, call it, and put another in the queue, where
/// `order` says which job stands where; as the tasks do it.
pub fn wake_and_poll(order: &[u32], polls: usize) -> f64 {
    fn run(job: &mut Job) {
        job.polls += 1;
        job.state.0[0] = job.state.0[0].wrapping_add(1);
    }
    let job = |_| Job { run: black_box(run), polls: 0, state: State([1; _]) };
    let mut jobs: Vec<Job> = order.iter().map(job).collect();
    let count = order.len();
    let mut queue: VecDeque<usize> = (0..under_way(count)).collect();
    nanos_per(polls, || {
        for _ in 0..polls {
            let place = queue.pop_front().expect("never empty");
            let job = &mut jobs[order[place] as usize];
            (job.run)(job);
            queue.push_back(next(place, count));
        }
    })
}

/// Nanoseconds to push a deadline on a binary heap and to pop the earliest, with as many on it as
/// there are `deadlines`.
pub fn binary_heap(deadlines: &[u64], rounds: usize) -> f64 {
    let mut heap = BinaryHeap::with_capacity(deadlines.len());
    nanos_per(deadlines.len() * rounds, || {
        for _ in 0..rounds {
            for (index, &deadline) in deadlines.iter().enumerate() {
                heap.push(Reverse((deadline, index)));
            }
            while let Some(earliest) = heap.pop() {
                black_box(earliest);
            }
        }
    })
}
