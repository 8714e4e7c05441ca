//! A proxy of TCP, which may choose by the name that a TLS client asks for.
//!
//! `cargo run --release --example proxy -- --addr 127.0.0.1:8443 --sni localhost=127.0.0.1:8080`
//!
//! TLS is not ended here: the proxy reads the first message of the client, which is in the clear,
//! and passes it on with all that follows. It needs no key.

#![forbid(unsafe_code)]

#[path = "../http/server.rs"]
mod server;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use futures_rustls::rustls::server::Acceptor;
use miniss_linux::net::{ConnectOptions, TcpStream, copy_bidirectional_with_idle_timeout};
use miniss_linux::time::timeout;

use server::{Settings, Shard, complain};

const MORE: &str = "\
It runs until SIGINT or SIGTERM, and then ends when the connections have ended, in 10 s at most.
--patience-ms is also how long it may take to connect to the other side.
Try: curl http://127.0.0.1:8080/                                     with --to
     curl --connect-to ::127.0.0.1:8080 https://www.rust-lang.org    with --sni";

#[derive(Parser)]
#[command(
    name = "proxy",
    about = "proxy: passes TCP connections on, those of TLS also by the name that is asked for",
    after_help = MORE
)]
struct Options {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    routes: Routes,
}

#[derive(clap::Args)]
struct Routes {
    /// Clients of TLS that ask for NAME go to ADDRESS. May be given many times
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = route)]
    sni: Vec<(String, String)>,
    /// All others go to ADDRESS. Without it they are refused
    #[arg(long, value_name = "ADDRESS", required_unless_present = "sni")]
    to: Option<String>,
    /// A connection ends when nothing has moved for so long
    #[arg(long, value_name = "MS", default_value = "60000")]
    idle_ms: u64,
}

fn route(text: &str) -> Result<(String, String), &'static str> {
    let (name, address) = text.split_once('=').ok_or("NAME=ADDRESS is wanted")?;
    Ok((name.to_ascii_lowercase(), address.into()))
}

fn main() -> ExitCode {
    let Options { settings, routes } = Options::parse();
    let routes = Arc::new(routes);
    server::run("proxy", "curl http://ADDRESS/", &settings, async move |stream, shard: &Shard| {
        let peer = stream.peer_addr();
        if let Err(error) = pass_on(stream, &routes, shard).await {
            let peer = peer.map_or("a client".into(), |peer| peer.to_string());
            complain("proxy", &*Failure::from(format!("{peer}: {error}")));
        }
    })
}

type Failure = Box<dyn Error + Send + Sync>;

/// Serves one client to its end.
async fn pass_on(client: TcpStream, routes: &Routes, shard: &Shard) -> Result<(), Failure> {
    // Where all connections go the same way, there is nothing to read first.
    let (hello, name) = if routes.sni.is_empty() {
        (Vec::new(), None)
    } else {
        let hello = shard.shutdown.until_requested(timeout(shard.patience, read_hello(&client)));
        let Some(hello) = hello.await else { return Ok(()) };
        hello.map_err(|_| format!("it said nothing of use for {:?}", shard.patience))??
    };
    let Some(address) = routes.find(name.as_deref()) else {
        let _ = client.write_all(UNRECOGNIZED_NAME).await;
        return Err(match name {
            Some(name) => format!("no way to {name}: add --sni {name}=ADDRESS, or --to").into(),
            None => "it asked for no name by TLS: add --to for such clients".into(),
        });
    };
    let connect = ConnectOptions::new().timeout(shard.patience).connect(address).await;
    let server = connect.map_err(|error| format!("cannot connect to {address}: {error}"))?;
    server.set_nodelay(true)?;
    server.write_all(hello).await.0?;
    let idle = Duration::from_millis(routes.idle_ms);
    copy_bidirectional_with_idle_timeout(&client, &server, idle).await?;
    Ok(())
}

impl Routes {
    fn find(&self, name: Option<&str>) -> Option<&str> {
        let known = self.sni.iter().find(|(known, _)| name == Some(known));
        known.map(|(_, address)| address).or(self.to.as_ref()).map(String::as_str)
    }
}

/// How long the first message of a client may be. Real ones have less than 4 KiB.
const HELLO_BYTES_MAX: usize = 16 << 10;

/// The alert of this name, which is fatal: RFC 8446, 6.2.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// All that has come when the first message of TLS was whole, and the name in it. What is not TLS
/// has none.
async fn read_hello(client: &TcpStream) -> Result<(Vec<u8>, Option<String>), Failure> {
    let (mut bytes, mut acceptor) = (Vec::new(), Acceptor::default());
    while bytes.len() < HELLO_BYTES_MAX {
        let received = client.recv().await?;
        if received.is_empty() {
            return Err("it ended before it had said what it wants".into());
        }
        bytes.extend_from_slice(&received);
        let mut rest = &received[..];
        while !rest.is_empty() {
            acceptor.read_tls(&mut rest)?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(String::from);
                    return Ok((bytes, name));
                }
                Err(_) => return Ok((bytes, None)),
            }
        }
    }
    Err(format!("its first message has more than {HELLO_BYTES_MAX} bytes").into())
}
