//! What a table does whatever its memory.

use super::*;

on_both_memories! {
    an_operation_may_complete_before_or_after_the_first_poll,
    the_last_waker_is_the_one_that_is_woken,
    an_orphan_keeps_its_payload_until_the_terminal_completion,
    an_operation_that_is_done_when_it_is_orphaned_is_settled_and_not_cancelled,
    a_cancel_that_the_completion_overtook_is_not_offered,
    cancels_are_offered_once_each_and_in_order_however_many,
    a_slot_is_not_reused_while_the_cancel_list_holds_it,
    completions_of_former_or_unknown_operations_are_counted_and_ignored,
    generations_begin_again_after_the_last_one_and_leave_the_drivers_bits_alone,
    a_multishot_gives_its_parts_in_order_and_then_its_end,
    every_part_that_no_one_collects_reaches_the_orphan,
    parts_that_were_not_collected_do_not_reach_the_next_operation_in_the_slot,
    an_operation_that_hears_of_its_end_hears_of_it_before_anyone_looks,
    a_forgotten_key_leaks_its_slot_and_nothing_else,
    the_steady_state_grows_nothing,
}

fn an_operation_may_complete_before_or_after_the_first_poll<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let (early, late) = (table.insert(Small::new(&log)), table.insert(Small::new(&log)));
    table.complete(early.id(), done(1), false);
    assert_eq!(ready(poll(&table, &early)).0, 1);

    let (count, waker) = WakeCount::new();
    assert!(table.poll(&late, &mut Context::from_waker(&waker)).is_pending());
    table.complete(late.id(), done(2), false);
    assert_eq!(count.wakes(), 1);
    assert_eq!(ready(poll(&table, &late)).0, 2);
    assert_eq!((table.in_flight(), log.dropped.get(), table.stale()), (0, 2, 0));
}

fn the_last_waker_is_the_one_that_is_woken<M: Port>() {
    let (table, log) = (M::table(), Rc::default());
    let key = table.insert(Small::new(&log));
    let ((former_count, former), (count, waker)) = (WakeCount::new(), WakeCount::new());
    for waker in [&former, &former, &waker] {
        assert!(table.poll(&key, &mut Context::from_waker(waker)).is_pending());
    }
    drop(former);
    assert_eq!(Arc::strong_count(&former_count), 1, "a waker that was replaced is dropped");
    table.complete(key.id(), done(0), false);
    assert_eq!((former_count.wakes(), count.wakes()), (0, 1));
    drop(ready(poll(&table, &key)));
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
}

fn an_orphan_keeps_its_payload_until_the_terminal_completion<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let (count, waker) = WakeCount::new();
    assert!(table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    let id = key.id();
    table.orphan(key);
    assert_eq!((log.dropped.get(), table.in_flight()), (0, 1));
    assert_eq!((table.next_cancel(), table.next_cancel()), (Some(id), None));
    table.complete(id, done(-125), false);
    assert_eq!(*log.orphans.borrow(), [-125]);
    assert_eq!((log.dropped.get(), table.in_flight(), count.wakes()), (1, 0, 0));
}

fn an_operation_that_is_done_when_it_is_orphaned_is_settled_and_not_cancelled<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    table.complete(key.id(), done(3), false);
    table.orphan(key);
    assert_eq!(*log.orphans.borrow(), [3]);
    assert_eq!((log.dropped.get(), table.wants_cancel()), (1, false));
}

fn a_cancel_that_the_completion_overtook_is_not_offered<M: Port>() {
    let (table, log) = (M::table(), Rc::default());
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

fn cancels_are_offered_once_each_and_in_order_however_many<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let many = M::SLOTS.unwrap_or(if cfg!(miri) { 200 } else { 10_000 });
    let keys: Vec<_> = (0..many).map(|_| table.insert(Small::new(&log))).collect();
    let ids: Vec<_> = keys.iter().map(OpKey::id).collect();
    keys.iter().step_by(3).for_each(|key| table.cancel(key));
    let (firsts, others): (Vec<_>, Vec<_>) = (0..many).partition(|index| index % 3 == 0);
    keys.into_iter().for_each(|key| table.orphan(key));
    let offered: Vec<_> = core::iter::from_fn(|| table.next_cancel()).collect();
    let wanted = firsts.iter().chain(&others).map(|index: &usize| ids[*index]);
    assert!(offered.iter().copied().eq(wanted));
    assert_eq!(log.dropped.get(), 0);
    ids.iter().for_each(|id| table.complete(*id, done(0), false));
    assert_eq!((log.dropped.get(), table.in_flight()), (many, 0));
}

