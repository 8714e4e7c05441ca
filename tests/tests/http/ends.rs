//! How connections end: by a timeout, in order, by halves, by a reset; and peers that are slow.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures::stream;
use http_body_util::{Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use miniss_linux::net::{PollStream, Tcp};
use miniss_linux::signal::GracefulShutdown;
use miniss_linux::sync::Event;
use miniss_linux::time::{ShardTimers, sleep, timeout};
use miniss_linux::{CurrentShard, spawn, spawn_blocking};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::sockets::{both_ends, pair, reset_on_close};

use crate::{Client, VERSIONS, Version, all, on_each_driver, serve};

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// All that a blocking peer receives, read where it does not hold up the shard.
async fn rest_of(mut peer: TcpStream) -> String {
    let read = move || {
        let mut text = String::new();
        peer.read_to_string(&mut text).map(|_| text)
    };
    spawn_blocking(read).await.unwrap().unwrap()
}

#[test]
fn who_does_not_send_its_head_in_time_is_cut_off() {
    let _deadline = deadline("header timeout");
    on_each_driver(async || {
        // The second one was served before, and is slow then.
        for begin in ["GET / HT", "GET / HTTP/1.1\r\nhost: here\r\n\r\nGET / H"] {
            let (ours, mut peer) = pair();
            let mut builder = http1::Builder::new();
            builder.timer(ShardTimers::default()).header_read_timeout(Duration::from_millis(50));
            let serving =
                spawn(builder.serve_connection(PollStream::from(ours), service_fn(hello)));
            peer.write_all(begin.as_bytes()).unwrap();
            let error = serving.await.unwrap().unwrap_err();
            assert!(error.is_timeout(), "{error:?}");
            let answers = rest_of(peer).await;
            assert_eq!(answers.contains("hello"), begin.len() > 10, "{answers}");
        }
    });
}

#[test]
fn who_does_not_answer_a_ping_in_time_is_cut_off() {
    let _deadline = deadline("ping timeout");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let mut builder = http2::Builder::new(CurrentShard);
        builder.timer(ShardTimers::default()).keep_alive_interval(Duration::from_millis(20));
        builder.keep_alive_timeout(Duration::from_millis(20));
        let serving = spawn(builder.serve_connection(PollStream::from(ours), service_fn(hello)));
        // The preface, and settings without any. From then on it says nothing.
        peer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
        assert!(serving.await.unwrap().unwrap_err().is_timeout());
    });
}

