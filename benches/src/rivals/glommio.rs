//! glommio: an executor with a fixed placement; calls go over two of its shared channels.

#![forbid(unsafe_code)]

use std::future::Future;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use glommio::channels::shared_channel::{self, SharedReceiver, SharedSender};
use glommio::timer::Timer;
use glommio::{LocalExecutorBuilder, Placement, Task, spawn_local};

use super::{Place, Rival};
use crate::compare::sample::Sample;
use crate::compare::work::calls::{Calls, call_and_time};

/// glommio's local executor.
#[derive(Debug)]
pub struct Glommio;

impl Rival for Glommio {
    const NAME: &'static str = "glommio 0.9.0";

    type Handle<T: 'static> = Task<T>;

    fn block_on<F: Future>(place: Place, main: F) -> F::Output {
        let builder = LocalExecutorBuilder::new(Placement::Fixed(place.cpu));
        let builder =
            if place.spin.is_zero() { builder } else { builder.spin_before_park(place.spin) };
        builder.make().expect("it starts").run(main)
    }

    fn spawn<F: Future + 'static>(future: F) -> Task<F::Output>
    where
        F::Output: 'static,
    {
        spawn_local(future)
    }

    fn detach<F: Future<Output = ()> + 'static>(future: F) {
        spawn_local(future).detach();
    }

    fn sleep(duration: Duration) -> impl Future {
        Timer::new(duration)
    }

    /// All replies are alike, so a caller takes the next one, also if it is for another: this costs
    /// less than to hand them out.
    fn calls(calls: Calls) -> Sample {
        let (requests, requested) = shared_channel::new_bounded(calls.callers.max(2));
        let (replies, replied) = shared_channel::new_bounded(calls.callers.max(2));
        let server = thread::spawn(move || {
            Self::block_on(Place { cpu: 1, spin: calls.spin }, serve(requested, replies));
        });
        let place = Place { cpu: 0, spin: calls.spin };
        let sample = Self::block_on(place, async {
            let (requests, replied) = (requests.connect().await, replied.connect().await);
            let ends = Rc::new((requests, replied));
            call_and_time::<Self, _, _>(calls, move || {
                let ends = ends.clone();
                async move {
                    ends.0.send(()).await.expect("the server is there");
                    ends.1.recv().await.expect("the server is there");
                }
            })
            .await
        });
        server.join().expect("the server does not panic");
        sample
    }
}

async fn serve(requested: SharedReceiver<()>, replies: SharedSender<()>) {
    let (requested, replies) = (requested.connect().await, replies.connect().await);
    while requested.recv().await.is_some() {
        replies.send(()).await.expect("the caller is there");
    }
}
