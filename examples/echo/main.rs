//! TCP echo on provided buffers: what a client sends comes back, without being copied.
//!
//! `cargo run --release --example echo -- --addr 127.0.0.1:7000 --shards 1 --idle-spin-us 0`

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use examples::serve::{claim, listen};
use examples::settings::{Settings, exit_code};
use miniss_linux::net::TcpStream;
use miniss_linux::spawn;

const HELP: &str = "\
echo: a TCP server that sends back what it receives

  --addr ADDRESS       where to listen, IP:PORT     [127.0.0.1:7000]
  --shards N           how many shards accept       [1]
  --idle-spin-us N     spin so many microseconds before sleeping  [0]
  --help               this text

It runs until it is stopped.";

fn main() -> ExitCode {
    let settings = Settings::from_command_line("echo", HELP, "127.0.0.1:7000", 1);
    exit_code("echo", serve(&settings))
}

fn serve(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let runtime = settings.runtime("echo")?;
    let address = runtime.block_on(claim(&settings.address))?;
    runtime.run(move || accept_all(address));
    Ok(())
}

/// One shard's part: accepts for ever.
async fn accept_all(address: SocketAddr) {
    let listener = listen("echo", address).await;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => spawn(echo(stream)).detach(),
            Err(error) => log::error!("accepting failed: {error}"),
        }
    }
}

/// Serves one client to its end. Whatever goes wrong is the end of this connection and of nothing
/// else.
async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
    }
}
