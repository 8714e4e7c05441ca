//! hyper on our streams, timers and tasks: HTTP/1 and HTTP/2, servers and clients; and the examples
//! that speak HTTP, with real clients.

#![forbid(unsafe_code)]

mod chat;
mod ends;
mod exchange;
mod https;
mod programs;
mod proxy;
mod runtime;
mod streams;

use std::error::Error;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn as client;
use hyper::server::conn as server;
use hyper::service::Service;
use hyper::{Request, Response};
use miniss_linux::net::{PollStream, StreamKind};
use miniss_linux::{CurrentShard, JoinHandle, Runtime, spawn};
use miniss_tests::drivers::drivers;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];

/// Runs the body on each driver, with one shard.
fn on_each_driver(body: impl AsyncFn()) {
    for driver in drivers() {
        let runtime = Runtime::builder().shards(1).driver(driver).build().expect("a runtime");
        runtime.block_on(body());
    }
}

/// Serves a connection to its end, as a task.
fn serve<K, S, B>(
    version: Version,
    stream: impl Into<PollStream<K>>,
    service: S,
) -> JoinHandle<hyper::Result<()>>
where
    K: StreamKind,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<Failure>> + 'static,
    S::Future: 'static,
    B: Body<Data: 'static, Error: Into<Failure>> + 'static,
{
    let stream = stream.into();
    spawn(async move {
        match version {
            Version::Http1 => {
                server::http1::Builder::new()
                    .half_close(true)
                    .serve_connection(stream, service)
                    .await
            }
            Version::Http2 => {
                server::http2::Builder::new(CurrentShard).serve_connection(stream, service).await
            }
        }
    })
}

/// The client's side of a connection.
enum Client<B> {
    Http1(client::http1::SendRequest<B>),
    Http2(client::http2::SendRequest<B>),
}

impl<B> Client<B>
where
    B: Body<Data: Send + 'static, Error: Into<Failure>> + Unpin + 'static,
{
    async fn new<K: StreamKind>(version: Version, stream: impl Into<PollStream<K>>) -> Self {
        let stream = stream.into();
        match version {
            Version::Http1 => {
                let (requests, connection) = client::http1::handshake(stream).await.unwrap();
                spawn(connection).detach();
                Self::Http1(requests)
            }
            Version::Http2 => {
                let shake = client::http2::handshake(CurrentShard, stream);
                let (requests, connection) = shake.await.unwrap();
                spawn(connection).detach();
                Self::Http2(requests)
            }
        }
    }

    async fn send(&mut self, request: Request<B>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(requests) => {
                requests.ready().await?;
                requests.send_request(request).await
            }
            Self::Http2(requests) => {
                requests.ready().await?;
                requests.send_request(request).await
            }
        }
    }
}

/// All of a body.
async fn all(body: Incoming) -> hyper::Result<Bytes> {
    Ok(body.collect().await?.to_bytes())
}
