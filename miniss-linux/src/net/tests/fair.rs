//! Loops around operations that have nothing to wait for leave the others their turn.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::super::TcpListener;
use super::*;
use crate::run_on;

/// Repeats `round` until a task that was spawned before has had its turn.
async fn gives_way(what: &str, round: impl AsyncFn()) {
    let had_its_turn = Rc::new(Cell::new(false));
    let flag = had_its_turn.clone();
    spawn(async move { flag.set(true) }).detach();
    let mut rounds = 0;
    while !had_its_turn.get() {
        round().await;
        rounds += 1;
        assert!(rounds < 1_000, "{what} never gives way");
    }
}

#[test]
fn what_is_ready_at_once_gives_way() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        gives_way("a read without room", async || drop(stream.read(Vec::new()).await)).await;
        gives_way("a write of nothing", async || drop(stream.write_vectored([""]).await)).await;
        peer.write_all(&[0; 4_000]).unwrap();
        drop(stream.recv().await.unwrap());
        peer.write_all(&[0; 4_000]).unwrap();
        sleep(A_WHILE).await;
        gives_way("a read of what is here", async || drop(stream.read([0; 1]).await)).await;

        stream.close().await.unwrap();
        gives_way("a second close", async || stream.close().await.unwrap()).await;
        gives_way("a read of what is closed", async || drop(stream.read([0; 1]).await)).await;
        gives_way("its recv", async || drop(stream.recv().await)).await;
        gives_way("its write", async || drop(stream.write("x").await)).await;
        gives_way("its write_all", async || drop(stream.write_all("x").await)).await;
        gives_way("its write_vectored", async || drop(stream.write_vectored(["x"]).await)).await;
        gives_way("its shutdown", async || drop(stream.shutdown(Shutdown::Write).await)).await;

        let nowhere: &[SocketAddr] = &[];
        gives_way("a connect", async || drop(TcpStream::connect(nowhere).await)).await;
        gives_way("a bind", async || drop(TcpListener::bind(nowhere).await)).await;
        gives_way("a call to its own shard", async || run_on(0, || ()).await.unwrap()).await;
    });
}

#[test]
fn a_timeout_ends_a_loop_of_reads_that_are_ready() {
    builder().build().unwrap().block_on(async {
        let (stream, _peer) = pair();
        let busy = async {
            for _ in 0..100_000_000 {
                stream.read(Vec::new()).await.0.unwrap();
            }
        };
        assert!(timeout(A_FEW, busy).await.is_err());
    });
}
