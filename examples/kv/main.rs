//! A Redis-protocol server.
mod batch;
mod command;
mod glob;
mod merge;
mod resp;
mod round;
mod session;
mod store;
#[cfg(test)]
mod testing;

use command::Facts;
use resp::{Parsed, Parser};
use round::{Context, Round};
use session::Session;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use store::Store;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let find = |name: &str| args.iter().position(|a| a == name).map(|i| args[i + 1].clone());
    let addr = find("--addr").unwrap_or("127.0.0.1:7379".into());
    let shards: usize = find("--shards").map_or(1, |n| n.parse().unwrap());
    let stores: Vec<Store> = (0..shards).map(|s| Store::new(s, shards)).collect();
    let stores = Arc::new(Mutex::new(stores));
    for (id, stream) in TcpListener::bind(&addr).unwrap().incoming().enumerate() {
        let stores = stores.clone();
        std::thread::spawn(move || serve(stream.unwrap(), stores, id, shards));
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn serve(mut stream: TcpStream, stores: Arc<Mutex<Vec<Store>>>, id: usize, shards: usize) {
    stream.set_nodelay(true).unwrap();
    let home = id % shards;
    let facts = || Facts { tcp_port: 7379, ..Facts::default() };
    let (mut parser, mut round) = (Parser::new(), Round::new(home, shards));
    let mut session = Session::new(id as u64 + 1);
    let (mut input, mut out) = (Vec::new(), Vec::new());
    let mut chunk = vec![0; 65536];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..count]);
        let mut from = 0;
        loop {
            let mut stores = stores.lock().unwrap();
            let mut more = false;
            while !session.closing {
                if round.is_full(&out) {
                    more = true;
                    break;
                }
                match parser.parse(&input[from..]) {
                    Ok(Parsed::Request { args, used }) => {
                        from += used;
                        let store = &mut stores[home];
                        let mut context = Context {
                            session: &mut session,
                            store,
                            now_ms: now_ms(),
                            facts: &facts,
                            out: &mut out,
                        };
                        round.request(&mut context, &args);
                    }
                    Ok(Parsed::Nothing { used }) => from += used,
                    Ok(Parsed::Incomplete) => break,
                    Err(error) => {
                        error.write(round.sink(&mut out));
                        session.closing = true;
                    }
                }
            }
            while round.is_waiting() {
                for shard in 0..shards {
                    if let Some(mut batch) = round.take_batch(shard) {
                        batch.run(&mut stores[shard], now_ms(), batch::REPLY_BYTES_MAX);
                        round.put_batch(shard, batch);
                    }
                }
                round.drain(&facts, &mut out);
                let _ = stream.write_all(&out);
                out.clear();
            }
            let _ = stream.write_all(&out);
            out.clear();
            if !more {
                break;
            }
        }
        input.drain(..from);
        if session.closing {
            return;
        }
    }
}
