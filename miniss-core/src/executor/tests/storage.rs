//! The same task in every storage: one body for all, and then what each alone can do.

use std::rc::Rc;
use std::vec::Vec;

use core::cell::Cell;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;

use super::port::{Port, Unparker, executor, on_both_ports};
use crate::combine::yield_now;
use crate::error::{Cancelled, SpawnError};
use crate::{Executor, JoinHandle, LocalHandle, TaskSlab, task_slab};

/// Somewhere that tasks can be spawned.
trait Storage {
    fn spawn<F>(&self, local: LocalHandle<Unparker>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static;
}

#[cfg(feature = "alloc")]
struct Heap;

#[cfg(feature = "alloc")]
impl Storage for Heap {
    fn spawn<F: Future + 'static>(
        &self,
        local: LocalHandle<Unparker>,
        future: F,
    ) -> JoinHandle<F::Output> {
        local.spawn(future).unwrap()
    }
}

/// The future is larger than a slot, so the executor boxes it.
#[cfg(feature = "alloc")]
struct Boxed;

#[cfg(feature = "alloc")]
impl Storage for Boxed {
    fn spawn<F: Future + 'static>(
        &self,
        local: LocalHandle<Unparker>,
        future: F,
    ) -> JoinHandle<F::Output> {
        let padding = [0_u8; 2000];
        let large = async move {
            let output = future.await;
            assert_eq!(padding, [0; 2000]);
            output
        };
        local.spawn(large).unwrap()
    }
}

struct Reserved(&'static Few);

impl Storage for Reserved {
    fn spawn<F: Future + 'static>(
        &self,
        local: LocalHandle<Unparker>,
        future: F,
    ) -> JoinHandle<F::Output> {
        local.lend(self.0).unwrap();
        local.reserve().unwrap().spawn(future)
    }
}

/// As many slots as the body has tasks at a time, so each is used again and again.
type Few = TaskSlab<256, 2>;

fn few() -> &'static Few {
    crate::kept::forever(Few::new())
}

/// Slots for what a test spawns, with a heap or without.
fn lend_many(executor: &Executor<Port>) {
    executor.local().lend(crate::kept::forever(TaskSlab::<256, 100>::new())).unwrap();
}

struct Own(&'static Few);

impl Storage for Own {
    fn spawn<F: Future + 'static>(
        &self,
        local: LocalHandle<Unparker>,
        future: F,
    ) -> JoinHandle<F::Output> {
        local.spawn_in(self.0, future).unwrap()
    }
}

struct Lent(&'static Few);

impl Storage for Lent {
    fn spawn<F: Future + 'static>(
        &self,
        local: LocalHandle<Unparker>,
        future: F,
    ) -> JoinHandle<F::Output> {
        local.lend(self.0).unwrap();
        local.spawn(future).unwrap()
    }
}

/// All that may become of a task, again and again.
fn live_and_die<S: Storage>(storage: impl Fn() -> S) {
    on_both_ports(|mut executor| {
        let (local, storage) = (executor.local(), storage());
        let alive = Rc::new(());
        for round in 0..20 {
            join(&mut executor, &storage, round);
            abort(&mut executor, &storage, &alive);
            abort_too_late(&mut executor, &storage);
            detach(&mut executor, &storage, &alive);
            assert_eq!((local.stats().tasks_live, Rc::strong_count(&alive)), (0, 1));
        }
        let outlives = storage.spawn(local, hold(alive.clone()));
        drop(executor);
        assert!(outlives.is_finished());
        assert_eq!(Rc::strong_count(&alive), 1, "a task was not dropped with its executor");
    });
}

async fn hold(alive: Rc<()>) {
    pending::<()>().await;
    drop(alive);
}

fn join(executor: &mut Executor<Port>, storage: &impl Storage, round: u32) {
    let answer = storage.spawn(executor.local(), async move {
        yield_now().await;
        round
    });
    assert_eq!(executor.block_on(answer), Ok(round));
}

fn abort(executor: &mut Executor<Port>, storage: &impl Storage, alive: &Rc<()>) {
    let here = storage.spawn(executor.local(), hold(alive.clone()));
    let remotely = storage.spawn(executor.local(), hold(alive.clone()));
    executor.settle();
    here.abort();
    let abort = remotely.abort_handle();
    std::thread::spawn(move || abort.abort()).join().unwrap();
    assert_eq!(executor.block_on(here), Err(Cancelled));
    assert_eq!(executor.block_on(remotely), Err(Cancelled));
    assert_eq!(Rc::strong_count(alive), 1, "an aborted future was not dropped");
}

