//! Foreign code that comes back into the table from the middle of things, or unwinds through it.

use super::*;

on_both_memories! {
    code_of_an_operation_may_start_and_end_others,
    an_operation_that_reports_its_own_end_while_it_is_settled_is_not_settled_twice,
    an_operation_cannot_be_entered_from_inside_of_it,
    with_op_refuses_to_lend_the_same_operation_twice,
    a_panic_in_settle_orphan_leaves_the_table_usable,
    a_panic_in_orphan_part_leaves_no_part_to_the_next_operation,
    a_panic_in_orphan_part_keeps_neither_the_other_parts_nor_the_payload,
    a_panic_at_its_end_keeps_the_outcome_from_no_one,
    a_waker_may_collect_the_outcome_at_once,
    a_completion_in_the_middle_of_a_poll_is_not_overlooked,
    a_part_in_the_middle_of_a_poll_is_not_overlooked,
    a_poll_that_unwinds_leaves_no_waker_to_the_next_operation,
    an_operation_put_in_the_place_of_one_that_is_polled_is_left_alone,
}

/// What an operation does when its code runs.
type Act<M> = Box<dyn FnMut(&OpTable<M>, &str)>;

/// An operation all of whose code calls back.
struct Wild<M: Port> {
    table: Rc<OpTable<M>>,
    act: Rc<RefCell<Option<Act<M>>>>,
    /// Something to read, so that a use after the drop is seen.
    token: Rc<Cell<usize>>,
}

impl<M: Port> Wild<M> {
    fn act(&self, moment: &str) {
        let act = self.act.borrow_mut().take();
        if let Some(mut act) = act {
            act(&self.table, moment);
            self.act.borrow_mut().get_or_insert(act);
        }
    }
}

impl<M: Port> Drop for Wild<M> {
    fn drop(&mut self) {
        self.token.set(self.token.get() + 1);
        self.act("drop");
    }
}

impl<M: Port> Operation for Wild<M> {
    type Output = ();

    fn settle(self, _: Completion) {
        self.act("settle");
    }

    fn orphan_part(&mut self, _: Completion) {
        self.act("part");
        assert!(self.token.get() < usize::MAX);
    }
}

struct Scene<M: Port> {
    table: Rc<OpTable<M>>,
    act: Rc<RefCell<Option<Act<M>>>>,
    drops: Rc<Cell<usize>>,
}

impl<M: Port> Scene<M> {
    fn new() -> Self {
        Self { table: Rc::new(M::table()), act: Rc::default(), drops: Rc::default() }
    }

    fn insert(&self) -> OpKey<Wild<M>> {
        let (table, act, token) = (self.table.clone(), self.act.clone(), self.drops.clone());
        self.table.insert(Wild { table, act, token })
    }

    fn when_run(&self, act: impl FnMut(&OpTable<M>, &str) + 'static) {
        *self.act.borrow_mut() = Some(Box::new(act));
    }

    /// The table still works, and `dropped` operations have been dropped.
    fn end(self, dropped: usize) {
        *self.act.borrow_mut() = None;
        assert_eq!(self.drops.get(), dropped);
        let key = self.insert();
        self.table.complete(key.id(), done(0), false);
        assert!(poll(&self.table, &key).is_ready());
        assert_eq!(self.drops.get(), dropped + 1);
    }
}

fn code_of_an_operation_may_start_and_end_others<M: Port>() {
    for orphaned in [false, true] {
        let scene = Scene::<M>::new();
        let log = Rc::<Log>::default();
        let seen = log.clone();
        scene.when_run(move |table, _| {
            // More than a chunk, so that the table grows meanwhile.
            let keys: Vec<_> = (0..100).map(|_| table.insert(Small::new(&seen))).collect();
            keys.iter().for_each(|key| table.complete(key.id(), done(1), true));
            keys.iter().step_by(2).for_each(|key| table.complete(key.id(), done(2), false));
            let ids: Vec<_> = keys.iter().map(OpKey::id).collect();
            keys.into_iter().for_each(|key| table.orphan(key));
            while table.next_cancel().is_some() {}
            ids.into_iter().skip(1).step_by(2).for_each(|id| table.complete(id, done(3), false));
        });
        let key = scene.insert();
        let id = key.id();
        scene.table.complete(id, done(0), true);
        if orphaned {
            scene.table.orphan(key);
            scene.table.complete(id, done(0), false);
        } else {
            scene.table.complete(id, done(0), false);
            assert!(poll(&scene.table, &key).is_ready());
        }
        // Its part, its settling and its drop.
        assert_eq!(log.dropped.get(), 300);
        scene.end(1);
    }
}

