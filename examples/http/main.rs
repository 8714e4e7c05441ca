//! HTTP/1 and HTTP/2 with hyper, on one port: keep-alive, timeouts, and a stop in order.
//!
//! `cargo run --release --example http -- --addr 127.0.0.1:8080 --shards 2`
//!
//! `server.rs` is how a shard accepts and stops; this file is what hyper is told.

#![forbid(unsafe_code)]

mod server;

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_io::AsyncBufRead;
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use miniss_linux::net::{PollStream, Tcp, TcpStream};
use miniss_linux::time::{ShardTimers, sleep, timeout};
use miniss_linux::{CurrentShard, ShardId, shard_local};

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
    server::run("http", &Options::parse().settings, async |stream, shard: &Shard| {
        drop(serve(stream, shard).await)
    })
}

type Failure = Box<dyn Error + Send + Sync>;

/// Serves one client, in the version that it speaks.
async fn serve(stream: TcpStream, shard: &Shard) -> Result<(), Failure> {
    let mut stream = PollStream::from(stream);
    let begun = shard.shutdown.until_requested(starts_http2(&mut stream));
    // `None`: the server stops, and no request has come.
    match timeout(shard.patience, begun).await?.transpose()? {
        Some(true) => serve_http2(stream, shard).await?,
        Some(false) => serve_http1(stream, shard).await?,
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

async fn serve_http1(stream: PollStream<Tcp>, shard: &Shard) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(ShardTimers::default()).header_read_timeout(shard.patience);
    let mut connection = pin!(http.serve_connection(stream, service_fn(answer)));
    if let Some(ended) = shard.shutdown.until_requested(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

async fn serve_http2(stream: PollStream<Tcp>, shard: &Shard) -> hyper::Result<()> {
    let mut http = http2::Builder::new(CurrentShard);
    // A client may be silent, but it has to answer pings.
    http.timer(ShardTimers::default()).keep_alive_interval(shard.patience);
    http.keep_alive_timeout(shard.patience);
    let mut connection = pin!(http.serve_connection(stream, service_fn(answer)));
    if let Some(ended) = shard.shutdown.until_requested(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

shard_local! {
    /// How many requests this shard has seen. There is no lock: each shard has its own.
    static SEEN: Cell<u64> = Cell::new(0);
}

type Answer = Response<Either<Full<Bytes>, Incoming>>;

async fn answer(request: Request<Incoming>) -> hyper::Result<Answer> {
    let number = SEEN.with(|seen| seen.replace(seen.get() + 1) + 1);
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Ok(text(
            StatusCode::OK,
            format!("Hello from {}, request {number}\n", ShardId::current()),
        )),
        // The body goes back piece by piece, while the client still sends.
        (&Method::POST, "/echo") => Ok(Response::new(Either::Right(request.into_body()))),
        (&Method::GET, path) => match path.strip_prefix("/sleep/").map(str::parse) {
            Some(Ok(ms)) => {
                sleep(Duration::from_millis(ms)).await;
                Ok(text(StatusCode::OK, format!("Slept for {ms} ms\n")))
            }
            _ => Ok(text(StatusCode::NOT_FOUND, "There is /, /echo and /sleep/MS\n".into())),
        },
        _ => Ok(text(StatusCode::METHOD_NOT_ALLOWED, "GET, or POST to /echo\n".into())),
    }
}

fn text(status: StatusCode, text: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *answer.status_mut() = status;
    answer
}
