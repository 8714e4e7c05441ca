//! Starts the shards; each accepts until it is told to stop.
//!
//! `[accept] ─▶ socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::exit;
use std::rc::Rc;

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::signal::{GracefulShutdown, ShardShutdown};
use miniss_linux::{Driver, ShardId, spawn};

use crate::connection::Connection;
use crate::listen::{claim, listen};
use crate::say::complain;
use crate::settings::Settings;
use crate::shard::{self, Counters, next_connection};
use crate::stop::{self, Client};

/// Serves until the process is told to stop, by a signal.
pub fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime = settings.runtime()?;
    let address = runtime.block_on(claim(&settings.address))?;
    let (shutdown, driver) = (GracefulShutdown::new(), runtime.driver().kind());
    shard::set_up(runtime.shards(), driver, address.port(), settings.limits);
    let ended = runtime.try_run(move || serve(address, driver, shutdown))?;
    Ok(ended.into_iter().collect::<Result<(), _>>()?)
}

/// One shard's part.
async fn serve(
    address: SocketAddr,
    driver: Driver,
    shutdown: GracefulShutdown,
) -> Result<(), String> {
    let shutdown = shutdown.on_shard().unwrap_or_else(|error| {
        let remedy = "raise RLIMIT_NOFILE (ulimit -n)";
        complain(format_args!("kv: cannot wait for signals: {error}; {remedy}"));
        // The other shards would serve on, and tell no one.
        exit(1)
    });
    let listener = listen(address, driver).await;
    match stop::until_asked(&shutdown, accept_all(listener, &shutdown)).await {
        None => Ok(()),
        Some(error) => Err(format!("{} accepts no more: {error}", ShardId::current())),
    }
}

/// Accepts until the listener itself has failed, which does not pass.
async fn accept_all(listener: TcpListener, shutdown: &ShardShutdown) -> io::Error {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => start(Rc::new(stream), shutdown),
            Err(error) => return error,
        }
    }
}

fn start(stream: Rc<TcpStream>, shutdown: &ShardShutdown) {
    let number = next_connection();
    let client = Client::new(number, &stream, shutdown);
    let serve = async move {
        Counters::here().opened();
        // Whatever went wrong was the end of this connection and of nothing else.
        let _ = Connection::new(number, stream).serve().await;
        Counters::here().closed();
        drop(client);
    };
    spawn(serve).detach();
}
