//! A task that switches a light on and off.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_sizes::{end, start_clock, switch};
use embassy_time::Timer;

#[embassy_executor::task]
async fn blink() {
    for times in 0..10 {
        switch(times % 2 == 0);
        Timer::after_millis(20).await;
    }
    end();
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    start_clock();
    spawner.spawn(blink().unwrap());
}
