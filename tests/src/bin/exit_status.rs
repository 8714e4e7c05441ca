//! Ends as its argument says: with the value of its main future, an error, a panic, or by a signal.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use miniss_linux::signal::GracefulShutdown;
use miniss_linux::time::sleep;
use miniss_linux::{Runtime, ShardId};

fn main() -> Result<ExitCode, String> {
    let how = std::env::args().nth(1).unwrap_or_default();
    let runtime = Runtime::builder().shards(4).build().map_err(|error| error.to_string())?;
    match &*how {
        "each-ready" => return Ok(runtime.run_to_exit(async || ExitCode::SUCCESS)),
        "one-failed" => return Ok(runtime.run_to_exit(fail_on_shard_2)),
        "one-panicked" => return Ok(runtime.run_to_exit(panic_on_shard_2)),
        "busy" => return Ok(stay_busy(&runtime)),
        _ => {}
    }
    runtime.block_on(async {
        match how.as_str() {
            "default" => Ok(ExitCode::default()),
            "ready" => Ok(ExitCode::from(7)),
            "failed" => Err("the main future failed".to_owned()),
            _ => panic!("the main future panicked"),
        }
    })
}

async fn fail_on_shard_2() -> Result<ExitCode, String> {
    match ShardId::current().index() {
        2 => Err("a main future failed".to_owned()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn panic_on_shard_2() {
    assert_ne!(ShardId::current().index(), 2, "a main future panicked");
}

static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Listens on all shards, and then looks at nothing any more.
fn stay_busy(runtime: &Runtime) -> ExitCode {
    let shutdown = GracefulShutdown::new();
    runtime.run_to_exit(async move || {
        let _here = shutdown.on_shard();
        LISTENING.fetch_add(1, SeqCst);
        while LISTENING.load(SeqCst) < ShardId::all().len() {
            sleep(Duration::from_millis(1)).await;
        }
        // No one may read it.
        let _ = writeln!(stdout(), "busy");
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    })
}
