//! Values from many shards to one, on each driver. Scenarios S1, S2, S3, S4, S6, S10, S12, S14, T7,
//! T10.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use miniss_linux::sharded::mpsc::{Receiver, SendError, Sender, TrySendError, bounded};
use miniss_linux::time::sleep;
use miniss_linux::{Runtime, ShardId, spawn, submit_to, yield_now};
use miniss_tests::deadline::{SOON, deadline};
use miniss_tests::drivers::drivers;

use super::{Count, Log, Noted, kill, soon, until};

/// Runs `body` on shard 0 of a runtime, on each driver.
fn on_each_driver(name: &'static str, shards: usize, body: impl AsyncFn()) {
    for driver in drivers() {
        let _deadline = deadline(name);
        let builder = Runtime::builder().shards(shards).driver(driver).shutdown_timeout(SOON);
        builder.build().unwrap().block_on(body());
    }
}

/// Sends all of `values` on `shard`, one after the other.
async fn send_all(shard: usize, sender: Sender<usize>, values: usize) {
    let sending = async move || {
        for value in 0..values {
            sender.send(value).await.unwrap();
        }
    };
    soon(submit_to(shard, sending)).await.unwrap();
}

async fn sum(mut receiver: Receiver<usize>) -> usize {
    let mut sum = 0;
    while let Some(value) = receiver.recv().await {
        sum += value;
    }
    sum
}

#[test]
fn values_of_all_shards_come_to_one_whatever_the_room() {
    on_each_driver("values of all shards", 4, async || {
        for room in [1, 2, 128] {
            let (sender, receiver) = bounded(room);
            let receiving = spawn(sum(receiver));
            let senders = (1..4).map(|shard| spawn(send_all(shard, sender.clone(), 500)));
            let senders: Vec<_> = senders.collect();
            drop(sender);
            for sender in senders {
                sender.await.unwrap();
            }
            assert_eq!(soon(receiving).await.unwrap(), 3 * 500 * 499 / 2);
        }
    });
}

/// On its shard: answers each request with the next number.
async fn serve(mut requests: Receiver<usize>, answers: Sender<usize>) {
    while let Some(request) = requests.recv().await {
        answers.send(request + 1).await.unwrap();
    }
}

async fn ask(requests: Sender<usize>, mut answers: Receiver<usize>) {
    for number in 0..500 {
        requests.send(number).await.unwrap();
        assert_eq!(answers.recv().await, Some(number + 1));
    }
}

#[test]
fn s1_two_shards_that_ask_each_other_with_room_for_one() {
    on_each_driver("two shards that ask each other", 2, async || {
        let tasks = [(0, 1), (1, 0)].map(|(client, server)| {
            let (requests, to_serve) = bounded(1);
            let (answers, answered) = bounded(1);
            let serving = submit_to(server, async move || serve(to_serve, answers).await);
            let asking = submit_to(client, async move || ask(requests, answered).await);
            (serving, asking)
        });
        for (serving, asking) in tasks {
            soon(asking).await.unwrap();
            soon(serving).await.unwrap();
        }
    });
}

#[test]
fn s2_a_ring_of_three_shards_with_room_for_one() {
    const ROUNDS: usize = 300;
    on_each_driver("a ring of three", 3, async || {
        let [a, b, c] = [(); 3].map(|()| bounded::<usize>(1));
        // Four values go round in six places, so no one waits for what cannot come.
        let first = a.0.clone();
        let (done, ends) = bounded(4);
        let links = [(0, a.1, b.0), (1, b.1, c.0), (2, c.1, a.0)];
        let tasks = links.map(|(shard, mut from, to)| {
            let done = done.clone();
            submit_to(shard, async move || {
                while let Some(rounds) = from.recv().await {
                    assert_eq!(ShardId::current().index(), shard);
                    if rounds == ROUNDS {
                        done.send(rounds).await.unwrap();
                    } else if to.send(rounds + 1).await.is_err() {
                        break;
                    }
                }
            })
        });
        for _ in 0..4 {
            soon(first.send(0)).await.unwrap();
        }
        drop((first, done));
        let mut ends = ends;
        for _ in 0..4 {
            assert_eq!(soon(ends.recv()).await, Some(ROUNDS));
        }
        // Each has a sender to the next, so the ring does not end by itself.
        drop(tasks);
    });
}

/// The ways in which a channel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Close,
    ReceiverGoes,
    SendersGo,
}

#[test]
fn it_closes_in_every_order_and_wakes_who_sleeps() {
    on_each_driver("closing in every order", 2, async || {
        // A sender sleeps on shard 1, and its value is neither lost nor received.
        for end in [End::Close, End::ReceiverGoes] {
            let (sender, mut receiver) = bounded(1);
            sender.try_send(1).unwrap();
            let asleep = Count::default();
            let asleep_there = asleep.clone();
            let sending = submit_to(1, async move || {
                asleep_there.add();
                sender.send(2).await
            });
            until(|| asleep.value() == 1).await;
            match end {
                End::Close => {
                    receiver.close();
                    assert_eq!(soon(sending).await.unwrap(), Err(SendError(2)));
                    assert_eq!((receiver.recv().await, receiver.recv().await), (Some(1), None));
                }
                _ => {
                    drop(receiver);
                    assert_eq!(soon(sending).await.unwrap(), Err(SendError(2)));
                }
            }
        }
        // A receiver sleeps on shard 1: what ends it comes from here, with a value or without.
        for values in 0..2 {
            let (sender, receiver) = bounded(1);
            let receiving = submit_to(1, async move || sum(receiver).await);
            sleep(Duration::from_millis(1)).await;
            (0..values).for_each(|_| sender.try_send(5).unwrap());
            drop(sender);
            assert_eq!(soon(receiving).await.unwrap(), 5 * values, "{:?}", End::SendersGo);
        }
    });
}

