//! TCP echo on provided buffers: what a client sends comes back, without being copied.
//!
//! `cargo run --release --example echo -- --addr 127.0.0.1:7000 --shards 1 --idle-spin-us 0`

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use examples::options::{Options, UsageError, refuse};
use examples::serve::{claim, listen};
use miniss_linux::net::TcpStream;
use miniss_linux::{Runtime, spawn};

const HELP: &str = "\
echo: a TCP server that sends back what it receives

  --addr ADDRESS       where to listen, IP:PORT     [127.0.0.1:7000]
  --shards N           how many shards accept       [1]
  --idle-spin-us N     spin so many microseconds before sleeping  [0]
  --help               this text

It runs until it is stopped.";

struct Settings {
    address: String,
    shards: usize,
    idle_spin: Duration,
}

fn settings() -> Result<Settings, UsageError> {
    let mut options = Options::from_command_line(HELP);
    let settings = Settings {
        address: options.value("addr", "127.0.0.1:7000".into())?,
        shards: options.value("shards", 1)?,
        idle_spin: Duration::from_micros(options.value("idle-spin-us", 0)?),
    };
    options.finish().map(|()| settings)
}

fn main() -> ExitCode {
    let settings = settings().unwrap_or_else(|error| refuse("echo", &error));
    match serve(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let runtime =
        Runtime::builder().shards(settings.shards).idle_spin(settings.idle_spin).build()?;
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
            Err(error) => eprintln!("echo: accepting failed: {error}"),
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