fn an_operation_that_reports_its_own_end_while_it_is_settled_is_not_settled_twice<M: Port>() {
    let scene = Scene::<M>::new();
    let key = scene.insert();
    let id = key.id();
    scene.when_run(move |table, _| table.complete(id, done(0), false));
    scene.table.orphan(key);
    scene.table.complete(id, done(0), false);
    assert_eq!(scene.table.stale(), 2, "from its settling and from its drop");
    scene.end(1);
}

fn an_operation_cannot_be_entered_from_inside_of_it<M: Port>() {
    for more in [false, true] {
        let scene = Scene::<M>::new();
        let key = scene.insert();
        let id = key.id();
        let refused = Rc::new(Cell::new(0));
        let count = refused.clone();
        scene.when_run(move |table, moment| {
            if moment == "part" && panics(|| table.complete(id, done(0), more)) {
                count.set(count.get() + 1);
            }
        });
        scene.table.complete(id, done(1), true);
        scene.table.orphan(key);
        scene.table.complete(id, done(2), true);
        assert_eq!((refused.get(), scene.table.in_flight()), (2, 1));
        scene.table.complete(id, done(3), false);
        assert_eq!(scene.table.in_flight(), 0);
        scene.end(1);
    }
}

fn with_op_refuses_to_lend_the_same_operation_twice<M: Port>() {
    let scene = Scene::<M>::new();
    let key = scene.insert();
    scene.table.with_op(&key, |_| {
        assert!(panics(|| scene.table.with_op(&key, |_| ())));
        scene.table.complete(key.id(), done(0), false);
        assert!(panics(|| assert!(poll(&scene.table, &key).is_ready())), "it is lent out");
    });
    assert!(panics(|| scene.table.with_op(&key, |_| panic!("inside"))));
    assert!(poll(&scene.table, &key).is_ready());
    scene.end(1);
}

fn a_panic_in_settle_orphan_leaves_the_table_usable<M: Port>() {
    let scene = Scene::<M>::new();
    for _ in 0..100 {
        scene.when_run(|_, moment| assert_ne!(moment, "settle", "as planned"));
        let (done_first, orphan_first) = (scene.insert(), scene.insert());
        let id = orphan_first.id();
        scene.table.complete(done_first.id(), done(0), false);
        assert!(panics(|| scene.table.orphan(done_first)));
        scene.when_run(|_, moment| assert_ne!(moment, "settle", "as planned"));
        scene.table.orphan(orphan_first);
        assert!(panics(|| scene.table.complete(id, done(0), false)));
        assert_eq!((scene.table.in_flight(), scene.table.next_cancel()), (0, None));
    }
    assert_eq!(scene.table.slot_count() as usize, M::SLOTS.unwrap_or(2));
    scene.end(200);
}

fn a_panic_in_orphan_part_leaves_no_part_to_the_next_operation<M: Port>() {
    let scene = Scene::<M>::new();
    let key = scene.insert();
    let id = key.id();
    (0..4).for_each(|part| scene.table.complete(id, done(part), true));
    scene.when_run(|_, moment| assert_ne!(moment, "part", "as planned"));
    assert!(panics(|| scene.table.orphan(key)));
    assert_eq!(scene.table.next_cancel(), Some(id), "the cancel is wanted all the same");
    scene.table.complete(id, done(0), false);
    let key = scene.insert();
    assert!(poll_part(&scene.table, &key).is_pending());
    scene.table.complete(key.id(), done(0), false);
    assert!(poll(&scene.table, &key).is_ready());
    scene.end(2);
}

/// Counts the parts that it is told of, and panics at one.
struct Told {
    parts: Rc<Cell<i32>>,
    panics_at: i32,
    _payload: Rc<()>,
}

impl Operation for Told {
    type Output = ();

    fn settle(self, _: Completion) {}

    fn orphan_part(&mut self, part: Completion) {
        self.parts.set(self.parts.get() + 1);
        assert_ne!(part.result, self.panics_at, "as planned");
    }
}

