//! Every way to read and every way to write carries the same bytes. Scenarios R5, N5.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{self, Shutdown};
use std::pin::Pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use miniss_linux::buf::IoBuf as _;
use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{Runtime, spawn};
use miniss_tests::alone::alone;
use miniss_tests::census::counted;
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::{both_ends, pair};

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Reads a piece; an empty one is the end.
type Read = fn(&TcpStream) -> Pending<'_, Vec<u8>>;

const READS: [(&str, Read); 4] = [
    ("read", |stream| {
        Box::pin(async move {
            let (result, bytes) = stream.read(Vec::with_capacity(10_000)).await;
            assert_eq!(result.unwrap(), bytes.len());
            bytes
        })
    }),
    ("read_exact", |stream| {
        Box::pin(async move {
            match stream.read_exact(vec![0; 4096]).await {
                (Ok(()), bytes) => bytes,
                (Err(error), _) if error.kind() == ErrorKind::UnexpectedEof => Vec::new(),
                (Err(error), _) => panic!("{error}"),
            }
        })
    }),
    ("read_vectored", |stream| {
        Box::pin(async move {
            let buffers = [Vec::with_capacity(100), Vec::new(), Vec::with_capacity(9000)];
            let (result, buffers) = stream.read_vectored(buffers).await;
            let bytes = buffers.concat();
            assert_eq!(result.unwrap(), bytes.len());
            bytes
        })
    }),
    ("recv", |stream| Box::pin(async move { stream.recv().await.unwrap().to_vec() })),
];

type Write = fn(&TcpStream, Vec<u8>) -> Pending<'_, ()>;

const WRITES: [(&str, Write); 4] = [
    ("write", |stream, mut bytes| {
        Box::pin(async move {
            while !bytes.is_empty() {
                let (result, buffer) = stream.write(bytes).await;
                bytes = buffer;
                drop(bytes.drain(..result.unwrap()));
            }
        })
    }),
    ("write_all", |stream, bytes| {
        Box::pin(async move { stream.write_all(bytes).await.0.unwrap() })
    }),
    ("write_vectored", |stream, mut bytes| {
        Box::pin(async move {
            while !bytes.is_empty() {
                let half = bytes.split_off(bytes.len() / 2);
                let (result, parts) = stream.write_vectored([bytes, half]).await;
                bytes = parts.concat();
                drop(bytes.drain(..result.unwrap()));
            }
        })
    }),
    ("write_vectored_all", |stream, bytes| {
        Box::pin(async move {
            let pieces: Vec<Vec<u8>> = bytes.chunks(999).map(<[u8]>::to_vec).collect();
            stream.write_vectored_all(pieces).await.0.unwrap();
        })
    }),
];

/// Echoes until the peer ends.
async fn echo(stream: TcpStream, read: Read, write: Write) {
    loop {
        let bytes = read(&stream).await;
        if bytes.is_empty() {
            return;
        }
        write(&stream, bytes).await;
    }
}

/// A blocking peer that sends `bytes`, ends its direction, and returns all that comes back.
fn send_and_collect(mut peer: net::TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut writer = peer.try_clone().unwrap();
        let sender = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        peer.read_to_end(&mut back).unwrap();
        sender.join().unwrap();
        back
    })
}

#[test]
fn r5_an_echo_by_every_form_gives_back_what_was_sent() {
    alone("forms::r5_an_echo_by_every_form_gives_back_what_was_sent", || {
        let bytes = Random::new().bytes(1 << 20);
        let runtime = Runtime::builder().shards(1).build().unwrap();
        for (reading, read) in READS {
            for (writing, write) in WRITES {
                let back = runtime.block_on(counted(async {
                    let (ours, peer) = pair();
                    let collected = send_and_collect(peer, bytes.clone());
                    echo(ours, read, write).await;
                    collected
                }));
                assert!(back.join().unwrap() == bytes, "{reading} and {writing}");
            }
        }
    });
}

#[test]
fn an_echo_of_received_buffers_copies_nothing_and_gives_them_back() {
    let _deadline = deadline("echo of pool buffers");
    let bytes = Random::new().bytes(1 << 20);
    let runtime = Runtime::builder().shards(1).recv_buffers(8, 512).build().unwrap();
    let back = runtime.block_on(async {
        let (ours, peer) = pair();
        let collected = send_and_collect(peer, bytes.clone());
        loop {
            let received = ours.recv().await.unwrap();
            if received.is_empty() {
                return collected;
            }
            ours.write_all(received).await.0.unwrap();
        }
    });
    assert!(back.join().unwrap() == bytes);
}

