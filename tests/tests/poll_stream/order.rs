//! A stream becomes one that is polled, and one that is polled a stream: the order stays.

#![forbid(unsafe_code)]

use std::pin::pin;
use std::task::Poll;

use futures::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use miniss_linux::net::{PollStream, TcpStream};
use miniss_linux::time::timeout;
use miniss_linux::{Runtime, spawn};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::random::Random;
use miniss_tests::sockets::{both_ends, pair};

use super::{exchange, on_one_shard, poll_once};

/// Polls once; it must not be ready.
fn begin<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(poll_once(future).is_pending());
}

#[test]
fn bytes_that_were_received_and_not_read_come_first() {
    let _deadline = deadline("received before");
    on_one_shard(async {
        let (server, client) = both_ends().await.unwrap();
        client.write_all("abcdef").await.0.unwrap();
        assert_eq!(server.peek([0; 6]).await.1, *b"abcdef");
        assert_eq!(server.recv().await.unwrap()[..], *b"abcdef");
        client.write_all("ghijkl").await.0.unwrap();
        // With the receive ahead in flight, a read leaves the rest of what came.
        assert_eq!(server.read([0; 2]).await.1, *b"gh");

        let mut server = PollStream::from(server);
        let mut bytes = [0; 2];
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes, *b"ij");
        assert_eq!(server.fill_buf().await.unwrap(), b"kl");
        client.write_all("mn").await.0.unwrap();

        let server = TcpStream::from(server);
        assert_eq!(server.read_exact([0; 4]).await.1, *b"klmn");
    });
}

#[test]
fn a_read_that_waits_loses_nothing_when_it_becomes_another() {
    let _deadline = deadline("waiting reads");
    on_one_shard(async {
        let (mut server, client) = both_ends().await.unwrap();
        for _ in 0..100 {
            begin(pin!(server.read(vec![0; 10])));
            let mut polled = PollStream::from(server);
            client.write_all("first").await.0.unwrap();
            let mut bytes = [0; 5];
            polled.read_exact(&mut bytes).await.unwrap();
            assert_eq!(bytes, *b"first");

            begin(pin!(polled.read(&mut bytes)));
            client.write_all("second").await.0.unwrap();
            server = TcpStream::from(polled);
            assert_eq!(server.read_exact([0; 6]).await.1, *b"second");
        }
    });
}

#[test]
fn any_order_of_reads_keeps_the_order_of_the_bytes() {
    let _deadline = deadline("any order");
    let mut random = Random::new();
    let bytes = random.bytes(1 << 18);
    let runtime = Runtime::builder().shards(1).recv_buffers(8, 512).build().unwrap();
    // At first nothing is received ahead, then from some time on, then from the beginning.
    for kinds in [[4, 4], [4, 6], [6, 6]] {
        runtime.block_on(read_in_any_order(kinds, &bytes, &mut random));
    }
}

/// As many of the kinds of reads are used in each half.
async fn read_in_any_order(kinds: [u64; 2], bytes: &[u8], random: &mut Random) {
    let (mut stream, peer) = pair();
    let sending = exchange(peer, bytes.to_vec());
    let mut received = Vec::new();
    while received.len() < bytes.len() {
        let room = 1 + random.below(2000) as usize;
        let half = usize::from(received.len() > bytes.len() / 2);
        match random.below(kinds[half]) {
            4 => received.extend_from_slice(&stream.recv().await.unwrap()),
            0 => {
                let (result, buffer) = stream.read(vec![0; room]).await;
                received.extend_from_slice(&buffer[..result.unwrap()]);
            }
            1 => begin_or_take(&stream, room, &mut received),
            polled => {
                let mut reader = PollStream::from(stream);
                let mut buffer = vec![0; room];
                let len = match polled {
                    2 => reader.read(&mut buffer).await.unwrap(),
                    3 => match poll_once(pin!(reader.read(&mut buffer))) {
                        Poll::Ready(result) => result.unwrap(),
                        Poll::Pending => 0,
                    },
                    _ => {
                        let _ = poll_once(pin!(reader.fill_buf()));
                        let lent = reader.fill_buf().await.unwrap();
                        let len = lent.len().min(room);
                        buffer[..len].copy_from_slice(&lent[..len]);
                        reader.consume_unpin(len);
                        len
                    }
                };
                received.extend_from_slice(&buffer[..len]);
                stream = TcpStream::from(reader);
            }
        }
    }
    assert!(received == bytes);
    // A drop would leave it open until the reads that were given up have ended.
    stream.close().await.unwrap();
    sending.join().unwrap();
}

/// A read that is given up, unless it is ready at once.
fn begin_or_take(stream: &TcpStream, room: usize, received: &mut Vec<u8>) {
    if let Poll::Ready((result, buffer)) = poll_once(pin!(stream.read(vec![0; room]))) {
        received.extend_from_slice(&buffer[..result.unwrap()]);
    }
}

#[test]
fn nothing_of_a_write_that_was_given_up_goes_out_behind_a_polled_one() {
    let _deadline = deadline("given up before");
    const TOO_MUCH: usize = 16 << 20;
    for _ in 0..5 {
        on_one_shard(async {
            let (stream, peer) = pair();
            begin(pin!(stream.write_all(vec![b'A'; TOO_MUCH])));
            // Someone who had read all the while could have made room for all of it.
            let received = exchange(peer, Vec::new());
            let mut stream = PollStream::from(stream);
            timeout(SOON, stream.write_all(b"B")).await.unwrap().unwrap();
            stream.close().await.unwrap();
            // A stream again, and it has its turn.
            let stream = TcpStream::from(stream);
            assert!(stream.write_all("C").await.0.is_err(), "its direction has ended");
            assert!(stream.cancelled_write_bytes().await <= TOO_MUCH);
            let received = received.join().unwrap();
            let before = received.iter().take_while(|&&byte| byte == b'A').count();
            assert_eq!(received[before..], *b"B");
            drop(stream);
        });
    }
}

#[test]
fn a_polled_write_that_waits_lets_go_when_it_becomes_a_stream() {
    let _deadline = deadline("writes after");
    on_one_shard(async {
        let (stream, peer) = pair();
        let mut stream = PollStream::from(stream);
        let piece = vec![b'A'; 1 << 16];
        let mut sent = 0;
        while let Poll::Ready(result) = poll_once(pin!(stream.write(&piece))) {
            sent += result.unwrap();
        }
        // What waits for room is given up, also before the connection leaves the shard.
        let stream = TcpStream::from(stream).detach().await.unwrap().attach().unwrap();
        let writing = spawn(async move { stream.write_all("B").await.0 });
        let received = exchange(peer, Vec::new());
        writing.await.unwrap().unwrap();
        let received = received.join().unwrap();
        assert_eq!(received.iter().filter(|&&byte| byte == b'A').count(), sent);
        assert!(received.len() == sent + 1 && received.ends_with(b"B"));
    });
}
