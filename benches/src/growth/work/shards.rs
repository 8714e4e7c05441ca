//! More shards than cores, which all call each other.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use miniss_linux::{Pinning, Runtime, ShardId, run_on, spawn, submit_to};

use crate::compare::process::private_kib_of;
use crate::growth::curve::Values;
use crate::limits::process_cpu;

/// Callers on each shard.
const CALLERS: usize = 16;
/// Calls of all shards together.
const CALLS: usize = 200_000;

/// Which shards a shard calls.
#[derive(Clone, Copy)]
enum Pattern {
    /// All others, in turn.
    All,
    /// The one behind it.
    Next,
}

impl Pattern {
    /// The shard that caller `caller` of `shard` calls with its `n`-th call; itself if it is alone.
    fn target(self, shard: usize, caller: usize, n: usize, shards: usize) -> usize {
        let others = shards.saturating_sub(1).max(1);
        let distance = match self {
            Pattern::All => 1 + (caller + n) % others,
            Pattern::Next => 1,
        };
        (shard + distance) % shards
    }
}

/// Everything about so many shards.
///
/// # Errors
///
/// In a sentence, if they cannot be started.
pub fn measure(shards: usize) -> Result<Values, String> {
    let start = Instant::now();
    let builder = Runtime::builder().shards(shards).pinning(Pinning::None);
    let runtime = builder.build().map_err(|error| error.to_string())?;
    // Shard 0 is there once something runs on it.
    runtime.block_on(async {});
    let started = millis(start.elapsed());
    let [all, next] = [Pattern::All, Pattern::Next].map(|pattern| {
        runtime.block_on(call_all(pattern, shards, CALLS / 10));
        runtime.block_on(call_all(pattern, shards, CALLS))
    });
    let memory = private_kib_of(std::process::id()) as f64 / 1024.0;
    let end = Instant::now();
    drop(runtime);
    let ended = millis(end.elapsed());
    Ok(vec![all.millions, next.millions, all.cpu_ns, next.cpu_ns, started, ended, memory])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

struct Rate {
    /// Calls in a second.
    millions: f64,
    /// CPU time of a call.
    cpu_ns: f64,
}

async fn call_all(pattern: Pattern, shards: usize, calls: usize) -> Rate {
    let of_each = calls.div_ceil(shards * CALLERS);
    let (start, cpu) = (Instant::now(), process_cpu());
    let on_each = ShardId::all().enumerate().map(|(number, shard)| {
        submit_to(shard, async move || callers(pattern, number, shards, of_each).await)
    });
    for done in on_each.collect::<Vec<_>>() {
        done.await.expect("the shard is there");
    }
    let (time, cpu) = (start.elapsed(), process_cpu() - cpu);
    let calls = (of_each * shards * CALLERS) as f64;
    Rate { millions: calls / time.as_secs_f64() / 1e6, cpu_ns: cpu.as_nanos() as f64 / calls }
}

/// All callers of one shard.
async fn callers(pattern: Pattern, shard: usize, shards: usize, calls: usize) {
    let caller = |caller| async move {
        for n in 0..calls {
            let target = pattern.target(shard, caller, n, shards);
            run_on(target, || ()).await.expect("the shard is there");
        }
    };
    for caller in (0..CALLERS).map(|n| spawn(caller(n))).collect::<Vec<_>>() {
        caller.await.expect("it does not panic");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_called_and_no_one_calls_himself_unless_alone() {
        let targets = |pattern: Pattern, shards| {
            let all = (0..shards * 3).map(|n| pattern.target(2 % shards, 5, n, shards));
            let mut all: Vec<_> = all.collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        assert_eq!(targets(Pattern::All, 4), [0, 1, 3]);
        assert_eq!(targets(Pattern::Next, 4), [3]);
        assert_eq!(targets(Pattern::All, 1), [0]);
        assert_eq!(targets(Pattern::All, 2), [1]);
    }

    #[test]
    fn three_shards_give_every_value() {
        let values = measure(3).unwrap();
        assert!(values.iter().all(|&value| value > 0.0), "{values:?}");
    }
}