#[test]
fn a_connection_between_two_tasks_by_every_form() {
    let _deadline = deadline("both ends");
    let bytes = Random::new().bytes(1 << 20);
    let runtime = Runtime::builder().shards(1).build().unwrap();
    for (reading, read) in READS {
        for (writing, write) in WRITES {
            let received = runtime.block_on(async {
                let (server, client) = both_ends().await.unwrap();
                let bytes = bytes.clone();
                let writer = spawn(async move { write(&client, bytes).await });
                let mut received = Vec::new();
                loop {
                    match read(&server).await {
                        bytes if bytes.is_empty() => break,
                        bytes => received.extend(bytes),
                    }
                }
                writer.await.unwrap();
                received
            });
            assert!(received == bytes, "{reading} and {writing}");
        }
    }
}

#[test]
fn recv_and_the_other_reads_in_any_order_keep_the_bytes_in_order() {
    let _deadline = deadline("mixed reads");
    let mut random = Random::new();
    let bytes = random.bytes(1 << 18);
    let runtime = Runtime::builder().shards(1).build().unwrap();
    let received = runtime.block_on(async {
        let (ours, mut peer) = pair();
        let sent = bytes.clone();
        let sender = thread::spawn(move || peer.write_all(&sent));
        let mut received = Vec::new();
        while received.len() < bytes.len() {
            let len = 1 + random.below(5000) as usize;
            match random.below(4) {
                0 => received.extend_from_slice(&ours.recv().await.unwrap()),
                1 => received.extend(ours.read(Vec::with_capacity(len)).await.1),
                2 => {
                    let len = len.min(bytes.len() - received.len());
                    let (result, buffer) = ours.read_exact(vec![0; len]).await;
                    result.unwrap();
                    received.extend(buffer);
                }
                _ => {
                    let buffers = [Vec::with_capacity(len), Vec::with_capacity(3)];
                    received.extend(ours.read_vectored(buffers).await.1.concat());
                }
            }
        }
        sender.join().unwrap().unwrap();
        received
    });
    assert!(received == bytes);
}

#[test]
fn buffers_that_are_empty_or_many_are_handled() {
    let _deadline = deadline("odd buffers");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (ours, mut peer) = pair();
        ours.write_all("").await.0.unwrap();
        assert_eq!(ours.write("").await.0.unwrap(), 0);
        ours.write_vectored_all(Vec::<Vec<u8>>::new()).await.0.unwrap();
        ours.write_vectored_all([Vec::new(), Vec::new()]).await.0.unwrap();
        ours.read_exact(Vec::new()).await.0.unwrap();
        // More than the kernel takes at a time.
        let many: Vec<Vec<u8>> = (0..3000).map(|n: u32| n.to_be_bytes().to_vec()).collect();
        ours.write_vectored_all(many.clone()).await.0.unwrap();
        let mut got = vec![0; 12_000];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(got, many.concat());
        peer.write_all(&got).unwrap();
        let mut back = Vec::new();
        while back.len() < got.len() {
            let buffers: Vec<_> = (0..2000).map(|_| Vec::with_capacity(5)).collect();
            let (result, buffers) = ours.read_vectored(buffers).await;
            assert!(result.unwrap() > 0);
            back.extend(buffers.concat());
        }
        assert_eq!(back, got);
    });
}

#[test]
fn buffers_of_the_crate_bytes_are_written_and_read_into_without_touching_their_neighbours() {
    let _deadline = deadline("bytes");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (server, client) = both_ends().await.unwrap();
        let sent = Bytes::from(Random::new().bytes(3000));
        let parts = (Bytes::slice(&sent, ..1000), Bytes::slice(&sent, 1000..));
        client.write_vectored_all(parts).await.0.unwrap();

        let mut first = BytesMut::with_capacity(3001);
        let second = first.split_off(1000);
        let mut last = BytesMut::zeroed(2000).split_off(1999);
        last.clear();
        let (result, (first, second)) = server.read_vectored((first, second)).await;
        let len = result.unwrap();
        let (result, second) = server.read_exact(second.slice(len - 1000..2000)).await;
        result.unwrap();
        assert!(first[..] == sent[..1000] && second.into_inner()[..] == sent[1000..]);

        client.write_all(sent).await.0.unwrap();
        let (result, last) = server.read(last).await;
        assert_eq!((result.unwrap(), last.len()), (1, 1));
    });
}

