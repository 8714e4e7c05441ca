//! An axum router with state, on all shards.
//!
//! `cargo run --release --example web -- --addr 127.0.0.1:8080 --shards 2`
//!
//! axum's handlers are `Send` and their state is `Sync`: it can be one for all shards, behind an
//! `Arc`. What is not `Send`, such as a stream or a call to another shard, a handler gives to a
//! task of the shard, and waits for what that sends.

#![forbid(unsafe_code)]

#[path = "../http/server.rs"]
mod server;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, RwLock};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::Parser;
use hyper::server::conn::http1;
use hyper_util::service::TowerToHyperService;
use miniss_linux::net::{PollStream, TcpStream};
use miniss_linux::sharded::map_reduce;
use miniss_linux::time::ShardTimers;
use miniss_linux::{ShardId, shard_local, spawn};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use server::{Settings, Shard};

const MORE: &str = "\
It runs until SIGINT or SIGTERM, and then ends when the requests in progress have ended.
Try: curl http://127.0.0.1:8080/                              which shard answers
     curl -X PUT --json '{\"milk\": 2}' http://127.0.0.1:8080/notes/shopping
     curl http://127.0.0.1:8080/notes/shopping                the note again
     curl http://127.0.0.1:8080/notes                         the names of all notes
     curl http://127.0.0.1:8080/requests                      how many each shard has seen";

#[derive(Parser)]
#[command(
    name = "web",
    about = "web: notes that all shards share, by an axum router",
    after_help = MORE
)]
struct Options {
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let (router, settings) = (router(), Options::parse().settings);
    server::run("web", "curl http://ADDRESS/", &settings, async move |stream, shard: &Shard| {
        // A connection that fails ends, and nothing else does.
        let _ = serve(stream, router.clone(), shard).await;
    })
}

/// Serves one client to its end.
async fn serve(stream: TcpStream, router: Router, shard: &Shard) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(ShardTimers::default()).header_read_timeout(shard.patience);
    let (stream, service) = (PollStream::from(stream), TowerToHyperService::new(router));
    let mut connection = pin!(http.serve_connection(stream, service));
    if let Some(ended) = shard.shutdown.until_requested(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// The notes, for all shards. No one holds the lock while waiting.
type Notes = Arc<RwLock<BTreeMap<String, Value>>>;

fn router() -> Router {
    let note = get(read_note).put(write_note).delete(delete_note);
    let router = Router::new().route("/", get(greet)).route("/requests", get(requests));
    router.route("/notes", get(names)).route("/notes/{name}", note).with_state(Notes::default())
}

shard_local! {
    /// How many greetings this shard has given. There is no lock: each shard has its own.
    static GREETINGS: Cell<u64> = Cell::new(0);
}

async fn greet() -> String {
    GREETINGS.with(|greetings| greetings.set(greetings.get() + 1));
    format!("Hello from {}\n", ShardId::current())
}

/// A call to other shards stays on this one, so a task of its own waits for it.
async fn requests() -> Result<Json<Value>, StatusCode> {
    let (sender, receiver) = oneshot::channel();
    spawn(async move {
        let count = || GREETINGS.with(Cell::get);
        let counts = map_reduce(ShardId::all(), count, Vec::new(), |mut counts, count| {
            counts.push(count);
            counts
        });
        // The client may be gone.
        let _ = sender.send(counts.await);
    })
    .detach();
    let counts = receiver.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let counts = counts.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "greetings": counts })))
}

async fn names(State(notes): State<Notes>) -> Json<Value> {
    Json(notes.read().expect("no one panics under the lock").keys().cloned().collect())
}

async fn read_note(
    State(notes): State<Notes>,
    Path(name): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let notes = notes.read().expect("no one panics under the lock");
    notes.get(&name).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn write_note(
    State(notes): State<Notes>,
    Path(name): Path<String>,
    Json(note): Json<Value>,
) -> StatusCode {
    let mut notes = notes.write().expect("no one panics under the lock");
    match notes.insert(name, note) {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    }
}

async fn delete_note(State(notes): State<Notes>, Path(name): Path<String>) -> StatusCode {
    let mut notes = notes.write().expect("no one panics under the lock");
    match notes.remove(&name) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}