fn abort_too_late(executor: &mut Executor<Port>, storage: &impl Storage) {
    let task = storage.spawn(executor.local(), async { "in time" });
    let abort = task.abort_handle();
    executor.settle();
    task.abort();
    abort.abort();
    executor.settle();
    assert_eq!(executor.block_on(task), Ok("in time"), "an abort too late took the result");
}

fn detach(executor: &mut Executor<Port>, storage: &impl Storage, alive: &Rc<()>) {
    let output = alive.clone();
    let task = async move {
        yield_now().await;
        output
    };
    storage.spawn(executor.local(), task).detach();
    executor.settle();
    assert_eq!(Rc::strong_count(alive), 1, "the output of a detached task was not dropped");
}

#[cfg(feature = "alloc")]
#[test]
fn a_task_on_the_heap_lives_and_dies() {
    live_and_die(|| Heap);
}

#[cfg(feature = "alloc")]
#[test]
fn a_task_in_a_box_lives_and_dies() {
    live_and_die(|| Boxed);
}

#[test]
fn a_task_in_a_reserved_slot_lives_and_dies() {
    live_and_die(|| Reserved(few()));
}

#[test]
fn a_task_in_a_slab_of_its_own_lives_and_dies() {
    live_and_die(|| Own(few()));
}

#[test]
fn a_task_in_a_slab_that_was_lent_lives_and_dies() {
    live_and_die(|| Lent(few()));
}

#[test]
fn a_slab_belongs_to_one_executor_in_one_way() {
    let (mut here, there) = (executor(), executor());
    let (own, lent) = (few(), few());
    drop(here.local().spawn_in(own, async {}).unwrap());
    here.settle();
    here.local().lend(lent).unwrap();
    here.local().lend(lent).unwrap();
    assert_eq!(here.local().lend(own), Err(SpawnError::InUse));
    assert_eq!(here.local().spawn_in(lent, async {}).unwrap_err(), SpawnError::InUse);
    assert_eq!(there.local().lend(lent), Err(SpawnError::InUse));
    assert_eq!(there.local().spawn_in(own, async {}).unwrap_err(), SpawnError::InUse);
    let local = here.local();
    drop(here);
    assert_eq!(local.lend(lent), Err(SpawnError::Closed));
    assert_eq!(local.spawn_in(own, async {}).unwrap_err(), SpawnError::Closed);
}

#[test]
fn the_next_executor_of_an_executor_cell_finds_its_slabs_free() {
    let slab: &'static TaskSlab<64, 1> = crate::kept::forever(TaskSlab::new());
    let first = executor();
    let cell = first.local().cell();
    let outlives = first.local().spawn_in(slab, pending::<()>()).unwrap();
    drop(first);
    let mut next = super::port::executor_on(cell);
    let refused = next.local().spawn_in(slab, async { 1 }).unwrap_err();
    assert_eq!(refused, SpawnError::NoRoom, "the handle still holds the slot");
    drop(outlives);
    let task = next.local().spawn_in(slab, async { 1 }).unwrap();
    assert_eq!(next.block_on(task), Ok(1));
}

#[test]
fn a_handle_of_a_task_that_was_never_polled_holds_its_slot_until_it_goes() {
    let slab: &'static TaskSlab<64, 1> = crate::kept::forever(TaskSlab::new());
    let first = executor();
    let cell = first.local().cell();
    let alive = Rc::new(());
    let mut outlives = first.local().spawn_in(slab, hold(alive.clone())).unwrap();
    let late = outlives.abort_handle();
    drop(first);
    assert_eq!(Rc::strong_count(&alive), 1);
    let mut next = super::port::executor_on(cell);
    late.abort();
    next.settle();
    assert_eq!(next.local().spawn_in(slab, async { 1 }).unwrap_err(), SpawnError::NoRoom);
    assert_eq!(super::port::peek(&mut outlives), core::task::Poll::Ready(Err(Cancelled)));
    let task = next.local().spawn_in(slab, async { 1 }).unwrap();
    late.abort();
    drop(outlives);
    assert_eq!(next.block_on(task), Ok(1));
    assert_eq!(next.local().stats().tasks_live, 0);
}

