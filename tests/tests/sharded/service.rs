//! State with an instance on each shard. Scenarios S3, S4, S12, S14, T2.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use miniss_linux::sharded::{Service, Sharded, ShardedRef, StartError};
use miniss_linux::sync::Event;
use miniss_linux::time::{sleep, timeout};
use miniss_linux::{CallError, ShardId, spawn, submit_to, unobserved, yield_now};
use miniss_tests::alone::alone;
use miniss_tests::census::Census;
use miniss_tests::deadline::deadline;

use super::{Count, Log, Noted, kill, on_shard_0, runtime, soon, until};

fn here() -> usize {
    ShardId::current().index()
}

/// Not `Send`, as most of what belongs to a shard.
struct Part {
    names: Rc<RefCell<Vec<String>>>,
    /// On which shard it was made.
    home: usize,
    siblings: ShardedRef<Self>,
    log: Log,
    /// Ends calls that wait for it.
    go_on: Event,
    _dropped: Noted,
}

impl Part {
    fn new(name: &str, siblings: ShardedRef<Self>, log: Log) -> Self {
        log.note("made");
        let names = Rc::new(RefCell::new(vec![name.to_owned()]));
        let _dropped = Noted(log.clone(), "dropped");
        Self { names, home: here(), siblings, log, go_on: Event::new(), _dropped }
    }

    fn assert_home(&self) {
        assert_eq!(self.home, here());
    }
}

impl Service for Part {
    async fn stop(&self) {
        self.assert_home();
        self.log.note("stops");
        yield_now().await;
        self.log.note("stopped");
    }
}

/// A part on each shard, named by the shard.
async fn parts(log: &Log) -> Sharded<Part> {
    let log = log.clone();
    let name = |shard: ShardId| format!("part {}", shard.index());
    let make = async move |name: String, siblings| {
        yield_now().await;
        Part::new(&name, siblings, log)
    };
    soon(Sharded::start(name, make)).await.unwrap()
}

#[test]
fn each_shard_has_an_instance_of_its_own_made_there_from_its_argument() {
    on_shard_0("an instance on each shard", 3, async || {
        let log = Log::default();
        let parts = parts(&log).await;
        assert_eq!(log.shards_of("made"), [0, 1, 2]);
        assert_eq!(*parts.local().names.borrow(), ["part 0"]);

        let add = async |part: &Part| {
            part.assert_home();
            yield_now().await;
            part.names.borrow_mut().push("more".into());
            part.names.borrow().len()
        };
        assert_eq!(parts.invoke_on(1, add).await.unwrap(), 2);
        assert_eq!(parts.invoke_on_all(add).await.unwrap(), [2, 3, 2]);
        assert_eq!(parts.invoke_on_others(add).await.unwrap(), [4, 3]);
        assert_eq!(parts.invoke_on_each([2, 0], add).await.unwrap(), [4, 3]);

        let names = |part: &Part| {
            part.assert_home();
            part.names.borrow()[0].clone()
        };
        assert_eq!(parts.map(names).await.unwrap(), ["part 0", "part 1", "part 2"]);
        let join = |all: String, name: String| all + &name[5..];
        assert_eq!(parts.map_reduce(names, String::new(), join).await.unwrap(), "012");

        soon(parts.stop()).await.unwrap();
        assert_eq!(log.shards_of("stopped"), [0, 1, 2]);
        assert_eq!(log.shards_of("dropped"), [0, 1, 2]);
    });
}

#[test]
fn an_instance_reaches_its_siblings() {
    on_shard_0("siblings", 3, async || {
        let parts = parts(&Log::default()).await;
        let ask_all = async |part: &Part| {
            let home = part.home;
            let ask = async move |sibling: &Part| 10 * home + sibling.home;
            part.siblings.invoke_on_others(ask).await.unwrap()
        };
        let answers = soon(parts.invoke_on_all(ask_all)).await.unwrap();
        assert_eq!(answers, [[1, 2], [10, 12], [20, 21]]);
        soon(parts.stop()).await.unwrap();
    });
}

