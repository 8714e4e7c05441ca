//! From what a program names to the addresses that the kernel wants.
//!
//! A host name is looked up by the system's resolver, which blocks. So each lookup has a thread of
//! its own for as long as it takes, and the shard goes on meanwhile.

#![forbid(unsafe_code)]

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::thread;

use miniss_core::coop::consume_budget;

use super::kind::sealed;
use crate::topology::unpinned;

/// What names the address of a socket, or several: an address, a list of them, an IP address with a
/// port number, or a host with one. It is the trait of the standard library, but for this: a host
/// name does not block who asks for its addresses.
///
/// | for instance | looked up |
/// |---|---|
/// | `"127.0.0.1:80"`, `"[::1]:80"`, `("::1", 80)`, [`SocketAddr`], `&[SocketAddr]` | no |
/// | `"example.com:80"`, `("example.com", 80)` | yes |
///
/// ```
/// # use miniss_linux::{Runtime, net::lookup_host};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// use std::net::Ipv4Addr;
/// let address = lookup_host((Ipv4Addr::LOCALHOST, 80)).await?;
/// assert_eq!(address, lookup_host("127.0.0.1:80").await?);
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name the address of a socket",
    label = "no address",
    note = "pass a `SocketAddr`, a `&[SocketAddr]`, a text `host:port`, or a pair of host and port"
)]
pub trait ToSocketAddrs: sealed::Sealed {
    #[doc(hidden)]
    fn to_target(&self) -> Target;
}

/// Addresses, or what to ask the resolver for.
#[doc(hidden)]
#[derive(Debug)]
pub enum Target {
    Addresses(Vec<SocketAddr>),
    /// A host, a colon and a port number.
    Text(String),
    Host(String, u16),
}

macro_rules! literal {
    ($($name:ty),*) => {$(
        impl sealed::Sealed for $name {}

        impl ToSocketAddrs for $name {
            fn to_target(&self) -> Target {
                Target::Addresses(vec![SocketAddr::from(*self)])
            }
        }
    )*};
}

literal!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl sealed::Sealed for [SocketAddr] {}

impl ToSocketAddrs for [SocketAddr] {
    fn to_target(&self) -> Target {
        Target::Addresses(self.to_vec())
    }
}

impl sealed::Sealed for str {}

impl ToSocketAddrs for str {
    fn to_target(&self) -> Target {
        match self.parse() {
            Ok(address) => Target::Addresses(vec![address]),
            Err(_) => Target::Text(self.to_owned()),
        }
    }
}

impl sealed::Sealed for (&str, u16) {}

impl ToSocketAddrs for (&str, u16) {
    fn to_target(&self) -> Target {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Target::Addresses(vec![SocketAddr::from((ip, self.1))]),
            Err(_) => Target::Host(self.0.to_owned(), self.1),
        }
    }
}

impl sealed::Sealed for String {}

impl ToSocketAddrs for String {
    fn to_target(&self) -> Target {
        self.as_str().to_target()
    }
}

impl sealed::Sealed for (String, u16) {}

impl ToSocketAddrs for (String, u16) {
    fn to_target(&self) -> Target {
        (self.0.as_str(), self.1).to_target()
    }
}

impl<T: ToSocketAddrs + ?Sized> sealed::Sealed for &T {}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_target(&self) -> Target {
        (**self).to_target()
    }
}

/// The addresses of `host`, in the order in which the system's resolver prefers them.
///
/// # Errors
///
/// What the resolver says; `InvalidInput` if there is no port number.
///
/// # Cancellation
///
/// Dropping it does not stop the lookup. It ends in its thread, and the result is dropped.
///
/// ```
/// # use miniss_linux::{Runtime, net::lookup_host};
/// # Runtime::builder().shards(1).build().unwrap().block_on(async {
/// let addresses = lookup_host("localhost:80").await?;
/// assert!(addresses.iter().all(|address| address.ip().is_loopback()));
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    consume_budget().await;
    let answer = match host.to_target() {
        Target::Addresses(addresses) => return Ok(addresses),
        Target::Text(text) => ask(text)?,
        Target::Host(host, port) => ask((host, port))?,
    };
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the resolver panicked")))
}

/// Asks the resolver, in a thread of its own.
#[cold]
fn ask<H>(host: H) -> io::Result<Answer>
where
    H: net::ToSocketAddrs<Iter = std::vec::IntoIter<SocketAddr>> + Send + 'static,
{
    let (answer, promise) = miniss_core::Future::new();
    let ask = move || {
        // No one may wait any more.
        let _ = promise.complete(host.to_socket_addrs().map(Iterator::collect));
    };
    unpinned(|| thread::Builder::new().name("miniss-resolver".into()).spawn(ask))?;
    Ok(answer)
}

/// What the resolver says, or that it has panicked.
type Answer = miniss_core::Future<io::Result<Vec<SocketAddr>>>;

/// What `attempt` makes of the first address that works, or the error of the last.
pub(super) async fn first_that_works<T>(
    addresses: Vec<SocketAddr>,
    attempt: impl AsyncFn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in addresses {
        match attempt(address).await {
            Ok(made) => return Ok(made),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the name has no address that fits")
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::{Runtime, spawn};

    /// A resolver that waits for its answer.
    struct Slow(Mutex<Receiver<SocketAddr>>);

    impl net::ToSocketAddrs for Slow {
        type Iter = std::vec::IntoIter<SocketAddr>;

        fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
            let answer = self.0.lock().unwrap().recv().expect("it is sent");
            Ok(vec![answer].into_iter())
        }
    }

    #[test]
    fn a_slow_resolver_does_not_stop_the_shard() {
        Runtime::builder().shards(1).build().unwrap().block_on(async {
            let (sender, receiver) = channel();
            let lookup = spawn(ask(Slow(Mutex::new(receiver))).unwrap());
            crate::yield_now().await;
            let address = SocketAddr::from(([127, 0, 0, 1], 80));
            spawn(async move { sender.send(address).unwrap() }).await.unwrap();
            assert_eq!(lookup.await.unwrap().unwrap().unwrap(), [address]);
        });
    }

    #[test]
    fn a_resolver_may_panic_and_a_lookup_may_be_given_up() {
        Runtime::builder().shards(1).build().unwrap().block_on(async {
            let (sender, receiver) = channel();
            let lookup = ask(Slow(Mutex::new(receiver))).unwrap();
            drop(sender);
            lookup.await.unwrap_err();
            let (sender, receiver) = channel();
            drop(ask(Slow(Mutex::new(receiver))).unwrap());
            // The thread may have ended by then, or not.
            let _ = sender.send(SocketAddr::from(([127, 0, 0, 1], 80)));
        });
    }
}
