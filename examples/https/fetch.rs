//! An HTTPS client, with rustls and hyper: it asks for one page, and says by which version.
//!
//! `cargo run --release --example fetch -- --ca cert.pem https://localhost:8080/`

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use miniss_linux::net::{PollStream, Tcp, TcpStream};
use miniss_linux::time::timeout;
use miniss_linux::{CurrentShard, spawn};
use smol_hyper::rt::FuturesIo;

#[derive(Parser)]
#[command(name = "fetch", about = "fetch: gets a page by HTTPS")]
struct Options {
    /// What to get, as https://localhost:8080/
    #[arg(value_name = "URL")]
    url: Uri,
    /// The certificates to trust, as PEM
    #[arg(long, value_name = "FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca: PathBuf,
    /// Ask for HTTP/1 only
    #[arg(long)]
    http1: bool,
    /// How long all of it may take
    #[arg(long, value_name = "MS", default_value = "30000")]
    patience_ms: u64,
}

type Failure = Box<dyn Error + Send + Sync>;

#[miniss_linux::main(shards = 1)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let patience = Duration::from_millis(options.patience_ms);
    let fetched = timeout(patience, fetch(&options)).await.map_err(Failure::from).flatten();
    let Err(error) = fetched else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "fetch: {}: {error}", options.url);
    ExitCode::FAILURE
}

async fn fetch(options: &Options) -> Result<(), Failure> {
    let host = options.url.host().ok_or("it needs a host, as in https://localhost:8080/")?;
    let connector = connector(&options.ca, options.http1)?;
    let name = ServerName::try_from(host.to_owned())?;
    let stream = TcpStream::connect((host, options.url.port_u16().unwrap_or(443))).await?;
    let stream = connector.connect(name, PollStream::from(stream)).await?;

    let mut response = ask(stream, &options.url).await?;
    writeln!(io::stdout(), "{:?} {}", response.version(), response.status())?;
    while let Some(frame) = response.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            io::stdout().write_all(&bytes)?;
        }
    }
    Ok(())
}

fn connector(ca: &Path, only_http1: bool) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::pem_file_iter(ca).and_then(Iterator::collect);
    let trusted: Vec<_> = trusted.map_err(|error| format!("--ca {}: {error}", ca.display()))?;
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() {
        return Err(format!("--ca {}: there is no certificate in it", ca.display()).into());
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let all = [b"h2".to_vec(), b"http/1.1".to_vec()];
    config.alpn_protocols = all[usize::from(only_http1)..].to_vec();
    Ok(Arc::new(config).into())
}

/// Asks in the version that the server has chosen.
async fn ask(stream: TlsStream<PollStream<Tcp>>, url: &Uri) -> Result<Response<Incoming>, Failure> {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = FuturesIo::new(stream);
    let empty = Empty::<Bytes>::new();
    if is_http2 {
        let (mut requests, connection) = http2::handshake(CurrentShard, stream).await?;
        spawn(connection).detach();
        Ok(requests.send_request(Request::get(url).body(empty)?).await?)
    } else {
        let (mut requests, connection) = http1::handshake(stream).await?;
        spawn(connection).detach();
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let host = url.authority().map_or("", |authority| authority.as_str());
        Ok(requests.send_request(Request::get(path).header(HOST, host).body(empty)?).await?)
    }
}