#[test]
fn a_reservation_keeps_its_room_and_gives_it_back() {
    let local = executor().local();
    assert_eq!(local.reserve::<core::future::Ready<()>>().unwrap_err(), SpawnError::Closed);
    let mut executor = executor();
    lend_many(&executor);
    let local = executor.local();
    let rooms: Vec<_> = (0..100).map(|_| local.reserve().unwrap()).collect();
    assert_eq!(local.stats().tasks_live, 100);
    let sum = Rc::new(Cell::new(0));
    for (number, room) in rooms.into_iter().enumerate() {
        let sum = sum.clone();
        if number % 2 == 0 {
            room.spawn(async move { sum.set(sum.get() + 1) }).detach();
        }
    }
    executor.settle();
    assert_eq!((sum.get(), local.stats().tasks_live), (50, 0));
    assert!(local.reserve::<Big>().is_err_and(|error| error == SpawnError::TooLarge));
}

type Big = core::future::Ready<[u8; 2000]>;

#[test]
fn a_reservation_that_outlives_its_executor_spawns_nothing_and_gives_its_slot_back() {
    let slab: &'static TaskSlab<64, 2> = crate::kept::forever(TaskSlab::new());
    let first = executor();
    let cell = first.local().cell();
    first.local().lend(slab).unwrap();
    let (used, unused) = (first.local().reserve().unwrap(), first.local().reserve().unwrap());
    drop(first);
    let alive = Rc::new(());
    let mut refused = used.spawn(hold(alive.clone()));
    assert_eq!(Rc::strong_count(&alive), 1, "a future that cannot run is dropped");
    assert_eq!(super::port::peek(&mut refused), core::task::Poll::Ready(Err(Cancelled)));
    drop(unused.spawn(hold(alive)));
    let next = super::port::executor_on(cell);
    let again = [(); 2].map(|()| next.local().reserve::<core::future::Ready<()>>().unwrap());
    drop(again);
}

#[test]
fn a_handle_of_a_task_that_never_began_holds_its_slot_and_is_told_from_the_next_task_there() {
    type Later = core::pin::Pin<std::boxed::Box<dyn Future<Output = u32>>>;
    let slab: &'static TaskSlab<64, 1> = crate::kept::forever(TaskSlab::new());
    let first = executor();
    let cell = first.local().cell();
    first.local().lend(slab).unwrap();
    let room = first.local().reserve::<Later>().unwrap();
    drop(first);
    let mut next = super::port::executor_on(cell);
    let refused = room.spawn(std::boxed::Box::pin(pending()));
    let late = refused.abort_handle();
    assert!(refused.is_finished());
    // Other tasks are spawned and woken meanwhile; the slot is not free, under this executor and
    // the one after it.
    for _ in 0..2 {
        let others = [(); 3].map(|()| next.local().spawn_in(few(), async { 1 }).unwrap());
        late.abort();
        others.into_iter().for_each(|other| assert_eq!(next.block_on(other), Ok(1)));
        assert_eq!(next.local().stats().tasks_live, 0, "it does not count as one of theirs");
        drop(next);
        next = super::port::executor_on(cell);
    }
    drop(refused);
    let local = next.local();
    assert_eq!(local.stats().tasks_live, 0, "it was not one of theirs that ended");
    let room = local.reserve::<Later>().unwrap();
    let task = room.spawn(std::boxed::Box::pin(async {
        yield_now().await;
        5
    }));
    late.abort();
    assert_eq!((next.block_on(task), local.stats().tasks_live), (Ok(5), 0));
}

#[test]
fn the_macro_makes_a_slab_of_the_size_of_the_function() {
    async fn holds(bytes: [u8; 300], yields: u32) -> u64 {
        for _ in 0..yields {
            yield_now().await;
        }
        bytes.iter().copied().map(u64::from).sum()
    }
    let mut executor = executor();
    let local = executor.local();
    let spawn = || local.spawn_in(task_slab!(holds), holds([1; 300], 3));
    let first = spawn().unwrap();
    assert_eq!(spawn().unwrap_err(), SpawnError::NoRoom, "one slot, unless more are asked for");
    assert_eq!(executor.block_on(first), Ok(300));
    let again = spawn().unwrap();
    assert_eq!(executor.block_on(again), Ok(300));
}

