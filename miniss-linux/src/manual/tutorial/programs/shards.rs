//! Two shards: work that is sent from one to the other, and a count on each.

use std::cell::Cell;
use std::error::Error;

use miniss_linux::sharded::Sharded;
use miniss_linux::time::{Duration, sleep};
use miniss_linux::{ShardId, submit_to};

#[miniss_linux::main(shards = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("main runs on {}", ShardId::current());

    // The closure goes to shard 1. What it returns comes back.
    let asked_by = ShardId::current();
    let reply = submit_to(1, async move || {
        sleep(Duration::from_millis(10)).await;
        format!("{} works for {asked_by}", ShardId::current())
    });
    println!("{}", reply.await?);

    // A count on each shard. No shard can touch that of the other, but each can ask.
    let counts = Sharded::start(|_| (), async |(), _| Cell::new(0)).await?;
    for visit in 0..5 {
        let shard = visit % 2;
        counts.run_on(shard, |count| count.set(count.get() + 1)).await?;
    }
    println!("visits to each shard: {:?}", counts.map(Cell::get).await?);
    counts.stop().await?;
    Ok(())
}
