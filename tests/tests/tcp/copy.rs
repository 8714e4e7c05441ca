//! From one stream into another: every byte, every end, and who failed. Scenario N5.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{self, Shutdown};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::net::{
    CopyFailure, CopySide, UnixStream, copy, copy_bidirectional,
    copy_bidirectional_with_idle_timeout,
};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, driver_stats, spawn};
use miniss_tests::alone::alone;
use miniss_tests::census::counted;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::{both_ends, pair, reset_on_close};

fn runtime() -> Runtime {
    Runtime::builder().shards(1).build().unwrap()
}

/// Sends `bytes` and the end, while it collects all that comes.
fn exchange(mut peer: net::TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut writer = peer.try_clone().unwrap();
        let sender = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        peer.read_to_end(&mut received).unwrap();
        sender.join().unwrap();
        received
    })
}

#[test]
fn a_copy_takes_all_and_leaves_both_streams_open() {
    let _deadline = deadline("copy");
    let bytes = Random::new().bytes(1 << 20);
    // Few and small buffers: they come back, or the copy would go on in the heap.
    let runtime = Runtime::builder().shards(1).recv_buffers(8, 512).build().unwrap();
    let (received, tail) = runtime.block_on(async {
        let ((first, source), (second, mut sink)) = (pair(), pair());
        let source = exchange(source, bytes.clone());
        let sink = thread::spawn(move || {
            let mut received = Vec::new();
            sink.read_to_end(&mut received).unwrap();
            received
        });
        assert_eq!(copy(&first, &second).await.unwrap(), bytes.len() as u64);
        second.write_all("and more").await.0.unwrap();
        first.write_all("to first").await.0.unwrap();
        drop((first, second));
        (sink.join().unwrap(), source.join().unwrap())
    });
    assert!(received == [&bytes[..], b"and more"].concat());
    assert_eq!(tail, b"to first");
}

#[test]
fn n5_both_ways_carry_all_and_pass_each_end_on() {
    alone("copy::n5_both_ways_carry_all_and_pass_each_end_on", || {
        let mut random = Random::new();
        let (there, back) = (random.bytes(1 << 20), random.bytes(1 << 19));
        runtime().block_on(counted(async {
            let ((first, client), (second, server)) = (pair(), pair());
            let client = exchange(client, there.clone());
            let server = exchange(server, back.clone());
            let copied = copy_bidirectional(&first, &second).await.unwrap();
            assert_eq!(copied, (there.len() as u64, back.len() as u64));
            assert!(server.join().unwrap() == there);
            assert!(client.join().unwrap() == back);
            drop((first, second));
        }));
    });
}

#[test]
fn n5_the_end_of_one_way_is_passed_on_while_the_other_goes_on() {
    alone("copy::n5_the_end_of_one_way_is_passed_on_while_the_other_goes_on", || {
        runtime().block_on(counted(async {
            let (first, client) = both_ends().await.unwrap();
            let (second, server) = UnixStream::pair().unwrap();
            let copying = spawn(async move { copy_bidirectional(&first, &second).await });
            server.write_all("hello").await.0.unwrap();
            server.shutdown(Shutdown::Write).await.unwrap();
            assert_eq!(client.read_exact([0; 5]).await.1, *b"hello");
            assert!(client.recv().await.unwrap().is_empty());
            for _ in 0..3 {
                client.write_all("still ").await.0.unwrap();
                assert_eq!(server.read_exact([0; 6]).await.1, *b"still ");
            }
            assert!(!copying.is_finished());
            client.shutdown(Shutdown::Write).await.unwrap();
            assert!(server.recv().await.unwrap().is_empty());
            assert_eq!(copying.await.unwrap().unwrap(), (18, 5));
        }));
    });
}

