//! One address for all shards, and clear words when it cannot be had.
//!
//! `[listen] ─▶ accept ─▶ socket`
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::exit;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use miniss_linux::net::{ListenOptions, TcpListener};
use miniss_linux::{Driver, ShardId};

use crate::say::{complain, say};

/// Too many open files.
const EMFILE: i32 = 24;

/// Why a server cannot listen.
#[derive(Debug)]
pub struct ListenError {
    address: String,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.error)?;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => {
                f.write_str("; stop the program that uses it, or choose another with --addr")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("; ports below 1024 need privileges: choose another with --addr")
            }
            _ if self.error.raw_os_error() == Some(EMFILE) => {
                f.write_str("; raise RLIMIT_NOFILE (ulimit -n)")
            }
            _ => f.write_str("; choose another with --addr, as IP:PORT"),
        }
    }
}

impl std::error::Error for ListenError {}

/// Finds out whether `address` can be listened on, and which address that is: each shard is to bind
/// it with `SO_REUSEPORT`, which would also let it share the port with another program. Port 0
/// becomes a free one.
///
/// # Errors
///
/// [`ListenError`], to be shown to the user.
pub async fn claim(address: &str) -> Result<SocketAddr, ListenError> {
    let fail = |error| ListenError { address: address.into(), error };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    listener.local_addr().map_err(fail)
}

/// This shard's listener on an address that was [claimed](claim). The last shard to have one tells
/// the user where the server listens, and on which `driver`: by then every shard listens.
///
/// Ends the program if it cannot be had: the other shards would serve on, and the connections meant
/// for this one would fail.
///
/// # Panics
///
/// Outside of a runtime.
pub async fn listen(address: SocketAddr, driver: Driver) -> TcpListener {
    let options = ListenOptions::new().reuse_port(true);
    match options.bind(address).await {
        Ok(listener) => {
            announce(address, driver);
            listener
        }
        Err(error) => {
            let error = ListenError { address: address.to_string(), error };
            complain(format_args!("kv: {error}"));
            exit(1)
        }
    }
}

fn announce(address: SocketAddr, driver: Driver) {
    static LISTENING: AtomicUsize = AtomicUsize::new(0);
    let shards = ShardId::all().count();
    // Relaxed: the count is all that is told.
    if LISTENING.fetch_add(1, Relaxed) + 1 == shards {
        let plural = if shards == 1 { "" } else { "s" };
        let (ip, port) = (address.ip(), address.port());
        say(format_args!(
            "kv: listening on {address}, {shards} shard{plural}, {driver}\n\
             Try: redis-cli -h {ip} -p {port}"
        ));
    }
}
