//! Chat rooms by WebSocket, on all shards.
//!
//! `cargo run --release --example chat -- --addr 127.0.0.1:8080 --shards 2`
//!
//! Each room has a home: the shard that its name hashes to. There the room has its members, each
//! with a bounded channel to the task that serves it, on whichever shard that is. What is said goes
//! home by a call, so all members hear it in the same order.

#![forbid(unsafe_code)]

#[path = "../http/server.rs"]
mod server;

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::mem;
use std::process::ExitCode;

use async_tungstenite::tungstenite::error::CapacityError;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use async_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};
use async_tungstenite::{WebSocketStream, accept_hdr_async_with_config};
use clap::Parser;
use futures::StreamExt;
use futures::io::{AsyncWriteExt, copy, sink};
use miniss_linux::net::{PollStream, Tcp, TcpStream};
use miniss_linux::sharded::mpsc;
use miniss_linux::time::{interval, timeout};
use miniss_linux::{CallError, ShardId, run_on, shard_local};
use tokio::select;

use server::{Settings, Shard};

const MORE: &str = "\
A client connects to ws://ADDRESS/ROOM/NAME, and hears all that is said in the room, with the names.
It is put out if it sends a message of more than 16 KiB, if it does not keep up with what the others
say, or if it does not answer pings, of which there is one every --patience-ms.
Try: pip install websockets
     python3 -m websockets ws://127.0.0.1:8080/lobby/ann";

#[derive(Parser)]
#[command(name = "chat", about = "chat: rooms by WebSocket, on all shards", after_help = MORE)]
struct Options {
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let client = "python3 -m websockets ws://ADDRESS/lobby/ann";
    server::run("chat", client, &Options::parse().settings, async |stream, shard: &Shard| {
        // A connection that fails ends, and nothing else does.
        drop(serve(stream, shard).await);
    })
}

const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Of a room and a name.
const PATH_BYTES_MAX: usize = 128;

/// How many messages may wait for a member: at most 2 MiB for each.
const INBOX_MESSAGES_MAX: usize = 128;

shard_local! {
    /// The rooms whose home is this shard, and the ways to their members.
    static ROOMS: RefCell<HashMap<String, Vec<mpsc::Sender<Utf8Bytes>>>> = RefCell::default();
}

/// One who takes part: where, and under which name.
#[derive(Clone, Default)]
struct Member {
    room: String,
    name: String,
}

impl Member {
    fn home(&self) -> usize {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&self.room);
        (hash % ShardId::all().len() as u64) as usize
    }

    /// Enters the room, and is told by `inbox` what is said there.
    async fn enter(&self, inbox: mpsc::Sender<Utf8Bytes>) -> Result<(), CallError> {
        let room = self.room.clone();
        let enter = move |rooms: &RefCell<HashMap<_, Vec<_>>>| {
            rooms.borrow_mut().entry(room).or_default().push(inbox);
        };
        run_on(self.home(), move || ROOMS.with(enter)).await
    }

    /// Tells all in the room, and itself. Who has no more place for what is said, or has gone, is
    /// no member any more.
    async fn tell(&self, said: String) -> Result<(), CallError> {
        let (room, said) = (self.room.clone(), Utf8Bytes::from(said));
        let tell = move |rooms: &RefCell<HashMap<String, Vec<mpsc::Sender<_>>>>| {
            let mut rooms = rooms.borrow_mut();
            let Some(members) = rooms.get_mut(&room) else { return };
            members.retain(|inbox| inbox.try_send(said.clone()).is_ok());
            if members.is_empty() {
                rooms.remove(&room);
            }
        };
        run_on(self.home(), move || ROOMS.with(tell)).await
    }
}

type Failure = Box<dyn Error + Send + Sync>;
type Socket = WebSocketStream<PollStream<Tcp>>;

