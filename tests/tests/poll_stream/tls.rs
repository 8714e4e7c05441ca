//! TLS, by `rustls`, above polled streams: a client and a server that know nothing of us.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{join, try_join};
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures_rustls::pki_types::{PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use futures_rustls::{TlsAcceptor, TlsConnector, client, server};
use miniss_linux::net::{PollStream, Tcp};
use miniss_linux::time::timeout;
use miniss_linux::{Runtime, spawn};
use miniss_tests::deadline::deadline;
use miniss_tests::drivers::drivers;
use miniss_tests::random::Random;

use super::{both_ends, poll_once};

const NAME: &str = "shard.example";

fn on_each_driver(body: impl AsyncFn()) {
    for driver in drivers() {
        let runtime = Runtime::builder().shards(1).driver(driver).build().unwrap();
        runtime.block_on(body());
    }
}

/// Both sides trust one certificate, made here. For ALPN each has the protocols that are named,
/// with a space between two of them.
fn configs(server_protocols: &str, client_protocols: &str) -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let protocols = |names: &str| names.split_whitespace().map(|name| name.into()).collect();
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = protocols(server_protocols);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = protocols(client_protocols);
    (Arc::new(server).into(), Arc::new(client).into())
}

type Server = server::TlsStream<PollStream<Tcp>>;
type Client = client::TlsStream<PollStream<Tcp>>;

/// What each side made of a handshake with the other.
async fn shaken(
    (acceptor, connector): (TlsAcceptor, TlsConnector),
    name: &'static str,
) -> (io::Result<Server>, io::Result<Client>) {
    let (server, client) = both_ends().await;
    let name = ServerName::try_from(name).unwrap();
    join(acceptor.accept(server), connector.connect(name, client)).await
}

async fn connected() -> (Server, Client) {
    let (server, client) = shaken(configs("", ""), NAME).await;
    (server.unwrap(), client.unwrap())
}

/// Sends `bytes` and the end, and reads to its end what the peer sends, which is as much.
async fn exchange(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let (mut reader, mut writer) = stream.split();
    let mut received = vec![0; bytes.len()];
    let send = async {
        writer.write_all(bytes).await?;
        writer.close().await
    };
    let receive = async {
        reader.read_exact(&mut received).await?;
        assert_eq!(reader.read(&mut [0]).await?, 0);
        Ok(())
    };
    try_join(send, receive).await?;
    Ok(received)
}

#[test]
fn both_sides_send_more_than_there_is_room_for_and_see_each_other_end() {
    let _deadline = deadline("both_sides_send_more_than_there_is_room_for");
    let mut random = Random::new();
    let (there, back) = (random.bytes(8 << 20), random.bytes(8 << 20));
    on_each_driver(async || {
        let (server, client) = connected().await;
        let both = try_join(exchange(server, &back), exchange(client, &there)).await;
        let (at_server, at_client) = both.unwrap();
        assert!(at_server == there && at_client == back);
    });
}

#[test]
fn a_peer_that_has_said_its_end_is_still_told() {
    let _deadline = deadline("a_peer_that_has_said_its_end_is_still_told");
    let bytes = Random::new().bytes(1 << 20);
    on_each_driver(async || {
        let (server, mut client) = connected().await;
        let echoing = spawn(async move {
            let (reader, mut writer) = server.split();
            let mut all = Vec::new();
            pin!(reader).read_to_end(&mut all).await?;
            writer.write_all(&all).await?;
            writer.close().await
        });
        client.write_all(&bytes).await.unwrap();
        client.close().await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        assert!(back == bytes);
        echoing.await.unwrap().unwrap();
    });
}

#[test]
fn a_writer_waits_for_a_peer_that_does_not_read() {
    let _deadline = deadline("a_writer_waits_for_a_peer_that_does_not_read");
    let bytes = Random::new().bytes(16 << 20);
    on_each_driver(async || {
        let (mut server, mut client) = connected().await;
        let waits = timeout(Duration::from_millis(50), server.write_all(&bytes)).await;
        assert!(waits.is_err(), "16 MiB went nowhere");
        // What was sent until then is there, and nothing after it.
        drop(server);
        let mut received = Vec::new();
        let error = client.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        assert!(!received.is_empty() && received.len() < bytes.len());
        assert!(received == bytes[..received.len()]);
    });
}

