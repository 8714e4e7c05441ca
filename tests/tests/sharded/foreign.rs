//! Values of one shard that another holds. Scenarios S3, S4, S12, S14, T2.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::pending;
use std::mem;
use std::rc::Rc;
use std::thread;

use miniss_linux::sharded::Foreign;
use miniss_linux::{CallError, ShardId, spawn, submit_to, yield_now};
use miniss_tests::deadline::deadline;

use super::{Count, Log, Noted, kill, on_shard_0, runtime, soon, until};

/// Not `Send`, and only to be touched on shard 1.
struct Value {
    number: Rc<Cell<u32>>,
    _dropped: Noted,
}

impl Value {
    fn add(&self, number: u32) -> u32 {
        assert_eq!(ShardId::current().index(), 1);
        self.number.set(self.number.get() + number);
        self.number.get()
    }
}

/// A value of shard 1.
async fn value(log: &Log) -> Foreign<Value> {
    let log = log.clone();
    let make = async move || {
        let (number, _dropped) = (Rc::new(Cell::new(0)), Noted(log, "dropped"));
        Foreign::new(Value { number, _dropped })
    };
    soon(submit_to(1, make)).await.unwrap()
}

#[test]
fn a_value_is_used_on_its_shard_wherever_its_handle_goes() {
    on_shard_0("a foreign value", 3, async || {
        let log = Log::default();
        let value = value(&log).await;
        assert_eq!(value.owner().index(), 1);
        assert_eq!(value.invoke(async |value| value.add(1)).await.unwrap(), 1);
        let on_2 = async move || {
            let late = async |value: &Value| {
                yield_now().await;
                value.add(10)
            };
            assert_eq!(value.invoke(late).await.unwrap(), 11);
            assert!(value.local().is_none());
            value
        };
        let value = submit_to(2, on_2).await.unwrap();
        let at_home = async move || {
            assert_eq!(value.local().unwrap().add(100), 111);
            assert_eq!(value.invoke(async |value| value.add(1000)).await.unwrap(), 1111);
            value
        };
        let value = submit_to(1, at_home).await.unwrap();
        let panics = value.invoke(async |_| panic!("as planned")).await;
        let _: () = match panics {
            Err(CallError::Panicked(_)) => {}
            other => panic!("{other:?}"),
        };
        assert_eq!(value.invoke(async |value| value.add(0)).await.unwrap(), 1111);
        assert_eq!(log.shards_of("dropped"), [0; 0]);
        soon(value.destroy()).await.unwrap();
        assert_eq!(log.shards_of("dropped"), [1]);
    });
}

#[test]
fn s4_dropped_anywhere_it_is_dropped_at_home() {
    on_shard_0("S4, dropped anywhere", 3, async || {
        let log = Log::default();
        drop(value(&log).await);
        let for_2 = value(&log).await;
        submit_to(2, async move || drop(for_2)).await.unwrap();
        let for_1 = value(&log).await;
        submit_to(1, async move || drop(for_1)).await.unwrap();
        let for_a_thread = value(&log).await;
        thread::spawn(move || drop(for_a_thread)).join().unwrap();
        drop(soon(value(&log).await.destroy()).await);
        // A call that is dropped before it has ended goes on all the same.
        drop(value(&log).await.destroy());
        until(|| log.shards_of("dropped") == [1; 6]).await;
    });
}

#[test]
fn s4_a_value_stays_until_the_calls_in_it_have_ended() {
    on_shard_0("S4, calls in a value", 2, async || {
        let log = Log::default();
        for is_destroyed in [false, true] {
            let (value, inside, go_on) = (value(&log).await, Count::default(), Count::default());
            let (is_inside, may_go_on) = (inside.clone(), go_on.clone());
            let call = value.invoke(async move |value| {
                is_inside.add();
                until(|| may_go_on.value() == 1).await;
                value.add(5)
            });
            until(|| inside.value() == 1).await;
            let before = log.shards_of("dropped").len();
            let destroyed = is_destroyed.then_some(value).map(Foreign::destroy);
            yield_now().await;
            submit_to(1, async || yield_now().await).await.unwrap();
            assert_eq!(log.shards_of("dropped").len(), before);
            go_on.add();
            assert_eq!(soon(call).await.unwrap(), 5);
            match destroyed {
                Some(destroyed) => soon(destroyed).await.unwrap(),
                None => until(|| log.shards_of("dropped").len() > before).await,
            }
            assert_eq!(log.shards_of("dropped"), vec![1; before + 1]);
        }
    });
}

#[test]
fn s3_when_its_shard_dies_the_value_is_dropped_there_and_the_holder_is_told() {
    on_shard_0("S3", 2, async || {
        let log = Log::default();
        let (called, destroyed, dropped) =
            (value(&log).await, value(&log).await, value(&log).await);
        let waiting = called.invoke(async |_| pending::<()>().await);
        kill(1).await;
        until(|| log.shards_of("dropped") == [1, 1, 1]).await;
        let is_1 =
            |error: CallError| matches!(error, CallError::ShardGone(shard) if shard.index() == 1);
        assert!(soon(waiting).await.is_err_and(is_1));
        assert!(soon(called.invoke(async |_| ())).await.is_err_and(is_1));
        assert!(soon(destroyed.destroy()).await.is_err_and(is_1));
        drop((called, dropped));
    });
}

#[test]
fn s12_at_the_end_of_the_runtime_values_are_dropped_on_their_shard_after_the_tasks() {
    let _deadline = deadline("S12");
    let (log, runtime) = (Log::default(), runtime(2));
    let outlives = runtime.block_on(async {
        let (held, forgotten) = (value(&log).await, value(&log).await);
        // A task of shard 0 holds a value of shard 1, and a task of shard 1 keeps one.
        spawn(async move {
            pending::<()>().await;
            drop(held);
        })
        .detach();
        yield_now().await;
        mem::forget(forgotten);
        let (outlives, task) = (value(&log).await, Noted(log.clone(), "task"));
        let keep = async move || {
            let value = outlives.local().unwrap();
            spawn(async move {
                pending::<()>().await;
                drop((task, value));
            })
            .detach();
            yield_now().await;
            outlives
        };
        submit_to(1, keep).await.unwrap()
    });
    drop(runtime);
    assert_eq!(log.shards_of("dropped"), [1, 1, 1]);
    assert_eq!(log.shards_of("task"), [1]);
    assert_eq!(outlives.owner().index(), 1);
    drop(outlives);
}

#[test]
fn s14_a_value_is_called_in_its_own_runtime() {
    let _deadline = deadline("S14");
    let (log, ours, other) = (Log::default(), runtime(2), runtime(2));
    let value = ours.block_on(value(&log));
    let error = other.block_on(async {
        let call = spawn(async move { value.invoke(async |value| value.add(1)).await });
        soon(call).await.unwrap_err()
    });
    assert!(error.to_string().contains("in the runtime in which it was made"), "{error}");
    ours.block_on(until(|| log.shards_of("dropped") == [1]));
}

#[test]
fn t2_a_destructor_that_panics_hurts_no_shard() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bomb was dropped");
        }
    }
    on_shard_0("T2", 2, async || {
        let bomb = async || submit_to(1, async || Foreign::new(Bomb)).await.unwrap();
        let error = soon(bomb().await.destroy()).await.unwrap_err();
        assert!(error.to_string().contains("a bomb was dropped"), "{error}");
        drop(bomb().await);
        let at_the_end = bomb().await;
        assert_eq!(soon(at_the_end.invoke(async |_| 5)).await.unwrap(), 5);
        mem::forget(at_the_end);
    });
}
