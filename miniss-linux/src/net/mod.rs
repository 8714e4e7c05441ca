//! Sockets that carry streams of bytes, TCP and Unix, and sockets that carry messages: UDP and
//! Unix.
//!
//! Take one, read and write it from two tasks at once, and drop either future when you like:
//! nothing is lost, and the kernel never writes to memory that is gone.
//!
//! `stream.read() ─▶ [net] ─▶ op ─▶ driver ─▶ kernel`
//!
//! - `kind`: what tells the kinds of streams apart.
//! - `stream`: a connection of any kind: connect, close. It reads, writes and splits by the files
//!   that follow.
//! - `read`: how it reads, in three ways that keep the order of the bytes.
//! - `write`: how it writes, one write after the other.
//! - `split`: its two halves, [`OwnedReadHalf`] and [`OwnedWriteHalf`].
//! - `copy`: from one stream into another, or both ways at once.
//! - `poll_stream`: `PollStream`, for what is written for `futures` or tokio.
//! - `listener`: accepts connections.
//! - `placement`: accepted on one shard and served on another, as a [`Placement`] says.
//! - `detached`: a [`DetachedStream`], on its way from one shard to another.
//! - `options`: [`ConnectOptions`] and [`ListenOptions`].
//! - `address`: names become addresses, off the shard.
//! - `tcp`: [`TcpStream`], [`TcpListener`] and what can be set on a connection.
//! - `datagram`: a socket of messages of any kind: how it receives and sends.
//! - `batch`: many of them with one call.
//! - `udp`: [`UdpSocket`], [`BindOptions`] and what can be set on it.
//! - `unix_datagram`: [`UnixDatagram`], and descriptors that go with bytes and messages.
//! - `seqpacket`: [`UnixSeqpacket`], connections of messages.
//! - `unix`: [`UnixStream`] and [`UnixListener`], on paths and on abstract names.
//!
//! A socket belongs to the shard that made it. To wait on it anywhere else, in another runtime on
//! the thread or in none, is a panic: it would wait forever. A socket may be dropped anywhere on
//! its thread, and closes at once.
//!
//! Operations own their buffers while the kernel works on them and give them back, beside the
//! result:
//!
//! ```
//! # miniss_linux::doctest::connected(async |stream, peer| {
//! stream.write_all("ping").await.0?; // the buffer is not wanted back
//! let (result, buffer) = peer.read(vec![0; 64]).await; // this one is
//! assert_eq!(buffer[..result?], *b"ping");
//! # Ok(()) });
//! ```
//!
//! More on that pair: [`BufResult`](crate::buf::BufResult). For receiving there is a second form,
//! [`TcpStream::recv`], that takes a buffer from a pool only when there is data.
//!
//! A stream itself is no `AsyncRead` or `AsyncWrite`: their reads borrow a buffer, which the kernel
//! could then write to after the borrow has ended. For code that needs these traits, such as TLS
//! and HTTP, a stream becomes a `PollStream` and one of them a stream, by `from`. It has the traits
//! of `futures-io`, of tokio and of hyper with the features `futures-io`, `tokio` and `hyper`.
//!
//! # Lines, while another task writes
//!
//! The halves of a stream of ours read and write with buffers that are passed by value. For lines,
//! split the `PollStream` instead: by tokio's `io::split`, or by `split` of `futures`.
//!
#![cfg_attr(feature = "futures-io", doc = "```")]
#![cfg_attr(not(feature = "futures-io"), doc = "```ignore")]
//! # miniss_linux::doctest::connected(async |stream, peer| {
//! use futures::stream::TryStreamExt;
//! use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
//! use miniss_linux::net::PollStream;
//! use miniss_linux::spawn;
//!
//! let (reader, mut writer) = PollStream::from(stream).split();
//! let greets = spawn(async move { writer.write_all(b"hello\n").await });
//! # peer.write_all("one\ntwo\n").await.0?;
//! # peer.shutdown(std::net::Shutdown::Write).await?;
//! let mut lines = BufReader::new(reader).lines();
//! let mut count = 0;
//! while let Some(line) = lines.try_next().await? {
//!     assert!(["one", "two"].contains(&&*line));
//!     count += 1;
//! }
//! assert_eq!(count, 2);
//! greets.await??;
//! # assert_eq!(peer.recv().await?[..], *b"hello\n");
//! # Ok(()) });
//! ```
//!
//! # HTTP
//!
//! hyper runs on the shard: its streams are `PollStream`s, its timer is
//! [`ShardTimers`](crate::time::ShardTimers), and its executor, which HTTP/2 asks for, is
//! [`CurrentShard`](crate::CurrentShard). What answers the requests need not be `Send`.
//!
#![cfg_attr(feature = "hyper", doc = "```")]
#![cfg_attr(not(feature = "hyper"), doc = "```ignore")]
//! use std::cell::Cell;
//! use std::convert::Infallible;
//! use std::rc::Rc;
//!
//! use hyper::body::Incoming;
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use miniss_linux::net::{PollStream, TcpStream};
//! use miniss_linux::time::ShardTimers;
//!
//! async fn serve(stream: TcpStream, visits: Rc<Cell<u64>>) -> hyper::Result<()> {
//!     let answer = |_: Request<Incoming>| {
//!         visits.set(visits.get() + 1);
//!         let text = format!("visit {}\n", visits.get());
//!         async { Ok::<_, Infallible>(Response::new(text)) }
//!     };
//!     let mut http = http1::Builder::new();
//!     http.timer(ShardTimers::default()); // a client has 30 s to send the head of a request
//!     http.serve_connection(PollStream::from(stream), service_fn(answer)).await
//! }
//! # miniss_linux::doctest::connected(async |stream, peer| {
//! # let serving = miniss_linux::spawn(serve(stream, Rc::default()));
//! # peer.write_all("GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.0?;
//! # serving.await.unwrap().unwrap();
//! # let (result, answer) = peer.read(vec![0; 1024]).await;
//! # assert!(answer[..result?].ends_with(b"visit 1\n"));
//! # Ok(()) });
//! ```
//!
//! # TLS
//!
//! `futures-rustls` needs no runtime: give it `PollStream`s, with the feature `futures-io`. Give
//! each handshake a limit of time. Say the end by `close`: a stream that ends without it was cut
//! off, and the last read of the peer is an error.
//!
#![cfg_attr(feature = "futures-io", doc = "```")]
#![cfg_attr(not(feature = "futures-io"), doc = "```ignore")]
//! use std::error::Error;
//! use std::io;
//! use std::time::Duration;
//!
//! use futures::io::{AsyncReadExt, AsyncWriteExt};
//! use futures_rustls::pki_types::ServerName;
//! use futures_rustls::{TlsAcceptor, TlsConnector};
//! use miniss_linux::net::{PollStream, TcpStream};
//! use miniss_linux::time::timeout;
//!
//! async fn serve(stream: TcpStream, acceptor: TlsAcceptor) -> Result<(), Box<dyn Error>> {
//!     let handshake = acceptor.accept(PollStream::from(stream));
//!     let mut stream = timeout(Duration::from_secs(10), handshake).await??;
//!     stream.write_all(b"in secret").await?;
//!     Ok(stream.close().await?)
//! }
//!
//! async fn ask(stream: TcpStream, connector: TlsConnector) -> io::Result<String> {
//!     let name = ServerName::try_from("localhost").expect("it is a name");
//!     let mut stream = connector.connect(name, PollStream::from(stream)).await?;
//!     let mut told = String::new();
//!     stream.read_to_string(&mut told).await?;
//!     Ok(told)
//! }
//! # use std::sync::Arc;
//! # use futures_rustls::pki_types::PrivateKeyDer;
//! # use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
//! # miniss_linux::doctest::connected(async |stream, peer| {
//! # let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
//! # let certificate = made.cert.der().clone();
//! # let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
//! # let mut roots = RootCertStore::empty();
//! # roots.add(certificate.clone()).unwrap();
//! # let server = ServerConfig::builder().with_no_client_auth();
//! # let server = server.with_single_cert(vec![certificate], key).unwrap();
//! # let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
//! # let serving = miniss_linux::spawn(serve(stream, Arc::new(server).into()));
//! # assert_eq!(ask(peer, Arc::new(client).into()).await?, "in secret");
//! # serving.await.unwrap().unwrap();
//! # Ok(()) });
//! ```
//!
//! Which protocol ALPN has chosen is in `stream.get_ref().1.alpn_protocol()`. For hyper above TLS
//! wrap the stream in the `FuturesIo` of the crate `smol-hyper`, as the example `https` does.