#[test]
fn scoped_tasks_borrow_from_the_stack() {
    on_both_ports(|mut executor| {
        lend_many(&executor);
        let mut numbers = [1, 2, 3, 4];
        let alive = Rc::new(());
        let (left, right) = numbers.split_at_mut(2);
        let on_the_stack = pin!(async { right.iter_mut().for_each(|number| *number *= 10) });
        let sum = executor.scope(async |scope| {
            let doubled = scope.spawn(async {
                yield_now().await;
                left.iter_mut().for_each(|number| *number *= 2);
                &alive
            });
            scope.spawn(on_the_stack).unwrap().detach();
            let aborted = scope.spawn(hold(alive.clone())).unwrap();
            aborted.abort();
            assert_eq!(aborted.await, Err(Cancelled));
            Rc::strong_count(doubled.unwrap().await.unwrap())
        });
        assert_eq!((numbers, sum), ([2, 4, 30, 40], 1));
        assert_eq!(executor.local().stats().tasks_live, 0);
    });
}

#[test]
fn a_scope_waits_for_its_last_task() {
    on_both_ports(|mut executor| {
        lend_many(&executor);
        let done = Cell::new(0);
        let done = &done;
        executor.scope(async |scope| {
            for rounds in 0..10 {
                let work = async move {
                    for _ in 0..rounds {
                        yield_now().await;
                    }
                    done.set(done.get() + 1);
                };
                scope.spawn(work).unwrap().detach();
            }
        });
        assert_eq!(done.get(), 10);
    });
}

#[test]
fn a_panic_drops_what_borrows_from_the_scope_before_it_goes_on() {
    for at in ["in main", "in a task"] {
        let mut executor = executor();
        lend_many(&executor);
        let alive = Rc::new(());
        let run = std::panic::AssertUnwindSafe(|| {
            let borrowed = alive.clone();
            executor.scope(async |scope| {
                let hold = async || {
                    pending::<()>().await;
                    drop(Rc::clone(&borrowed));
                };
                scope.spawn(hold()).unwrap().detach();
                let kept = scope.spawn(hold());
                yield_now().await;
                if at == "in a task" {
                    scope.spawn(async { panic!("as planned") }).unwrap().detach();
                    yield_now().await;
                }
                drop(kept);
                panic!("as planned");
            })
        });
        std::panic::catch_unwind(run).unwrap_err();
        assert_eq!(Rc::strong_count(&alive), 1);
        executor.settle();
        assert_eq!(executor.local().stats().tasks_live, 0, "{at}");
        assert_eq!(executor.block_on(async { 5 }), 5);
    }
}

#[test]
fn a_scope_that_a_panic_ends_leaves_the_tasks_outside_alone() {
    for at in ["in main", "in a task"] {
        let mut executor = executor();
        lend_many(&executor);
        let (local, ended) = (executor.local(), Rc::new(Cell::new(false)));
        let theirs = ended.clone();
        let outside = async move {
            yield_now().await;
            yield_now().await;
            theirs.set(true);
            7
        };
        let before = local.spawn(outside).unwrap();
        let mut during = None;
        let run = std::panic::AssertUnwindSafe(|| {
            executor.scope(async |scope| {
                scope.spawn(pending::<()>()).unwrap().detach();
                during = Some(local.spawn(async { 8 }).unwrap());
                if at == "in a task" {
                    scope.spawn(async { panic!("as planned") }).unwrap().detach();
                    pending::<()>().await;
                }
                panic!("as planned");
            })
        });
        std::panic::catch_unwind(run).unwrap_err();
        assert!(!ended.get() && local.stats().tasks_live >= 2, "{at}");
        assert_eq!(executor.block_on(before), Ok(7), "{at}");
        assert_eq!(executor.block_on(during.unwrap()), Ok(8), "{at}");
        assert_eq!(local.stats().tasks_live, 0, "{at}");
    }
}

