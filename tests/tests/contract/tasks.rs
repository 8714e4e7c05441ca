//! Tasks: their outcome, and what their end leaves of what they had begun.

use std::cell::Cell;
use std::future::pending;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use miniss_linux::net::TcpListener;
use miniss_linux::sync::CancellationToken;
use miniss_linux::task::{self, JoinSet, spawn_named};
use miniss_linux::time::sleep;
use miniss_linux::{JoinError, spawn, task_local, yield_now};
use miniss_tests::sockets::pair;

use crate::harness::{beside, on_each_driver, settle, soon};

#[test]
fn a_task_gives_its_output_once_whenever_it_is_asked_for() {
    on_each_driver(async || {
        let early = spawn(async { 1 });
        settle().await;
        assert!(early.is_finished());
        assert_eq!(soon(early).await.unwrap(), 1);
        let late = spawn(async {
            sleep(Duration::from_millis(1)).await;
            2
        });
        assert!(!late.is_finished());
        assert_eq!(soon(late).await.unwrap(), 2);
    });
}

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    on_each_driver(async || {
        let done = Rc::new(Cell::new(0));
        for _ in 0..2 {
            let done = done.clone();
            let task = spawn(async move {
                sleep(Duration::from_micros(100)).await;
                done.set(done.get() + 1);
            });
            drop(task);
        }
        while done.get() < 2 {
            settle().await;
        }
    });
}

#[test]
fn a_task_that_panics_tells_who_waits_for_it_and_no_one_else() {
    on_each_driver(async || {
        let other = spawn(sleep(Duration::from_millis(2)));
        let error = soon(spawn(async { panic!("as planned") })).await.unwrap_err();
        assert!(matches!(&error, JoinError::Panicked(panic) if panic.to_string() == "as planned"));
        soon(other).await.unwrap();
    });
}

