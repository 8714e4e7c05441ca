//! The tools for many shards, each in a few lines.
//!
//! `cargo run --release --example sharded`
//!
//! All of it is this file, and all it needs is `miniss-linux`.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::exit;
use std::time::Duration;

use miniss_linux::sharded::{
    Foreign, SchedulingGroup, Service, ServiceGroup, Sharded, ShardedRef, invoke_on_all,
    invoke_on_others, map_reduce, mpsc, random_below, switch_to,
};
use miniss_linux::{CallError, Runtime, ShardId, shard_local, spawn, submit_to, yield_now};

const HELP: &str = "\
sharded: shows the tools for many shards, each in a few lines, and ends

It starts three shards, and says what each tool did: calls to many shards, state with a part on
each, a value that stays on its shard, variables of each shard, a channel between shards, bounds on
the calls in flight, and shares of each shard's time. It takes no arguments.";

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(argument) = std::env::args_os().nth(1) {
        explain(&argument.to_string_lossy());
    }
    let runtime = Runtime::builder().shards(3).random_seed(7).build().expect("a runtime");
    runtime.block_on(async {
        calls().await?;
        state().await?;
        foreign_values().await?;
        variables().await?;
        channels().await?;
        bounds().await?;
        shares().await
    })
}

/// Work on many shards: the results come in the order of the shards.
async fn calls() -> Result<(), CallError> {
    let names = invoke_on_all(async || ShardId::current().to_string()).await?;
    say(format_args!("calls: each shard says its name: {names:?}"));
    let others = invoke_on_others(async || ShardId::current().index()).await?;
    say(format_args!("calls: the others have the numbers {others:?}"));
    let index = || ShardId::current().index();
    let sum = map_reduce(ShardId::all(), index, 0, |sum, index| sum + index).await?;
    say(format_args!("calls: the sum of all numbers is {sum}"));
    Ok(())
}

/// The part of a word count that one shard has.
struct Words {
    counts: RefCell<HashMap<String, usize>>,
    siblings: ShardedRef<Self>,
}

impl Words {
    /// Counts a word on the shard that it belongs to.
    async fn add(&self, word: &'static str) -> Result<(), CallError> {
        let home = word.len() % ShardId::all().len();
        let add = async move |part: &Self| {
            *part.counts.borrow_mut().entry(word.to_owned()).or_default() += 1;
        };
        self.siblings.invoke_on(home, add).await
    }
}

impl Service for Words {
    async fn stop(&self) {
        // Here a part would write what it has to its file.
        self.counts.borrow_mut().clear();
    }
}

/// State with a part on each shard, each made, called, stopped and dropped on its own.
async fn state() -> Result<(), CallError> {
    let make = async |room, siblings| Words {
        counts: RefCell::new(HashMap::with_capacity(room)),
        siblings,
    };
    let words = Sharded::start(|shard| 16 + shard.index(), make).await.expect("room for words");
    for word in ["to", "be", "or", "not", "to", "be"] {
        words.local().add(word).await?;
    }
    let lengths = words.map(|part| part.counts.borrow().len()).await?;
    say(format_args!("state: so many words are on each shard: {lengths:?}"));
    let count = |part: &Words| part.counts.borrow().get("be").copied().unwrap_or(0);
    let count = words.run_on(2, count).await?;
    say(format_args!("state: shard 2 has counted the word \"be\" {count} times"));
    words.stop().await
}

/// A value that stays on its shard, though others hold it.
async fn foreign_values() -> Result<(), CallError> {
    let counter: Foreign<Cell<u32>> = submit_to(1, async || Foreign::new(Cell::new(40))).await?;
    let former = counter.invoke(async |counter| counter.replace(42)).await?;
    say(format_args!("foreign: a counter stays on {}; it was {former}", counter.owner()));
    counter.destroy().await
}

shard_local! {
    static ROLLS: RefCell<Vec<u64>> = RefCell::default();
}

/// Variables of each shard, and random numbers that are the same in each run with one seed.
async fn variables() -> Result<(), CallError> {
    let roll = async || {
        for _ in 0..3 {
            ROLLS.with(|rolls| rolls.borrow_mut().push(1 + random_below(6)));
        }
    };
    invoke_on_all(roll).await?;
    let rolls = invoke_on_all(async || ROLLS.with(RefCell::take)).await?;
    say(format_args!("variables: each shard keeps the dice that it rolled: {rolls:?}"));
    Ok(())
}

/// Values from many shards to one: who finds the channel full waits, whichever shard it is on.
async fn channels() -> Result<(), CallError> {
    let (sender, mut receiver) = mpsc::bounded(1);
    let receiving = spawn(async move {
        let mut sum = 0;
        while let Some(index) = receiver.recv().await {
            sum += index;
        }
        sum
    });
    invoke_on_others(async move || sender.send(ShardId::current().index()).await).await?;
    let sum = receiving.await.expect("it does not panic");
    say(format_args!("channels: the sum of what the other shards sent is {sum}"));
    Ok(())
}

static REQUESTS: ServiceGroup = ServiceGroup::new("requests", 1, 100);
static STORAGE: ServiceGroup =
    ServiceGroup::new("storage", 2, 10).queue_timeout(Duration::from_secs(1));

/// Bounds on the calls in flight; a request may call storage, and storage may not call a request.
async fn bounds() -> Result<(), CallError> {
    let request = async || STORAGE.submit_to(2, async || "a record").await;
    let record = REQUESTS.submit_to(1, request).await??;
    say(format_args!("bounds: a request on shard 1 got {record} from storage on shard 2"));
    // Room for both calls before either is made: what waits, waits here.
    let (near, far) = (REQUESTS.reserve(1).await?, REQUESTS.reserve(2).await?);
    let near = near.submit(async || ShardId::current().index());
    let far = far.submit(async || ShardId::current().index());
    say(format_args!("bounds: two calls went out together, to {} and {}", near.await?, far.await?));
    Ok(())
}

/// Shares of each shard's time, for groups of tasks: this one has a tenth beside the main group.
async fn shares() -> Result<(), Box<dyn Error>> {
    let sweeps = SchedulingGroup::create("sweeps", 100).await?;
    let sweep = async {
        for _ in 0..3 {
            yield_now().await; // Between two steps, others have their turn.
        }
        // What a task spawns or calls is in its group, too.
        submit_to(1, async || group_name()).await
    };
    let there = sweeps.with(|| spawn(sweep))?.await??;
    say(format_args!("shares: a sweep called shard 1, and what it called ran in {there}"));
    let former = switch_to(sweeps).await?;
    let name = group_name();
    switch_to(former).await?;
    say(format_args!("shares: this task was in {name} for a while, and is in {}", group_name()));
    sweeps.set_shares(50).await?;
    let (few, many) = (sweeps.stats()?, SchedulingGroup::MAIN.stats()?);
    say(format_args!("shares: {} to {} where both have work", few.shares, many.shares));
    Ok(sweeps.destroy().await?)
}

fn group_name() -> &'static str {
    SchedulingGroup::current().stats().map_or("none", |stats| stats.name)
}

fn explain(argument: &str) -> ! {
    if ["--help", "-h"].contains(&argument) {
        say(format_args!("{HELP}"));
        exit(0);
    }
    let _ = writeln!(io::stderr(), "sharded: {argument}: unknown option; see --help");
    exit(2)
}

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{text}");
}
