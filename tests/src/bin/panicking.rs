//! Panics in the place that its argument says, and ends well if that harms no one else. Built with
//! `panic = "abort"`, by a test.

use std::env::args;
use std::process::ExitCode;

use miniss_linux::{Runtime, spawn, spawn_blocking, submit_to};

fn main() -> ExitCode {
    let place = args().nth(1).unwrap_or_default();
    let runtime = Runtime::builder().shards(2).build().expect("there are descriptors left");
    runtime.block_on(async {
        match place.as_str() {
            "task" => drop(spawn(async { panic_as_planned("task") }).await),
            "call" => drop(submit_to(1, async || panic_as_planned("call")).await),
            "pool" => drop(spawn_blocking(|| panic_as_planned("pool")).await),
            _ => assert_eq!(submit_to(1, async || 5).await.ok(), Some(5)),
        }
    });
    ExitCode::SUCCESS
}

fn panic_as_planned(place: &str) -> u8 {
    panic!("planned: {place}")
}