#[test]
fn an_end_that_was_not_said_is_no_end() {
    let _deadline = deadline("an_end_that_was_not_said_is_no_end");
    on_each_driver(async || {
        for is_said in [true, false] {
            let (mut server, mut client) = connected().await;
            server.write_all(b"all of it").await.unwrap();
            server.flush().await.unwrap();
            if is_said {
                server.close().await.unwrap();
            }
            drop(server);
            let mut received = Vec::new();
            let read = client.read_to_end(&mut received).await.map_err(|error| error.kind());
            assert_eq!(received, b"all of it");
            assert_eq!(read, if is_said { Ok(9) } else { Err(ErrorKind::UnexpectedEof) });
        }
    });
}

#[test]
fn a_peer_that_is_silent_or_gone_in_the_handshake_keeps_no_one() {
    let _deadline = deadline("a_peer_that_is_silent_or_gone_in_the_handshake_keeps_no_one");
    on_each_driver(async || {
        let (acceptor, _) = configs("", "");
        let (server, peer) = both_ends().await;
        let silence = timeout(Duration::from_millis(5), acceptor.accept(server)).await;
        assert!(silence.is_err(), "no one has said anything");
        drop(peer);
        let (server, mut peer) = both_ends().await;
        // The beginning of a first message of 256 bytes.
        peer.write_all(&[22, 3, 1, 1, 0]).await.unwrap();
        peer.close().await.unwrap();
        let error = acceptor.accept(server).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    });
}

#[test]
fn reads_that_are_given_up_lose_nothing() {
    let _deadline = deadline("reads_that_are_given_up_lose_nothing");
    let bytes = Random::new().bytes(200_000);
    on_each_driver(async || {
        let (mut server, mut client) = connected().await;
        let sent = bytes.clone();
        let sending = spawn(async move {
            for piece in sent.chunks(997) {
                server.write_all(piece).await.unwrap();
                server.flush().await.unwrap();
                miniss_linux::combine::yield_now().await;
            }
            server.close().await.unwrap();
        });
        let (mut received, mut buffer, mut given_up) = (Vec::new(), [0; 1500], 0);
        loop {
            let len = match poll_once(pin!(client.read(&mut buffer))) {
                Poll::Ready(len) => len,
                Poll::Pending => {
                    given_up += 1;
                    client.read(&mut buffer).await
                }
            };
            match len.unwrap() {
                0 => break,
                len => received.extend_from_slice(&buffer[..len]),
            }
        }
        assert!(received == bytes && given_up > 0, "{given_up}");
        sending.await.unwrap();
    });
}

/// The peer has told why it ended the handshake, or no more than that it has. It tries to write why
/// once, in the poll in which it finds out: there may be no budget left for that.
#[track_caller]
fn assert_told(error: &io::Error, why: &str) {
    let is_told = error.to_string().contains(why);
    assert!(is_told || error.kind() == ErrorKind::UnexpectedEof, "{error}");
}

#[test]
fn a_client_refuses_a_server_of_another_name_and_says_so() {
    let _deadline = deadline("a_client_refuses_a_server_of_another_name_and_says_so");
    on_each_driver(async || {
        let (server, client) = shaken(configs("", ""), "another.example").await;
        let error = client.unwrap_err().to_string();
        assert!(["another.example", NAME].iter().all(|name| error.contains(name)), "{error}");
        assert_told(&server.unwrap_err(), "BadCertificate");
    });
}

#[test]
fn both_sides_know_the_protocol_that_they_have_in_common_or_that_there_is_none() {
    let _deadline = deadline("both_sides_know_the_protocol_that_they_have_in_common");
    on_each_driver(async || {
        for (offered, chosen) in [("h2 http/1.1", "h2"), ("http/1.1", "http/1.1"), ("", "")] {
            let (server, client) = shaken(configs("h2 http/1.1", offered), NAME).await;
            let (server, client) = (server.unwrap(), client.unwrap());
            for seen in [server.get_ref().1.alpn_protocol(), client.get_ref().1.alpn_protocol()] {
                assert_eq!(seen.unwrap_or_default(), chosen.as_bytes());
            }
        }
        let (server, client) = shaken(configs("h2", "smtp"), NAME).await;
        let server = server.unwrap_err().to_string();
        assert!(server.contains("doesn't support any known protocol"), "{server}");
        assert_told(&client.unwrap_err(), "NoApplicationProtocol");
    });
}
