//! Starts the shards; each accepts for ever.
//!
//! `[accept] ─▶ socket ─▶ parser ─▶ route ─▶ batch ─▶ store ─▶ reply ─▶ socket`
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::SocketAddr;

use miniss_linux::spawn;

use crate::connection::Connection;
use crate::listen::{claim, listen};
use crate::settings::Settings;
use crate::shard::{self, Counters};

/// Serves until the process is stopped.
pub fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime = settings.runtime()?;
    let address = runtime.block_on(claim(&settings.address))?;
    shard::set_up(runtime.shards(), address.port(), settings.limits);
    runtime.run(move || accept_all(address));
    Ok(())
}

/// One shard's part.
async fn accept_all(address: SocketAddr) {
    let listener = listen(address).await;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => spawn(async move {
                Counters::here().opened();
                // Whatever went wrong was the end of this connection and of nothing else.
                let _ = Connection::new(stream).serve().await;
                Counters::here().closed();
            })
            .detach(),
            Err(error) => log::error!("accepting failed: {error}"),
        }
    }
}
