//! A task that sleeps and then raises an interrupt, and another that waits for its handler.

#![no_std]
#![no_main]

use cortex_m_rt::exception;
use embassy_executor::Spawner;
use embassy_sizes::{end, raise, start_clock};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use embassy_time::Timer;

static RAISED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

#[exception]
fn PendSV() {
    RAISED.signal(());
}

#[embassy_executor::task]
async fn sleeps() {
    loop {
        Timer::after_millis(20).await;
        raise();
    }
}

#[embassy_executor::task]
async fn waits() {
    for _ in 0..10 {
        RAISED.wait().await;
    }
    end();
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start_clock();
    spawner.spawn(sleeps().unwrap());
    spawner.spawn(waits().unwrap());
}
