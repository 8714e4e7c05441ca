//! Servers of HTTP/1 by hyper, the same on every runtime: one thread, a task for each connection,
//! TCP_NODELAY, no timeouts. Only how bytes come and go is each runtime's own: ours by the feature
//! `hyper`, and others by the adapters that their projects publish.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::service::TowerToHyperService;
use miniss_linux::Driver;
use serde_json::{Value, json};

/// What is answered to each request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A line of text, by hyper alone.
    Hello,
    /// An object of JSON, by axum.
    Json(Router),
}

/// The text of [`Answer::Hello`].
pub const HELLO: &str = "Hello, world!\n";

impl Answer {
    /// The one of this name, `hello` or `json`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "hello" => Some(Self::Hello),
            "json" => Some(Self::Json(Router::new().route("/", get(async || Json(object()))))),
            _ => None,
        }
    }
}

/// What [`Answer::Json`] sends.
pub fn object() -> Value {
    json!({ "message": "Hello, world!" })
}

/// The runtimes, as [`serve`] knows them.
pub const RUNTIMES: [&str; 5] = ["miniss", "miniss-epoll", "tokio", "monoio", "compio"];

/// Serves until the process ends; prints its address first.
///
/// # Errors
///
/// A sentence about why it cannot.
pub fn serve(runtime: &str, answer: Answer) -> Result<Infallible, String> {
    let served = match runtime {
        "miniss" => miniss(Driver::IoUring, answer),
        "miniss-epoll" => miniss(Driver::Epoll, answer),
        "tokio" => tokio(answer),
        "monoio" => monoio(answer),
        "compio" => compio(answer),
        other => return Err(format!("there is no runtime `{other}`")),
    };
    served.map_err(|error| format!("{runtime} cannot serve: {error}"))
}

/// Serves one client to its end.
async fn serve_one<S: Read + Write + Unpin>(stream: S, answer: Answer) {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None);
    // What fails is the client's affair.
    _ = match answer {
        Answer::Hello => http.serve_connection(stream, service_fn(hello)).await,
        Answer::Json(router) => {
            http.serve_connection(stream, TowerToHyperService::new(router)).await
        }
    };
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(HELLO.as_bytes()))))
}

const ANY_PORT: &str = "127.0.0.1:0";

fn ready(address: SocketAddr) {
    println!("{address}");
}

fn miniss(driver: Driver, answer: Answer) -> io::Result<Infallible> {
    use miniss_linux::net::{PollStream, TcpListener};
    use miniss_linux::{Runtime, spawn};

    let runtime = Runtime::builder().shards(1).driver(driver).build().map_err(io::Error::other)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(ANY_PORT).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            spawn(serve_one(PollStream::from(stream), answer.clone())).detach();
        }
    })
}

fn tokio(answer: Answer) -> io::Result<Infallible> {
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(ANY_PORT).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve_one(TokioIo::new(stream), answer.clone()));
        }
    })
}

/// It waits for readiness on its ring, and reads and writes by system calls: hyper's interface
/// lends buffers for one call.
fn monoio(answer: Answer) -> io::Result<Infallible> {
    use monoio::io::IntoPollIo;
    use monoio::net::TcpListener;
    use monoio_compat::hyper::MonoioIo;

    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(ANY_PORT)?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let stream = MonoioIo::new(stream.into_poll_io()?);
            monoio::spawn(serve_one(stream, answer.clone()));
        }
    })
}

fn compio(answer: Answer) -> io::Result<Infallible> {
    use compio::net::TcpListener;
    use cyper_core::HyperStream;

    compio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(ANY_PORT).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let task = serve_one(HyperStream::new_plain(stream), answer.clone());
            compio::runtime::spawn(task).detach();
        }
    })
}
