//! TCP echo on provided buffers: what a client sends comes back, without being copied.
//!
//! `cargo run --release --example echo -- --addr 127.0.0.1:7000 --shards 1`
//!
//! All of it is this file; all it needs is `miniss-linux`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use miniss_linux::net::{ListenOptions, TcpListener, TcpStream};
use miniss_linux::signal::GracefulShutdown;
use miniss_linux::{Builder, Driver, Runtime, spawn};

const HELP: &str = "\
echo: a TCP server that sends back what it receives

  --addr ADDRESS       where to listen, IP:PORT     [127.0.0.1:7000]
  --shards N           how many shards accept       [1]
  --driver DRIVER      auto, io-uring or epoll      [auto, or what MINISS_DRIVER says]
  --help               this text

It runs until SIGINT or SIGTERM. Try: nc 127.0.0.1 7000";

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let (result, failure) = match parse(arguments.map(|it| it.to_string_lossy().into_owned())) {
        Ok(Some((address, builder))) => (serve(&address, builder), 1),
        Ok(None) => {
            say(HELP);
            (Ok(()), 0)
        }
        Err(error) => (Err(format!("{error}; see --help").into()), 2),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::from(failure)
        }
    }
}

/// Where to listen, and on what. `None`: the help is asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<(String, Builder)>, String> {
    let mut address = String::from("127.0.0.1:7000");
    let mut builder = Runtime::builder().shards(1);
    while let Some(name) = arguments.next() {
        if ["--help", "-h"].contains(&&*name) {
            return Ok(None);
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        match &*name {
            "--addr" => address = value()?,
            "--shards" => builder = builder.shards(positive(&name, &value()?)?),
            "--driver" => builder = builder.driver(driver(&value()?)?),
            _ => return Err(format!("{name}: unknown option")),
        }
    }
    Ok(Some((address, builder)))
}

/// A number from 1 on.
fn positive(name: &str, value: &str) -> Result<usize, String> {
    match value.parse::<NonZeroUsize>() {
        Ok(number) => Ok(number.get()),
        Err(_) => Err(format!("{name} {value}: a whole number from 1 is wanted")),
    }
}

fn driver(value: &str) -> Result<Driver, String> {
    value.parse().map_err(|error| format!("--driver {value}: {error}"))
}

/// Serves until the process is told to stop, by a signal.
fn serve(address: &str, builder: Builder) -> Result<(), Box<dyn Error>> {
    let runtime = builder.build()?;
    if let Some(refusal) = runtime.driver().refusal() {
        complain(refusal);
    }
    let refused = |error: io::Error| format!("cannot listen on {address}: {error}");
    // Every shard listens on the same port number, which another program could share, too. So one
    // asks for it alone first; that also makes a free port of 0.
    let claim = async { TcpListener::bind(address).await?.local_addr() };
    let address = runtime.block_on(claim).map_err(refused)?;
    for outcome in runtime.run(move || start(address)) {
        outcome.map_err(refused)?;
    }
    let (shards, driver) = (runtime.shards(), runtime.driver().kind());
    let plural = if shards == 1 { "" } else { "s" };
    let (ip, port) = (address.ip(), address.port());
    runtime.block_on(async {
        // The first `SIGINT` or `SIGTERM` asks for the end; the second ends the process at once.
        let shutdown = GracefulShutdown::new().on_shard()?;
        say(&format!(
            "echo: listening on {address}, {shards} shard{plural}, {driver}\nTry: nc {ip} {port}"
        ));
        shutdown.requested().await;
        Ok(())
    })
}

/// One shard's part: listens, and from then on accepts.
async fn start(address: SocketAddr) -> io::Result<()> {
    let listener = ListenOptions::new().reuse_port(true).bind(address).await?;
    spawn(accept_all(listener)).detach();
    Ok(())
}

async fn accept_all(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => spawn(echo(stream)).detach(),
            // The listener itself has failed, and it will not recover.
            Err(error) => {
                complain(&error);
                std::process::exit(1)
            }
        }
    }
}

/// Serves one client to its end. An error ends this connection and nothing else.
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

/// Unlike `println!`, it does not panic when no one reads it.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// As [`say`], on standard error.
fn complain(error: &dyn Error) {
    let _ = writeln!(io::stderr(), "echo: {error}");
}
