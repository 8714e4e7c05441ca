//! An echo server that does not wait forever, and ends in order.

use std::{env, io};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::signal::GracefulShutdown;
use miniss_linux::spawn;
use miniss_linux::time::{Duration, timeout};

const PATIENCE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(5);

#[miniss_linux::main(shards = 1)]
async fn main() -> io::Result<()> {
    let shutdown = GracefulShutdown::new().on_shard()?;
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    while let Some(accepted) = shutdown.until_requested(listener.accept()).await {
        let (stream, _) = accepted?;
        let pass = shutdown.enter();
        spawn(async {
            if let Err(error) = serve(stream).await {
                println!("a client is gone: {error}");
            }
            drop(pass);
        })
        .detach();
    }
    drop(listener);
    println!("no new clients; the others have {GRACE:?}");
    match shutdown.drain(GRACE).await {
        Ok(()) => println!("all are served"),
        Err(_) => println!("some are cut off"),
    }
    Ok(())
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    loop {
        let Ok(received) = timeout(PATIENCE, stream.recv()).await else {
            return stream.write_all("too slow\n").await.0;
        };
        let received = received?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
    }
}
