//! Requests and responses between a server and a client of ours.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream;
use http_body_util::{Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use miniss_linux::net::{PollStream, Tcp, UnixStream};
use miniss_linux::time::sleep;
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;
use miniss_tests::sockets::both_ends;

use crate::{Client, VERSIONS, Version, all, on_each_driver, serve};

fn ask(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).header("host", "here").body(Empty::new()).unwrap()
}

/// A path as each version has it.
fn uri(version: Version, path: &str) -> String {
    if version == Version::Http1 { path.into() } else { format!("http://here{path}") }
}

#[test]
fn a_connection_serves_many_requests_from_state_that_stays_on_its_shard() {
    let _deadline = deadline("keep-alive");
    on_each_driver(async || {
        for version in VERSIONS {
            let (server, client) = both_ends().await.unwrap();
            let count = Rc::new(Cell::new(0));
            let state = count.clone();
            let count_up = move |request: Request<Incoming>| {
                let state = state.clone();
                async move {
                    state.set(state.get() + 1);
                    let text = format!("{} {}", request.uri().path(), state.get());
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
                }
            };
            let serving = serve::<Tcp, _, _>(version, server, service_fn(count_up));
            let mut client = Client::new::<Tcp>(version, client).await;
            for number in 1..=20 {
                let response = client.send(ask(&uri(version, "/a"))).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(all(response.into_body()).await.unwrap(), format!("/a {number}"));
            }
            drop(client);
            serving.await.unwrap().unwrap();
            assert_eq!(count.get(), 20);
            assert_eq!(Rc::strong_count(&count), 1, "the connection has let go of its state");
        }
    });
}

#[test]
fn requests_of_one_connection_overtake_each_other_in_http_2() {
    let _deadline = deadline("many streams");
    on_each_driver(async || {
        let (server, client) = both_ends().await.unwrap();
        let nap = async |request: Request<Incoming>| {
            let ms: u64 = request.uri().path()[1..].parse().unwrap();
            sleep(Duration::from_millis(ms)).await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(ms.to_string()))))
        };
        let serving = serve::<Tcp, _, _>(Version::Http2, server, service_fn(nap));
        let client = Client::new::<Tcp>(Version::Http2, client).await;
        let Client::Http2(requests) = client else { unreachable!() };
        let order = Rc::new(Cell::new(0));
        // The first one asked takes the longest.
        let asked = (0..50).rev().map(|ms| {
            let (mut requests, order) = (requests.clone(), order.clone());
            async move {
                let response = requests.send_request(ask(&format!("http://here/{ms}"))).await;
                assert_eq!(all(response.unwrap().into_body()).await.unwrap(), ms.to_string());
                order.replace(order.get() + 1)
            }
        });
        let places = join_all(asked).await;
        assert!(places[0] > 0, "the slowest was answered first: {places:?}");
        drop(requests);
        serving.await.unwrap().unwrap();
    });
}

#[test]
fn large_bodies_go_both_ways_at_once() {
    let _deadline = deadline("large bodies");
    let bytes = Bytes::from(Random::new().bytes(4 << 20));
    on_each_driver(async || {
        for version in VERSIONS {
            let (server, client) = both_ends().await.unwrap();
            let echo = async |request: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            };
            let serving = serve::<Tcp, _, _>(version, server, service_fn(echo));
            let mut client = Client::new::<Tcp>(version, client).await;
            for pieces in [1, 61, 4 << 10] {
                let piece_bytes = bytes.len().div_ceil(pieces);
                let whole = bytes.clone();
                let piece = move |index: usize| {
                    let begin = (index * piece_bytes).min(whole.len());
                    let end = (begin + piece_bytes).min(whole.len());
                    Ok::<_, Infallible>(Frame::data(whole.slice(begin..end)))
                };
                let body = StreamBody::new(stream::iter((0..pieces).map(piece)));
                let request = Request::builder().method(Method::POST).uri(uri(version, "/"));
                let request = request.header("host", "here").body(body).unwrap();
                let response = client.send(request).await.unwrap();
                assert!(all(response.into_body()).await.unwrap() == bytes, "{version:?} {pieces}");
            }
            drop(client);
            serving.await.unwrap().unwrap();
        }
    });
}

#[test]
fn unix_sockets_carry_it_as_well() {
    let _deadline = deadline("Unix");
    on_each_driver(async || {
        for version in VERSIONS {
            let (server, client) = UnixStream::pair().unwrap();
            let hello = async |_| {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
            };
            let serving = serve(version, PollStream::from(server), service_fn(hello));
            let mut client = Client::new(version, PollStream::from(client)).await;
            let response = client.send(ask(&uri(version, "/"))).await.unwrap();
            assert_eq!(all(response.into_body()).await.unwrap(), "hello");
            drop(client);
            // HTTP/2 says farewell, and may find the client gone.
            let _ = serving.await.unwrap();
        }
    });
}
