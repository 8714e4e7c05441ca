//! What operations allocate in the steady state: a sample's value is allocations of one of them.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use super::calls;
use crate::compare::allocator;
use crate::compare::sample::{Meter, Sample};
use crate::echo::servers::{Server, Settings};
use crate::rivals::{Place, Rival};

/// What comes before that does not count.
const WARM_UP: usize = 50;
/// Connections that are served in turn.
const CONNECTIONS: usize = 4;
const TIME: Duration = Duration::from_micros(100);

/// A server echoes 64 bytes, `count` times: a receive and a send.
pub fn echo(server: Server, count: usize) -> Sample {
    let address = serve(server);
    let connect = |_| TcpStream::connect(address).expect("the server listens");
    let mut streams: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let mut bytes = [7; 64];
    let mut echo = |turn: usize| {
        let stream = &mut streams[turn % CONNECTIONS];
        stream.write_all(&bytes).expect("the server is there");
        stream.read_exact(&mut bytes).expect("the server echoes");
    };
    measured(count, |count| (0..count).for_each(&mut echo))
}

/// Runs in a thread of its own until the process ends.
fn serve(server: Server) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let address = ([127, 0, 0, 1], 0).into();
        let settings = Settings { address, idle_spin: Duration::ZERO };
        (server.serve)(&settings, &mut |address| sender.send(address).expect("it is awaited"))
    });
    receiver.recv().expect("the server starts")
}

/// A task sleeps to the end, `count` times.
pub fn sleep<R: Rival>(count: usize) -> Sample {
    R::block_on(Place::default(), async {
        sleep_often::<R>(WARM_UP).await;
        allocator::start();
        let meter = Meter::start();
        sleep_often::<R>(count).await;
        allocations(meter.stop(count))
    })
}

async fn sleep_often<R: Rival>(count: usize) {
    for _ in 0..count {
        R::sleep(TIME).await;
    }
}

/// Two tasks wake each other, `count` times each.
pub fn wake<R: Rival>(count: usize) -> Sample {
    R::block_on(Place::default(), async {
        let game = Rc::new(Game::default());
        let other = R::spawn(game.clone().play(1, WARM_UP + count));
        let sample = Rc::new(Cell::default());
        let result = sample.clone();
        // In a task of its own, too: a main task may be woken in another way.
        let this = R::spawn(async move {
            game.clone().play(0, WARM_UP).await;
            allocator::start();
            let meter = Meter::start();
            game.play(0, count).await;
            result.set(meter.stop(2 * count));
        });
        this.await;
        other.await;
        allocations(sample.get())
    })
}

/// Whose turn it is among two tasks, and who waits for it.
#[derive(Debug, Default)]
struct Game {
    turn: Cell<usize>,
    waiting: [RefCell<Option<Waker>>; 2],
}

impl Game {
    async fn play(self: Rc<Self>, me: usize, turns: usize) {
        for _ in 0..turns {
            poll_fn(|cx| {
                if self.turn.get() == me {
                    return Poll::Ready(());
                }
                *self.waiting[me].borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            let other = 1 - me;
            self.turn.set(other);
            let waiting = self.waiting[other].borrow_mut().take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// A call to another core and back, `count` times.
pub fn call<R: Rival>(count: usize) -> Sample {
    allocator::start();
    allocations(calls::untold::<R>(count))
}

fn measured(count: usize, mut work: impl FnMut(usize)) -> Sample {
    work(WARM_UP);
    allocator::start();
    let meter = Meter::start();
    work(count);
    allocations(meter.stop(count))
}

fn allocations(sample: Sample) -> Sample {
    Sample { value: sample.allocations / sample.operations, ..sample }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rivals::tokio::Tokio;

    #[test]
    fn tasks_take_turns() {
        assert_eq!(wake::<Tokio>(10).operations, 20.0);
    }

    #[test]
    fn a_server_is_measured_over_its_echoes() {
        let epoll = crate::echo::servers::named("epoll").expect("it is there");
        assert_eq!(echo(epoll, 10).operations, 10.0);
    }
}