fn a_panic_in_orphan_part_keeps_neither_the_other_parts_nor_the_payload<M: Port>() {
    for (panics_at, has_ended) in [(0, true), (1, true), (2, true), (0, false), (1, false)] {
        let (table, parts, payload) = (M::table(), Rc::<Cell<i32>>::default(), Rc::new(()));
        let told = Told { parts: parts.clone(), panics_at, _payload: payload.clone() };
        let key = table.insert(told);
        let id = key.id();
        (0..3).for_each(|part| table.complete(id, done(part), true));
        if has_ended {
            table.complete(id, done(0), false);
        }
        assert!(panics(|| table.orphan(key)));
        assert_eq!(parts.get(), 3, "each part may be a descriptor that is to be closed");
        if !has_ended {
            table.complete(id, done(0), false);
        }
        assert_eq!((table.in_flight(), Rc::strong_count(&payload)), (0, 1));
    }
}

/// A waker that calls back when it is cloned, woken or dropped.
struct Caller(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        let call = self.0.lock().unwrap().take();
        call.into_iter().for_each(|call| call());
    }
}

/// For closures that never leave the thread, though wakers might.
struct Stays<T>(T);
// SAFETY: these tests have one thread.
unsafe impl<T> Send for Stays<T> {}
impl<T> Stays<T> {
    fn into_inner(self) -> T {
        self.0
    }
}

fn a_panic_at_its_end_keeps_the_outcome_from_no_one<M: Port>() {
    struct Hearing;
    impl Operation for Hearing {
        type Output = i32;
        fn settle(self, completion: Completion) -> i32 {
            completion.result
        }
        const HEARS_END: bool = true;
        fn ended(&mut self) {
            panic!("as planned");
        }
    }
    let table = M::table();
    let key = table.insert(Hearing);
    let (count, waker) = WakeCount::new();
    assert!(table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    assert!(panics(|| table.complete(key.id(), done(1), false)));
    assert_eq!((count.wakes(), table.in_flight()), (1, 0));
    assert_eq!(ready(poll(&table, &key)), 1);
}

fn a_waker_may_collect_the_outcome_at_once<M: Port>() {
    let scene = Scene::<M>::new();
    let key = Rc::new(scene.insert());
    let next = Rc::new(Cell::new(None));
    let inside = Stays((scene.table.clone(), key.clone(), next.clone()));
    let collect = move || {
        let (table, key, next) = inside.into_inner();
        assert!(poll(&table, &key).is_ready());
        let another = table.insert(Small::new(&Rc::default()));
        next.set(Some(another.id()));
        table.orphan(another);
    };
    let waker = Waker::from(Arc::new(Caller(std::sync::Mutex::new(Some(Box::new(collect))))));
    assert!(scene.table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    scene.table.complete(key.id(), done(0), false);
    assert_eq!(scene.table.in_flight(), 1, "the one that the waker started");
    let next = next.take().unwrap();
    assert!(next != key.id());
    scene.table.complete(next, done(0), false);
    scene.end(1);
}

type Cloned<M> = Box<dyn FnOnce(&OpTable<M>)>;

/// A table, what is done with it when a waker over all this is cloned, and how often one is woken.
struct Clones<M: Port>(OpTable<M>, RefCell<Option<Cloned<M>>>, Cell<usize>);

impl<M: Port> Clones<M> {
    fn new() -> Self {
        Self(M::table(), RefCell::default(), Cell::new(0))
    }
}

/// A waker that calls back while it is cloned.
fn calls_when_cloned<M: Port>(clones: &Clones<M>) -> Waker {
    use core::task::{RawWaker, RawWakerVTable};
    struct Vtable<M>(M);
    impl<M: Port> Vtable<M> {
        const IT: &'static RawWakerVTable =
            &RawWakerVTable::new(clone::<M>, wake::<M>, wake::<M>, |_| ());
    }
    fn clone<M: Port>(data: *const ()) -> RawWaker {
        // SAFETY: the test keeps it alive.
        let Clones(table, act, _) = unsafe { &*data.cast::<Clones<M>>() };
        let act = act.borrow_mut().take();
        act.into_iter().for_each(|act| act(table));
        RawWaker::new(data, Vtable::<M>::IT)
    }
    fn wake<M: Port>(data: *const ()) {
        // SAFETY: as above.
        let Clones(_, _, wakes) = unsafe { &*data.cast::<Clones<M>>() };
        wakes.set(wakes.get() + 1);
    }
    // SAFETY: the functions above do nothing but look at it.
    unsafe { Waker::new(core::ptr::from_ref(clones).cast(), Vtable::<M>::IT) }
}

fn a_completion_in_the_middle_of_a_poll_is_not_overlooked<M: Port>() {
    let clones = Clones::<M>::new();
    let key = clones.0.insert(Small::new(&Rc::default()));
    let id = key.id();
    *clones.1.borrow_mut() = Some(Box::new(move |table| table.complete(id, done(0), false)));
    let waker = calls_when_cloned(&clones);
    assert!(clones.0.poll(&key, &mut Context::from_waker(&waker)).is_ready());
}

fn a_part_in_the_middle_of_a_poll_is_not_overlooked<M: Port>() {
    for has_ended in [false, true] {
        let clones = Clones::<M>::new();
        let key = clones.0.insert(Small::new(&Rc::default()));
        let id = key.id();
        *clones.1.borrow_mut() = Some(Box::new(move |table| {
            table.complete(id, done(1), true);
            if has_ended {
                table.complete(id, done(2), false);
            }
        }));
        let waker = calls_when_cloned(&clones);
        let cx = &mut Context::from_waker(&waker);
        let part = ready(clones.0.poll_part(&key, cx));
        assert!(matches!(part, Part::More(part) if part == done(1)));
        if !has_ended {
            assert!(clones.0.poll_part(&key, cx).is_pending());
            clones.0.complete(id, done(2), false);
            assert_eq!(clones.2.get(), 1);
        }
        assert!(matches!(ready(clones.0.poll_part(&key, cx)), Part::End((2, _))));
    }
}

/// A waker that panics when it is dropped.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("as planned");
    }
}

