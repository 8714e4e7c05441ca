//! A task that sleeps for 20 ms, and another that awaits it.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_sizes::{end, start_clock};
use embassy_sync::{blocking_mutex::raw::ThreadModeRawMutex, signal::Signal};
use embassy_time::Timer;

static DONE: Signal<ThreadModeRawMutex, ()> = Signal::new();

#[embassy_executor::task]
async fn sleeps() {
    Timer::after_millis(20).await;
    DONE.signal(());
}

#[embassy_executor::task]
async fn awaits() {
    DONE.wait().await;
    end();
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start_clock();
    spawner.spawn(sleeps().unwrap());
    spawner.spawn(awaits().unwrap());
}
