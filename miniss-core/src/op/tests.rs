//! What drivers and futures count on: every payload is given back or dropped exactly once, every
//! cancel is offered, and foreign code that comes back into the table finds it in order.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::vec::Vec;

use core::task::{Context, Poll, Waker};

use super::{Completion, OpId, OpKey, OpTable, Operation, Part};

mod model;
mod reentry;

/// Counts its wakes.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (bell.clone(), Waker::from(bell))
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What has become of the operations of a test.
#[derive(Default)]
struct Log {
    dropped: Cell<usize>,
    settled: RefCell<Vec<i32>>,
    orphans: RefCell<Vec<i32>>,
    orphan_parts: RefCell<Vec<i32>>,
}

/// An operation of `N` bytes that leaves traces.
struct Traced<const N: usize> {
    log: Rc<Log>,
    bytes: [u8; N],
}

impl<const N: usize> Traced<N> {
    fn new(log: &Rc<Log>) -> Self {
        Self { log: log.clone(), bytes: [0; N] }
    }
}

impl<const N: usize> Drop for Traced<N> {
    fn drop(&mut self) {
        self.log.dropped.set(self.log.dropped.get() + 1);
    }
}

impl<const N: usize> Operation for Traced<N> {
    type Output = (i32, Self);

    fn settle(self, completion: Completion) -> Self::Output {
        self.log.settled.borrow_mut().push(completion.result);
        (completion.result, self)
    }

    fn settle_orphan(self, completion: Completion) {
        self.log.orphans.borrow_mut().push(completion.result);
    }

    fn orphan_part(&mut self, completion: Completion) {
        self.log.orphan_parts.borrow_mut().push(completion.result);
    }
}

type Small = Traced<8>;
type Large = Traced<4096>;

fn done(result: i32) -> Completion {
    Completion { result, flags: 0 }
}

fn poll<O: Operation>(table: &OpTable, key: &OpKey<O>) -> Poll<O::Output> {
    table.poll(key, &mut Context::from_waker(Waker::noop()))
}

fn poll_part<O: Operation>(table: &OpTable, key: &OpKey<O>) -> Poll<Part<O::Output>> {
    table.poll_part(key, &mut Context::from_waker(Waker::noop()))
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the outcome should be there"),
    }
}

fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

#[test]
fn an_operation_may_complete_before_or_after_the_first_poll() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let (early, late) = (table.insert(Small::new(&log)), table.insert(Small::new(&log)));
    table.complete(early.id(), done(1), false);
    assert_eq!(ready(poll(&table, &early)).0, 1);

    let (bell, waker) = Bell::new();
    assert!(table.poll(&late, &mut Context::from_waker(&waker)).is_pending());
    table.complete(late.id(), done(2), false);
    assert_eq!(bell.rings(), 1);
    assert_eq!(ready(poll(&table, &late)).0, 2);
    assert_eq!((table.in_flight(), log.dropped.get(), table.stale()), (0, 2, 0));
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let (table, log) = (OpTable::new(), Rc::default());
    let key = table.insert(Small::new(&log));
    let ((former_bell, former), (bell, waker)) = (Bell::new(), Bell::new());
    for waker in [&former, &former, &waker] {
        assert!(table.poll(&key, &mut Context::from_waker(waker)).is_pending());
    }
    drop(former);
    assert_eq!(Arc::strong_count(&former_bell), 1, "a waker that was replaced is let go of");
    table.complete(key.id(), done(0), false);
    assert_eq!((former_bell.rings(), bell.rings()), (0, 1));
    drop(ready(poll(&table, &key)));
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1);
}

#[test]
fn an_orphan_keeps_its_payload_until_the_terminal_completion() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let (bell, waker) = Bell::new();
    assert!(table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    let id = key.id();
    table.orphan(key);
    assert_eq!((log.dropped.get(), table.in_flight()), (0, 1));
    assert_eq!((table.next_cancel(), table.next_cancel()), (Some(id), None));
    table.complete(id, done(-125), false);
    assert_eq!(*log.orphans.borrow(), [-125]);
    assert_eq!((log.dropped.get(), table.in_flight(), bell.rings()), (1, 0, 0));
}

#[test]
fn an_operation_that_is_done_when_it_is_orphaned_is_settled_and_not_cancelled() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    table.complete(key.id(), done(3), false);
    table.orphan(key);
    assert_eq!(*log.orphans.borrow(), [3]);
    assert_eq!((log.dropped.get(), table.wants_cancel()), (1, false));
}

