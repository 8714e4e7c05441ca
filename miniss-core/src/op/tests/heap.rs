//! What only a table from the heap does.

use super::*;

#[test]
fn large_payloads_stay_where_they_are_too() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let key = table.insert(Large::new(&log));
    let address = table.with_op(&key, |op| op.bytes.as_mut_ptr());
    let others: Vec<_> = (0..1_000).map(|_| table.insert(Large::new(&log))).collect();
    let later = table.with_op(&key, |op| op.bytes.as_mut_ptr());
    assert_eq!(later, address);
    // SAFETY: *Owned while in flight*: what a kernel does.
    unsafe { later.add(4095).write(7) };
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
fn large_operations_use_the_same_blocks_again() {
    struct Large([usize; 40]);
    impl Operation for Large {
        type Output = [usize; 40];
        fn settle(self, _: Completion) -> [usize; 40] {
            self.0
        }
    }
    let table = OpTable::new();
    let run = |first: usize| {
        let keys = [first, first + 1].map(|number| table.insert(Large([number; 40])));
        let places = keys.each_ref().map(|key| table.with_op(key, core::ptr::from_mut));
        let [kept, orphan] = keys;
        table.complete(kept.id(), done(0), false);
        assert_eq!(poll(&table, &kept), Poll::Ready([first; 40]));
        let id = orphan.id();
        table.orphan(orphan);
        table.complete(id, done(0), false);
        while table.next_cancel().is_some() {}
        places
    };
    let mut places = run(1);
    places.sort();
    for number in 2..10 {
        let mut again = run(number);
        again.sort();
        assert_eq!(again, places);
    }
}

#[test]
fn a_table_that_is_dropped_with_an_operation_in_flight_leaves_the_memory_alone() {
    let (table, log) = (OpTable::new(), Rc::<Log>::default());
    let (inline, boxed) = (table.insert(Small::new(&log)), table.insert(Large::new(&log)));
    let at = *crate::kept::forever(table.with_op(&inline, |op| op.bytes.as_mut_ptr()));
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
