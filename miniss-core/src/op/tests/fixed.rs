//! What only a table in fixed memory does: it is full, it refuses, and it makes room for another.

use super::*;

/// Finishes whatever is done or in flight under this key.
fn end<O: Operation>(table: &OpTable<Fixed>, key: OpKey<O>) {
    table.complete(key.id(), done(0), false);
    assert!(poll(table, &key).is_ready());
}

#[test]
fn a_full_table_gives_the_operation_back_until_another_has_ended() {
    static OPS: FixedOps<3> = FixedOps::new();
    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    let mut keys: Vec<_> = (0..3).map(|_| table.insert(Small::new(&log))).collect();
    let refused = table.try_insert(Small::new(&log)).unwrap_err();
    assert_eq!((refused.reason, log.dropped.get()), (InsertError::NoRoom, 0));
    assert_eq!(table.in_flight(), 3);

    let key = keys.pop().unwrap();
    table.complete(key.id(), done(0), false);
    let refused = table.try_insert(refused.value).unwrap_err();
    drop(ready(poll(&table, &key)));
    keys.push(table.try_insert(refused.value).unwrap());
    keys.into_iter().for_each(|key| end(&table, key));
    assert_eq!((log.dropped.get(), table.in_flight()), (4, 0));
}

#[test]
fn a_slot_on_the_cancel_list_is_free_when_the_driver_has_come_by() {
    static OPS: FixedOps<1> = FixedOps::new();
    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    table.orphan(key);
    table.complete(id, done(0), false);
    let refused = table.try_insert(Small::new(&log)).unwrap_err();
    assert_eq!(table.next_cancel(), None);
    end(&table, table.try_insert(refused.value).unwrap());
}

#[test]
fn an_operation_that_does_not_fit_comes_back() {
    static OPS: FixedOps<1> = FixedOps::new();
    #[repr(align(32))]
    struct Aligned(u8);
    impl Operation for Aligned {
        type Output = u8;
        fn settle(self, _: Completion) -> u8 {
            self.0
        }
    }
    type Fits = Traced<{ 64 - size_of::<usize>() }>;
    type TooLarge = Traced<{ 129 - size_of::<usize>() }>;
    assert!(OpTable::fits::<Fits>() && !OpTable::fits::<TooLarge>());
    assert!(!OpTable::fits::<Aligned>());

    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    let refused = table.try_insert(TooLarge::new(&log)).unwrap_err();
    assert_eq!((refused.reason, log.dropped.get()), (InsertError::TooLarge, 0));
    let refused = table.try_insert(Aligned(3)).unwrap_err();
    assert_eq!((refused.reason, refused.value.0), (InsertError::TooLarge, 3));
    let key = table.insert(Fits::new(&log));
    assert_eq!(table.try_insert(Aligned(3)).unwrap_err().reason, InsertError::TooLarge);
    end(&table, key);
}

#[test]
fn all_slots_and_parts_are_places_of_their_own() {
    static OPS: FixedOps<100, 70> = FixedOps::new();
    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    assert_eq!((table.slot_count(), table.part_count()), (100, 70));
    let keys: Vec<_> = (0..100).map(|_| table.insert(Small::new(&log))).collect();
    assert!(table.try_insert(Small::new(&log)).is_err());
    for (number, key) in keys.iter().enumerate() {
        table.with_op(key, |op| op.bytes = [number as u8; 8]);
        if number < 70 {
            table.complete(key.id(), done(number as i32), true);
        }
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(index(key.id()), number as u32);
        table.with_op(key, |op| assert_eq!(op.bytes, [number as u8; 8]));
        if number < 70 {
            let part = ready(poll_part(&table, key));
            assert!(matches!(part, Part::More(part) if part == done(number as i32)));
        }
    }
    keys.into_iter().for_each(|key| end(&table, key));
}

#[test]
fn a_table_without_slots_is_always_full() {
    static OPS: FixedOps<0> = FixedOps::new();
    let table = OpTable::fixed(&OPS).unwrap();
    let refused = table.try_insert(Small::new(&Rc::default())).unwrap_err();
    assert_eq!(refused.reason, InsertError::NoRoom);
    table.complete(OpId::from_bits(0), done(0), false);
    assert_eq!(table.stale(), 1);
}

#[test]
fn memory_serves_one_table_at_a_time() {
    static OPS: FixedOps<2, 1> = FixedOps::new();
    let log = Rc::<Log>::default();
    let mut former_ids = Vec::new();
    for _ in 0..3 {
        let table = OpTable::fixed(&OPS).unwrap();
        assert_eq!(OpTable::fixed(&OPS).err(), Some(OpsInUse));
        let (first, second) = (table.insert(Small::new(&log)), table.insert(Small::new(&log)));
        assert!(table.try_insert(Small::new(&log)).is_err());
        former_ids.iter().for_each(|id| table.complete(*id, done(9), false));
        assert_eq!((table.stale(), table.in_flight()), (former_ids.len() as u64, 2));
        former_ids.extend([first.id(), second.id()]);

        table.complete(first.id(), done(1), true);
        assert!(matches!(ready(poll_part(&table, &first)), Part::More(_)));
        end(&table, first);
        let id = second.id();
        table.orphan(second);
        table.complete(id, done(0), false);
        assert!(table.wants_cancel(), "the list still holds the slot when the table goes");
    }
}