#[test]
fn n5_a_peer_that_has_ended_can_still_be_written_to() {
    alone("forms::n5_a_peer_that_has_ended_can_still_be_written_to", || {
        let runtime = Runtime::builder().shards(1).build().unwrap();
        for (reading, read) in READS {
            runtime.block_on(counted(async {
                let (ours, mut peer) = pair();
                peer.shutdown(Shutdown::Write).unwrap();
                for _ in 0..3 {
                    assert!(read(&ours).await.is_empty(), "{reading}");
                }
                ours.write_all("still here").await.0.unwrap();
                ours.shutdown(Shutdown::Write).await.unwrap();
                let mut text = String::new();
                peer.read_to_string(&mut text).unwrap();
                assert_eq!(text, "still here");
                let error = ours.write_all("no more").await.0.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }));
        }
    });
}

#[test]
fn halves_work_in_two_tasks_and_come_together_again() {
    let _deadline = deadline("halves");
    let bytes = Random::new().bytes(1 << 18);
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let (server, client) = both_ends().await.unwrap();
        let (reader, writer) = client.into_split();
        let sent = bytes.clone();
        let writing = spawn(async move {
            writer.write_all(sent).await.0.unwrap();
            writer
        });
        let echoing = spawn(async move {
            let (reader, writer) = server.into_split();
            loop {
                match reader.recv().await.unwrap() {
                    bytes if bytes.is_empty() => return,
                    bytes => writer.write_all(bytes).await.0.unwrap(),
                }
            }
        });
        let (result, back) = reader.read_exact(vec![0; bytes.len()]).await;
        result.unwrap();
        assert!(back == bytes);
        let writer = writing.await.unwrap();
        let client = reader.reunite(writer).unwrap();
        client.write_all("once more").await.0.unwrap();
        let (result, back) = client.read_exact([0; 9]).await;
        result.unwrap();
        assert_eq!(back, *b"once more");
        client.shutdown(Shutdown::Write).await.unwrap();
        assert!(client.recv().await.unwrap().is_empty());
        echoing.await.unwrap();

        let (first, second) = both_ends().await.unwrap();
        let ((reader, writer), (_other_reader, other)) = (first.into_split(), second.into_split());
        let error = reader.reunite(other).unwrap_err();
        drop(writer);
        // Dropping the writing half is the end for the peer, though the reading half lives.
        assert!(_other_reader.recv().await.unwrap().is_empty());
        drop(error);
    });
}

#[test]
fn two_reads_at_a_time_are_an_error_for_the_second_only() {
    let _deadline = deadline("two reads");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    for (reading, read) in READS {
        runtime.block_on(async {
            let (ours, mut peer) = pair();
            let ours = Rc::new(ours);
            let first = ours.clone();
            let task = spawn(async move { read(&first).await });
            sleep(Duration::from_millis(1)).await;
            assert_eq!(ours.read(vec![0]).await.0.unwrap_err().kind(), ErrorKind::ResourceBusy);
            let (result, _) = ours.read_exact(vec![0]).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ResourceBusy);
            let (result, _) = ours.read_vectored([vec![0]]).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::ResourceBusy);
            assert_eq!(ours.recv().await.unwrap_err().kind(), ErrorKind::ResourceBusy);
            peer.write_all(&[7; 4096]).unwrap();
            let got = task.await.unwrap();
            assert!(!got.is_empty() && got.iter().all(|&byte| byte == 7), "{reading}");
        });
    }
}

#[test]
fn many_writes_at_a_time_are_sent_in_the_order_they_were_started() {
    let _deadline = deadline("ordered writes");
    // The order in which tasks are spawned is that in which they start, unless it is shuffled.
    let runtime = Runtime::builder().shards(1).shuffle(0).build().unwrap();
    runtime.block_on(async {
        let (server, client) = both_ends().await.unwrap();
        let client = Rc::new(client);
        let write = |number: u32| {
            let client = client.clone();
            spawn(async move { client.write_all(number.to_be_bytes().to_vec()).await.0 })
        };
        let writes: Vec<_> = (0..10_000).map(write).collect();
        let (result, bytes) = server.read_exact(vec![0; 40_000]).await;
        result.unwrap();
        for (number, word) in bytes.chunks(4).enumerate() {
            assert_eq!(word, (number as u32).to_be_bytes());
        }
        for write in writes {
            write.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_connect_to_no_one_is_refused() {
    let _deadline = deadline("connect refused");
    let runtime = Runtime::builder().shards(1).build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let no_one = async {
            // The listener is closed once its accept, if there was one, has been cancelled.
            loop {
                match TcpStream::connect(address).await {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                    Err(error) => panic!("{error:?}"),
                    Ok(_) => sleep(Duration::from_millis(1)).await,
                }
            }
        };
        timeout(SOON, no_one).await.expect("refused some day");
        // Of several addresses, the first that answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let both = [address, listener.local_addr().unwrap()];
        let stream = TcpStream::connect(&both[..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), both[1]);
    });
}
