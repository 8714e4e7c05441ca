//! Accepts and connects: a connection that has come is accepted once, whichever
//! accept was given up, or is closed; a connect knows its address until its end.
//!
//! Planted bugs that this found, each within seven seeds: connections that were accepted ahead stay
//! open; an accept that is given up takes the operation with it; a connect points at a copy of its
//! address.

use std::os::fd::{AsFd, IntoRawFd};

use socket2::SockAddr;

use super::*;
use crate::net::{Listener, Unix};
use crate::op::connect::Connect;

/// Those who have come.
#[derive(Default)]
pub(super) struct World {
    /// How many wait to be accepted.
    waiting: Cell<usize>,
    /// The ends of those whose connection was handed over.
    clients: RefCell<Vec<UnixStream>>,
}

/// Where every connect goes.
const PLACE: &str = "/a/place/with/a/name";

pub(super) fn is_accept(request: Request) -> bool {
    matches!(request, Request::Accept { .. } | Request::AcceptMany { .. })
}

impl Hostile {
    /// The next connection says which it is.
    pub(super) fn accept(&self) -> Step {
        let World { waiting, clients } = &self.beginnings;
        if waiting.get() == 0 {
            return Step::Wait;
        }
        waiting.set(waiting.get() - 1);
        if self.random.one_in(8) {
            return Step::End(Completion { result: -libc::ECONNABORTED, flags: 0 });
        }
        let (ours, mut client) = UnixStream::pair().unwrap();
        let mut clients = clients.borrow_mut();
        client.write_all(&(clients.len() as u32).to_le_bytes()).unwrap();
        clients.push(client);
        end(ours.into_raw_fd() as usize)
    }

    /// # Safety
    /// The address is valid.
    pub(super) unsafe fn connect(
        &self,
        address: *const libc::sockaddr,
        len: libc::socklen_t,
    ) -> Step {
        // SAFETY: the caller's promise.
        let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len as usize) };
        assert!(bytes[2..].starts_with(PLACE.as_bytes()), "it is no longer the address");
        match self.random.below(4) {
            0 => end(0),
            1 => Step::End(Completion { result: -libc::ECONNREFUSED, flags: 0 }),
            _ => Step::Wait,
        }
    }
}

/// A listener, and what its user knows.
struct Life {
    driver: Closing,
    listener: Listener<Unix>,
    random: Random,
    came: Cell<usize>,
    accepted: Cell<usize>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let driver = over(AnyBackend::Hostile(Hostile::new(seed)), config(1));
        let (socket, _) = UnixStream::pair().unwrap();
        let random = Random::new(!seed);
        // One at a time, or ahead.
        let ahead_max = if random.one_in(3) { 0 } else { 4 };
        Self {
            listener: Listener::from_fd(socket.into(), driver.clone(), ahead_max),
            driver,
            random,
            came: Cell::new(0),
            accepted: Cell::new(0),
        }
    }

    fn world(&self) -> &World {
        &backend(&self.driver).beginnings
    }

    fn come(&self, count: usize) {
        self.came.set(self.came.get() + count);
        self.world().waiting.set(self.world().waiting.get() + count);
    }

    /// Accepts the next one.
    async fn accept(&self) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut number = [0; 4];
        let mut socket = &UnixStream::from(stream.as_fd().try_clone_to_owned().unwrap());
        socket.read_exact(&mut number).unwrap();
        assert_eq!(u32::from_le_bytes(number) as usize, self.accepted.get());
        self.accepted.set(self.accepted.get() + 1);
    }

    /// Accepts and connects for a while, side by side, and then gives up what has not come.
    fn turn(&self) {
        self.come(self.random.below(3));
        let connection = socket(&self.driver).0;
        let address = SockAddr::unix(PLACE).unwrap();
        let connect = self.driver.start(Connect { connection, address });
        let (mut accept, mut connect) = (pin!(self.accept()), pin!(connect));
        let (mut accepts, mut connects) = (true, self.random.one_in(2));
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..self.random.below(8) {
            accepts = accepts && accept.as_mut().poll(cx).is_pending();
            if connects && let Poll::Ready(result) = connect.as_mut().poll(cx) {
                connects = false;
                let errno = result.err().and_then(|error| error.raw_os_error());
                assert!(matches!(errno, None | Some(libc::ECONNREFUSED)));
            }
            self.driver.submit();
            self.driver.reap();
        }
    }

    /// Sees that no connection was lost, and that nothing is left.
    fn end(self) {
        // Half of them leave connections behind.
        if self.random.one_in(2) {
            let mut accept = Box::pin(self.accept());
            turn_until(&self.driver, || {
                if accept.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                    accept.set(self.accept());
                }
                let lost = self.listener.connections_lost() as usize;
                self.accepted.get() + lost == self.came.get()
            });
        }
        let Self { driver, listener, .. } = self;
        drop(listener);
        turn_until(&driver, || driver.in_flight() == 0);
        for client in &mut *backend(&driver).beginnings.clients.borrow_mut() {
            client.set_nonblocking(true).unwrap();
            match client.read(&mut [0]) {
                Ok(0) => {}
                // It left its number unread.
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
                Ok(_) => unreachable!("no one writes to it"),
            }
        }
    }
}

#[test]
fn connections_are_accepted_once_and_none_is_lost_however_late_they_come() {
    for seed in 0..400 {
        println!("seed {seed}");
        let life = Life::new(seed);
        for _ in 0..40 {
            life.turn();
        }
        life.end();
    }
}