#[test]
fn memory_that_the_kernel_may_write_to_stays_taken_forever() {
    static OPS: [FixedOps<2>; 3] = [const { FixedOps::new() }; 3];
    let log = Rc::<Log>::default();
    for (moment, ops) in ["in flight", "orphaned", "uncollected"].into_iter().zip(&OPS) {
        let table = OpTable::fixed(ops).unwrap();
        end(&table, table.insert(Small::new(&log)));
        let key = table.insert(Small::new(&log));
        let address = table.with_op(&key, |op| op.bytes.as_mut_ptr());
        match moment {
            "orphaned" => table.orphan(key),
            "uncollected" => table.complete(key.id(), done(0), false),
            _ => {}
        }
        drop(table);
        // SAFETY: what a kernel may do after the table has gone.
        unsafe { address.write(1) };
        assert_eq!(OpTable::fixed(ops).err(), Some(OpsInUse), "{moment}");
    }
    assert_eq!(log.dropped.get(), 3, "only those that were collected");
}

#[test]
fn memory_travels_from_thread_to_thread_and_only_one_has_it() {
    static OPS: FixedOps<1> = FixedOps::new();
    static TURNS: AtomicUsize = AtomicUsize::new(0);
    let work = || {
        for _ in 0..if cfg!(miri) { 50 } else { 5_000 } {
            let Ok(table) = OpTable::fixed(&OPS) else { continue };
            let key = table.insert(Small::new(&Rc::default()));
            table.with_op(&key, |op| op.bytes = [7; 8]);
            end(&table, key);
            TURNS.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
    assert!(TURNS.load(Ordering::Relaxed) > 0);
    assert!(OpTable::fixed(&OPS).is_ok());
}

#[test]
fn the_first_part_without_room_is_the_last_that_is_queued() {
    static OPS: FixedOps<3, 2> = FixedOps::new();
    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    (1..=3).for_each(|part| table.complete(id, done(part), true));
    assert_eq!(*log.orphan_parts.borrow(), [3]);
    assert_eq!((table.next_cancel(), table.parts_refused()), (Some(id), 1));

    // There is room again, but not for what would stand after a gap.
    let part = ready(poll_part(&table, &key));
    assert!(matches!(part, Part::More(part) if part == done(1)));
    table.complete(id, done(4), true);
    assert_eq!(*log.orphan_parts.borrow(), [3, 4]);
    assert_eq!((table.next_cancel(), table.parts_refused()), (None, 2));
    let other = table.insert(Small::new(&log));
    table.complete(other.id(), done(9), true);
    assert!(matches!(ready(poll_part(&table, &other)), Part::More(_)), "others go on");

    let (count, waker) = WakeCount::new();
    assert!(matches!(ready(poll_part(&table, &key)), Part::More(part) if part == done(2)));
    assert!(table.poll_part(&key, &mut Context::from_waker(&waker)).is_pending());
    table.complete(id, done(-125), false);
    assert_eq!(count.wakes(), 1);
    assert!(matches!(ready(poll_part(&table, &key)), Part::End((-125, _))));

    // The next one in that slot starts afresh.
    let key = table.insert(Small::new(&log));
    assert_eq!(index(key.id()), index(id));
    table.complete(key.id(), done(5), true);
    assert!(matches!(ready(poll_part(&table, &key)), Part::More(part) if part == done(5)));
    end(&table, key);
    end(&table, other);
    assert_eq!((log.dropped.get(), table.in_flight()), (3, 0));
}

#[test]
fn an_operation_without_room_for_its_parts_may_be_cancelled_and_orphaned() {
    static OPS: FixedOps<1, 1> = FixedOps::new();
    let (table, log) = (OpTable::fixed(&OPS).unwrap(), Rc::<Log>::default());
    let key = table.insert(Small::new(&log));
    let id = key.id();
    (1..=2).for_each(|part| table.complete(id, done(part), true));
    table.cancel(&key);
    assert_eq!((table.next_cancel(), table.next_cancel()), (Some(id), None));
    table.cancel(&key);
    assert_eq!(table.next_cancel(), Some(id), "who asks again is heard");
    table.orphan(key);
    table.complete(id, done(3), true);
    table.complete(id, done(4), false);
    assert_eq!(*log.orphan_parts.borrow(), [2, 1, 3]);
    assert_eq!(*log.orphans.borrow(), [4]);
    assert_eq!((log.dropped.get(), table.in_flight(), table.parts_refused()), (1, 0, 1));
}

/// Does something when a part is refused.
struct Refuses<F>(F);

impl<F: FnMut() + 'static> Operation for Refuses<F> {
    type Output = ();

    fn settle(self, _: Completion) {}

    fn refuse_part(&mut self, _: Completion) {
        self.0();
    }
}

#[test]
fn an_operation_that_panics_when_a_part_is_refused_is_still_cancelled() {
    static OPS: FixedOps<1> = FixedOps::new();
    let table = OpTable::fixed(&OPS).unwrap();
    let key = table.insert(Refuses(|| panic!("as planned")));
    for refused in 1..=2 {
        assert!(panics(|| table.complete(key.id(), done(1), true)));
        assert_eq!(table.parts_refused(), refused);
    }
    assert_eq!((table.next_cancel(), table.next_cancel()), (Some(key.id()), None));
    end(&table, key);
}

#[test]
fn a_part_that_comes_while_one_is_being_refused_changes_nothing() {
    static OPS: FixedOps<1> = FixedOps::new();
    let table = Rc::new(OpTable::fixed(&OPS).unwrap());
    let id = Rc::new(Cell::new(None));
    let inside = (table.clone(), id.clone());
    let refused = Rc::new(Cell::new(0));
    let count = refused.clone();
    let key = table.insert(Refuses(move || {
        let (table, id): &(Rc<OpTable<Fixed>>, Rc<Cell<Option<OpId>>>) = &inside;
        assert!(panics(|| table.complete(id.get().unwrap(), done(2), true)));
        count.set(count.get() + 1);
    }));
    id.set(Some(key.id()));
    table.complete(key.id(), done(1), true);
    assert_eq!((refused.get(), table.parts_refused()), (1, 1));
    end(&table, key);
}