#[test]
fn stop_refuses_calls_then_waits_for_them_then_stops_all_then_drops_all() {
    on_shard_0("the order of a stop", 2, async || {
        let log = Log::default();
        let owner = parts(&log).await;
        let parts = *owner;
        let waiting = parts.invoke_on(1, async |part: &Part| {
            part.log.note("inside");
            part.go_on.wait().await;
            part.log.note("outside");
            part.home
        });
        until(|| log.shards_of("inside") == [1]).await;

        let stop = spawn(owner.stop());
        let refused = async || {
            let calls = [parts.invoke_on(0, async |_| ()), parts.invoke_on(1, async |_| ())];
            let mut refused = 0;
            for (shard, call) in calls.into_iter().enumerate() {
                match soon(call).await {
                    Ok(()) => {}
                    Err(CallError::NotRunning(gone)) if gone.index() == shard => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            refused
        };
        while refused().await < 2 {}
        assert!(matches!(parts.map(|_| ()).await, Err(CallError::NotRunning(_))));
        // It is still there, but its stop waits.
        assert_eq!(parts.local().home, 0);
        sleep(Duration::from_millis(5)).await;
        assert_eq!(log.shards_of("stops"), [0; 0]);

        submit_to(1, async move || parts.local().go_on.set()).await.unwrap();
        soon(stop).await.unwrap().unwrap();
        assert_eq!(soon(waiting).await.unwrap(), 1);
        let order: Vec<_> = log.0.lock().unwrap().iter().map(|entry| entry.0).collect();
        let after = order.iter().skip_while(|what| **what != "outside").skip(1);
        let after: Vec<_> = after.copied().filter(|what| *what != "stopped").collect();
        assert_eq!(after, ["stops", "stops", "dropped", "dropped"]);

        assert_eq!(refused().await, 2);
        assert!(parts.try_local().is_none());
        let local = catch_unwind(AssertUnwindSafe(|| drop(parts.local())));
        assert!(local.is_err());
    });
}

#[test]
fn a_refusal_that_no_one_looks_at_is_no_failure_and_a_panic_is() {
    alone("service::a_refusal_that_no_one_looks_at_is_no_failure_and_a_panic_is", || {
        on_shard_0("what no one looks at", 2, async || {
            let owner = parts(&Log::default()).await;
            let parts = *owner;
            drop(parts.invoke_on(1, async |_| panic!("as planned")));
            until(|| unobserved::count() == 1).await;
            owner.stop().await.unwrap();
            drop(parts.invoke_on(1, async |_| ()));
            drop(parts.map(|_| ()));
            // Behind them.
            assert!(soon(parts.invoke_on(1, async |_| ())).await.is_err());
            assert_eq!(unobserved::count(), 1);
        });
    });
}

#[test]
fn a_stop_inside_of_a_call_to_the_service_is_reported_and_one_outside_is_not() {
    if !cfg!(debug_assertions) {
        return;
    }
    on_shard_0("a stop inside", 2, async || {
        let start = || Sharded::start(|_| (), async |(), _| Cell::new(0));
        let (inside, other) = (start().await.unwrap(), start().await.unwrap());
        let service = *inside;
        let stop = service.invoke_on(1, async |_| inside.stop().await);
        let error = soon(stop).await.unwrap_err();
        assert!(error.to_string().contains("stop it when the call has ended"), "{error}");
        // It was dropped.
        let gone = soon(service.invoke_on(1, async |_| ())).await;
        assert!(matches!(gone, Err(CallError::NotRunning(_))));
        // Of another service, and of the same by a task.
        let (service, outer) = (*other, start().await.unwrap());
        let stop = outer.invoke_on(1, async move |_| {
            service.invoke_on(0, async |_| spawn(other.stop()).detach()).await
        });
        soon(stop).await.unwrap().unwrap();
        until(|| service.try_local().is_none()).await;
        soon(outer.stop()).await.unwrap();
    });
}

#[test]
fn an_instance_that_a_task_keeps_is_stopped_and_goes_with_the_task() {
    on_shard_0("an instance that is kept", 2, async || {
        let log = Log::default();
        let parts = parts(&log).await;
        let kept = parts.local();
        soon(parts.stop()).await.unwrap();
        assert_eq!((log.shards_of("stopped"), log.shards_of("dropped")), (vec![0, 1], vec![1]));
        assert_eq!(kept.home, 0);
        drop(kept);
        assert_eq!(log.shards_of("dropped"), [0, 1]);
    });
}

#[test]
fn if_one_cannot_be_made_the_others_are_stopped_and_the_first_error_is_told() {
    on_shard_0("a constructor that fails", 4, async || {
        let log = Log::default();
        let start = async |panics: bool| {
            let noted = log.clone();
            let make = async move |index, siblings| {
                sleep(Duration::from_millis(4 - index as u64)).await;
                match index {
                    1 if panics => panic!("on shard 1"),
                    1 => Err("on shard 1"),
                    2 => Err("on shard 2, but earlier"),
                    _ => Ok(Part::new("", siblings, noted)),
                }
            };
            soon(Sharded::try_start(ShardId::index, make)).await.unwrap_err()
        };
        let error = start(false).await;
        assert!(matches!(error, StartError::Failed { error: "on shard 1", .. }), "{error}");
        for what in ["made", "stopped", "dropped"] {
            assert_eq!(log.shards_of(what), [0, 3], "{what}");
        }
        let error = start(true).await;
        assert!(matches!(error, StartError::Call { shard, error: CallError::Panicked(_) }
                if shard.index() == 1));
        for what in ["made", "stopped", "dropped"] {
            assert_eq!(log.shards_of(what), [0, 0, 3, 3], "{what}");
        }
    });
}

#[test]
fn s4_instances_that_no_one_stops_are_dropped_on_their_shards_once_calls_in_them_have_ended() {
    on_shard_0("S4, a service that is dropped", 3, async || {
        let log = Log::default();
        let owner = parts(&log).await;
        let parts = *owner;
        let go_on = Count::default();
        let gone_on = go_on.clone();
        let waiting = parts.invoke_on(1, async move |part: &Part| {
            part.log.note("inside");
            until(|| gone_on.value() == 1).await;
            part.assert_home();
        });
        until(|| log.shards_of("inside") == [1]).await;
        // In a task, so that it is dropped in the midst of things.
        soon(spawn(async move { drop(owner) })).await.unwrap();
        until(|| log.shards_of("dropped") == [0, 2]).await;
        for shard in 0..3 {
            let late = soon(parts.invoke_on(shard, async |_| ())).await;
            assert!(matches!(late, Err(CallError::NotRunning(_))));
        }
        go_on.add();
        soon(waiting).await.unwrap();
        until(|| log.shards_of("dropped") == [0, 1, 2]).await;
        assert_eq!(log.shards_of("stops"), [0; 0]);
    });
}

#[test]
fn s4_a_start_that_is_dropped_leaves_no_instance() {
    on_shard_0("S4, a start that is dropped", 3, async || {
        for round in 0..60 {
            let (log, made) = (Log::default(), Count::default());
            let (noted, counter) = (log.clone(), made.clone());
            let make = async move |index, siblings| {
                sleep(Duration::from_micros(index as u64 * 100)).await;
                counter.add();
                Part::new("", siblings, noted)
            };
            let start = Sharded::start(ShardId::index, make);
            let started = timeout(Duration::from_micros(round * 10), start).await;
            drop(started);
            until(|| made.value() == 3).await;
            until(|| log.shards_of("dropped") == [0, 1, 2]).await;
        }
    });
}

#[test]
fn s3_a_shard_that_died_drops_its_instance_and_the_others_are_stopped() {
    on_shard_0("S3", 3, async || {
        let log = Log::default();
        let parts = parts(&log).await;
        let waiting = parts.invoke_on(1, async |_| pending::<()>().await);
        kill(1).await;
        until(|| log.shards_of("dropped") == [1]).await;
        let is_1 =
            |error: CallError| matches!(error, CallError::ShardGone(shard) if shard.index() == 1);
        let gone = |call: Result<(), CallError>| call.is_err_and(is_1);
        assert!(gone(soon(waiting).await));
        assert!(gone(soon(parts.invoke_on(1, async |_| ())).await));
        assert!(gone(soon(parts.invoke_on_all(async |_| ())).await.map(drop)));
        assert_eq!(soon(parts.invoke_on(2, async |part| part.home)).await.unwrap(), 2);
        log.0.lock().unwrap().clear();
        assert!(gone(soon(parts.stop()).await));
        assert_eq!((log.shards_of("stopped"), log.shards_of("dropped")), (vec![0, 2], vec![0, 2]));

        let error = soon(Sharded::start(|_| (), async |(), _| Cell::new(0))).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot start on shard 1: shard 1 ended before the call did");
    });
}

#[test]
fn t2_a_stop_and_a_destructor_that_panic_hold_up_no_one() {
    struct Bad(Log);
    impl Service for Bad {
        async fn stop(&self) {
            assert_ne!(here(), 0, "stop, as planned");
            self.0.note("stopped");
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.note("dropped");
            assert_ne!(here(), 1, "drop, as planned");
        }
    }
    on_shard_0("T2", 3, async || {
        let log = Log::default();
        let start = async || {
            let log = log.clone();
            soon(Sharded::start(|_| (), async move |(), _| Bad(log))).await.unwrap()
        };
        let error = soon(start().await.stop()).await.unwrap_err();
        assert!(error.to_string().contains("stop, as planned"), "{error}");
        assert_eq!(log.shards_of("stopped"), [1, 2]);
        assert_eq!(log.shards_of("dropped"), [0, 1, 2]);
        drop(start().await);
        until(|| log.shards_of("dropped") == [0, 0, 1, 1, 2, 2]).await;
        // Every shard goes on.
        soon(start().await.invoke_on_all(async |_| ())).await.unwrap();
    });
}

#[test]
fn s12_at_the_end_of_a_runtime_instances_are_dropped_on_their_shards_after_the_tasks() {
    let _deadline = deadline("S12");
    let (log, runtime) = (Log::default(), runtime(3));
    let (owner, forgotten) = runtime.block_on(async {
        let (first, last) = (parts(&log).await, parts(&log).await);
        let service = *first;
        let task = async move |part: &Part| {
            let task = Noted(part.log.clone(), "task");
            spawn(async move {
                let part = service.local();
                pending::<()>().await;
                drop((task, part));
            })
            .detach();
            yield_now().await;
        };
        first.invoke_on_all(task).await.unwrap();
        (first, last)
    });
    mem::forget(forgotten);
    let before = log.0.lock().unwrap().len();
    drop(runtime);
    let log_after = log.0.lock().unwrap()[before..].to_vec();
    for shard in 0..3 {
        let of_shard = log_after.iter().filter(|entry| entry.1 == shard);
        let order: Vec<_> = of_shard.map(|entry| entry.0).collect();
        assert_eq!(order, ["task", "dropped", "dropped"], "shard {shard}");
    }
    // It outlives its runtime, and does no harm.
    thread::spawn(move || drop(owner)).join().unwrap();
}

#[test]
fn an_owner_may_be_dropped_by_any_thread_and_the_instances_still_go_at_home() {
    let _deadline = deadline("a foreign thread drops the owner");
    let (log, runtime) = (Log::default(), runtime(3));
    runtime.block_on(async {
        let parts = parts(&log).await;
        thread::spawn(move || drop(parts)).join().unwrap();
        until(|| log.shards_of("dropped") == [0, 1, 2]).await;
    });
}

#[test]
fn s14_a_service_belongs_to_its_runtime() {
    let _deadline = deadline("S14");
    let (log, ours, other) = (Log::default(), runtime(2), runtime(2));
    let owner = ours.block_on(parts(&log));
    other.block_on(async {
        assert!(owner.try_local().is_none());
        let call = soon(owner.invoke_on(1, async |_| ())).await;
        assert!(matches!(call, Err(CallError::NotRunning(_))));
        assert!(call.unwrap_err().to_string().contains("its owner was dropped"));
        let error = soon(spawn(owner.stop())).await.unwrap_err();
        assert!(error.to_string().contains("in the runtime in which it was started"), "{error}");
    });
    // That dropped the owner, which is heard of in its own runtime.
    ours.block_on(until(|| log.shards_of("dropped") == [0, 1]));
    assert_eq!(log.shards_of("stops"), [0; 0]);
}

#[test]
fn s14_services_come_and_go_and_leave_nothing() {
    alone("service::s14_services_come_and_go_and_leave_nothing", || {
        let before = Census::take();
        let (log, runtime) = (Log::default(), runtime(2));
        runtime.block_on(async {
            for round in 0..300 {
                let parts = parts(&log).await;
                match round % 2 {
                    0 => soon(parts.stop()).await.unwrap(),
                    _ => drop(parts),
                }
            }
            until(|| log.shards_of("dropped").len() == 600).await;
        });
        drop(runtime);
        before.assert_back();
    });
}
