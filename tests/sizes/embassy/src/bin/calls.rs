//! Questions and answers between the executors of two cores, without timers. A microcontroller of
//! this kind has one core, which polls both executors in turn.

#![no_std]
#![no_main]

use core::ptr::without_provenance_mut;

use cortex_m_rt::entry;
use embassy_executor::raw::Executor;
use embassy_sizes::{end, start_clock};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, channel::Channel};
use static_cell::StaticCell;

static QUESTIONS: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static ANSWERS: Channel<CriticalSectionRawMutex, u32, 1> = Channel::new();
static EXECUTORS: [StaticCell<Executor>; 2] = [const { StaticCell::new() }; 2];

#[embassy_executor::task]
async fn asks() {
    let mut sum = 0;
    for n in 0..10 {
        QUESTIONS.send(n).await;
        sum += ANSWERS.receive().await;
    }
    assert!(sum == 90);
    end();
}

#[embassy_executor::task]
async fn answers() {
    loop {
        ANSWERS.send(QUESTIONS.receive().await * 2).await;
    }
}

#[entry]
fn main() -> ! {
    start_clock();
    // What the executor takes for one that is not in an interrupt.
    let context = without_provenance_mut(usize::MAX);
    let [caller, callee]: [&'static Executor; 2] =
        EXECUTORS.each_ref().map(|place| &*place.init(Executor::new(context)));
    caller.spawner().spawn(asks().unwrap());
    callee.spawner().spawn(answers().unwrap());
    loop {
        // SAFETY: neither polls the other.
        unsafe { (caller.poll(), callee.poll()) };
    }
}
