//! HTTP by TLS, with rustls: each client chooses HTTP/1 or HTTP/2 by ALPN.
//!
//! `cargo run --release --example https -- --cert cert.pem --key key.pem`
//!
//! It has the pages of `http`, which is where hyper is told how to serve them. `fetch.rs` is a
//! client.

#![forbid(unsafe_code)]

#[path = "../http/pages.rs"]
mod pages;
#[path = "../http/server.rs"]
mod server;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::ServerConfig;
use miniss_linux::net::{PollStream, TcpStream};
use miniss_linux::time::timeout;
use smol_hyper::rt::FuturesIo;

use server::{Settings, Shard};

const MORE: &str = "\
It runs until SIGINT or SIGTERM, and then ends when the requests in progress have ended.
A certificate to try it with:
     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \\
         -subj /CN=localhost -addext subjectAltName=DNS:localhost \\
         -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem
Try: curl --cacert cert.pem https://localhost:8080/             a greeting, by HTTP/2
     curl --cacert cert.pem --http1.1 https://localhost:8080/   the same by HTTP/1
     cargo run --release --example fetch -- --ca cert.pem https://localhost:8080/";

#[derive(Parser)]
#[command(
    name = "https",
    about = "https: a server of HTTP/1 and HTTP/2 by TLS, with rustls and hyper",
    after_help = MORE
)]
struct Options {
    #[command(flatten)]
    settings: Settings,
    /// The server's certificate, and those above it, as PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// The private key of the certificate, as PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let acceptor = match options.acceptor() {
        Ok(acceptor) => acceptor,
        Err(error) => {
            server::complain("https", &*error);
            return ExitCode::FAILURE;
        }
    };
    let client = "curl --insecure https://ADDRESS/";
    server::run("https", client, &options.settings, async move |stream, shard: &Shard| {
        // A connection that fails ends, and nothing else does.
        drop(serve(stream, &acceptor, shard).await);
    })
}

type Failure = Box<dyn Error + Send + Sync>;

impl Options {
    /// How each connection becomes one of TLS. All shards share it.
    fn acceptor(&self) -> Result<TlsAcceptor, Failure> {
        let (cert, key) = (self.cert.display(), self.key.display());
        let chain = CertificateDer::pem_file_iter(&self.cert).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| format!("--cert {cert}: {error}"))?;
        if chain.is_empty() {
            return Err(format!("--cert {cert}: there is no certificate in it").into());
        }
        let private_key = PrivateKeyDer::from_pem_file(&self.key);
        let private_key = private_key.map_err(|error| format!("--key {key}: {error}"))?;
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config
            .with_single_cert(chain, private_key)
            .map_err(|error| format!("--cert {cert} --key {key}: {error}"))?;
        // What we like best comes first.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

/// Serves one client, in the version that it has chosen.
async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, shard: &Shard) -> Result<(), Failure> {
    let handshake = acceptor.accept(PollStream::from(stream));
    let handshake = shard.shutdown.until_requested(timeout(shard.patience, handshake));
    // `None`: the server stops.
    let Some(stream) = handshake.await.transpose()?.transpose()? else { return Ok(()) };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = FuturesIo::new(stream);
    match is_http2 {
        true => pages::serve_http2(stream, shard).await?,
        false => pages::serve_http1(stream, shard).await?,
    }
    Ok(())
}
