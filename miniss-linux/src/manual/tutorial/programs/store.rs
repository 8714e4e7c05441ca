//! A key-value store, whose keys are spread over the shards.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::error::Error;

use miniss_linux::net::{Placement, TcpListener, TcpStream};
use miniss_linux::sharded::{Sharded, ShardedRef};
use miniss_linux::signal::GracefulShutdown;
use miniss_linux::{CallError, ShardId};

/// The keys and values of one shard.
type Part = RefCell<HashMap<String, String>>;

#[miniss_linux::main(shards = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let shutdown = GracefulShutdown::new().on_shard()?;
    let parts = Sharded::start(|_| (), async |(), _| Part::default()).await?;
    let store = *parts;
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let serving = listener.serve_on_shards(Placement::InTurn, async move |stream, _| {
        if let Err(error) = serve(stream, store).await {
            println!("a client is gone: {error}");
        }
    });
    if let Some(error) = shutdown.until_requested(serving).await {
        return Err(error.into()); // no more clients can be accepted
    }
    println!("keys on each shard: {:?}", parts.map(|part| part.borrow().len()).await?);
    parts.stop().await?;
    Ok(())
}

async fn serve(stream: TcpStream, store: ShardedRef<Part>) -> Result<(), Box<dyn Error>> {
    let mut unread = Vec::new();
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        unread.extend_from_slice(&received);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let reply = answer(str::from_utf8(&line)?, store).await?;
            stream.write_all(reply + "\n").await.0?;
        }
    }
}

async fn answer(line: &str, store: ShardedRef<Part>) -> Result<String, CallError> {
    let mut words = line.split_whitespace().map(String::from);
    let (verb, key, value) = (words.next(), words.next().unwrap_or_default(), words.next());
    // The shard where the key is.
    let home = key.bytes().map(usize::from).sum::<usize>() % ShardId::all().len();
    match (verb.as_deref(), value) {
        (Some("get"), None) => {
            let find = move |part: &Part| part.borrow().get(&key).cloned();
            Ok(store.run_on(home, find).await?.unwrap_or("nothing".into()))
        }
        (Some("set"), Some(value)) => {
            store.run_on(home, move |part| part.borrow_mut().insert(key, value)).await?;
            Ok("done".into())
        }
        _ => Ok("get KEY, or set KEY VALUE".into()),
    }
}