#[test]
fn a_cancel_that_the_completion_overtook_is_not_offered() {
    let (table, log) = (OpTable::new(), Rc::default());
    let (wanted, orphan) = (table.insert(Small::new(&log)), table.insert(Small::new(&log)));
    table.cancel(&wanted);
    let (first, second) = (wanted.id(), orphan.id());
    table.orphan(orphan);
    table.complete(first, done(0), false);
    table.complete(second, done(0), false);
    assert_eq!(table.next_cancel(), None);
    assert_eq!(ready(poll(&table, &wanted)).0, 0);
    assert!(!table.wants_cancel());
}

#[test]
fn cancels_are_offered_once_each_and_in_order_however_many() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let keys: Vec<_> = (0..10_000).map(|_| table.insert(Small::new(&log))).collect();
    let ids: Vec<_> = keys.iter().map(OpKey::id).collect();
    keys.iter().step_by(3).for_each(|key| table.cancel(key));
    let (firsts, others): (Vec<_>, Vec<_>) = (0..10_000).partition(|index| index % 3 == 0);
    keys.into_iter().for_each(|key| table.orphan(key));
    let offered: Vec<_> = core::iter::from_fn(|| table.next_cancel()).collect();
    let wanted = firsts.iter().chain(&others).map(|index: &usize| ids[*index]);
    assert!(offered.iter().copied().eq(wanted));
    assert_eq!(log.dropped.get(), 0);
    ids.iter().for_each(|id| table.complete(*id, done(0), false));
    assert_eq!((log.dropped.get(), table.in_flight()), (10_000, 0));
}

#[test]
fn a_slot_is_not_reused_while_the_cancel_list_holds_it() {
    let (table, log) = (OpTable::new(), Rc::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    table.orphan(key);
    table.complete(id, done(0), false);
    let others: Vec<_> = (0..100).map(|_| table.insert(Small::new(&log))).collect();
    assert!(others.iter().all(|other| index(other.id()) != index(id)));
    assert_eq!(table.next_cancel(), None);
    let reuser = table.insert(Small::new(&log));
    assert_eq!(index(reuser.id()), index(id));
    assert_ne!(reuser.id(), id);
    for key in others.into_iter().chain([reuser]) {
        table.complete(key.id(), done(0), false);
        table.orphan(key);
    }
}

fn index(id: OpId) -> u32 {
    id.to_bits() as u32
}

#[test]
fn completions_of_former_or_unknown_operations_are_counted_and_ignored() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let former = table.insert(Small::new(&log));
    let former_id = former.id();
    table.complete(former_id, done(0), false);
    table.complete(former_id, done(9), false);
    drop(ready(poll(&table, &former)));
    let key = table.insert(Small::new(&log));
    assert_eq!(index(key.id()), index(former_id), "the slot is used again");
    for id in [former_id.to_bits(), u64::MAX, u64::from(u32::MAX), 31, 1 << 40] {
        table.complete(OpId::from_bits(id), done(9), false);
        table.complete(OpId::from_bits(id), done(9), true);
    }
    assert!(poll(&table, &key).is_pending());
    assert_eq!((table.stale(), table.in_flight()), (11, 1));
    table.complete(key.id(), done(1), false);
    assert_eq!(ready(poll(&table, &key)).0, 1);
    assert!(panics(|| drop(poll(&table, &key))), "a spent key is refused");
}

#[test]
fn a_multishot_gives_its_parts_in_order_and_then_its_end() {
    let (table, log) = (OpTable::new(), Rc::default());
    let key = table.insert(Small::new(&log));
    let (bell, waker) = Bell::new();
    let cx = &mut Context::from_waker(&waker);
    assert!(table.poll_part(&key, cx).is_pending());
    (1..=3).for_each(|result| table.complete(key.id(), done(result), true));
    assert_eq!(bell.rings(), 1, "one wake for what came before the next poll");
    table.complete(key.id(), done(4), false);
    for result in 1..=3 {
        let part = ready(poll_part(&table, &key));
        assert!(matches!(part, Part::More(completion) if completion == done(result)));
    }
    assert!(matches!(ready(poll_part(&table, &key)), Part::End((4, _))));
    assert_eq!(table.in_flight(), 0);
}

#[test]
fn every_part_that_nobody_collects_reaches_the_orphan() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    (1..=2).for_each(|result| table.complete(id, done(result), true));
    table.orphan(key);
    table.complete(id, done(3), true);
    assert!(log.orphans.borrow().is_empty());
    table.complete(id, done(4), false);
    assert_eq!(*log.orphan_parts.borrow(), [1, 2, 3]);
    assert_eq!(*log.orphans.borrow(), [4]);

    let key = table.insert(Small::new(&log));
    table.complete(key.id(), done(5), true);
    table.complete(key.id(), done(6), false);
    table.orphan(key);
    assert_eq!(log.orphan_parts.borrow().last(), Some(&5));
    assert_eq!((log.orphans.borrow().last(), log.dropped.get()), (Some(&6), 2));
}

