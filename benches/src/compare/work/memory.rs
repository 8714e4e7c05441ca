//! What a parked task takes beside its future.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::compare::process::{private_kib, use_small_pages};
use crate::compare::sample::{Meter, Sample};
use crate::rivals::{Place, Rival};

/// Bytes of the future that is parked.
pub const FUTURE_BYTES: usize = 64;

/// A future that waits forever and counts those that have begun to.
#[derive(Debug)]
struct Parked {
    parked: Rc<Cell<usize>>,
    _state: [u8; FUTURE_BYTES - size_of::<usize>()],
}

const _: () = assert!(size_of::<Parked>() == FUTURE_BYTES);

impl Future for Parked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.parked.set(self.parked.get() + 1);
        Poll::Pending
    }
}

/// `count` tasks whose handles are dropped.
pub fn parked<R: Rival>(count: usize) -> Sample {
    R::block_on(Place::default(), async {
        park::<R>(1).await;
        // Everything that the tasks leave behind must still be there when memory is read.
        let meter = Meter::start();
        use_small_pages();
        let before = private_kib();
        park::<R>(count).await;
        sample(&meter, before, count)
    })
}

async fn park<R: Rival>(count: usize) {
    let parked = Rc::new(Cell::new(0));
    for _ in 0..count {
        R::detach(Parked { parked: parked.clone(), _state: black_box([1; _]) });
    }
    // In a task of its own: a main task that yields may starve the others.
    let all_parked = async move {
        while parked.get() < count {
            R::yield_now().await;
        }
    };
    R::spawn(all_parked).await;
}

/// The sample of something that `make` makes `count` of.
pub fn measured<T>(count: usize, make: impl FnOnce() -> T) -> Sample {
    let meter = Meter::start();
    use_small_pages();
    let before = private_kib();
    let made = make();
    let sample = sample(&meter, before, count);
    drop(black_box(made));
    sample
}

fn sample(meter: &Meter, before_kib: u64, count: usize) -> Sample {
    let grown_bytes = private_kib().saturating_sub(before_kib) as f64 * 1024.0;
    let value = grown_bytes / count as f64 - FUTURE_BYTES as f64;
    Sample { value, ..meter.sample(count as f64) }
}
