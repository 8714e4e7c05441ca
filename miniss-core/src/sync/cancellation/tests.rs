//! Trees of tokens.

use super::*;
use crate::collections::test_waker::{now, poll_once};
use crate::combine::yield_now;
use core::future::{pending, ready};
use core::pin::pin;
use core::task::Poll;
use std::vec::Vec;

/// Runs `test` where a function that calls itself for every level of a deep tree has no room to.
fn on_a_small_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(128 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

const DEEP: usize = 20_000;

fn chain() -> Vec<CancellationToken> {
    let mut chain = Vec::from([CancellationToken::new()]);
    for level in 0..DEEP {
        chain.push(chain[level].child_token());
    }
    chain
}

#[test]
fn a_token_cancels_what_is_below_it_and_nothing_else() {
    let root = CancellationToken::new();
    let (one, other) = (root.child_token(), root.child_token());
    let below = one.child_token();
    one.cancel();
    assert_eq!(
        [&root, &one, &other, &below].map(CancellationToken::is_cancelled),
        [false, true, false, true]
    );
    root.cancel();
    assert!(other.is_cancelled());
    assert!(root.child_token().is_cancelled(), "a child that comes later is cancelled, too");
}

#[test]
fn all_who_wait_are_woken_and_a_wait_may_be_given_up() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let mut waits: Vec<_> = (0..3).map(|_| std::boxed::Box::pin(child.cancelled())).collect();
    assert!(waits.iter_mut().all(|wait| poll_once(wait.as_mut()).is_pending()));
    drop(waits.remove(1));
    let mut owned = pin!(child.clone().cancelled_owned());
    assert!(poll_once(owned.as_mut()).is_pending());
    root.cancel();
    assert!(waits.iter_mut().all(|wait| poll_once(wait.as_mut()).is_ready()));
    assert!(poll_once(owned).is_ready());
}

#[test]
fn a_child_hears_of_its_root_although_what_lies_between_was_let_go() {
    let root = CancellationToken::new();
    let leaf = root.child_token().child_token().child_token();
    let mut wait = pin!(leaf.cancelled());
    assert!(poll_once(wait.as_mut()).is_pending());
    root.cancel();
    assert!(poll_once(wait).is_ready());
}

#[test]
fn a_tree_whose_root_was_let_go_is_there_until_its_last_token_is() {
    let child = CancellationToken::new().child_token();
    let leaf = child.child_token();
    child.cancel();
    drop(child);
    assert!(leaf.is_cancelled());
}

#[test]
fn work_runs_until_it_is_cancelled() {
    let token = CancellationToken::new();
    assert_eq!(now(token.run_until_cancelled(ready(5))), Some(5));
    let mut work = pin!(token.run_until_cancelled(pending::<()>()));
    let mut owned = pin!(token.clone().run_until_cancelled_owned(async {
        yield_now().await;
        6
    }));
    assert!(poll_once(work.as_mut()).is_pending());
    assert!(poll_once(owned.as_mut()).is_pending());
    assert_eq!(poll_once(owned), Poll::Ready(Some(6)));
    token.cancel();
    assert_eq!(poll_once(work), Poll::Ready(None));
    assert_eq!(now(token.run_until_cancelled(ready(5))), None, "it is not polled any more");
}

#[test]
fn a_guard_cancels_unless_it_is_disarmed() {
    let token = CancellationToken::new();
    drop(token.clone().drop_guard().disarm());
    assert!(!token.is_cancelled());
    drop(token.clone().drop_guard());
    assert!(token.is_cancelled());
}

#[test]
fn a_task_may_drop_the_last_tokens_of_a_tree_while_it_is_cancelled() {
    use std::task::{Context, Wake, Waker};
    /// Lets the tokens go when it is woken.
    struct LetsGo(std::sync::Mutex<Vec<usize>>);
    impl Wake for LetsGo {
        fn wake(self: std::sync::Arc<Self>) {
            let tokens = std::mem::take(&mut *self.0.lock().unwrap());
            for token in tokens {
                // SAFETY: put there by the test, on this thread, each once.
                drop(unsafe { std::boxed::Box::from_raw(token as *mut CancellationToken) });
            }
        }
    }
    let root = CancellationToken::new();
    let child = root.child_token();
    let leaf = child.child_token();
    let mut first = std::boxed::Box::pin(root.clone().cancelled_owned());
    let mut last = std::boxed::Box::pin(leaf.clone().cancelled_owned());
    let address = |token| std::boxed::Box::into_raw(std::boxed::Box::new(token)) as usize;
    let lets_go = LetsGo(std::sync::Mutex::new([child, leaf].map(address).into()));
    let waker = Waker::from(std::sync::Arc::new(lets_go));
    let mut cx = Context::from_waker(&waker);
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(last.as_mut().poll(&mut cx).is_pending());
    root.cancel();
    assert!(poll_once(last.as_mut()).is_ready());
    drop(last);
    assert!(poll_once(first.as_mut()).is_ready());
}

#[test]
fn a_deep_tree_is_built_cancelled_and_dropped_on_a_small_stack() {
    on_a_small_stack(|| {
        let chain = chain();
        let leaf = chain[DEEP].clone();
        assert!(!leaf.is_cancelled());
        chain[0].cancel();
        assert!(leaf.is_cancelled());
        drop(chain);
        drop(leaf);
    });
    on_a_small_stack(|| {
        let mut chain = chain();
        let leaf = chain.pop().unwrap();
        drop(chain);
        assert!(!leaf.is_cancelled());
        drop(leaf);
    });
}
