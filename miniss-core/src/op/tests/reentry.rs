//! Foreign code that comes back into the table from the middle of things, or unwinds through it.

use super::*;

/// What an operation does when its code runs.
type Act = Box<dyn FnMut(&OpTable, &str)>;

/// An operation all of whose code calls back.
struct Wild {
    table: Rc<OpTable>,
    act: Rc<RefCell<Option<Act>>>,
    /// Something to read, so that a use after the drop is seen.
    token: Rc<Cell<usize>>,
}

impl Wild {
    fn act(&self, moment: &str) {
        let act = self.act.borrow_mut().take();
        if let Some(mut act) = act {
            act(&self.table, moment);
            self.act.borrow_mut().get_or_insert(act);
        }
    }
}

impl Drop for Wild {
    fn drop(&mut self) {
        self.token.set(self.token.get() + 1);
        self.act("drop");
    }
}

impl Operation for Wild {
    type Output = ();

    fn settle(self, _: Completion) {
        self.act("settle");
    }

    fn orphan_part(&mut self, _: Completion) {
        self.act("part");
        assert!(self.token.get() < usize::MAX);
    }
}

struct Scene {
    table: Rc<OpTable>,
    act: Rc<RefCell<Option<Act>>>,
    drops: Rc<Cell<usize>>,
}

impl Scene {
    fn new() -> Self {
        Self { table: Rc::default(), act: Rc::default(), drops: Rc::default() }
    }

    fn insert(&self) -> OpKey<Wild> {
        let (table, act, token) = (self.table.clone(), self.act.clone(), self.drops.clone());
        self.table.insert(Wild { table, act, token })
    }

    fn when_run(&self, act: impl FnMut(&OpTable, &str) + 'static) {
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

#[test]
fn code_of_an_operation_may_start_and_end_others() {
    for orphaned in [false, true] {
        let scene = Scene::new();
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

#[test]
fn an_operation_that_reports_its_own_end_while_it_is_settled_is_not_settled_twice() {
    let scene = Scene::new();
    let key = scene.insert();
    let id = key.id();
    scene.when_run(move |table, _| table.complete(id, done(0), false));
    scene.table.orphan(key);
    scene.table.complete(id, done(0), false);
    assert_eq!(scene.table.stale(), 2, "from its settling and from its drop");
    scene.end(1);
}

#[test]
fn an_operation_cannot_be_entered_from_inside_of_it() {
    for more in [false, true] {
        let scene = Scene::new();
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

#[test]
fn with_op_refuses_to_lend_the_same_operation_twice() {
    let scene = Scene::new();
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

#[test]
fn a_panic_in_settle_orphan_leaves_the_table_usable() {
    let scene = Scene::new();
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
    assert_eq!(scene.table.slot_count(), 32);
    scene.end(200);
}

#[test]
fn a_panic_in_orphan_part_leaves_no_part_to_the_next_operation() {
    let scene = Scene::new();
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

#[test]
fn a_waker_may_collect_the_outcome_at_once() {
    let scene = Scene::new();
    let key = Rc::new(scene.insert());
    let inside = Stays((scene.table.clone(), key.clone()));
    let collect = move || {
        let (table, key) = inside.into_inner();
        assert!(poll(&table, &key).is_ready());
        assert!(table.insert(Small::new(&Rc::default())).id() != key.id());
    };
    let waker = Waker::from(Arc::new(Caller(std::sync::Mutex::new(Some(Box::new(collect))))));
    assert!(scene.table.poll(&key, &mut Context::from_waker(&waker)).is_pending());
    scene.table.complete(key.id(), done(0), false);
    assert_eq!(scene.table.in_flight(), 1, "the one that the waker started");
    scene.end(1);
}

#[test]
fn a_completion_in_the_middle_of_a_poll_is_not_overlooked() {
    use core::task::{RawWaker, RawWakerVTable};
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());
    fn clone(data: *const ()) -> RawWaker {
        // SAFETY: the test keeps the pair alive.
        let (table, id) = unsafe { &*data.cast::<(OpTable, Cell<Option<OpId>>)>() };
        id.take().into_iter().for_each(|id| table.complete(id, done(0), false));
        RawWaker::new(data, &VTABLE)
    }
    let pair = (OpTable::new(), Cell::new(None));
    let key = pair.0.insert(Small::new(&Rc::default()));
    pair.1.set(Some(key.id()));
    // SAFETY: the functions above do nothing but look at the pair.
    let waker = unsafe { Waker::new((&raw const pair).cast(), &VTABLE) };
    assert!(pair.0.poll(&key, &mut Context::from_waker(&waker)).is_ready());
}
