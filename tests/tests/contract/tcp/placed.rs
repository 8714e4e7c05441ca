//! Connections that one shard accepts and others serve.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use miniss_linux::net::{Placement, TcpListener, TcpStream};
use miniss_linux::time::sleep;
use miniss_linux::{Builder, ShardId, spawn};

use super::listener;
use crate::harness::{poll_once, with_each_driver};

/// Says on which shard it is, then sends back what it gets.
async fn serve(stream: TcpStream, _: SocketAddr) {
    let shard = [ShardId::current().index() as u8];
    if stream.write_all(shard).await.0.is_err() {
        return;
    }
    while let Ok(bytes) = stream.recv().await {
        if bytes.is_empty() || stream.write_all(bytes).await.0.is_err() {
            return;
        }
    }
}

/// A client, and the shard that serves it.
async fn client(address: SocketAddr) -> io::Result<(TcpStream, usize)> {
    let stream = TcpStream::connect(address).await?;
    let (result, shard) = stream.read_exact([0]).await;
    result.map(|()| (stream, usize::from(shard[0])))
}

/// Has three shards serve by `placement`, as long as `case` takes.
fn placed(builder: Builder, placement: Placement, case: impl AsyncFnOnce(SocketAddr)) {
    let runtime = builder.shards(3).build().unwrap();
    runtime.block_on(async {
        let (listener, address) = listener().await;
        let serving = spawn(async move { listener.serve_on_shards(placement, serve).await });
        case(address).await;
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn in_turn_each_shard_serves_the_next() {
    with_each_driver(|builder| {
        placed(builder, Placement::InTurn, async |address| {
            let mut kept = Vec::new();
            for expected in [0, 1, 2, 0, 1, 2, 0] {
                let (stream, shard) = client(address).await.unwrap();
                assert_eq!(shard, expected);
                kept.push(stream);
            }
            for stream in kept {
                stream.write_all("to and fro").await.0.unwrap();
                assert_eq!(stream.read_exact([0; 10]).await.1, *b"to and fro");
            }
        });
    });
}

#[test]
fn the_shard_with_the_fewest_connections_serves_the_next() {
    with_each_driver(|builder| {
        placed(builder, Placement::LeastConnections, async |address| {
            let mut kept = Vec::new();
            for expected in [0, 1, 2, 0, 1, 2] {
                kept.push(client(address).await.unwrap());
                assert_eq!(kept.last().unwrap().1, expected);
            }
            kept.retain(|(_, shard)| *shard != 1);
            // They are gone when shard 1 has seen their end.
            let mut ended = 0;
            while ended < 2 {
                let (stream, shard) = client(address).await.unwrap();
                if shard == 1 {
                    ended += 1;
                    kept.push((stream, shard));
                } else {
                    drop(stream);
                    sleep(Duration::from_millis(1)).await;
                }
            }
        });
    });
}

#[test]
fn a_fixed_shard_serves_all_also_the_one_that_accepts() {
    with_each_driver(|builder| {
        for fixed in [0, 2] {
            placed(builder.clone(), Placement::Fixed(fixed.into()), async |address| {
                for _ in 0..3 {
                    assert_eq!(client(address).await.unwrap().1, fixed);
                }
            });
        }
    });
}

#[test]
fn the_peer_s_port_or_address_says_which_shard() {
    with_each_driver(|builder| {
        placed(builder.clone(), Placement::PEER_PORT, async |address| {
            for _ in 0..6 {
                let (stream, shard) = client(address).await.unwrap();
                assert_eq!(shard, usize::from(stream.local_addr().unwrap().port()) % 3);
            }
        });
        placed(builder.clone(), Placement::PEER_ADDRESS, async |address| {
            let first = client(address).await.unwrap().1;
            for _ in 0..6 {
                assert_eq!(client(address).await.unwrap().1, first);
            }
        });
        placed(builder, Placement::By(|_| u64::MAX), async |address| {
            assert_eq!(client(address).await.unwrap().1, (u64::MAX % 3) as usize);
        });
    });
}

#[test]
fn bytes_that_are_there_before_the_shard_are_served() {
    with_each_driver(|builder| {
        placed(builder, Placement::Fixed(1.into()), async |address| {
            for _ in 0..20 {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.write_all("early").await.0.unwrap();
                assert_eq!(stream.read_exact([0; 6]).await.1, *b"\x01early");
            }
        });
    });
}

#[test]
fn a_connection_whose_service_panics_is_closed_and_others_go_on() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let (listener, address) = listener().await;
            let serving = spawn(async move {
                let panics_at_zero = async |stream: TcpStream, peer| {
                    let (result, byte) = stream.read_exact([0]).await;
                    assert!(result.is_err() || byte != [0], "as planned");
                    serve(stream, peer).await;
                };
                listener.serve_on_shards(Placement::LeastConnections, panics_at_zero).await
            });
            for round in 0..6 {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.write_all([round % 2]).await.0.unwrap();
                let (result, _) = stream.read_exact([0]).await;
                assert_eq!(result.is_ok(), round % 2 == 1);
            }
            serving.abort();
        });
    });
}

#[test]
fn what_is_served_goes_on_without_the_one_that_accepts() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let (listener, address) = listener().await;
            let (mut served, mut clients) = (Vec::new(), Vec::new());
            {
                let mut serving = pin!(listener.serve_on_shards(Placement::InTurn, serve));
                let mut connecting = pin!(async {
                    for _ in 0..2 {
                        clients.push(client(address).await.unwrap());
                    }
                });
                while poll_once(connecting.as_mut()).is_pending() {
                    assert!(poll_once(serving.as_mut()).is_pending());
                    sleep(Duration::from_millis(1)).await;
                }
            }
            for (stream, shard) in &clients {
                stream.write_all("on").await.0.unwrap();
                assert_eq!(stream.read_exact([0; 2]).await.1, *b"on");
                served.push(*shard);
            }
            assert_eq!(served, [0, 1]);
            // And the listener still is one.
            let waits = spawn(TcpStream::connect(address));
            let (accepted, _) = listener.accept().await.unwrap();
            drop((accepted, waits.await));
        });
    });
}

#[test]
fn a_listener_that_fails_ends_it_and_a_shard_that_is_none_is_refused() {
    with_each_driver(|builder| {
        let runtime = builder.shards(2).build().unwrap();
        runtime.block_on(async {
            let (listener, _) = listener().await;
            // Not a socket that listens any more.
            shut_down(&listener);
            let error = listener.serve_on_shards(Placement::InTurn, serve).await;
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            let (listener, _) = super::listener().await;
            let nowhere = Placement::Fixed(ShardId::new(2));
            let serving =
                spawn(async move { listener.serve_on_shards(nowhere, serve).await }).await;
            assert!(serving.unwrap_err().is_panic());
        });
    });
}

fn shut_down(listener: &TcpListener) {
    socket2::SockRef::from(listener).shutdown(std::net::Shutdown::Both).unwrap();
}
