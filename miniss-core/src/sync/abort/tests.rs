//! `[abort]`: order, children, and callbacks that pull the ground away under the abort.

use super::*;
use crate::collections::test_waker::{
    Counter, acting, acting_on_clone, now, panicking, poll_once, poll_with,
};
use crate::kept::forget;
use crate::sync::Semaphore;
use core::cell::RefCell;
use core::future::{pending, ready};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::vec::Vec;

/// What happened, in order.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<(u32, char)>>>);

impl Notes {
    fn note(&self, id: u32) -> impl FnOnce(&char) + 'static {
        let notes = self.0.clone();
        move |reason| notes.borrow_mut().push((id, *reason))
    }

    fn take(&self) -> Vec<(u32, char)> {
        self.0.take()
    }
}

/// A callback, registered.
fn register<'s, F: FnOnce(&char) + 'static>(
    source: &'s AbortSource<char>,
    callback: F,
) -> Pin<Box<OnAbort<'s, char, F>>> {
    let callback = Box::pin(source.on_abort(callback));
    callback.as_ref().register();
    callback
}

#[test]
fn the_first_reason_counts() {
    let source = AbortSource::new();
    assert!(!source.is_aborted());
    assert!(source.abort('a'));
    assert!(!source.abort('b'));
    assert_eq!(
        (source.reason(), source.check(), now(source.aborted())),
        (Some(&'a'), Err('a'), 'a')
    );
}

#[test]
fn polling_a_hundred_times_registers_one_waiter_and_wakes_once() {
    let source = AbortSource::new();
    let (counter, waker) = Counter::new();
    let mut aborted = pin!(source.aborted());
    for _ in 0..100 {
        assert!(poll_with(aborted.as_mut(), &waker).is_pending());
    }
    assert_eq!(source.waiters(), 1);
    source.abort('a');
    assert_eq!((counter.wakes(), source.waiters()), (1, 0));
    assert_eq!(poll_once(aborted.as_mut()), Poll::Ready('a'));
    assert_eq!(poll_once(aborted), Poll::Ready('a'), "once ready it stays ready");
}

#[test]
fn callbacks_and_futures_are_served_in_the_order_in_which_they_came() {
    let (source, notes) = (AbortSource::new(), Notes::default());
    let _first = register(&source, notes.note(1));
    let mut second = pin!(source.aborted());
    let note = notes.note(2);
    assert!(poll_with(second.as_mut(), &acting(move || note(&'w'))).is_pending());
    let third = register(&source, notes.note(3));
    let _fourth = register(&source, notes.note(4));
    drop(third);
    source.abort('a');
    assert_eq!(notes.take(), [(1, 'a'), (2, 'w'), (4, 'a')]);
    let _late = register(&source, notes.note(5));
    assert_eq!(notes.take(), [(5, 'a')], "too late to wait, so at once");
}

#[test]
fn a_callback_runs_once() {
    let (source, notes) = (AbortSource::new(), Notes::default());
    let callback = register(&source, notes.note(1));
    callback.as_ref().register();
    assert_eq!(source.waiters(), 1);
    source.abort('a');
    callback.as_ref().register();
    assert_eq!(notes.take(), [(1, 'a')]);
}

#[test]
fn what_is_leaked_is_still_served() {
    let (source, notes) = (AbortSource::new(), Notes::default());
    forget(register(&source, notes.note(1)));
    let mut aborted = Box::pin(source.aborted());
    let (counter, waker) = Counter::new();
    assert!(poll_with(aborted.as_mut(), &waker).is_pending());
    forget(aborted);
    let child = Box::pin(source.child());
    forget(register(child.as_ref().source(), notes.note(2)));
    forget(child);
    source.abort('a');
    assert_eq!((notes.take(), counter.wakes()), (std::vec![(1, 'a'), (2, 'a')], 1));
}