#[test]
fn s3_a_shard_that_dies_gives_back_what_waits_and_drops_what_is_queued() {
    on_each_driver("a shard that dies with a full channel", 3, async || {
        let log = Log::default();
        let (sender, mut receiver) = bounded(2);
        for _ in 0..2 {
            assert!(sender.try_send(Noted(log.clone(), "queued")).is_ok());
        }
        let (from_the_dead, mut here) = bounded(1);
        // It sleeps on shard 1 with both ends: the first has its values, the second is awaited.
        let lives = submit_to(1, async move || {
            let _ends = (&mut receiver, from_the_dead);
            std::future::pending::<()>().await
        });
        let sending = [0, 2].map(|shard| {
            let (sender, log) = (sender.clone(), log.clone());
            submit_to(shard, async move || {
                sender.send(Noted(log, "waits")).await.is_err_and(|back| {
                    drop(back);
                    true
                })
            })
        });
        yield_now().await;
        kill(1).await;
        for sending in sending {
            assert!(soon(sending).await.unwrap(), "no one receives it");
        }
        assert!(soon(lives).await.is_err());
        assert_eq!(soon(here.recv()).await, None::<u32>);
        assert!(sender.is_closed());
        until(|| log.shards_of("queued").len() == 2).await;
        assert_eq!(log.shards_of("queued"), [1, 1]);
        assert_eq!(log.shards_of("waits"), [0, 2]);
    });
}

#[test]
fn s4_t7_a_send_that_is_aborted_drops_its_value_where_it_lives() {
    on_each_driver("a send that is aborted", 2, async || {
        let log = Log::default();
        let (sender, mut receiver) = bounded(1);
        assert!(sender.try_send(Noted(log.clone(), "received")).is_ok());
        let (again, value) = (sender.clone(), Noted(log.clone(), "aborted"));
        let aborted = submit_to(1, async move || {
            let sending = spawn(async move { again.send(value).await.is_ok() });
            sleep(Duration::from_millis(1)).await;
            sending.abort();
            sending.await.is_err()
        });
        assert!(soon(aborted).await.unwrap());
        assert_eq!(log.shards_of("aborted"), [1]);
        drop(soon(receiver.recv()).await);
        assert_eq!(log.shards_of("received"), [0]);
        assert!(sender.try_send(Noted(log.clone(), "last")).is_ok(), "its turn is no one's");
    });
}

#[test]
fn s10_a_shard_that_stalls_fills_its_channel_and_no_more() {
    on_each_driver("a shard that stalls", 3, async || {
        let (sender, receiver) = bounded(3);
        let (go_on, stall) = std::sync::mpsc::channel::<()>();
        let stalled = submit_to(1, async move || {
            stall.recv().unwrap();
            sum(receiver).await
        });
        let (other, there) = bounded(1);
        let receiving = submit_to(2, async move || sum(there).await);
        assert_eq!(
            [1, 1, 1, 1].map(|one| sender.try_send(one)),
            [Ok(()), Ok(()), Ok(()), Err(TrySendError::Full(1))]
        );
        for _ in 0..100 {
            soon(other.send(1)).await.unwrap();
        }
        drop((sender, other));
        assert_eq!(soon(receiving).await.unwrap(), 100);
        go_on.send(()).unwrap();
        assert_eq!(soon(stalled).await.unwrap(), 3);
    });
}

#[test]
fn s14_two_runtimes_are_joined_by_channels() {
    on_each_driver("two runtimes", 1, async || {
        let (requests, to_serve) = bounded(1);
        let (answers, answered) = bounded(1);
        let other = thread::spawn(|| {
            Runtime::builder().shards(1).build().unwrap().block_on(serve(to_serve, answers));
        });
        soon(ask(requests, answered)).await;
        other.join().unwrap();
    });
}

#[test]
fn t10_a_channel_that_is_always_ready_lets_others_have_their_turn() {
    on_each_driver("a channel that is always ready", 1, async || {
        let (sender, mut receiver) = bounded(1_000);
        let ends = Count::default();
        let end = ends.clone();
        let busy = spawn(async move {
            while end.value() == 0 {
                for _ in 0..1_000 {
                    sender.send(1).await.unwrap();
                }
                for _ in 0..1_000 {
                    receiver.recv().await.unwrap();
                }
            }
        });
        soon(sleep(Duration::from_millis(2))).await;
        ends.add();
        soon(busy).await.unwrap();
    });
}

#[test]
fn s6_s12_senders_and_receivers_of_many_shards_leave_nothing_behind() {
    const SHARDS: usize = 16;
    let log = Log::default();
    on_each_driver("more shards than cores", SHARDS, async || {
        let (sender, receiver) = bounded(2);
        for shard in 0..SHARDS {
            let (sender, log) = (sender.clone(), log.clone());
            // They go on until the runtime ends, with the receiver or without.
            submit_to(shard, async move || {
                let send =
                    async move { while sender.send(Noted(log.clone(), "sent")).await.is_ok() {} };
                spawn(send).detach();
            })
            .await
            .unwrap();
        }
        let mut receiver = receiver;
        for _ in 0..500 {
            assert!(soon(receiver.recv()).await.is_some());
        }
        let keeps = async move || {
            spawn(async move {
                sleep(SOON).await;
                drop(receiver);
            })
            .detach();
        };
        submit_to(SHARDS - 1, keeps).await.unwrap();
    });
    assert!(!log.shards_of("sent").contains(&usize::MAX), "dropped on no shard");
    assert!(log.shards_of("sent").len() >= 500);
}