#[test]
fn parts_that_were_not_collected_do_not_reach_the_next_operation_in_the_slot() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    table.complete(key.id(), done(1), true);
    table.complete(key.id(), done(2), false);
    assert_eq!(ready(poll(&table, &key)).0, 2);
    assert_eq!(*log.orphan_parts.borrow(), [1]);
    let key = table.insert(Small::new(&log));
    assert!(poll_part(&table, &key).is_pending());
    table.complete(key.id(), done(3), false);
    table.orphan(key);
}

#[test]
fn large_payloads_stay_where_they_are_too() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Large::new(&log));
    let address = table.with_op(&key, |op| op.bytes.as_mut_ptr());
    let others: Vec<_> = (0..1_000).map(|_| table.insert(Large::new(&log))).collect();
    assert_eq!(table.with_op(&key, |op| op.bytes.as_mut_ptr()), address);
    // SAFETY: *Owned while in flight*: what a kernel does.
    unsafe { address.add(4095).write(7) };
    table.complete(key.id(), done(0), false);
    assert_eq!(ready(poll(&table, &key)).1.bytes[4095], 7);
    for key in others {
        let id = key.id();
        table.orphan(key);
        table.complete(id, done(0), false);
    }
    assert_eq!(log.dropped.get(), 1_001);
}

#[test]
fn alignment_and_size_do_not_matter() {
    #[repr(align(256))]
    struct Aligned(u8);
    impl Operation for Aligned {
        type Output = u8;
        fn settle(self, _: Completion) -> u8 {
            self.0
        }
    }
    struct Nothing;
    impl Operation for Nothing {
        type Output = ();
        fn settle(self, _: Completion) {}
    }
    let table = OpTable::new();
    let (aligned, nothing) = (table.insert(Aligned(3)), table.insert(Nothing));
    table.with_op(&aligned, |op| assert_eq!(core::ptr::from_mut(op).addr() % 256, 0));
    table.complete(aligned.id(), done(0), false);
    table.complete(nothing.id(), done(0), false);
    assert_eq!(poll(&table, &aligned), Poll::Ready(3));
    assert_eq!(poll(&table, &nothing), Poll::Ready(()));
}

#[test]
fn a_forgotten_key_leaks_its_slot_and_nothing_else() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    // A key has no destructor, so this is what forgetting it is.
    let _ = key;
    table.complete(id, done(0), false);
    for result in 0..1_000 {
        let key = table.insert(Small::new(&log));
        assert_ne!(index(key.id()), index(id));
        table.complete(key.id(), done(result), false);
        assert_eq!(ready(poll(&table, &key)).0, result);
    }
    assert_eq!((log.dropped.get(), table.in_flight()), (1_000, 0));
}

#[test]
fn a_table_that_is_dropped_with_an_operation_in_flight_leaves_the_memory_alone() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let (inline, boxed) = (table.insert(Small::new(&log)), table.insert(Large::new(&log)));
    let at = table.with_op(&inline, |op| op.bytes.as_mut_ptr());
    let far = table.with_op(&boxed, |op| op.bytes.as_mut_ptr());
    table.orphan(inline);
    drop(table);
    for address in [at, far] {
        // SAFETY: what a kernel may do after the table has gone. A sanitizer sees it if the memory
        // was freed.
        unsafe { address.write(1) };
    }
    assert_eq!(log.dropped.get(), 0);
}

#[test]
fn a_key_of_another_table_is_refused_if_the_type_tells() {
    let (table, other, log) = (OpTable::new(), OpTable::new(), Rc::<Log>::default());
    let small = table.insert(Small::new(&log));
    let large = other.insert(Large::new(&log));
    assert_eq!(small.id(), large.id());
    assert!(panics(|| drop(poll(&table, &large))));
    assert!(panics(|| table.with_op(&large, |_| ())));
    table.complete(small.id(), done(0), false);
    other.complete(large.id(), done(0), false);
    drop((ready(poll(&table, &small)), ready(poll(&other, &large))));
    assert_eq!(log.dropped.get(), 2);
}

#[test]
fn the_steady_state_grows_nothing() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let turn = || {
        let keys: Vec<_> = (0..32).map(|_| table.insert(Small::new(&log))).collect();
        for key in &keys {
            (0..4).for_each(|part| table.complete(key.id(), done(part), true));
            table.complete(key.id(), done(4), false);
        }
        keys.into_iter().for_each(|key| table.orphan(key));
    };
    turn();
    let grown = (table.slot_count(), table.part_count());
    (0..1_000).for_each(|_| turn());
    assert_eq!((table.slot_count(), table.part_count()), grown);
    assert_eq!(grown, (32, 128));
}
