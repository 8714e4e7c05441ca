//! From what a program names to the addresses that the kernel wants.
//!
//! A host name is looked up by the system's resolver, which blocks: so on a thread beside the
//! shards.

#![forbid(unsafe_code)]

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use miniss_core::coop::consume_budget;

use super::kind::sealed;
use crate::{BlockingHandle, spawn_blocking};

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

/// The addresses of `host`, in the order in which the system's resolver prefers them. It is asked
/// as [what blocks](spawn_blocking) is run.
///
/// # Errors
///
/// What the resolver says; `InvalidInput` if there is no port number.
///
/// # Cancellation
///
/// Dropping it gives up a lookup that has not begun. One that has ends on its thread, and
/// its result is dropped.
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
    match host.to_target() {
        Target::Addresses(addresses) => Ok(addresses),
        Target::Text(text) => ask(text).await,
        Target::Host(host, port) => ask((host, port)).await,
    }
}

/// Asks the resolver.
async fn ask<H>(host: H) -> io::Result<Vec<SocketAddr>>
where
    H: net::ToSocketAddrs<Iter = std::vec::IntoIter<SocketAddr>> + Send + 'static,
{
    let mut lookup = Lookup(spawn_blocking(move || host.to_socket_addrs().map(Iterator::collect)));
    (&mut lookup.0).await?
}

/// A lookup, which is given up when no one waits for it any more.
struct Lookup(BlockingHandle<io::Result<Vec<SocketAddr>>>);

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

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
            let lookup = spawn(ask(Slow(Mutex::new(receiver))));
            crate::yield_now().await;
            let address = SocketAddr::from(([127, 0, 0, 1], 80));
            spawn(async move { sender.send(address).unwrap() }).await.unwrap();
            assert_eq!(lookup.await.unwrap().unwrap(), [address]);
        });
    }

    #[test]
    fn a_resolver_may_panic_and_a_lookup_may_be_given_up() {
        let runtime = Runtime::builder().shards(1).blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (sender, receiver) = channel();
            let lookup = spawn(ask(Slow(Mutex::new(receiver))));
            crate::yield_now().await;
            // It waits behind the first, and is never asked for: it has no answer.
            let (_unanswered, receiver) = channel();
            let given_up = spawn(ask(Slow(Mutex::new(receiver))));
            crate::yield_now().await;
            given_up.abort();
            given_up.await.unwrap_err();
            drop(sender);
            let error = lookup.await.unwrap().unwrap_err();
            assert!(error.to_string().contains("it is sent"), "{error}");
            assert_eq!(lookup_host("127.0.0.1:80").await.unwrap().len(), 1);
            spawn_blocking(|| ()).await.unwrap();
        });
    }
}