/// Calls it when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_scope_that_a_panic_ends_takes_no_more_tasks() {
    let mut executor = executor();
    lend_many(&executor);
    let polled = Cell::new(false);
    let run = std::panic::AssertUnwindSafe(|| {
        let borrowed = Rc::new(Cell::new(1));
        executor.scope(async |scope| {
            let late = || async {
                polled.set(borrowed.get() > 0);
                pending::<()>().await;
            };
            let spawn = move || drop(scope.spawn(late()));
            let spawns_as_it_is_dropped = async move {
                let _spawn = OnDrop(spawn);
                pending::<()>().await;
            };
            scope.spawn(spawns_as_it_is_dropped).unwrap().detach();
            // Its slot is dropped first, and free when the other one looks for a slot.
            scope.spawn(pending::<()>()).unwrap().detach();
            yield_now().await;
            panic!("as planned");
        })
    });
    std::panic::catch_unwind(run).unwrap_err();
    assert_eq!(executor.local().stats().tasks_live, 0, "a task outlived its scope");
    executor.settle();
    assert!(!polled.get());
}

#[test]
fn what_a_scope_gave_out_may_be_used_after_it() {
    on_both_ports(|mut executor| {
        lend_many(&executor);
        let number = Rc::new(5);
        let (kept, spawned) = (core::cell::RefCell::new(Vec::new()), Cell::new(0));
        let spawned = &spawned;
        executor.scope(async |scope| {
            let borrow = || async {
                yield_now().await;
                &number
            };
            kept.borrow_mut().extend((0..3).map(|_| scope.spawn(borrow()).unwrap()));
            crate::kept::forget(scope.spawn(async { Rc::clone(&number) }).unwrap());
            let late = async move || {
                yield_now().await;
                spawned.set(spawned.get() + 1);
            };
            let output = OnDrop(move || scope.spawn(late()).unwrap().detach());
            scope.spawn(async move { output }).unwrap().detach();
        });
        assert_eq!(spawned.get(), 1, "spawned by an output that no one took");
        let mut kept = kept.into_inner();
        assert_eq!(executor.block_on(kept.pop().unwrap()), Ok(&number));
        drop(kept.pop());
        drop(executor);
        assert_eq!(super::port::peek(&mut kept[0]), core::task::Poll::Ready(Ok(&number)));
    });
}

#[test]
fn the_main_slot_does_not_wear_out() {
    let mut executor = executor();
    executor.block_on(async {});
    let owner = executor.local().owner().unwrap();
    let slot = owner.slots.take(crate::task::slots::MAIN_CLASS).unwrap();
    // SAFETY: *Headers are forever*.
    let generation = &unsafe { slot.as_ref() }.generation;
    generation.store(u32::MAX - 2, core::sync::atomic::Ordering::Relaxed);
    owner.slots.put(slot);
    for _ in 0..4 {
        executor.block_on(async {});
    }
}

#[test]
fn a_slot_whose_generations_are_used_up_is_not_used_again() {
    let slab: &'static TaskSlab<64, 2> = crate::kept::forever(TaskSlab::new());
    let mut executor = executor();
    let local = executor.local();
    let first = async || poll_fn(|cx| Poll::Ready(cx.waker().data() as usize)).await;
    let header = executor.block_on(local.spawn_in(slab, first()).unwrap()).unwrap();
    // SAFETY: *Headers are forever*, and a waker is the address of its task's.
    let generation = unsafe { &(*(header as *const crate::task::cell::Header)).generation };
    generation.store(u32::MAX - 2, core::sync::atomic::Ordering::Relaxed);
    let mut former = Vec::new();
    for _ in 0..2 {
        let task = local.spawn_in(slab, first()).unwrap();
        former.push(task.abort_handle());
        assert_eq!(executor.block_on(task), Ok(header));
    }
    let kept = local.spawn_in(slab, pending::<()>()).unwrap();
    let refused = local.spawn_in(slab, pending::<()>()).unwrap_err();
    assert_eq!(refused, SpawnError::NoRoom);
    former.iter().for_each(|task| task.abort());
    executor.block_on(yield_now());
    assert!(!kept.is_finished(), "no handle of another task means this one");
    kept.abort();
    assert_eq!(executor.block_on(kept), Err(Cancelled));
}

