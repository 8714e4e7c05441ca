//! Calls between cores: the first asks, the others answer.

use core::array;
use core::future::pending;

use miniss_core::call::{Endpoint, FixedMesh};
use miniss_core::combine::when_all;
use miniss_core::{ExecutorCell, TaskSlab};

use crate::port::{Port, Unparker};
use crate::{body, machine, println};

/// Cores that there is room for.
const CORES_MAX: usize = 4;
const ONE_BY_ONE: u32 = 1_000;
const BURSTS: u32 = 50;
const BURST: usize = 20;
const CALLS: u32 = ONE_BY_ONE + BURSTS * BURST as u32;

/// What a call and its answer may take, in bytes: a number each.
const CALL_BYTES: usize = 16;
/// What the task that serves a call may take.
const TASK_BYTES: usize = 256;
/// Calls that a lane holds.
const LANE: usize = 32;

static CELLS: [ExecutorCell<Unparker>; CORES_MAX] = [
    ExecutorCell::new(Unparker::new(0)),
    ExecutorCell::new(Unparker::new(1)),
    ExecutorCell::new(Unparker::new(2)),
    ExecutorCell::new(Unparker::new(3)),
];
static MESH: FixedMesh<Unparker, CORES_MAX, BURST, CALL_BYTES, LANE> = FixedMesh::new();
static TASKS: [TaskSlab<TASK_BYTES, BURST>; CORES_MAX] = [const { TaskSlab::new() }; CORES_MAX];

/// The program on a machine with more than one core.
pub fn run_on(cores: usize) {
    for core in 1..cores {
        machine::start_core(core);
    }
    body::run(&CELLS[0]);
    let mut executor = Port::executor(&CELLS[0]);
    let endpoint = MESH.open(0, executor.local()).expect("the executor is there");
    let sum = executor.block_on(call(endpoint, cores));
    assert!(sum == (0..u64::from(CALLS)).sum::<u64>() * 2, "every answer is right");
    println!("{CALLS} calls");
    for (core, cell) in CELLS[..cores].iter().enumerate() {
        let halts = cell.unparker().halts();
        println!("core {core}: {halts} halts");
        assert!(halts > 0);
    }
}

/// All cores but the first: they run what the first asks for.
pub fn answer() -> ! {
    let core = machine::this_core();
    let mut executor = Port::executor(&CELLS[core]);
    executor.local().lend(&TASKS[core]).expect("no one else uses them");
    let _endpoint = MESH.open(core, executor.local()).expect("the executor is there");
    executor.block_on(pending())
}

/// Calls the other cores in turn, half of the time one by one, so that they halt in between, then
/// in bursts; returns the sum of the answers.
async fn call(endpoint: Endpoint<Unparker, LANE>, cores: usize) -> u64 {
    let double = |n: u32| {
        let core = 1 + n as usize % (cores - 1);
        endpoint.submit_to(core, async move || u64::from(n) * 2)
    };
    let mut sum = 0;
    for n in 0..ONE_BY_ONE {
        sum += double(n).await.expect("the other cores run forever");
    }
    let mut numbers = ONE_BY_ONE..CALLS;
    for _ in 0..BURSTS {
        let calls: [_; BURST] = array::from_fn(|_| double(numbers.next().expect("one for each")));
        let answers = when_all(calls).await;
        sum += answers.into_iter().map(|answer| answer.expect("as above")).sum::<u64>();
    }
    sum
}
