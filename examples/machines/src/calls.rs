//! Calls between cores: each asks all others, and answers them.
//!
//! Built with `MINISS_ROUNDS=500`, it makes that many times as many: a soak (`.ci/soak-aarch64`).

use core::array;
use core::future::pending;
use core::sync::atomic::{AtomicUsize, Ordering};

use miniss_core::call::{Endpoint, FixedMesh};
use miniss_core::combine::when_all;
use miniss_core::interrupt::SharedQueue;
use miniss_core::{ExecutorCell, TaskSlab};

use crate::port::{Port, Unparker};
use crate::{body, machine, println};

/// Cores that there is room for.
const CORES_MAX: usize = 4;
/// Of each core: so many calls one by one, and so many bursts.
const ONE_BY_ONE: u64 = 1_000;
const BURSTS: u64 = 50;
const BURST: usize = 20;
const CALLS: u64 = rounds() * (ONE_BY_ONE + BURSTS * BURST as u64);

/// What a call and its answer may take, in bytes: a number each.
const CALL_BYTES: usize = 16;
/// What the task that serves a call may take.
const TASK_BYTES: usize = 256;
/// Bursts of all others, at once.
const TASKS_MAX: usize = (CORES_MAX - 1) * BURST;
/// Calls that a lane holds.
const LANE: usize = 32;

static CELLS: [ExecutorCell<Unparker>; CORES_MAX] = [
    ExecutorCell::new(Unparker::new(0)),
    ExecutorCell::new(Unparker::new(1)),
    ExecutorCell::new(Unparker::new(2)),
    ExecutorCell::new(Unparker::new(3)),
];
static MESH: FixedMesh<Unparker, CORES_MAX, BURST, CALL_BYTES, LANE> = FixedMesh::new();
static TASKS: [TaskSlab<TASK_BYTES, TASKS_MAX>; CORES_MAX] = [const { TaskSlab::new() }; CORES_MAX];
static CORES: AtomicUsize = AtomicUsize::new(1);
/// What the answers of a core come to.
static SUMS: SharedQueue<u64, CORES_MAX> = SharedQueue::new();

const fn rounds() -> u64 {
    match option_env!("MINISS_ROUNDS") {
        None => 1,
        Some(rounds) => match u64::from_str_radix(rounds, 10) {
            Ok(rounds) => rounds,
            Err(_) => panic!("MINISS_ROUNDS is a number"),
        },
    }
}

/// The program on a machine with more than one core.
pub fn run_on(cores: usize) {
    body::run(&CELLS[0]);
    CORES.store(cores, Ordering::Relaxed);
    for core in 1..cores {
        machine::start_core(core);
    }
    let mut sums = SUMS.receiver().expect("no one else receives");
    work(async || {
        for _ in 0..cores {
            let sum = sums.recv().await;
            assert!(sum == (0..CALLS).sum::<u64>() * 2, "every answer is right");
        }
    });
    println!("{CALLS} calls of each core");
    for (core, cell) in CELLS[..cores].iter().enumerate() {
        let halts = cell.unparker().halts();
        println!("core {core}: {halts} halts");
        assert!(halts > 0);
    }
}

/// All cores but the first.
pub fn work_forever() -> ! {
    work(pending)
}

/// Calls the other cores and answers them; then does what comes `after` that, while it answers.
fn work<T>(after: impl AsyncFnOnce() -> T) -> T {
    let core = machine::this_core();
    let mut executor = Port::executor(&CELLS[core]);
    executor.local().lend(&TASKS[core]).expect("no one else uses them");
    let endpoint = MESH.open(core, executor.local()).expect("the executor is there");
    executor.block_on(async {
        let sum = call(&endpoint, core).await;
        SUMS.try_send(sum).expect("there is room for a sum of each core");
        after().await
    })
}

/// Calls the other cores in turn, half of the time one by one, so that they halt in between, then
/// in bursts; returns the sum of the answers.
async fn call(endpoint: &Endpoint<Unparker, LANE>, core: usize) -> u64 {
    let cores = CORES.load(Ordering::Relaxed);
    let double = |n: u64| {
        let other = (core + 1 + n as usize % (cores - 1)) % cores;
        endpoint.submit_to(other, async move || n * 2)
    };
    let (mut numbers, mut sum) = (0..CALLS, 0);
    let mut next = || numbers.next().expect("one for each call");
    for _ in 0..rounds() {
        for _ in 0..ONE_BY_ONE {
            sum += double(next()).await.expect("the other cores run forever");
        }
        for _ in 0..BURSTS {
            let calls: [_; BURST] = array::from_fn(|_| double(next()));
            let answers = when_all(calls).await;
            sum += answers.into_iter().map(|answer| answer.expect("as above")).sum::<u64>();
        }
    }
    sum
}