#[test]
fn a_graceful_stop_lets_the_request_in_progress_end() {
    let _deadline = deadline("graceful stop");
    on_each_driver(async || {
        for version in VERSIONS {
            let shutdown = Rc::new(GracefulShutdown::new().on_shard().unwrap());
            let (begun, go_on) = (Rc::new(Event::new()), Rc::new(Event::new()));
            let (server, client) = both_ends().await.unwrap();
            let (tell, wait) = (begun.clone(), go_on.clone());
            let slow = move |request| {
                let (tell, wait) = (tell.clone(), wait.clone());
                async move {
                    tell.set();
                    wait.wait().await;
                    hello(request).await
                }
            };
            let pass = shutdown.enter().unwrap();
            let stop = shutdown.clone();
            let serving = spawn(async move {
                let _pass = pass;
                let (stream, service) = (PollStream::from(server), service_fn(slow));
                match version {
                    Version::Http1 => {
                        let http = http1::Builder::new();
                        let mut connection = pin!(http.serve_connection(stream, service));
                        assert!(stop.until_requested(connection.as_mut()).await.is_none());
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                    Version::Http2 => {
                        let http = http2::Builder::new(CurrentShard);
                        let mut connection = pin!(http.serve_connection(stream, service));
                        assert!(stop.until_requested(connection.as_mut()).await.is_none());
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            });
            let mut client = Client::new::<Tcp>(version, client).await;
            let asking = spawn(async move {
                let request = Request::get("http://here/").body(Empty::<Bytes>::new()).unwrap();
                let response = client.send(request).await.unwrap();
                (all(response.into_body()).await.unwrap(), client)
            });
            begun.wait().await;
            shutdown.request();
            sleep(Duration::from_millis(5)).await;
            assert!(!serving.is_finished(), "{version:?}");
            go_on.set();
            let (answer, _client) = asking.await.unwrap();
            assert_eq!(answer, "hello");
            // It ends although the client keeps the connection.
            serving.await.unwrap().unwrap();
            assert_eq!(shutdown.drain(SOON).await, Ok(()));
        }
    });
}

#[test]
fn who_sends_no_more_is_still_answered() {
    let _deadline = deadline("half close");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let slow = async |request| {
            sleep(Duration::from_millis(20)).await;
            hello(request).await
        };
        let serving = serve::<Tcp, _, _>(Version::Http1, ours, service_fn(slow));
        peer.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        serving.await.unwrap().unwrap();
        let answer = rest_of(peer).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello"), "{answer}");
    });
}

#[test]
fn a_peer_that_resets_ends_its_connection_and_no_other() {
    let _deadline = deadline("reset");
    on_each_driver(async || {
        for version in VERSIONS {
            let (ours, mut peer) = pair();
            let endless = async |_| {
                let frames = stream::repeat_with(|| {
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 8192])))
                });
                Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
            };
            let serving = serve::<Tcp, _, _>(version, ours, service_fn(endless));
            let request = match version {
                Version::Http1 => &b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"[..],
                // The preface, and settings without any.
                Version::Http2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            };
            let reset = spawn_blocking(move || {
                peer.write_all(request).unwrap();
                peer.read_exact(&mut [0; 9]).unwrap();
                reset_on_close(&peer);
            });
            reset.await.unwrap();
            assert!(serving.await.unwrap().is_err(), "{version:?}");

            let (server, client) = both_ends().await.unwrap();
            let serving = serve::<Tcp, _, _>(version, server, service_fn(hello));
            let mut client = Client::new::<Tcp>(version, client).await;
            let request = Request::get("http://here/").body(Empty::<Bytes>::new()).unwrap();
            let response = client.send(request).await.unwrap();
            assert_eq!(all(response.into_body()).await.unwrap(), "hello");
            drop(client);
            serving.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_client_is_told_when_its_server_goes_in_the_middle_of_a_body() {
    let _deadline = deadline("a body without its end");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let mut client = Client::new::<Tcp>(Version::Http1, ours).await;
        let server = thread::spawn(move || {
            let mut request = [0; 1024];
            assert!(peer.read(&mut request).unwrap() > 0);
            peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
        });
        let request = Request::get("/").header("host", "here").body(Empty::<Bytes>::new()).unwrap();
        let response = client.send(request).await.unwrap();
        let error = all(response.into_body()).await.unwrap_err();
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        assert_eq!(cause.map(io::Error::kind), Some(ErrorKind::UnexpectedEof), "{error:?}");
        server.join().unwrap();
        let request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        assert!(client.send(request).await.unwrap_err().is_closed());
    });
}

#[test]
fn a_body_waits_for_a_reader_that_is_slow() {
    const BODY_BYTES: usize = 64 << 20;
    const PIECE: &[u8] = &[b'x'; 16 << 10];
    let _deadline = deadline("slow reader");
    on_each_driver(async || {
        let (ours, mut peer) = pair();
        let made = Rc::new(Cell::new(0));
        let count = made.clone();
        let serving = serve::<Tcp, _, _>(
            Version::Http1,
            ours,
            service_fn(move |_| {
                let count = count.clone();
                let pieces = (0..BODY_BYTES / PIECE.len()).map(move |_| {
                    count.set(count.get() + PIECE.len());
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(PIECE)))
                });
                async { Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(pieces)))) }
            }),
        );
        peer.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        // Until no more is made: what the kernel takes at most is less than the body.
        let mut last = 0;
        while made.get() == 0 || made.get() != last {
            last = made.get();
            sleep(Duration::from_millis(100)).await;
        }
        assert!(last < BODY_BYTES, "all of it was made for a peer that reads nothing");
        let reading = spawn(rest_of(peer));
        serving.await.unwrap().unwrap();
        let answer = reading.await.unwrap();
        let head_bytes = answer.find("\r\n\r\n").unwrap() + 4;
        assert_eq!(answer.len() - head_bytes, BODY_BYTES);
        assert_eq!(made.get(), BODY_BYTES);
    });
}

#[test]
fn a_request_can_be_given_up_after_a_time() {
    let _deadline = deadline("client timeout");
    on_each_driver(async || {
        let (ours, _peer) = pair();
        let mut client = Client::new::<Tcp>(Version::Http1, ours).await;
        let request = Request::get("/").header("host", "here").body(Empty::<Bytes>::new()).unwrap();
        assert!(timeout(Duration::from_millis(20), client.send(request)).await.is_err());
    });
}
