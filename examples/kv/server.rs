//! Starts the shards; each accepts until it is told to stop.
//!
//! `[accept] ─▶ socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::signal::{GracefulShutdown, ShardShutdown};
use miniss_linux::{Driver, ShardId, spawn};

use crate::connection::Connection;
use crate::limits::Limits;
use crate::listen::{claim, listen};
use crate::say::complain;
use crate::settings::Settings;
use crate::shard::Shard;
use crate::stop::{self, Client};

/// Serves until the process is told to stop, by a signal.
pub fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime = settings.runtime()?;
    let address = runtime.block_on(claim(&settings.address))?;
    let (shutdown, driver) = (GracefulShutdown::new(), runtime.driver().kind());
    let server = Server::new(runtime.shards(), driver, address.port(), settings.limits);
    let service = runtime.block_on(Shard::start(Arc::new(server)))?;
    let shards = *service;
    let ended = runtime.try_run(move || serve(shards.local(), address, shutdown))?;
    runtime.block_on(service.stop())?;
    Ok(ended.into_iter().collect::<Result<(), _>>()?)
}

/// One shard's part.
async fn serve(
    shard: Rc<Shard>,
    address: SocketAddr,
    shutdown: GracefulShutdown,
) -> Result<(), String> {
    let shutdown = shutdown.on_shard().unwrap_or_else(|error| {
        let remedy = "raise RLIMIT_NOFILE (ulimit -n)";
        complain(format_args!("kv: cannot wait for signals: {error}; {remedy}"));
        // The other shards would serve on, and tell no one.
        exit(1)
    });
    let listener = listen(address, shard.server.driver).await;
    let accepting = accept_all(listener, &shard, &shutdown);
    match stop::until_asked(&shutdown, &shard.clients, accepting).await {
        None => Ok(()),
        Some(error) => Err(format!("{} accepts no more: {error}", ShardId::current())),
    }
}

/// Accepts until the listener itself has failed, which does not pass.
async fn accept_all(
    listener: TcpListener,
    shard: &Rc<Shard>,
    shutdown: &ShardShutdown,
) -> io::Error {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => start(Rc::new(stream), shard.clone(), shutdown),
            Err(error) => return error,
        }
    }
}

fn start(stream: Rc<TcpStream>, shard: Rc<Shard>, shutdown: &ShardShutdown) {
    let number = shard.server.next_connection();
    let client = Client::new(number, &stream, &shard, shutdown);
    let serve = async move {
        shard.traffic.opened();
        // Whatever went wrong was the end of this connection and of nothing else.
        let _ = Connection::new(number, stream, shard.clone()).serve().await;
        shard.traffic.closed();
        drop(client);
    };
    spawn(serve).detach();
}

/// What all shards have in common.
#[derive(Debug)]
pub struct Server {
    /// How many shards there are.
    pub shards: usize,
    /// What they run on.
    pub driver: Driver,
    /// The port that they listen on.
    pub port: u16,
    /// The limits for connections.
    pub limits: Limits,
    /// When it was started.
    pub start: Instant,
    connections: AtomicU64,
}

impl Server {
    /// A server to which no one has connected yet.
    pub fn new(shards: usize, driver: Driver, port: u16, limits: Limits) -> Self {
        let (start, connections) = (Instant::now(), AtomicU64::new(0));
        Self { shards, driver, port, limits, start, connections }
    }

    /// A number that no other connection has.
    fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed) + 1
    }
}
