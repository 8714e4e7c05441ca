//! A bounded number of places for calls: what is full, what does not fit, what comes back, and what
//! the memory of nodes does whatever the order.

use core::alloc::Layout;
use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::port::{Port, Unparker, restless, turn_all};
use super::*;
use crate::call::memory::Memory;
use crate::call::node::{Node, Typed};
use crate::call::{Call, Endpoint, FixedMesh, Mesh};
use crate::error::{CallError, Gone};
use crate::kept::forever;
use crate::{Budget, Executor};

type End = Endpoint<Unparker, 16>;
type Pair = [(Executor<Port>, End); 2];

/// Two cores on this thread, each with places for three calls of 64 bytes.
fn pair() -> Pair {
    let mesh: &'static FixedMesh<Unparker, 2, 3, 64> = forever(FixedMesh::new());
    [0, 1].map(|me| {
        let executor = restless();
        let end = mesh.open(me, executor.local()).unwrap();
        (executor, end)
    })
}

fn outcome<T>(call: &mut Call<T>) -> Poll<Result<T, CallError>> {
    Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_call_too_many_gives_its_work_back() {
    let [(mut a, at_a), (mut b, _at_b)] = pair();
    let ledger = Ledger::new();
    let calls: Vec<_> = (0..3).map(|number| at_a.try_run_on(1, move || number).unwrap()).collect();
    for core in [0, 1] {
        let token = ledger.token();
        let refused = at_a.try_run_on(core, move || drop(token)).unwrap_err();
        assert_eq!((refused.reason, ledger.dropped()), (CallError::NoRoom, core));
        drop(refused);
    }
    assert_eq!(at_a.try_submit_to(1, async || ()).unwrap_err().reason, CallError::NoRoom);
    turn_all([&mut a, &mut b]);
    // They are back, but no one has taken what they brought.
    assert!(at_a.try_run_on(1, || ()).is_err());
    for (number, mut call) in calls.into_iter().enumerate() {
        assert_eq!(outcome(&mut call), Poll::Ready(Ok(number)));
        assert!(at_a.try_run_on(0, || ()).is_ok(), "the result was given, so the place is free");
    }
    ledger.settle();
}

#[test]
fn a_call_without_room_ends_with_an_error_and_its_work_is_dropped() {
    let [(mut a, at_a), _b] = pair();
    let ledger = Ledger::new();
    let full = [(); 3].map(|()| at_a.run_on(1, || ()));
    let (token, other) = (ledger.token(), ledger.token());
    let mut call = at_a.run_on(1, move || token);
    let task = at_a.submit_to(1, async move || other);
    ledger.settle();
    assert!(matches!(outcome(&mut call), Poll::Ready(Err(CallError::NoRoom))));
    assert!(matches!(a.block_on(task), Err(CallError::NoRoom)));
    drop((call, full));
}

#[test]
#[should_panic(expected = "after it had given its result")]
fn a_call_without_room_gives_its_error_once() {
    let [(_a, at_a), _b] = pair();
    let _full = [(); 3].map(|()| at_a.run_on(1, || ()));
    let mut call = at_a.run_on(1, || ());
    assert!(outcome(&mut call).is_ready());
    let _again = outcome(&mut call);
}

#[test]
fn what_is_too_large_never_fits() {
    let [(mut a, at_a), (mut b, _at_b)] = pair();
    let (fits, large) = ([7_u8; 64], [7_u8; 100]);
    let refused = at_a.try_run_on(1, move || large.len()).unwrap_err();
    assert_eq!((refused.reason, (refused.value)()), (CallError::TooLarge, 100));
    // The output counts, too; and so does what the hardware wants aligned.
    assert_eq!(at_a.try_run_on(1, || [0_u8; 100]).unwrap_err().reason, CallError::TooLarge);
    #[repr(align(128))]
    struct Aligned;
    assert_eq!(at_a.try_run_on(1, || Aligned).map(drop).unwrap_err().reason, CallError::TooLarge);
    assert_eq!(outcome(&mut at_a.run_on(1, move || large)), Poll::Ready(Err(CallError::TooLarge)));
    // Every place is still there.
    let calls = [(); 3].map(|()| at_a.try_run_on(1, move || fits).unwrap());
    turn_all([&mut a, &mut b]);
    for mut call in calls {
        assert_eq!(outcome(&mut call), Poll::Ready(Ok(fits)));
    }
}

#[test]
fn a_place_is_used_again_and_again_however_its_call_ended() {
    let [(mut a, at_a), (mut b, _at_b)] = pair();
    let ledger = Ledger::new();
    for round in 0..if cfg!(miri) { 6 } else { 200 } {
        let tokens = [ledger.token(), ledger.token(), ledger.token()];
        let [awaited, dropped_early, dropped_late] = tokens.map(|token| {
            let work = async move || token;
            at_a.try_submit_to(round % 2, work).unwrap()
        });
        drop(dropped_early);
        turn_all([&mut a, &mut b]);
        drop(dropped_late);
        drop(a.block_on(awaited).unwrap());
    }
    ledger.settle();
}

#[test]
fn an_abandoned_call_keeps_its_place_until_it_is_back() {
    let [(mut a, at_a), (mut b, _at_b)] = pair();
    for _ in 0..3 {
        drop(at_a.run_on(1, || ()));
    }
    turn_all([&mut a]);
    assert!(at_a.try_run_on(1, || ()).is_err());
    turn_all([&mut a, &mut b]);
    assert!(at_a.try_run_on(1, || ()).is_ok());
}

#[test]
fn replies_find_room_where_calls_find_none() {
    let [(mut a, at_a), (mut b, at_b)] = pair();
    // Both cores have all their places under way to the other.
    let at_a = [(); 3].map(|()| at_a.try_run_on(1, || 'a').unwrap());
    let at_b = [(); 3].map(|()| at_b.try_run_on(0, || 'b').unwrap());
    turn_all([&mut a, &mut b]);
    for (mut a, mut b) in at_a.into_iter().zip(at_b) {
        assert_eq!(outcome(&mut a), Poll::Ready(Ok('a')));
        assert_eq!(outcome(&mut b), Poll::Ready(Ok('b')));
    }
}

#[test]
fn a_task_that_the_other_core_ends_before_it_begins_is_gone_not_refused() {
    let [(mut a, at_a), (mut b, at_b)] = pair();
    let mut begun = at_a.submit_to(1, async || pending::<()>().await);
    turn_all([&mut a, &mut b]);
    let mut fresh = at_a.submit_to(1, async || ());
    a.turn();
    // It is served, as the third task after the endpoint's and the one above, but not polled.
    b.set_budget(Budget { polls_max: 1, ..Budget::default() });
    while b.local().stats().spawned < 3 {
        b.turn();
    }
    drop((b, at_b));
    turn_all([&mut a]);
    assert_eq!(outcome(&mut begun), Poll::Ready(Err(Gone)));
    assert_eq!(outcome(&mut fresh), Poll::Ready(Err(Gone)));
}

#[test]
fn heap_calls_find_room_of_any_size() {
    let mesh = std::sync::Arc::new(Mesh::<_, 4>::new(1));
    let mut executor = restless();
    let end = Endpoint::open(mesh, 0, executor.local()).unwrap();
    let calls: Vec<_> = (0..if cfg!(miri) { 20 } else { 5_000_u32 })
        .map(|number| end.try_run_on(0, move || ([7_u8; 1_000], number)).unwrap())
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(executor.block_on(call).unwrap().1, number as u32);
    }
}

