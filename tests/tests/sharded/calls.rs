//! Calls to many shards at once. Scenarios S3, S4, S6.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use miniss_linux::sharded::{invoke_on_all, invoke_on_each, invoke_on_others, map_reduce};
use miniss_linux::time::sleep;
use miniss_linux::{CallError, ShardId, submit_to, yield_now};

use super::{Count, Log, Noted, kill, on_shard_0, soon, until};

fn here() -> usize {
    ShardId::current().index()
}

#[test]
fn results_come_in_the_order_of_the_shards_whichever_is_first() {
    on_shard_0("the order of results", 4, async || {
        let late_first = async || {
            sleep(Duration::from_millis(4 - here() as u64)).await;
            here()
        };
        assert_eq!(invoke_on_all(late_first).await.unwrap(), [0, 1, 2, 3]);
        assert_eq!(invoke_on_others(late_first).await.unwrap(), [1, 2, 3]);
        let from_2 = submit_to(2, async move || invoke_on_others(late_first).await.unwrap());
        assert_eq!(from_2.await.unwrap(), [0, 1, 3]);
        assert_eq!(here(), 0);
    });
}

#[test]
fn shards_are_named_by_ranges_and_lists_and_called_as_often_as_they_are_named() {
    on_shard_0("ranges", 4, async || {
        let on = async || here();
        assert_eq!(invoke_on_each(1..3, on).await.unwrap(), [1, 2]);
        assert_eq!(invoke_on_each([3, 0, 3], on).await.unwrap(), [3, 0, 3]);
        assert_eq!(invoke_on_each(ShardId::all().skip(2), on).await.unwrap(), [2, 3]);
        assert_eq!(invoke_on_each(2..2, on).await.unwrap(), [0; 0]);
    });
}

#[test]
fn nothing_is_called_if_one_of_the_shards_is_not_there() {
    on_shard_0("no such shard", 2, async || {
        let ran = Count::default();
        let counter = ran.clone();
        let calls = || drop(invoke_on_each([0, 1, 2], async move || counter.add()));
        let panic = catch_unwind(AssertUnwindSafe(calls)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("there is no shard 2: this runtime has 2"), "{text}");
        invoke_on_all(async || yield_now().await).await.unwrap();
        assert_eq!(ran.value(), 0);
    });
}

#[test]
fn nothing_is_called_if_a_clone_panics() {
    struct ClonedOnce(Count);
    impl Clone for ClonedOnce {
        fn clone(&self) -> Self {
            self.0.add();
            assert!(self.0.value() < 2, "one clone is enough");
            Self(self.0.clone())
        }
    }
    on_shard_0("a clone that panics", 2, async || {
        let (ran, once) = (Count::default(), ClonedOnce(Count::default()));
        let counter = ran.clone();
        let work = async move || {
            let _once = &once;
            counter.add();
        };
        catch_unwind(AssertUnwindSafe(|| drop(invoke_on_all(work)))).unwrap_err();
        invoke_on_all(async || yield_now().await).await.unwrap();
        assert_eq!(ran.value(), 0);
    });
}

#[test]
fn the_first_error_is_told_when_all_have_ended() {
    on_shard_0("the first error", 4, async || {
        let ended = Count::default();
        let counter = ended.clone();
        let work = async move || match here() {
            1 => {
                sleep(Duration::from_millis(5)).await;
                panic!("late, on shard 1")
            }
            2 => panic!("at once, on shard 2"),
            _ => {
                sleep(Duration::from_millis(20)).await;
                counter.add();
            }
        };
        // That of the first shard, not that of the first moment.
        let error = soon(invoke_on_all(work.clone())).await.unwrap_err();
        assert_eq!(error.to_string(), "the call panicked: late, on shard 1");
        assert_eq!(ended.value(), 2);

        let outcomes = soon(invoke_on_all(work).outcomes()).await;
        let shards: Vec<_> = outcomes.iter().map(|(shard, _)| shard.index()).collect();
        let ok: Vec<_> = outcomes.iter().map(|(_, outcome)| outcome.is_ok()).collect();
        assert_eq!((shards, ok), (vec![0, 1, 2, 3], vec![true, false, false, true]));
        assert_eq!(ended.value(), 4);
    });
}

#[test]
fn s3_a_shard_that_died_is_named_and_the_others_answer() {
    on_shard_0("S3", 3, async || {
        kill(1).await;
        let error = soon(invoke_on_all(async || ())).await.unwrap_err();
        assert!(matches!(error, CallError::ShardGone(shard) if shard.index() == 1), "{error}");
        let outcomes = soon(invoke_on_all(async || here()).outcomes()).await;
        let answers: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome.ok()).collect();
        assert_eq!(answers, [Some(0), None, Some(2)]);
    });
}

#[test]
fn s4_calls_that_are_dropped_run_and_their_outputs_are_dropped_by_the_caller() {
    on_shard_0("S4", 3, async || {
        let (ran, log) = (Count::default(), Log::default());
        for round in 0..100 {
            let (counter, log) = (ran.clone(), log.clone());
            let calls = invoke_on_all(async move || {
                yield_now().await;
                counter.add();
                Noted(log, "output")
            });
            match round % 3 {
                0 => drop(calls),
                1 => drop(miniss_linux::time::timeout(Duration::ZERO, calls).await),
                _ => drop(calls.await),
            }
        }
        until(|| log.shards_of("output").len() == 300).await;
        assert_eq!(ran.value(), 300);
        assert_eq!(log.shards_of("output"), [0; 300]);
    });
}

#[test]
fn s6_all_shards_call_all_shards_with_more_shards_than_cpus() {
    on_shard_0("S6", 24, async || {
        let sums = invoke_on_all(async || {
            let indices = invoke_on_all(async || here()).await.unwrap();
            indices.into_iter().sum::<usize>()
        });
        assert_eq!(soon(sums).await.unwrap(), [23 * 12; 24]);
    });
}

#[test]
fn what_the_shards_say_is_folded_in_their_order() {
    on_shard_0("map_reduce", 4, async || {
        let name = || here().to_string();
        let join = |all: String, name: String| all + &name;
        assert_eq!(map_reduce(ShardId::all(), name, String::new(), join).await.unwrap(), "0123");
        assert_eq!(map_reduce([3, 1], name, String::new(), join).await.unwrap(), "31");
        assert_eq!(map_reduce(0..0, name, String::from("none"), join).await.unwrap(), "none");

        let panics = || assert_ne!(here(), 2, "as planned");
        let folded = map_reduce(ShardId::all(), panics, (), |(), ()| panic!("it is not called"));
        assert!(matches!(folded.await, Err(CallError::Panicked(_))));
    });
}