#[test]
fn an_error_says_which_stream_failed_and_what_was_copied() {
    let _deadline = deadline("copy errors");
    runtime().block_on(async {
        // The first is reset, which is read.
        let ((first, client), (second, _server)) = (pair(), pair());
        reset_on_close(&client);
        drop(client);
        let error = copy_bidirectional(&first, &second).await.unwrap_err();
        let CopyFailure::Read(CopySide::First, cause) = &error.failure else { panic!("{error}") };
        assert_eq!(cause.kind(), ErrorKind::ConnectionReset);
        assert_eq!(std::io::Error::from(error).raw_os_error(), Some(libc::ECONNRESET));

        // The second is, which is read there.
        let ((first, _client), (second, server)) = (pair(), pair());
        reset_on_close(&server);
        drop(server);
        let error = copy_bidirectional(&first, &second).await.unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Read(CopySide::Second, _)), "{error}");

        // Its sending direction has ended, so it cannot be written to.
        let (first, client) = both_ends().await.unwrap();
        let (second, mut server) = pair();
        second.shutdown(Shutdown::Write).await.unwrap();
        server.write_all(b"abc").unwrap();
        let copying = spawn(async move { copy_bidirectional(&first, &second).await });
        assert_eq!(client.read_exact([0; 3]).await.1, *b"abc");
        client.write_all("too late").await.0.unwrap();
        let error = copying.await.unwrap().unwrap_err();
        let CopyFailure::Write(CopySide::Second, cause) = &error.failure else { panic!("{error}") };
        assert_eq!((cause.kind(), error.copied), (ErrorKind::BrokenPipe, (0, 3)));
        let text = error.to_string();
        assert!(text.starts_with("copy: writing to the second stream: "), "{text}");
        assert!(text.ends_with("0 B went to the second stream and 3 B to the first before"));

        // Someone closes one of them under way.
        let ((first, _client), (second, _server)) = (pair(), pair());
        let first = Rc::new(first);
        let copied = first.clone();
        let copying = spawn(async move { copy_bidirectional(&second, &copied).await });
        sleep(Duration::from_millis(1)).await;
        first.close().await.unwrap();
        let error = copying.await.unwrap().unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Read(CopySide::Second, _)), "{error}");
    });
}

#[test]
fn a_copy_in_which_something_moves_goes_on_for_longer_than_it_may_be_idle() {
    let _deadline = deadline("copy idle");
    // A machine may stand still for longer than is allowed; then it is tried with more.
    let went_on = (0..12).any(|doublings| {
        let idle = Duration::from_millis(40) * (1 << doublings);
        runtime().block_on(async {
            let ((first, mut client), (second, mut server)) = (pair(), pair());
            let sender = thread::spawn(move || {
                for _ in 0..3 {
                    thread::sleep(idle / 2);
                    client.write_all(b"x").unwrap();
                    thread::sleep(idle / 2);
                    server.write_all(b"y").unwrap();
                }
                (client, server)
            });
            let copying = copy_bidirectional_with_idle_timeout(&first, &second, idle);
            let error = timeout(SOON, copying).await.unwrap().unwrap_err();
            assert!(matches!(error.failure, CopyFailure::Idle(how_long) if how_long == idle));
            let moved = error.copied;
            assert_eq!(std::io::Error::from(error).kind(), ErrorKind::TimedOut);
            let is_open = sender.join().unwrap();
            drop(is_open);
            moved == (3, 3)
        })
    });
    assert!(went_on);
}

#[test]
fn an_idle_copy_ends_also_when_one_way_has_ended() {
    let _deadline = deadline("copy idle, half closed");
    runtime().block_on(async {
        let ((first, client), (second, _server)) = (pair(), pair());
        client.shutdown(Shutdown::Write).unwrap();
        let idle = Duration::from_millis(20);
        let copying = copy_bidirectional_with_idle_timeout(&first, &second, idle);
        let error = timeout(SOON, copying).await.unwrap().unwrap_err();
        assert!(matches!(error.failure, CopyFailure::Idle(_)), "{error}");
    });
}

#[test]
fn a_copy_that_is_dropped_leaves_nothing_in_flight() {
    let _deadline = deadline("copy dropped");
    runtime().block_on(async {
        let before = driver_stats().in_flight;
        for turns in 0..6 {
            let ((first, mut client), (second, _server)) = (pair(), pair());
            client.write_all(&[7; 30_000]).unwrap();
            let copying = spawn(async move { copy_bidirectional(&first, &second).await });
            for _ in 0..turns {
                miniss_linux::yield_now().await;
            }
            copying.abort();
            assert!(copying.await.unwrap_err().is_cancelled());
        }
        while driver_stats().in_flight > before {
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_stream_copied_into_itself_is_an_echo() {
    let _deadline = deadline("copy to itself");
    let bytes = Random::new().bytes(1 << 18);
    runtime().block_on(async {
        let (server, client) = both_ends().await.unwrap();
        let echo = spawn(async move { copy(&server, &server).await });
        let sent = bytes.clone();
        let client = Rc::new(client);
        let writer = client.clone();
        let writing = spawn(async move {
            writer.write_all(sent).await.0.unwrap();
            writer.shutdown(Shutdown::Write).await.unwrap();
        });
        let (result, back) = client.read_exact(vec![0; bytes.len()]).await;
        result.unwrap();
        assert!(back == bytes);
        writing.await.unwrap();
        assert_eq!(echo.await.unwrap().unwrap(), bytes.len() as u64);
    });
}