/// Serves one client to its end.
async fn serve(stream: TcpStream, shard: &Shard) -> Result<(), Failure> {
    let accept = shard.shutdown.until_requested(timeout(shard.patience, accept(stream)));
    let Some(accepted) = accept.await else { return Ok(()) };
    let (mut socket, member) = accepted??;
    let (sender, mut inbox) = mpsc::bounded(INBOX_MESSAGES_MAX);
    member.enter(sender).await?;
    member.tell(format!("{} has come", member.name)).await?;
    let ended = talk(&mut socket, &member, &mut inbox, shard).await;
    // The room finds out that it is gone when it tells the others.
    drop(inbox);
    member.tell(format!("{} has gone", member.name)).await?;
    Ok(timeout(shard.patience, close(socket, ended?)).await?)
}

/// Shakes hands with a client that asks for /ROOM/NAME.
#[allow(clippy::result_large_err, reason = "tungstenite wants its refusals whole")]
async fn accept(stream: TcpStream) -> Result<(Socket, Member), SocketError> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let mut member = Member::default();
    let enter = |request: &Request, response: Response| {
        let path = request.uri().path().trim_start_matches('/');
        let parts = path.split_once('/').filter(|_| path.len() <= PATH_BYTES_MAX);
        let Some((room, name)) = parts else {
            let mut refusal = ErrorResponse::new(Some("There is /ROOM/NAME\n".into()));
            *refusal.status_mut() = hyper::StatusCode::NOT_FOUND;
            return Err(refusal);
        };
        member = Member { room: room.into(), name: name.into() };
        Ok(response)
    };
    let stream = PollStream::from(stream);
    let socket = accept_hdr_async_with_config(stream, enter, Some(config)).await?;
    Ok((socket, member))
}

/// Passes on what the client says, and to the client what the room says, until one of them or the
/// server has enough. Returns why.
async fn talk(
    socket: &mut Socket,
    member: &Member,
    inbox: &mut mpsc::Receiver<Utf8Bytes>,
    shard: &Shard,
) -> Result<(CloseCode, &'static str), Failure> {
    let mut ticks = interval(shard.patience);
    let mut is_heard = true;
    loop {
        let message = select! {
            said = inbox.recv() => match said {
                Some(said) => Message::Text(said),
                None => return Ok((CloseCode::Policy, "too slow")),
            },
            heard = socket.next() => {
                is_heard = true;
                match heard.unwrap_or(Err(SocketError::ConnectionClosed)) {
                    Ok(Message::Text(text)) => {
                        member.tell(format!("{}: {text}", member.name)).await?;
                        continue;
                    }
                    Ok(Message::Binary(_)) => return Ok((CloseCode::Unsupported, "text only")),
                    Ok(Message::Close(_)) => return Ok((CloseCode::Normal, "")),
                    // Pings are answered by the next read or write.
                    Ok(_) => continue,
                    Err(SocketError::Capacity(CapacityError::MessageTooLong { .. })) => {
                        return Ok((CloseCode::Size, "16 KiB at most"));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            _ = ticks.tick() => match mem::take(&mut is_heard) {
                true => Message::Ping("".into()),
                false => return Ok((CloseCode::Policy, "no answer to a ping")),
            },
            () = shard.shutdown.requested() => return Ok((CloseCode::Away, "the server stops")),
        };
        // Who reads nothing is put out, too.
        timeout(shard.patience, socket.send(message)).await??;
    }
}

/// Says why it ends, and waits until the client has said the same and has gone. What it had sent
/// by then is read: else the kernel would reset the connection, and our words with it.
async fn close(mut socket: Socket, (code, reason): (CloseCode, &'static str)) {
    // It fails if the client was first, and has its answer.
    let _ = socket.close(Some(CloseFrame { code, reason: reason.into() })).await;
    while let Some(Ok(_)) = socket.next().await {}
    let mut stream = socket.into_inner();
    let _ = stream.close().await;
    let _ = copy(stream, &mut sink()).await;
}