mod address;
mod batch;
mod copy;
mod datagram;
mod detached;
mod kind;
mod listener;
mod options;
mod placement;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
mod poll_stream;
mod read;
mod seqpacket;
mod split;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod unix;
mod unix_datagram;
mod write;

pub use address::{ToSocketAddrs, lookup_host};
pub use copy::{
    CopyError, CopyFailure, CopySide, copy, copy_bidirectional,
    copy_bidirectional_with_idle_timeout,
};
pub use datagram::{DatagramKind, DatagramSocket, Received};
pub use detached::DetachedStream;
pub use kind::StreamKind;
pub use listener::Listener;
pub use options::{ConnectOptions, Keepalive, ListenOptions};
pub use placement::Placement;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
pub use poll_stream::PollStream;
pub use seqpacket::{Seqpacket, UnixSeqpacket, UnixSeqpacketListener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::Stream;
pub use tcp::{Tcp, TcpListener, TcpStream};
pub use udp::{BindOptions, Udp, UdpSocket};
pub use unix::{UCred, Unix, UnixListener, UnixStream};
pub use unix_datagram::UnixDatagram;
pub use write::ZERO_COPY_MIN;

pub use crate::driver::buffers::PoolBuf;
pub use crate::op::fd::{is_cancelled, is_closed};