#[test]
fn a_task_is_aborted_at_each_moment_of_its_life() {
    on_each_driver(async || {
        let unborn = spawn(async { 1 });
        unborn.abort();
        assert!(soon(unborn).await.unwrap_err().is_cancelled());
        let waiting = spawn(pending::<()>());
        yield_now().await;
        waiting.abort();
        waiting.abort();
        assert!(soon(waiting).await.unwrap_err().is_cancelled());
        let sleeping = spawn(sleep(Duration::from_secs(3600)));
        settle().await;
        sleeping.abort();
        assert!(soon(sleeping).await.unwrap_err().is_cancelled());
        let done = spawn(async { 2 });
        settle().await;
        done.abort();
        assert_eq!(soon(done).await.unwrap(), 2);
    });
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_wait() {
    on_each_driver(async || {
        let handle = Rc::new(Cell::new(None));
        let own = handle.clone();
        let task = spawn(async move {
            yield_now().await;
            let own: miniss_linux::AbortHandle = own.take().unwrap();
            own.abort();
            pending::<()>().await;
        });
        handle.set(task.abort_handle());
        assert!(soon(task).await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_read_of_a_task_that_is_aborted_leaves_the_bytes_to_the_next() {
    on_each_driver(async || {
        for by_recv in [false, true] {
            let (stream, mut peer) = pair();
            let stream = Rc::new(stream);
            let reads = stream.clone();
            let reader = spawn(async move {
                match by_recv {
                    true => drop(reads.recv().await),
                    false => drop(reads.read(vec![0; 8]).await),
                }
            });
            settle().await;
            reader.abort();
            peer.write_all(b"next").unwrap();
            assert!(soon(reader).await.unwrap_err().is_cancelled());
            assert_eq!(soon(stream.read(vec![0; 8])).await.1, b"next", "by recv: {by_recv}");
        }
    });
}

#[test]
fn a_write_of_a_task_that_is_aborted_is_told_by_its_stream() {
    on_each_driver(async || {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let writes = stream.clone();
        let writer = spawn(async move { drop(writes.write_all(vec![7; 64 << 20]).await) });
        settle().await;
        writer.abort();
        assert!(soon(writer).await.unwrap_err().is_cancelled());
        let went_out = soon(stream.cancelled_write_bytes()).await;
        drop(stream);
        let received = beside(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).map(|_| bytes.len())
        });
        assert_eq!(received.await.unwrap(), went_out);
    });
}

#[test]
fn sockets_of_a_task_that_is_aborted_are_closed() {
    on_each_driver(async || {
        let (stream, mut peer) = pair();
        let holder = spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            drop(listener.accept().await);
            drop(stream.recv().await);
        });
        settle().await;
        holder.abort();
        assert_eq!(beside(move || peer.read(&mut [0])).await.unwrap(), 0);
        assert!(soon(holder).await.unwrap_err().is_cancelled());
    });
}

#[test]
fn tasks_of_tasks_are_waited_for() {
    on_each_driver(async || {
        let sum = spawn(async {
            let mut sum = 0;
            let tasks: Vec<_> = (0..10)
                .map(|number| {
                    spawn(async move {
                        sleep(Duration::from_micros(number * 50)).await;
                        spawn(async move { number }).await.unwrap()
                    })
                })
                .collect();
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(soon(sum).await.unwrap(), 45);
    });
}

#[test]
fn an_aborted_task_drops_what_it_holds_before_its_handle_is_told() {
    struct Told(Rc<Cell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    on_each_driver(async || {
        let dropped = Rc::new(Cell::new(false));
        let holds = Told(dropped.clone());
        let task = spawn(async move {
            let _holds = holds;
            pending::<()>().await;
        });
        settle().await;
        task.abort();
        assert!(soon(task).await.unwrap_err().is_cancelled());
        assert!(dropped.get());
    });
}

#[test]
fn a_set_gives_outputs_and_panics_as_they_come_and_aborts_what_is_left() {
    on_each_driver(async || {
        let kept = Rc::new(());
        let mut set = JoinSet::new();
        for _ in 0..300 {
            let held = kept.clone();
            set.spawn(async move {
                pending::<()>().await;
                drop(held);
                0
            });
        }
        set.spawn(async {
            sleep(Duration::from_millis(2)).await;
            1
        });
        set.spawn(async { panic!("as planned") });
        // On a slow machine both have ended at the first look.
        let ended = [soon(set.join_next()).await.unwrap(), soon(set.join_next()).await.unwrap()];
        let panics = ended.iter().filter(|&end| end.as_ref().is_err_and(JoinError::is_panic));
        assert_eq!(panics.count(), 1, "{ended:?}");
        assert!(ended.iter().any(|end| matches!(end, Ok(1))), "{ended:?}");
        assert_eq!(set.len(), 300);
        drop(set);
        while Rc::strong_count(&kept) > 1 {
            settle().await;
        }
    });
}

#[test]
fn a_set_that_is_shut_down_waits_for_what_its_tasks_hold() {
    on_each_driver(async || {
        let (stream, mut peer) = pair();
        let mut set = JoinSet::new();
        set.spawn(async move { stream.read(vec![0; 16]).await.0 });
        set.insert(spawn_named("sleeper", async {
            sleep(Duration::MAX).await;
            Ok(0)
        }));
        settle().await;
        soon(set.shutdown()).await;
        assert!(set.is_empty());
        assert_eq!(beside(move || peer.read(&mut [0; 1]).unwrap()).await, 0, "it was closed");
    });
}

#[test]
fn a_token_ends_a_tree_of_tasks_that_wait_for_sockets_and_time() {
    on_each_driver(async || {
        let server = CancellationToken::new();
        let connection = server.child_token();
        let (stream, _peer) = pair();
        let read = connection.clone().run_until_cancelled_owned(async move {
            stream.read(vec![0; 16]).await.0.unwrap();
        });
        let (read, sleeps) = (spawn(read), spawn(server.clone().cancelled_owned()));
        settle().await;
        connection.cancel();
        assert_eq!(soon(read).await.unwrap(), None);
        assert!(!sleeps.is_finished());
        drop(server.drop_guard());
        soon(sleeps).await.unwrap();
    });
}

#[test]
fn a_name_is_told_by_the_task_and_by_its_panic() {
    on_each_driver(async || {
        let named = spawn_named("worker", async {
            let first = task::name();
            yield_now().await;
            let other = spawn(async { task::name() }).await.unwrap();
            (first, other, task::name())
        });
        assert_eq!(soon(named).await.unwrap(), (Some("worker"), None, Some("worker")));
        assert_eq!(task::name(), None);
        let error = soon(spawn_named("worker", async { panic!("as planned") })).await.unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: as planned (task `worker`)");
        let payload = error.try_into_panic().unwrap();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"as planned"));
        assert_eq!(task::name(), None);
    });
}

task_local! {
    static REQUEST: u32;
}

#[test]
fn a_value_of_a_task_is_its_own_also_when_it_is_aborted() {
    on_each_driver(async || {
        struct Notes(Rc<Cell<u32>>);
        impl Drop for Notes {
            fn drop(&mut self) {
                self.0.set(REQUEST.get());
            }
        }
        let seen = Rc::new(Cell::new(0));
        let notes = Notes(seen.clone());
        let aborted = spawn(REQUEST.scope(7, async move {
            pending::<()>().await;
            drop(notes);
        }));
        let counts = [1, 2, 3].map(|number| {
            spawn(REQUEST.scope(number, async {
                sleep(Duration::from_micros(100)).await;
                REQUEST.get()
            }))
        });
        for (count, number) in counts.into_iter().zip([1, 2, 3]) {
            assert_eq!(soon(count).await.unwrap(), number);
        }
        aborted.abort();
        assert!(soon(aborted).await.unwrap_err().is_cancelled());
        assert_eq!(seen.get(), 7);
    });
}
