//! Messages cut out of a stream by the codecs of `tokio-util`.

#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::slice;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use miniss_linux::spawn;
use miniss_tests::random::Random;
use tokio::io::AsyncWriteExt;
use tokio_util::codec::{Framed, FramedRead, LengthDelimitedCodec, LinesCodec, LinesCodecError};

use super::both_ends;

/// How long messages are, among them none at all and more than a receive buffer.
const LENGTHS: [usize; 7] = [0, 1, 16_383, 16_384, 100_000, 3, 1_000_000];

#[miniss_linux::test(driver = all, deadline = "120 s")]
async fn messages_come_back_as_they_were_sent_while_others_are_under_way() {
    let mut random = Random::new();
    let messages = LENGTHS.map(|length| Bytes::from(random.bytes(length)));
    let (server, client) = both_ends().await;
    let serving = spawn(async move {
        let mut server = Framed::new(server, LengthDelimitedCodec::new());
        let mut served = 0;
        while let Some(message) = server.next().await {
            server.send(message.unwrap().freeze()).await.unwrap();
            served += 1;
        }
        served
    });
    let (mut sender, mut receiver) = Framed::new(client, LengthDelimitedCodec::new()).split();
    let sent = messages.clone();
    let sending = spawn(async move {
        for message in sent {
            sender.send(message).await.unwrap();
        }
        sender
    });
    for message in &messages {
        assert!(receiver.next().await.unwrap().unwrap() == message);
    }
    sending.await.unwrap().close().await.unwrap();
    assert!(receiver.next().await.is_none());
    assert_eq!(serving.await.unwrap(), LENGTHS.len());
}

#[miniss_linux::test(driver = all, deadline = "120 s")]
async fn lines_are_cut_wherever_the_pieces_end_and_a_line_too_long_is_an_error() {
    let (server, mut client) = both_ends().await;
    let mut lines = FramedRead::new(server, LinesCodec::new_with_max_length(8));
    let writing = spawn(async move {
        for byte in b"one\r\n\nthree\n123456789\nlast" {
            client.write_all(slice::from_ref(byte)).await.unwrap();
            client.flush().await.unwrap();
        }
        client.shutdown().await.unwrap();
    });
    for line in ["one", "", "three"] {
        assert_eq!(lines.next().await.unwrap().unwrap(), line);
    }
    let refused = lines.next().await.unwrap();
    assert!(matches!(refused, Err(LinesCodecError::MaxLineLengthExceeded)), "{refused:?}");
    // Such an error ends the stream of lines once, and what comes after it is read again.
    assert!(lines.next().await.is_none());
    assert_eq!(lines.next().await.unwrap().unwrap(), "last");
    assert!(lines.next().await.is_none());
    writing.await.unwrap();
}

#[miniss_linux::test(driver = all, deadline = "120 s")]
async fn a_peer_that_ends_within_a_message_is_an_error() {
    let (server, mut client) = both_ends().await;
    let mut messages = FramedRead::new(server, LengthDelimitedCodec::new());
    client.write_all(&[0, 0, 0, 9, 1, 2, 3]).await.unwrap();
    client.shutdown().await.unwrap();
    let error = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::Other), "{error:?}");
}