fn a_slot_is_not_reused_while_the_cancel_list_holds_it<M: Port>() {
    let (table, log) = (M::table(), Rc::default());
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

fn completions_of_former_or_unknown_operations_are_counted_and_ignored<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
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

fn generations_begin_again_after_the_last_one_and_leave_the_drivers_bits_alone<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let first = table.insert(Small::new(&log));
    let slot = index(first.id());
    drop(complete_now(&table, first));
    table.room.slots.at(slot).unwrap().generation.set((1 << GENERATION_BITS) - 2);
    let mut former: Vec<OpId> = Vec::new();
    for _ in 0..4 {
        let key = table.insert(Small::new(&log));
        assert_eq!(index(key.id()), slot);
        assert_eq!(key.id().to_bits() >> OpId::BITS, 0, "these are the driver's");
        for &id in &former {
            assert_ne!(id, key.id());
            table.complete(id, done(9), false);
        }
        assert!(poll(&table, &key).is_pending(), "it is none of those");
        former.push(key.id());
        drop(complete_now(&table, key));
    }
    assert!(former[2].to_bits() < former[1].to_bits(), "it has begun again: {former:?}");
    assert_eq!((table.stale(), log.dropped.get()), (1 + 2 + 3, 5));
}

/// Completes an operation, and takes what came of it.
fn complete_now<M: Memory, O: Operation>(table: &OpTable<M>, key: OpKey<O>) -> O::Output {
    table.complete(key.id(), done(0), false);
    ready(poll(table, &key))
}

fn a_multishot_gives_its_parts_in_order_and_then_its_end<M: Port>() {
    let (table, log) = (M::table(), Rc::default());
    let key = table.insert(Small::new(&log));
    let (count, waker) = WakeCount::new();
    let cx = &mut Context::from_waker(&waker);
    assert!(table.poll_part(&key, cx).is_pending());
    (1..=3).for_each(|result| table.complete(key.id(), done(result), true));
    assert_eq!(count.wakes(), 1, "one wake for what came before the next poll");
    table.complete(key.id(), done(4), false);
    for result in 1..=3 {
        let part = ready(poll_part(&table, &key));
        assert!(matches!(part, Part::More(completion) if completion == done(result)));
    }
    assert!(matches!(ready(poll_part(&table, &key)), Part::End((4, _))));
    assert_eq!(table.in_flight(), 0);
}

fn every_part_that_no_one_collects_reaches_the_orphan<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
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

fn parts_that_were_not_collected_do_not_reach_the_next_operation_in_the_slot<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
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

/// Lets go of a log at its end.
struct Hearing(Option<Rc<Log>>);

impl Operation for Hearing {
    type Output = (i32, bool);

    fn settle(self, completion: Completion) -> Self::Output {
        (completion.result, self.0.is_some())
    }

    const HEARS_END: bool = true;

    fn ended(&mut self) {
        self.0 = None;
    }
}

fn an_operation_that_hears_of_its_end_hears_of_it_before_anyone_looks<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let key = table.insert(Hearing(Some(log.clone())));
    let (count, waker) = WakeCount::new();
    assert!(table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    table.complete(key.id(), done(1), true);
    assert_eq!(Rc::strong_count(&log), 2, "a part is not the end");
    table.cancel(&key);
    assert_eq!(table.next_cancel(), Some(key.id()));
    table.complete(key.id(), done(2), false);
    assert_eq!((Rc::strong_count(&log), count.wakes(), table.in_flight()), (1, 1, 0));
    assert!(matches!(ready(poll_part(&table, &key)), Part::More(part) if part == done(1)));
    assert_eq!(ready(poll(&table, &key)), (2, false));

    let (orphan, late) =
        (table.insert(Hearing(Some(log.clone()))), table.insert(Hearing(Some(log.clone()))));
    let id = orphan.id();
    table.orphan(orphan);
    assert_eq!((table.next_cancel(), Rc::strong_count(&log)), (Some(id), 3));
    table.complete(id, done(3), false);
    table.complete(late.id(), done(4), false);
    assert_eq!(Rc::strong_count(&log), 1);
    table.orphan(late);
    assert_eq!((table.wants_cancel(), table.stale()), (false, 0));
}

fn a_forgotten_key_leaks_its_slot_and_nothing_else<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    // Its chunk stays forever with it.
    crate::kept::forget(table.with_op(&key, |op| op.bytes.as_mut_ptr()));
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

fn the_steady_state_grows_nothing<M: Port>() {
    let (table, log) = (M::table(), Rc::<Log>::default());
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
    (0..if cfg!(miri) { 3 } else { 1_000 }).for_each(|_| turn());
    assert_eq!((table.slot_count(), table.part_count()), grown);
    // From the heap: as many as were ever in use at once.
    let (slots, parts) = (M::SLOTS.unwrap_or(32), M::PARTS.unwrap_or(128));
    assert_eq!(grown, (slots as u32, parts as u32));
}
