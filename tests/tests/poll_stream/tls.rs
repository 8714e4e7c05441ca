//! TLS, by `rustls`, above polled streams: a client and a server that know nothing of us.

#![forbid(unsafe_code)]

use std::sync::Arc;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures_rustls::pki_types::{PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use futures_rustls::{TlsAcceptor, TlsConnector};
use miniss_linux::spawn;
use miniss_tests::deadline::deadline;
use miniss_tests::random::Random;

use super::{both_ends, on_one_shard};

const NAME: &str = "shard.example";

/// Both sides trust one certificate, made here.
fn configs() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

#[test]
fn a_tls_client_and_server_exchange_bytes_and_see_each_other_end() {
    let _deadline = deadline("tls");
    let bytes = Random::new().bytes(1 << 20);
    let (acceptor, connector) = configs();
    on_one_shard(async {
        let (server, client) = both_ends().await;
        let echoing = spawn(async move {
            let stream = acceptor.accept(server).await.unwrap();
            let (reader, mut writer) = stream.split();
            let copied = futures::io::copy(reader, &mut writer).await.unwrap();
            writer.close().await.unwrap();
            copied
        });
        let name = ServerName::try_from(NAME).unwrap();
        let stream = connector.connect(name, client).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let sent = bytes.clone();
        let writing = spawn(async move {
            writer.write_all(&sent).await.unwrap();
            writer.close().await.unwrap();
        });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.unwrap();
        assert!(received == bytes);
        writing.await.unwrap();
        assert_eq!(echoing.await.unwrap(), bytes.len() as u64);
    });
}

#[test]
fn a_tls_client_refuses_a_server_of_another_name() {
    let _deadline = deadline("tls, another name");
    let (acceptor, connector) = configs();
    on_one_shard(async {
        let (server, client) = both_ends().await;
        let accepting = spawn(async move { acceptor.accept(server).await.is_err() });
        let name = ServerName::try_from("another.example").unwrap();
        let error = connector.connect(name, client).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(accepting.await.unwrap(), "the server was told");
    });
}
