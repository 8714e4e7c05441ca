//! An echo server on epoll by hand, edge-triggered, one core, no runtime.
//!
//! An edge is worked off until a read is short, which says that nothing is left but perhaps the
//! end, and that the edge tells. What the socket has no room for is kept, and nothing more is read
//! until it is gone.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::servers::work;

const EVENTS: usize = 512;
const BUFFER_BYTES: usize = 64 << 10;
/// The listener's place among the connections.
const LISTENER: u64 = u64::MAX;

struct Connection {
    stream: TcpStream,
    /// Received, and not sent back yet.
    rest: Vec<u8>,
}

struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
    buffer: Box<[u8]>,
}

/// Serves forever; looks for work for so long before it sleeps.
///
/// # Errors
///
/// What the kernel says.
pub fn serve(listener: TcpListener, spin: Duration) -> io::Result<Infallible> {
    let mut server = Server::new(listener)?;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
    loop {
        let count = server.wait(&mut events, spin)?;
        for &libc::epoll_event { events: what, u64: number } in &events[..count] {
            let hung_up = what & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0;
            match number {
                LISTENER => server.accept_all()?,
                number => server.work_off(number as usize, hung_up),
            }
        }
    }
}

impl Server {
    fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // SAFETY: no pointers.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: fresh, and no one else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        watch(&epoll, &listener, LISTENER)?;
        let buffer = vec![0; BUFFER_BYTES].into();
        Ok(Self { epoll, listener, connections: Vec::new(), buffer })
    }

    fn wait(&self, events: &mut [libc::epoll_event], spin: Duration) -> io::Result<usize> {
        if !spin.is_zero() {
            let start = Instant::now();
            while start.elapsed() < spin {
                match self.look(events, 0)? {
                    0 => {}
                    count => return Ok(count),
                }
            }
        }
        self.look(events, -1)
    }

    fn look(&self, events: &mut [libc::epoll_event], timeout_ms: i32) -> io::Result<usize> {
        let (epoll, room) = (self.epoll.as_raw_fd(), events.len() as i32);
        // SAFETY: room for as many events as are asked for.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), room, timeout_ms) };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) if io::Error::last_os_error().kind() == ErrorKind::Interrupted => Ok(0),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    fn accept_all(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            let number = stream.as_raw_fd() as usize;
            watch(&self.epoll, &stream, number as u64)?;
            if self.connections.len() <= number {
                self.connections.resize_with(number + 1, || None);
            }
            self.connections[number] = Some(Connection { stream, rest: Vec::new() });
        }
    }

    /// Serves one connection as far as it goes now; it is closed when its end is reached.
    fn work_off(&mut self, number: usize, hung_up: bool) {
        let Some(connection) = &mut self.connections[number] else { return };
        if !connection.work_off(&mut self.buffer, hung_up) {
            self.connections[number] = None;
        }
    }
}

impl Connection {
    /// `false` at the end of the connection.
    fn work_off(&mut self, buffer: &mut [u8], hung_up: bool) -> bool {
        loop {
            if !self.rest.is_empty() {
                let rest = std::mem::take(&mut self.rest);
                if !self.send(&rest) {
                    return false;
                }
                if !self.rest.is_empty() {
                    return true;
                }
            }
            let read = match self.stream.read(buffer) {
                Ok(read) => read,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            };
            work();
            if read == 0 || !self.send(&buffer[..read]) {
                return false;
            }
            if read < buffer.len() && self.rest.is_empty() && !hung_up {
                return true;
            }
        }
    }

    /// Sends, and keeps what there was no room for; `false` if the connection is broken.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let written = match self.stream.write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        self.rest.extend_from_slice(&bytes[written..]);
        true
    }
}

fn watch(epoll: &OwnedFd, fd: &impl AsRawFd, number: u64) -> io::Result<()> {
    let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
    let mut event = libc::epoll_event { events, u64: number };
    let (epoll, fd) = (epoll.as_raw_fd(), fd.as_raw_fd());
    // SAFETY: open descriptors and a readable event.
    let result = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