#[test]
fn run_drops_the_future_and_gives_the_reason() {
    let source = AbortSource::new();
    let held = Rc::new(());
    let work = {
        let held = held.clone();
        async move {
            pending::<()>().await;
            drop(held);
        }
    };
    let (counter, waker) = Counter::new();
    let mut run = pin!(source.run(work));
    assert!(poll_with(run.as_mut(), &waker).is_pending());
    source.abort("shutdown");
    assert_eq!((counter.wakes(), Rc::strong_count(&held)), (1, 2));
    assert_eq!(poll_once(run), Poll::Ready(Err("shutdown")));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn run_polls_nothing_after_the_abort_and_keeps_a_result_of_the_same_poll() {
    let source = AbortSource::new();
    let work = async {
        source.abort('a');
        5
    };
    assert_eq!(now(source.run(work)), Ok(5));
    assert_eq!(now(source.run(async { panic!("polled after the abort") })), Err::<(), _>('a'));
}

#[test]
fn run_holds_the_work_once_and_hears_of_no_abort_once_it_is_ready() {
    let source = AbortSource::new();
    let work = async |size: [u8; 256]| {
        pending::<()>().await;
        size
    };
    let (plain, run) = (work([0; 256]), source.run(work([0; 256])));
    let beside = size_of_val(&source.aborted()) + size_of::<usize>();
    assert!(size_of_val(&run) <= size_of_val(&plain) + beside);
    let mut done = pin!(source.run(ready(1)));
    assert_eq!(poll_once(done.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(source.waiters(), 0);
    source.abort('a');
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_a_run_again_after_ready_panics() {
    let source = AbortSource::<Aborted>::new();
    let mut run = pin!(source.run(ready(1)));
    assert_eq!(poll_once(run.as_mut()), Poll::Ready(Ok(1)));
    let _ = poll_once(run);
}

#[test]
fn an_acquire_under_abort_leaves_the_queue() {
    let (source, semaphore) = (AbortSource::new(), Semaphore::new(1));
    let unit = semaphore.try_acquire(1).unwrap();
    let mut aborted = pin!(source.run(semaphore.acquire(1)));
    let mut next = pin!(semaphore.acquire(1));
    assert!(poll_once(aborted.as_mut()).is_pending());
    assert!(poll_once(next.as_mut()).is_pending());
    source.abort(Aborted);
    drop(unit);
    assert!(matches!(poll_once(aborted), Poll::Ready(Err(Aborted))));
    assert!(poll_once(next).is_ready(), "the unit was granted to the one that was aborted");
}

#[test]
fn a_child_is_aborted_with_its_parent_or_alone() {
    let (parent, notes) = (AbortSource::new(), Notes::default());
    let (one, other) = (pin!(parent.child()), pin!(parent.child()));
    let (one, other) = (one.as_ref().source(), other.as_ref().source());
    let _in_one = register(one, notes.note(1));
    let _in_parent = register(&parent, notes.note(2));
    let _in_other = register(other, notes.note(3));
    assert!(one.abort('a'));
    assert!(!parent.is_aborted() && !other.is_aborted());
    assert!(parent.abort('b'));
    assert!(!other.abort('c'));
    assert_eq!(notes.take(), [(1, 'a'), (3, 'b'), (2, 'b')], "where the child stands");
    assert_eq!((one.reason(), other.reason()), (Some(&'a'), Some(&'b')));
}

#[test]
fn a_grandchild_hears_of_it_and_a_late_child_is_aborted_from_the_start() {
    let (parent, notes) = (AbortSource::new(), Notes::default());
    let child = pin!(parent.child());
    let grandchild = pin!(child.as_ref().source().child());
    let grandchild = grandchild.as_ref().source();
    let _inside = register(grandchild, notes.note(1));
    parent.abort('a');
    assert_eq!((notes.take(), now(grandchild.aborted())), (std::vec![(1, 'a')], 'a'));
    let late = pin!(grandchild.child());
    assert_eq!((now(late.as_ref().source().aborted()), parent.waiters()), ('a', 0));
}

#[test]
fn a_child_that_is_dropped_unregisters() {
    let parent = AbortSource::<char>::new();
    let child = Box::pin(parent.child());
    child.as_ref().source();
    child.as_ref().source();
    assert_eq!(parent.waiters(), 1);
    drop(child);
    assert_eq!(parent.waiters(), 0);
}

#[test]
fn a_parent_aborted_inside_the_abort_of_a_child_leaves_the_child_its_reason() {
    let parent: &'static AbortSource<char> = crate::kept::forever(AbortSource::new());
    let (child, notes) = (pin!(parent.child()), Notes::default());
    let child = child.as_ref().source();
    let _first = register(child, move |_| assert!(parent.abort('p')));
    let _second = register(child, notes.note(2));
    let _third = register(parent, notes.note(3));
    child.abort('c');
    assert_eq!(notes.take(), [(3, 'p'), (2, 'c')]);
    assert_eq!(child.reason(), Some(&'c'));
}

#[test]
fn a_callback_may_drop_itself_its_child_source_and_those_that_come_next() {
    type Place<T> = Rc<RefCell<Option<T>>>;
    let (source, notes) = (crate::kept::forever(AbortSource::new()), Notes::default());
    let child: Pin<Rc<ChildSource<'static, char>>> = Rc::pin(source.child());
    // The hooks of the child, and the child itself, go while the child is being aborted.
    let hooks: Place<Vec<Box<dyn core::any::Any>>> = Place::default();
    let source_of_child: *const AbortSource<char> = child.as_ref().source();
    // SAFETY: only the hooks below use it, and they are dropped before the child.
    let source_of_child = unsafe { &*source_of_child };
    let (place, note) = (hooks.clone(), notes.note(1));
    let mut child = Some(child);
    let first = register(source_of_child, move |reason| {
        drop(place.take());
        drop(child.take());
        note(reason);
    });
    let second = register(source_of_child, notes.note(2));
    *hooks.borrow_mut() = Some(std::vec![Box::new(first), Box::new(second)]);
    let _last = register(source, notes.note(3));
    source.abort('a');
    assert_eq!((notes.take(), source.waiters()), (std::vec![(1, 'a'), (3, 'a')], 0));
}

#[test]
fn a_callback_may_abort_again_and_wait() {
    let source: &'static AbortSource<char> = crate::kept::forever(AbortSource::new());
    let _callback = register(source, |_| {
        assert!(!source.abort('b'));
        assert_eq!(now(source.aborted()), 'a');
    });
    assert!(source.abort('a'));
}

#[test]
fn a_waker_whose_clone_aborts_is_not_forgotten() {
    let source: &'static AbortSource<char> = crate::kept::forever(AbortSource::new());
    let waker = acting_on_clone(|| assert!(source.abort('a')));
    assert_eq!(poll_with(pin!(source.aborted()), &waker), Poll::Ready('a'));
}

#[test]
fn a_panic_in_a_callback_or_a_wake_strands_no_one() {
    let (source, notes) = (AbortSource::new(), Notes::default());
    let mut aborted = pin!(source.aborted());
    assert!(poll_with(aborted.as_mut(), &panicking()).is_pending());
    let child = pin!(source.child());
    let _inside = register(child.as_ref().source(), notes.note(1));
    assert!(catch_unwind(AssertUnwindSafe(|| source.abort('a'))).is_err());
    assert_eq!((notes.take(), poll_once(aborted)), (std::vec![(1, 'a')], Poll::Ready('a')));
}

/// A chain of sources, each the child of the one before it, that is dropped from its end. It lasts
/// as long as this, so hooks in it must go before.
struct Chain {
    children: Vec<Pin<Box<ChildSource<'static, char>>>>,
    root: Box<AbortSource<char>>,
}

impl Chain {
    fn new(depth: usize) -> Self {
        let mut chain = Self { children: Vec::new(), root: Box::new(AbortSource::new()) };
        for level in 0..depth {
            let child = Box::pin(chain.source(level).child());
            chain.children.push(child);
        }
        chain
    }

    /// The source of a level; the root is level 0.
    fn source(&self, level: usize) -> &'static AbortSource<char> {
        let source: *const AbortSource<char> = match level.checked_sub(1) {
            None => &raw const *self.root,
            Some(index) => self.children[index].as_ref().source(),
        };
        // SAFETY: all are boxed, and each goes after those that borrow it.
        unsafe { &*source }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        while self.children.pop().is_some() {}
    }
}

/// Runs `test` where a function that calls itself for every level of a deep tree has no room to.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

const DEEP: usize = 20_000;

#[test]
fn a_deep_tree_is_built_asked_aborted_and_dropped_on_a_small_stack() {
    on_a_small_stack(|| {
        let notes = Notes::default();
        let chain = Chain::new(DEEP);
        let leaf = chain.source(DEEP);
        assert!(!leaf.is_aborted());
        let hooks: Vec<_> = (0..=DEEP as u32)
            .map(|level| register(chain.source(level as usize), notes.note(level)))
            .collect();
        assert!(chain.root.abort('a'));
        // Each level has its child before its hook, so the last one comes first.
        let expected: Vec<_> = (0..=DEEP as u32).rev().map(|level| (level, 'a')).collect();
        assert!(notes.take() == expected, "all, in the order of the tree");
        assert_eq!((leaf.reason(), now(leaf.aborted())), (Some(&'a'), 'a'));
        assert!((0..=DEEP).all(|level| chain.source(level).waiters() == 0));
        drop(hooks);
    });
}

#[test]
fn a_deep_tree_aborted_from_its_end_up_gives_each_its_own_reason() {
    on_a_small_stack(|| {
        let chain = Chain::new(DEEP);
        let woken = Notes::default();
        let hooks: Vec<_> = (0..=DEEP as u32)
            .map(|level| register(chain.source(level as usize), woken.note(level)))
            .collect();
        let reason = |level: usize| char::from(b'a' + (level % 26) as u8);
        for level in (0..=DEEP).rev() {
            assert!(chain.source(level).abort(reason(level)));
        }
        assert!((0..=DEEP).all(|level| chain.source(level).reason() == Some(&reason(level))));
        assert_eq!(woken.take().len(), DEEP + 1);
        drop(hooks);
    });
}
