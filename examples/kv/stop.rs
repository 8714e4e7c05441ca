//! The end of the server, in order: how each shard comes to it.
//!
//! `signal ─▶ [stop] ─▶ accept, socket ─▶ main`
//!
//! At the first `SIGTERM` or `SIGINT`, every shard stops accepting and closes the reading direction
//! of its connections: what clients have sent by then is answered, then they are closed. Clients
//! that have not taken their answers by the end of a grace are not waited for. The second signal
//! ends the process at once.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use miniss_linux::net::TcpStream;
use miniss_linux::signal::ShardShutdown;
use miniss_linux::sync::OwnedGatePass;

use crate::shard::Shard;

/// How long clients may take to fetch their answers.
const GRACE: Duration = Duration::from_secs(5);

/// The connections of a shard, by their numbers.
#[derive(Debug, Default)]
pub struct Clients {
    streams: RefCell<HashMap<u64, Rc<TcpStream>>>,
}

/// Runs `accepting` until this shard is asked to stop, then its `clients` to their end. `Some`:
/// accepting came to an end of its own. However it is left, also by a panic, all shards are asked:
/// a server that accepts on some is half dead.
pub async fn until_asked<T>(
    shutdown: &ShardShutdown,
    clients: &Clients,
    accepting: impl Future<Output = T>,
) -> Option<T> {
    let ended = shutdown.until_requested(accepting).await;
    let streams: Vec<_> = clients.streams.borrow().values().cloned().collect();
    for stream in streams {
        // A client that is gone already needs no end.
        let _ = stream.shutdown(Shutdown::Read).await;
    }
    let _ = shutdown.drain(GRACE).await;
    ended
}

/// A client that is being served: the shard does not end before this is dropped, if it is dropped
/// in time.
pub struct Client {
    number: u64,
    shard: Rc<Shard>,
    _pass: Option<OwnedGatePass>,
}

impl Client {
    /// The client number `number` of `shard`, whose connection is `stream`.
    pub fn new(
        number: u64,
        stream: &Rc<TcpStream>,
        shard: &Rc<Shard>,
        shutdown: &ShardShutdown,
    ) -> Self {
        shard.clients.streams.borrow_mut().insert(number, stream.clone());
        Self { number, shard: shard.clone(), _pass: shutdown.enter().ok() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let stream = self.shard.clients.streams.borrow_mut().remove(&self.number);
        // Its end may run code of others.
        drop(stream);
    }
}