fn a_poll_that_unwinds_leaves_no_waker_to_the_next_operation<M: Port>() {
    let (clones, log) = (Clones::<M>::new(), Rc::<Log>::default());
    let key = clones.0.insert(Small::new(&log));
    let id = key.id();
    {
        // The table is to have the only one.
        let lent = core::mem::ManuallyDrop::new(Waker::from(Arc::new(Panics)));
        assert!(clones.0.poll(&key, &mut Context::from_waker(&lent)).is_pending());
        // SAFETY: it is not used again, and the table's clone keeps the rest.
        unsafe { Arc::decrement_strong_count(lent.data().cast::<Panics>()) };
    }
    *clones.1.borrow_mut() = Some(Box::new(move |table| table.complete(id, done(0), false)));
    let waker = calls_when_cloned(&clones);
    let cx = &mut Context::from_waker(&waker);
    assert!(panics(|| assert!(clones.0.poll(&key, cx).is_pending())));
    drop(ready(clones.0.poll(&key, cx)));

    let next = clones.0.insert(Small::new(&log));
    assert_eq!(index(next.id()), index(id));
    clones.0.complete(next.id(), done(0), false);
    assert_eq!(clones.2.get(), 0, "no one has polled it");
    drop(ready(poll(&clones.0, &next)));
}

/// Of another type than [`Small`], but as large.
struct Other;

impl Operation for Other {
    type Output = ();
    fn settle(self, _: Completion) {}
}

fn an_operation_put_in_the_place_of_one_that_is_polled_is_left_alone<M: Port>() {
    let (count, count_waker) = WakeCount::new();
    for other_ends_first in [false, true] {
        let clones = Clones::<M>::new();
        let log = Rc::<Log>::default();
        let key = Rc::new(clones.0.insert(Small::new(&log)));
        let other = Rc::new(Cell::new(None));
        let (inner_key, inner_other, waker) = (key.clone(), other.clone(), count_waker.clone());
        *clones.1.borrow_mut() = Some(Box::new(move |table| {
            table.complete(inner_key.id(), done(7), false);
            assert_eq!(ready(poll(table, &inner_key)).0, 7);
            let other = table.insert(Other);
            assert_eq!(index(other.id()), index(inner_key.id()));
            assert!(table.poll(&other, &mut Context::from_waker(&waker)).is_pending());
            if other_ends_first {
                table.complete(other.id(), done(0), false);
            }
            inner_other.set(Some(other));
        }));
        let waker = calls_when_cloned(&clones);
        let cx = &mut Context::from_waker(&waker);
        let refused = panics(|| assert!(clones.0.poll(&key, cx).is_pending()));
        assert_eq!(refused, other_ends_first, "the key is spent");
        let other = other.take().unwrap();
        clones.0.complete(other.id(), done(0), false);
        assert!(poll(&clones.0, &other).is_ready());
        assert_eq!(log.dropped.get(), 1);
    }
    assert_eq!(count.wakes(), 2, "its own waker was kept");
}
