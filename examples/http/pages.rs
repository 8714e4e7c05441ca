//! What `http` and `https` serve, and what they tell hyper.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use miniss_linux::time::{ShardTimers, sleep};
use miniss_linux::{CurrentShard, ShardId, shard_local};

use crate::server::Shard;

/// Serves one client by HTTP/1, until it has no more requests or the server is to stop.
pub async fn serve_http1(stream: impl Read + Write + Unpin, shard: &Shard) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(ShardTimers::default()).header_read_timeout(shard.patience);
    let mut connection = pin!(http.serve_connection(stream, service_fn(answer)));
    if let Some(ended) = shard.shutdown.until_requested(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// As [`serve_http1`], by HTTP/2.
pub async fn serve_http2(stream: impl Read + Write + Unpin, shard: &Shard) -> hyper::Result<()> {
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