#[test]
fn a_handle_that_is_asked_while_its_future_is_dropped_waits_for_the_output() {
    /// Ready at its second poll.
    struct Second<F: FnMut()>(bool, OnDrop<F>);
    impl<F: FnMut() + Unpin> Future for Second<F> {
        type Output = u32;
        fn poll(
            mut self: core::pin::Pin<&mut Self>,
            cx: &mut core::task::Context<'_>,
        ) -> core::task::Poll<u32> {
            if core::mem::replace(&mut self.0, true) {
                return core::task::Poll::Ready(5);
            }
            cx.waker().wake_by_ref();
            core::task::Poll::Pending
        }
    }
    let mut executor = executor();
    lend_many(&executor);
    let handle = Rc::new(Cell::new(None::<JoinHandle<u32>>));
    let own = handle.clone();
    let ask = move || {
        let mut handle = own.take().unwrap();
        assert!(super::port::peek(&mut handle).is_pending(), "the output is yet to come");
        own.set(Some(handle));
    };
    handle.set(Some(executor.local().spawn(Second(false, OnDrop(ask))).unwrap()));
    executor.settle();
    assert_eq!(executor.block_on(handle.take().unwrap()), Ok(5));
}

#[test]
fn executors_on_two_threads_in_turn_share_an_executor_cell_and_its_slabs() {
    let few: &'static TaskSlab<128, 2> = crate::kept::forever(TaskSlab::new());
    let lent: &'static TaskSlab<128, 2> = crate::kept::forever(TaskSlab::new());
    let first = executor();
    let (local, cell) = (first.local(), first.local().cell());
    local.lend(lent).unwrap();
    let held = local.spawn_in(few, pending::<()>()).unwrap();
    let stale = held.abort_handle();
    let rooms = [(); 2].map(|()| local.reserve::<core::future::Ready<u32>>().unwrap());
    drop(first);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0..4 {
                let mut next = super::port::executor_on(cell);
                next.local().lend(lent).unwrap();
                let local = next.local();
                let spawn = || local.spawn_in(few, async move { round }).ok();
                for task in core::iter::from_fn(spawn).collect::<Vec<_>>() {
                    assert_eq!(next.block_on(task), Ok(round));
                }
            }
        });
        // Meanwhile what is left of the first executor ends here.
        stale.abort();
        drop(held);
        stale.abort();
        let [used, unused] = rooms;
        let refused = used.spawn(core::future::ready(1));
        refused.abort_handle().abort();
        drop((refused, unused));
    });
}

#[test]
fn of_threads_that_want_a_slab_at_once_one_gets_it() {
    for _ in 0..super::port::rounds(50) {
        let few = few();
        let claim = |lends| {
            let mut executor = executor();
            if lends {
                return executor.local().lend(few).is_ok();
            }
            let task = executor.local().spawn_in(few, async { 1 });
            task.is_ok_and(|task| executor.block_on(task) == Ok(1))
        };
        let owners = std::thread::scope(|threads| {
            let claims = [true, false, false].map(|lends| threads.spawn(move || claim(lends)));
            claims.into_iter().map(|claim| claim.join().unwrap()).filter(|got| *got).count()
        });
        assert_eq!(owners, 1);
    }
}

#[test]
fn a_destructor_that_unwinds_as_the_executor_ends_leaves_the_slab_whole() {
    on_both_ports(|mut executor| {
        let slab: &'static TaskSlab<128, 4> = crate::kept::forever(TaskSlab::new());
        let (local, alive) = (executor.local(), Rc::new(()));
        let task = |number| {
            let held = alive.clone();
            async move {
                let _held = held;
                let _end = OnDrop(move || {
                    assert_eq!(local.spawn_in(slab, async {}).unwrap_err(), SpawnError::Closed);
                    assert!(number != 2, "as planned");
                });
                pending::<()>().await;
            }
        };
        let handles = [0, 1, 2, 3].map(|number| local.spawn_in(slab, task(number)).unwrap());
        executor.settle();
        let end = std::panic::AssertUnwindSafe(|| drop(executor));
        std::panic::catch_unwind(end).unwrap_err();
        assert_eq!(Rc::strong_count(&alive), 1);
        drop(handles);
        let next = super::port::executor_on(local.cell());
        let again = [(); 4].map(|()| next.local().spawn_in(slab, async {}).unwrap());
        assert_eq!((again.len(), next.local().stats().tasks_live), (4, 4));
    });
}
