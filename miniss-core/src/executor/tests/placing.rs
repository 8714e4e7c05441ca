//! Where futures and outputs of any size and alignment live, and that slots are used again.

use std::boxed::Box;
use std::rc::Rc;
use std::vec::Vec;

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use super::port::{executor, on_both_ports, rounds};
use crate::combine::yield_now;

#[test]
#[cfg(target_pointer_width = "64")]
fn handles_stay_small() {
    use core::task::Waker;

    use super::port::Unparker;
    use crate::task::cell::Header;
    use crate::{AbortHandle, JoinHandle, LocalHandle};

    assert_eq!(size_of::<Header>(), 64);
    assert_eq!(size_of::<JoinHandle<()>>(), 16);
    assert_eq!(size_of::<JoinHandle<[u64; 100]>>(), 16);
    assert_eq!(size_of::<LocalHandle<Unparker>>(), 16);
    assert_eq!(size_of::<Waker>(), 16);
    assert_eq!(size_of::<AbortHandle>(), 24);
}

/// Holds `N` bytes over a yield and gives back `M`.
async fn sized<const N: usize, const M: usize>(fill: u8, alive: Rc<()>) -> [u8; M] {
    let held = [fill; N];
    yield_now().await;
    assert!(held.iter().all(|byte| *byte == fill));
    drop(alive);
    [fill; M]
}

fn runs_in_every_size<const N: usize, const M: usize>() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let alive = Rc::new(());
        let spawn = |fill| local.spawn(sized::<N, M>(fill, alive.clone())).unwrap();
        let joined = spawn(1);
        spawn(2).detach();
        let aborted = spawn(3);
        aborted.abort();
        assert_eq!(executor.block_on(joined), Ok([1; M]));
        drop(spawn(4));
        assert!(executor.block_on(aborted).is_err());
        executor.settle();
        let (unread, unpolled) = (spawn(5), spawn(6));
        unpolled.abort();
        executor.settle();
        assert!(unread.is_finished());
        drop(unread);
        let unfinished = spawn(7);
        drop(executor);
        assert!(unfinished.is_finished());
        assert_eq!(Rc::strong_count(&alive), 1, "every future was dropped");
    });
}

#[test]
fn futures_and_outputs_of_every_size_run_and_are_dropped() {
    runs_in_every_size::<0, 0>();
    runs_in_every_size::<1, 64>();
    runs_in_every_size::<500, 1>();
    runs_in_every_size::<900, 1024>();
    runs_in_every_size::<1025, 1>();
    runs_in_every_size::<8, 1025>();
    runs_in_every_size::<5000, 70_000>();
}

#[repr(align(128))]
#[derive(Debug, PartialEq)]
struct Line(u8);

fn is_aligned(line: &Line) -> bool {
    core::ptr::from_ref(line).addr().is_multiple_of(128)
}

#[test]
fn what_needs_more_than_a_slot_s_alignment_is_boxed() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let future = async {
            let line = Line(7);
            yield_now().await;
            assert!(is_aligned(&line));
            line.0
        };
        assert_eq!(align_of_val(&future), 128);
        let value = local.spawn(future).unwrap();
        assert_eq!(executor.block_on(value), Ok(7));
        let output = local.spawn(async { Line(8) }).unwrap();
        let output = executor.block_on(output).unwrap();
        assert!(is_aligned(&output));
        assert_eq!(output, Line(8));
    });
}

#[test]
fn a_future_does_not_move_while_it_is_pinned() {
    let mut executor = executor();
    let here = async {
        let mut at = None;
        let byte = 0_u8;
        let mut same = pin!(poll_fn(|cx| {
            let now = core::ptr::from_ref(&byte).addr();
            if *at.get_or_insert(now) != now {
                return Poll::Ready(false);
            }
            cx.waker().wake_by_ref();
            Poll::<bool>::Pending
        }));
        for _ in 0..5 {
            let done = poll_fn(|cx| Poll::Ready(same.as_mut().poll(cx))).await;
            if done.is_ready() {
                return false;
            }
            yield_now().await;
        }
        true
    };
    let handle = executor.local().spawn(here).unwrap();
    assert_eq!(executor.block_on(handle), Ok(true));
}

#[test]
fn slots_are_used_again_so_memory_stays_flat() {
    on_both_ports(|mut executor| {
        let local = executor.local();
        let mut slots = Vec::new();
        for round in 0..rounds(1_000) {
            let handles: Vec<_> =
                (0..100).map(|n| local.spawn(async move { round + n }).unwrap()).collect();
            for (n, handle) in handles.into_iter().enumerate() {
                handle.with_slot(|slot| slots.push(slot));
                assert_eq!(executor.block_on(handle), Ok(round + n as u64));
            }
            slots.sort();
            slots.dedup();
            assert_eq!(local.stats().tasks_live, 0);
        }
        assert!(slots.len() <= 128, "{} slots for 100 tasks at a time", slots.len());
    });
}

#[test]
fn many_tasks_live_at_once() {
    let mut executor = executor();
    let local = executor.local();
    let count = rounds(100_000);
    let handles: Vec<_> = (0..count).map(|n| local.spawn(async move { n }).unwrap()).collect();
    assert_eq!(local.stats().tasks_live as u64, count);
    let sum = executor.block_on(async move {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, count * (count - 1) / 2);
    assert_eq!(local.stats().tasks_live, 0);
}

#[test]
fn a_boxed_trait_object_is_a_future_like_any_other() {
    let mut executor = executor();
    let boxed: core::pin::Pin<Box<dyn Future<Output = u8>>> = Box::pin(async { 9 });
    let handle = executor.local().spawn(boxed).unwrap();
    assert_eq!(executor.block_on(handle), Ok(9));
}
