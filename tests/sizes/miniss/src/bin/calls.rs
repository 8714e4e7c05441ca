//! Calls between the executors of two cores, without timers. A microcontroller of this kind has one
//! core, which polls both executors in turn.

#![no_std]
#![no_main]

use cortex_m_rt::entry;
use miniss_core::call::{Endpoint, FixedMesh};
use miniss_core::{ExecutorCell, task_slab};
use miniss_sizes::{Unparker, end, executor, start_clock};

static CELLS: [ExecutorCell<Unparker>; 2] = [const { ExecutorCell::new(Unparker) }; 2];
static MESH: FixedMesh<Unparker, 2, 1, 8, 2> = FixedMesh::new();

async fn calls(endpoint: Endpoint<Unparker, 2>) {
    let mut sum = 0;
    for n in 0..10 {
        sum += endpoint.run_on(1, move || n * 2).await.unwrap_or(0);
    }
    assert!(sum == 90);
    end();
}

#[entry]
fn main() -> ! {
    // An executor that waits is not woken by the other, which has the same core: a tick ends it.
    start_clock();
    let (mut caller, mut callee) = (executor(&CELLS[0]), executor(&CELLS[1]));
    let (Ok(here), Ok(_there)) = (MESH.open(0, caller.local()), MESH.open(1, callee.local()))
    else {
        end()
    };
    let _ = caller.local().spawn_in(task_slab!(calls), calls(here));
    loop {
        caller.turn();
        callee.turn();
    }
}
