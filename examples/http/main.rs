//! HTTP/1 and HTTP/2 with hyper, on one port: keep-alive, timeouts, and a stop in order.
//!
//! `cargo run --release --example http -- --addr 127.0.0.1:8080 --shards 2`
//!
//! `server.rs` is how a shard accepts and stops, and `pages.rs` what hyper is told. This file finds
//! out which version a client speaks.

#![forbid(unsafe_code)]

mod pages;
mod server;

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;
use futures_io::AsyncBufRead;
use miniss_linux::net::{PollStream, Tcp, TcpStream};
use miniss_linux::time::timeout;

use server::{Settings, Shard};

const MORE: &str = "\
It runs until SIGINT or SIGTERM, and then ends when the requests in progress have ended.
Try: curl http://127.0.0.1:8080/                              a greeting
     curl --http2-prior-knowledge http://127.0.0.1:8080/      the same by HTTP/2
     curl --data 'some text' http://127.0.0.1:8080/echo       what was sent
     curl http://127.0.0.1:8080/sleep/500                     an answer after 500 ms";

#[derive(Parser)]
#[command(
    name = "http",
    about = "http: a server of HTTP/1 and HTTP/2 (by prior knowledge), with hyper",
    after_help = MORE
)]
struct Options {
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    // A connection that fails ends, and nothing else does.
    let settings = Options::parse().settings;
    server::run("http", "curl http://ADDRESS/", &settings, async |stream, shard: &Shard| {
        drop(serve(stream, shard).await);
    })
}

type Failure = Box<dyn Error + Send + Sync>;

/// Serves one client, in the version that it speaks.
async fn serve(stream: TcpStream, shard: &Shard) -> Result<(), Failure> {
    let mut stream = PollStream::from(stream);
    let begun = shard.shutdown.until_requested(starts_http2(&mut stream));
    // `None`: the server stops, and no request has come.
    match timeout(shard.patience, begun).await?.transpose()? {
        Some(true) => pages::serve_http2(stream, shard).await?,
        Some(false) => pages::serve_http1(stream, shard).await?,
        None => {}
    }
    Ok(())
}

/// Whether the first bytes are those of HTTP/2. They stay in the stream.
async fn starts_http2(stream: &mut PollStream<Tcp>) -> io::Result<bool> {
    poll_fn(|cx| {
        let bytes = Pin::new(&mut *stream).poll_fill_buf(cx);
        bytes.map_ok(|bytes| bytes.starts_with(b"PRI"))
    })
    .await
}
