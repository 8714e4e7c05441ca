//! TCP echo: our server on core 0 against one by hand, with a simple epoll client on core 1.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use miniss_benches::limits::{pin, thread_cpu};
use miniss_benches::rounds::Row;
use miniss_linux::{Pinning, Runtime, spawn};

const MESSAGE_BYTES: usize = 64;
const TIME: Duration = Duration::from_millis(400);

/// What serves.
#[derive(Clone, Copy)]
pub enum Kind {
    /// miniss, with this `idle_spin`.
    Miniss(Duration),
    /// A loop over epoll, read and write; it may look without ever sleeping.
    Epoll { spins: bool },
}

impl Kind {
    /// miniss as it comes.
    pub fn ours() -> Self {
        Kind::Miniss(Duration::ZERO)
    }

    /// The server by hand, as one would write it.
    fn by_hand() -> Self {
        Kind::Epoll { spins: false }
    }

    fn spins(self) -> bool {
        match self {
            Kind::Miniss(spin) => !spin.is_zero(),
            Kind::Epoll { spins } => spins,
        }
    }
}

/// What one run showed.
pub struct Outcome {
    per_second: f64,
    /// CPU time of the server for each request, in microseconds.
    pub cpu_us: f64,
    median_us: f64,
}

pub fn rate_row() -> Row<'static> {
    Row::new("echo, 64 connections: requests", "k/s")
        .with("epoll by hand", || rate(Kind::by_hand(), 64).per_second / 1e3)
        .with("miniss", || rate(Kind::ours(), 64).per_second / 1e3)
}

pub fn cpu_row() -> Row<'static> {
    Row::new("echo, 64 connections: CPU per request", "us")
        .with("epoll by hand", || rate(Kind::by_hand(), 64).cpu_us)
        .with("miniss", || rate(Kind::ours(), 64).cpu_us)
}

pub fn one_row() -> Row<'static> {
    Row::new("echo, 1 connection, median", "us")
        .with("epoll by hand", || rate(Kind::by_hand(), 1).median_us)
        .with("miniss", || rate(Kind::ours(), 1).median_us)
}

pub fn spinning_row() -> Row<'static> {
    Row::new("echo, 1 connection, all spin, median", "us")
        .with("epoll by hand", || rate(Kind::Epoll { spins: true }, 1).median_us)
        .with("miniss", || rate(Kind::Miniss(Duration::from_millis(2)), 1).median_us)
}

/// Serves `connections` clients for a while.
pub fn rate(kind: Kind, connections: usize) -> Outcome {
    let (tell, address) = channel();
    let server = thread::spawn(move || {
        pin(0);
        match kind {
            Kind::Miniss(spin) => serve(spin, connections, tell),
            Kind::Epoll { spins } => serve_by_hand(spins, connections, tell),
        }
    });
    let address = address.recv().expect("the server listens");
    let client = thread::spawn(move || {
        pin(1);
        load(address, connections, kind.spins())
    });
    let mut latencies = client.join().expect("the client does not panic").expect("it is served");
    let cpu = server.join().expect("the server does not panic");
    latencies.sort_unstable();
    let requests = latencies.len() as f64;
    Outcome {
        per_second: requests / TIME.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / requests,
        median_us: latencies[latencies.len() / 2].as_secs_f64() * 1e6,
    }
}

/// Our server; returns the CPU time that its thread used for all requests.
fn serve(spin: Duration, connections: usize, tell: Sender<SocketAddr>) -> Duration {
    let builder = Runtime::builder().shards(1).pinning(Pinning::Cpus(vec![0])).idle_spin(spin);
    builder.build().expect("the kernel gives us a ring").block_on(async {
        let listener = miniss_linux::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        tell.send(listener.local_addr().expect("bound")).expect("someone waits");
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept().await.expect("a client");
            tasks.push(spawn(echo(stream)));
        }
        let before = thread_cpu();
        for task in tasks {
            // The client hangs up in the middle, which may be an error.
            let _ = task.await.expect("it does not panic");
        }
        thread_cpu() - before
    })
}

async fn echo(stream: miniss_linux::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let received = stream.recv().await?;
        if received.is_empty() {
            return Ok(());
        }
        stream.write_all(received).await.0?;
    }
}

fn serve_by_hand(spins: bool, connections: usize, tell: Sender<SocketAddr>) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    tell.send(listener.local_addr().expect("bound")).expect("someone waits");
    let accept = |_| listener.accept().expect("a client").0;
    let mut streams: Vec<_> = (0..connections).map(accept).collect();
    let poll = Poll::of(&streams).expect("epoll");
    let before = thread_cpu();
    let mut open = connections;
    let mut buffer = [0; 4096];
    while open > 0 {
        poll.wait(!spins, |index| {
            let stream = &mut streams[index];
            match stream.read(&mut buffer) {
                Ok(read) if read > 0 => _ = stream.write(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => {
                    poll.remove(stream);
                    open -= 1;
                }
            }
        });
    }
    thread_cpu() - before
}

/// Keeps one request under way on each connection; returns how long each took.
fn load(address: SocketAddr, connections: usize, spins: bool) -> io::Result<Vec<Duration>> {
    let connect = |_| TcpStream::connect(address);
    let mut streams = (0..connections).map(connect).collect::<io::Result<Vec<_>>>()?;
    let poll = Poll::of(&streams)?;
    let mut latencies = Vec::with_capacity(200_000);
    let mut sent = vec![Instant::now(); connections];
    let message = [7; MESSAGE_BYTES];
    for stream in &mut streams {
        stream.write_all(&message)?;
    }
    let end = Instant::now() + TIME;
    let mut buffer = [0; MESSAGE_BYTES];
    while Instant::now() < end {
        poll.wait(!spins, |index| {
            // 64 bytes come in one piece on a loopback.
            if !matches!(streams[index].read(&mut buffer), Ok(MESSAGE_BYTES)) {
                return;
            }
            let now = Instant::now();
            latencies.push(now - sent[index]);
            sent[index] = now;
            _ = streams[index].write(&message);
        });
    }
    Ok(latencies)
}

/// An epoll set of streams, which are told apart by their index.
struct Poll(OwnedFd);

impl Poll {
    fn of(streams: &[TcpStream]) -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: fresh, and no one else's.
        let poll = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        for (index, stream) in streams.iter().enumerate() {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: index as u64 };
            // SAFETY: open descriptors and a readable event.
            unsafe { libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) };
        }
        Ok(poll)
    }

    fn remove(&self, stream: &TcpStream) {
        let (poll, stream) = (self.0.as_raw_fd(), stream.as_raw_fd());
        // SAFETY: open descriptors; a removal needs no event.
        unsafe { libc::epoll_ctl(poll, libc::EPOLL_CTL_DEL, stream, std::ptr::null_mut()) };
    }

    /// Calls `ready` with each stream that is; sleeps until there is one, or looks once.
    fn wait(&self, sleep: bool, mut ready: impl FnMut(usize)) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        let (room, timeout_ms) = (events.len() as i32, if sleep { 100 } else { 0 });
        // SAFETY: room for as many events as are asked for.
        let count =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, timeout_ms) };
        let count = usize::try_from(count).unwrap_or(0);
        events[..count].iter().for_each(|event| ready(event.u64 as usize));
    }
}
