//! What is in a pipe moves on into a stream, or another pipe, and nothing is lost or doubled.

use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;

use miniss_linux::combine::when_all;
use miniss_linux::net::{TcpStream, UnixStream};
use miniss_linux::pipe::{PipeReader, pipe};
use miniss_linux::spawn;
use miniss_tests::sockets::pair;

use crate::harness::{beside, on_each_driver, poll_and_drop, poll_once, settle, soon};

/// More than a pipe and a socket hold together.
const MUCH: usize = 4 << 20;

fn numbered(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn much_goes_through_a_pipe_into_a_stream_in_order_and_then_comes_the_end() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        let fills = async { soon(writer.write_all(numbered(MUCH))).await.0.map(|()| drop(writer)) };
        let moves = async {
            let mut moved = 0;
            loop {
                match soon(reader.splice_to_stream(&stream, usize::MAX)).await.unwrap() {
                    0 => break,
                    len => moved += len,
                }
            }
            assert_eq!(moved, MUCH);
            drop(stream);
        };
        let reads = async {
            let (result, bytes) = soon(peer.read_exact(vec![0; MUCH])).await;
            result.unwrap();
            assert!(bytes == numbered(MUCH));
            assert!(soon(peer.recv()).await.unwrap().is_empty());
        };
        let (fills, ..) = futures::join!(fills, moves, reads);
        fills.unwrap();
    });
}

#[test]
fn much_goes_from_pipe_to_pipe_and_each_takes_no_more_than_is_asked_for() {
    on_each_driver(async || {
        let ((first, into_first), (second, into_second)) = (pipe().unwrap(), pipe().unwrap());
        into_first.write_all("abcdef").await.0.unwrap();
        assert_eq!(first.splice_to_pipe(&into_second, 0).await.unwrap(), 0);
        assert_eq!(soon(first.splice_to_pipe(&into_second, 4)).await.unwrap(), 4);
        assert_eq!(second.recv().await.unwrap()[..], *b"abcd");
        assert_eq!(first.recv().await.unwrap()[..], *b"ef");
        let fills =
            async { soon(into_first.write_all(numbered(MUCH))).await.0.map(|()| drop(into_first)) };
        let moves = async {
            while soon(first.splice_to_pipe(&into_second, 10_000)).await.unwrap() > 0 {}
            drop(into_second);
        };
        let reads = async {
            let (result, bytes) = soon(second.read_exact(vec![0; MUCH])).await;
            result.unwrap();
            assert!(bytes == numbered(MUCH));
            assert!(soon(second.recv()).await.unwrap().is_empty());
        };
        futures::join!(fills, moves, reads).0.unwrap();
    });
}

#[test]
fn an_empty_pipe_is_waited_for_and_a_wait_that_is_dropped_has_taken_nothing() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let (stream, peer) = pair();
        let ((other, into_other), mut peer) = (pipe().unwrap(), peer);
        assert!(poll_and_drop(reader.splice_to_stream(&stream, 100)).is_pending());
        assert!(poll_and_drop(reader.splice_to_pipe(&into_other, 100)).is_pending());
        settle().await;
        writer.write_all("kept").await.0.unwrap();
        assert_eq!(reader.recv().await.unwrap()[..], *b"kept");
        let told = spawn(async move {
            let len = soon(reader.splice_to_stream(&stream, 100)).await.unwrap();
            (len, reader, stream)
        });
        settle().await;
        writer.write_all("later").await.0.unwrap();
        let (len, reader, stream) = told.await.unwrap();
        assert_eq!(len, 5);
        let bytes = beside(move || {
            let mut bytes = [0; 5];
            std::io::Read::read_exact(&mut peer, &mut bytes).map(|()| bytes)
        });
        assert_eq!(bytes.await.unwrap(), *b"later");
        drop((reader, stream, other));
    });
}

#[test]
fn a_full_stream_and_a_full_pipe_are_waited_for() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        // Until the stream takes no more.
        let mut written = 0;
        while let Poll::Ready((result, _)) = poll_and_drop(stream.write(vec![b'x'; 4096])) {
            written += result.unwrap();
        }
        settle().await;
        written += stream.cancelled_write_bytes().await;
        writer.write_all("behind").await.0.unwrap();
        let moves = async { soon(reader.splice_to_stream(&stream, 100)).await.unwrap() };
        let reads = async {
            settle().await;
            soon(peer.read_exact(vec![0; written + 6])).await.1
        };
        let (len, bytes) = when_all((moves, reads)).await;
        assert_eq!(len, 6);
        assert_eq!(bytes[written..], *b"behind");
        let (full, into_full) = pipe().unwrap();
        let mut kept = 0;
        while let Poll::Ready((result, _)) = poll_and_drop(into_full.write(vec![b'y'; 4096])) {
            kept += result.unwrap();
        }
        writer.write_all("more").await.0.unwrap();
        assert!(poll_and_drop(reader.splice_to_pipe(&into_full, 100)).is_pending());
        let moves = async { soon(reader.splice_to_pipe(&into_full, 100)).await.unwrap() };
        let reads = async { soon(full.read_exact(vec![0; kept + 4])).await.1 };
        let (len, bytes) = when_all((moves, reads)).await;
        assert_eq!((len, &bytes[kept..]), (4, &b"more"[..]));
    });
}

#[test]
fn one_reads_at_a_time_and_what_cannot_be_moved_is_an_error() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let (stream, peer) = UnixStream::pair().unwrap();
        {
            let mut waits = pin!(reader.splice_to_stream(&stream, 1));
            assert!(poll_once(waits.as_mut()).is_pending());
            assert_eq!(reader.recv().await.unwrap_err().kind(), ErrorKind::ResourceBusy);
        }
        settle().await;
        writer.write_all("no one reads it").await.0.unwrap();
        drop(peer);
        let error = soon(reader.splice_to_stream(&stream, 100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
        let (gone, into_gone) = pipe().unwrap();
        drop(gone);
        writer.write_all("and no one reads this").await.0.unwrap();
        let error = soon(reader.splice_to_pipe(&into_gone, 100)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let file = PipeReader::from_shared(file.into()).unwrap();
        let (_, into_pipe) = pipe().unwrap();
        let error = soon(file.splice_to_pipe(&into_pipe, 100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let (stream, _peer) = UnixStream::pair().unwrap();
        let error = soon(file.splice_to_stream(&stream, 100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    });
}

#[test]
fn a_move_that_is_dropped_while_the_peer_does_not_read_is_told_by_the_stream() {
    on_each_driver(async || {
        let (reader, writer) = pipe().unwrap();
        let (stream, peer): (TcpStream, _) = pair();
        let mut sent = 0;
        loop {
            writer.write_all(vec![b'z'; 4096]).await.0.unwrap();
            let mut moves = Box::pin(reader.splice_to_stream(&stream, 4096));
            let moved =
                miniss_linux::time::timeout(std::time::Duration::from_millis(100), moves.as_mut());
            match moved.await {
                Ok(len) => sent += len.unwrap(),
                Err(_) => break,
            }
        }
        sent += soon(stream.cancelled_write_bytes()).await;
        drop(writer);
        let mut left = 0;
        loop {
            match soon(reader.recv()).await.unwrap().len() {
                0 => break,
                len => left += len,
            }
        }
        soon(stream.close()).await.unwrap();
        let received = beside(move || {
            let mut peer = peer;
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut peer, &mut bytes).map(|_| bytes.len())
        });
        let received = received.await.unwrap();
        assert_eq!(received, sent);
        assert_eq!((received + left) % 4096, 0, "{received} and {left}");
    });
}