/// A node whose body takes `N` bytes.
const fn layout<const N: usize>() -> Layout {
    Typed::<[u8; N], ()>::LAYOUT
}

const LAYOUTS: [Layout; 6] =
    [layout::<0>(), layout::<64>(), layout::<65>(), layout::<464>(), layout::<465>(), {
        layout::<2_000>()
    }];

#[test]
fn a_node_takes_as_much_as_pools_count_on() {
    /// The lines that a node takes whose body is aligned to `A` and takes `N` times as much.
    fn lines<A, const N: usize>() -> usize {
        Typed::<[A; N], ()>::LAYOUT.size().div_ceil(64)
    }
    #[repr(align(32))]
    struct By32(#[expect(dead_code)] [u8; 32]);
    #[repr(align(64))]
    struct By64(#[expect(dead_code)] [u8; 64]);

    assert_eq!(layout::<64>().size(), size_of::<Node>() + 64);
    let counted = |body: usize| (size_of::<Node>() + body).div_ceil(64);
    assert_eq!([lines::<u128, 4>(), lines::<By32, 2>(), lines::<By64, 1>()], [counted(64); 3]);
    assert_eq!([lines::<u128, 1>(), lines::<By32, 1>(), lines::<By64, 2>()], {
        [counted(16), counted(32), counted(128)]
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

    /// Takes and puts in any order: what is out never overlaps, keeps what was written to it, and
    /// of a pool there are as many places as were added.
    #[test]
    fn memory_that_is_out_is_exclusive(
        steps in vec((any::<bool>(), 0..LAYOUTS.len(), any::<usize>()), 0..200),
        is_pool in any::<bool>(),
    ) {
        const PLACES: usize = 4;
        const BYTES: usize = 512;
        #[repr(align(64))]
        struct Place(core::cell::UnsafeCell<[u8; BYTES]>);

        let places = [(); PLACES].map(|()| Place([0; BYTES].into()));
        let memory = if is_pool { Memory::pool(BYTES) } else { Memory::heap() };
        for place in is_pool.then_some(&places).into_iter().flatten() {
            // SAFETY: of this size and alignment; the pool goes first.
            unsafe { memory.add(core::ptr::NonNull::new(place.0.get()).unwrap().cast()) };
        }
        let mut out = Vec::new();
        for (number, (takes, layout, choice)) in steps.into_iter().enumerate() {
            if takes || out.is_empty() {
                let layout = LAYOUTS[layout];
                let taken = memory.take(layout);
                let expected = match () {
                    () if !is_pool => None,
                    () if layout.size() > BYTES => Some(CallError::TooLarge),
                    () if out.len() == PLACES => Some(CallError::NoRoom),
                    () => None,
                };
                prop_assert_eq!(taken.err(), expected);
                let Ok(taken) = taken else { continue };
                prop_assert!(taken.cast::<Node>().is_aligned());
                // SAFETY: ours, and as large as that.
                unsafe { taken.write_bytes(number as u8, layout.size()) };
                out.push((taken, layout, number as u8));
            } else {
                let (taken, layout, mark) = out.swap_remove(choice % out.len());
                for offset in 0..layout.size() {
                    // SAFETY: as above.
                    prop_assert_eq!(unsafe { taken.add(offset).read() }, mark);
                }
                // SAFETY: taken with this layout.
                unsafe { memory.put(taken, layout) };
            }
        }
        for (taken, layout, _) in out {
            // SAFETY: as above.
            unsafe { memory.put(taken, layout) };
        }
    }
}
