//! Two cores, an executor on each: one asks, the other answers.
//!
//! Half of the requests are made one by one, so that both cores halt in between; the others in
//! bursts. A core is interrupted once at most for each halt that it announces.

#![no_std]
#![no_main]

use core::array;
use core::future::pending;

use bare_metal::end::{Status, end};
use bare_metal::miniss_core::call::{Endpoint, FixedMesh};
use bare_metal::miniss_core::combine::when_all;
use bare_metal::miniss_core::{ExecutorCell, TaskSlab};
use bare_metal::port::{Port, Unparker};
use bare_metal::{println, start};

const ONE_BY_ONE: u32 = 1_000;
const BURSTS: u32 = 50;
const BURST: usize = 20;
const REQUESTS: u32 = ONE_BY_ONE + BURSTS * BURST as u32;

/// What a request and its answer may take, in bytes: a number each.
const CALL_BYTES: usize = 16;
/// What the task that serves a request may take.
const TASK_BYTES: usize = 256;
/// Requests that a lane holds.
const LANE: usize = 32;

static CORES: [ExecutorCell<Unparker>; 2] =
    [ExecutorCell::new(Unparker::new(0)), ExecutorCell::new(Unparker::new(1))];
static LANES: FixedMesh<Unparker, 2, BURST, CALL_BYTES, LANE> = FixedMesh::new();
static TASKS: TaskSlab<TASK_BYTES, BURST> = TaskSlab::new();

#[unsafe(no_mangle)]
fn kernel_main() -> ! {
    start::second_core(answer);
    let mut executor = Port::executor(&CORES[0]);
    let endpoint = LANES.open(0, executor.local()).expect("the executor is there");
    let sum = executor.block_on(ask(endpoint));
    assert!(sum == (0..u64::from(REQUESTS)).sum::<u64>() * 2, "every answer is right");
    report();
    end(Status::Done)
}

/// The second core: it runs what the first asks for.
fn answer() -> ! {
    let mut executor = Port::executor(&CORES[1]);
    executor.local().lend(&TASKS).expect("no one else uses them");
    let _endpoint = LANES.open(1, executor.local()).expect("the executor is there");
    executor.block_on(pending())
}

/// Makes the requests and returns the sum of the answers.
async fn ask(endpoint: Endpoint<Unparker, LANE>) -> u64 {
    let double = |n: u32| endpoint.submit_to(1, async move || u64::from(n) * 2);
    let mut sum = 0;
    for n in 0..ONE_BY_ONE {
        sum += double(n).await.expect("the second core runs forever");
    }
    let mut numbers = ONE_BY_ONE..REQUESTS;
    for _ in 0..BURSTS {
        let calls: [_; BURST] = array::from_fn(|_| double(numbers.next().expect("one for each")));
        let answers = when_all(calls).await;
        sum += answers.into_iter().map(|answer| answer.expect("as above")).sum::<u64>();
    }
    sum
}

/// However many requests there are, a core is unparked once at most for each halt that it
/// announces, and no halt ends without an unpark.
fn report() {
    println!("{REQUESTS} requests");
    for (core, cell) in CORES.iter().enumerate() {
        let unparker = cell.unparker();
        let (announced, halts, unparks) =
            (unparker.announced(), unparker.halts(), unparker.unparks());
        println!("core {core}: {announced} halts announced, {halts} made, {unparks} interrupts");
        assert!(unparks > 0 && unparks <= announced && unparks <= REQUESTS);
        // This core, the first, is awake; the other one may be in a halt.
        let ended = if core == 0 { halts } else { halts.saturating_sub(1) };
        assert!(ended <= unparks, "a halt has ended by itself");
    }
}
