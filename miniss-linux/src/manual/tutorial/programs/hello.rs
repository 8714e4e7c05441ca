//! Says hello while a task counts.

use miniss_linux::time::{Duration, sleep};
use miniss_linux::{ShardId, spawn};

#[miniss_linux::main(shards = 1)]
async fn main() {
    let counting = spawn(async {
        for number in 1..=3 {
            println!("the task counts: {number}");
            sleep(Duration::from_millis(300)).await;
        }
        "three"
    });
    println!("hello from {}", ShardId::current());
    let last = counting.await.expect("it does not panic");
    println!("the task has come to {last}");
}
