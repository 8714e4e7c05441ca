//! Calls between cores that live.

over_both_lanes! {
    each_core_runs_what_is_sent_to_it
    values_and_errors_come_back
    work_that_waits_leaves_the_other_core_to_others
    calls_of_one_core_to_another_start_in_order
    an_idle_core_wakes_up_at_once
    all_pairs_call_each_other_while_being_called
    two_cores_with_full_lanes_whose_work_calls_back_go_on
    a_ring_of_cores_that_forward_goes_on
    a_full_lane_to_one_core_does_not_hold_up_calls_to_another
    outputs_that_nobody_awaits_are_dropped_at_home
    big_and_small_calls_share_the_lane
    cores_that_share_a_bit_do_not_lose_mail
}

mod scenarios {
    use std::boxed::Box;
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use std::vec::Vec;
    use std::{thread, thread_local};

    use super::super::port::*;
    use super::super::*;
    use crate::combine::yield_now;
    use crate::error::Gone;
    use crate::mailbox::Endpoint;
    use crate::timer::Sleep;

    pub(super) fn each_core_runs_what_is_sent_to_it<Q: Lane>() {
        on_cores::<Q>(4, async |end| {
            if end.me() != 0 {
                return;
            }
            let home = thread::current().id();
            let calls: Vec<_> =
                (0..4).map(|core| end.submit_to(core, async || here::<Q>().me() + 4)).collect();
            let mut slots = Vec::new();
            for call in calls {
                slots.push(call.await.unwrap());
                assert_eq!(thread::current().id(), home);
            }
            assert_eq!(slots, [4, 5, 6, 7]);
            for core in 0..4 {
                assert_eq!(end.run_on(core, || here::<Q>().me()).await, Ok(core));
            }
        });
    }

    pub(super) fn values_and_errors_come_back<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            let other = 1 - end.me();
            let failed = end.submit_to(other, async || Err::<u8, _>("no such file")).await;
            assert_eq!(failed, Ok(Err("no such file")));
            let large = end.run_on(other, || [7_u8; 10_000]).await.unwrap();
            assert_eq!(large, [7; 10_000]);
        });
    }

    pub(super) fn work_that_waits_leaves_the_other_core_to_others<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            let start = Instant::now();
            let log = |number| STARTED.with_borrow_mut(|started| started.push(number));
            let slow = end.submit_to(1, async move || {
                Sleep::new(local(), Duration::from_millis(10)).await;
                log(1);
                "slow"
            });
            let quick = end.submit_to(1, async move || {
                yield_now().await;
                log(0);
            });
            assert_eq!(slow.await, Ok("slow"));
            assert!(start.elapsed() >= Duration::from_millis(10));
            assert_eq!(quick.await, Ok(()));
            assert_eq!(end.run_on(1, || STARTED.take()).await.unwrap(), [0, 1]);
        });
    }

    thread_local! {
        static STARTED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn calls_of_one_core_to_another_start_in_order<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            let mut calls = Vec::new();
            for number in 0..100_000 {
                let start = move || STARTED.with_borrow_mut(|started| started.push(number));
                calls.push(end.submit_to(1, async move || start()));
                // Now and then the endpoint gets a turn, so chains of all lengths are sent.
                if number % 97 == 0 {
                    yield_now().await;
                }
            }
            for call in calls {
                assert_eq!(call.await, Ok(()));
            }
            let started = end.run_on(1, || STARTED.take()).await.unwrap();
            assert!(started.into_iter().eq(0..100_000));
        });
    }

    pub(super) fn an_idle_core_wakes_up_at_once<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            for _ in 0..5 {
                thread::sleep(Duration::from_millis(5));
                let start = Instant::now();
                assert_eq!(end.submit_to(1, async || 5).await, Ok(5));
                assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
            }
        });
    }

    /// Goes back and forth between two cores, `depth` times.
    async fn nest<Q: Lane>(end: End<Q>, other: usize, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let me = end.me();
        let inner = async move || Box::pin(nest(here::<Q>(), me, depth - 1)).await;
        1 + end.submit_to(other, inner).await.unwrap()
    }

    pub(super) fn all_pairs_call_each_other_while_being_called<Q: Lane>() {
        on_cores::<Q>(3, async |end| {
            let calls: Vec<_> = (0..300)
                .map(|number| local().spawn(nest(end.clone(), number % 3, 10)).unwrap())
                .collect();
            for call in calls {
                assert_eq!(call.await, Ok(10));
            }
            assert_eq!(nest(end.clone(), (end.me() + 1) % 3, 300).await, 300);
        });
    }

    pub(super) fn two_cores_with_full_lanes_whose_work_calls_back_go_on<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            let (me, other) = (end.me(), 1 - end.me());
            let mut calls = Vec::new();
            for number in 0..100_000_usize {
                let back =
                    async move || here::<Q>().submit_to(me, async move || number).await.unwrap();
                calls.push(end.submit_to(other, back));
                if number % 16 == 0 {
                    yield_now().await;
                }
            }
            for (number, call) in calls.into_iter().enumerate() {
                assert_eq!(call.await, Ok(number));
            }
        });
    }

    /// Hands on to the next core until `left` is used up.
    async fn forward<Q: Lane>(left: usize) -> usize {
        let end = here::<Q>();
        if left == 0 {
            return end.me();
        }
        let next = (end.me() + 1) % end.cores();
        let on = async move || Box::pin(forward::<Q>(left - 1)).await;
        end.submit_to(next, on).await.unwrap()
    }

    pub(super) fn a_ring_of_cores_that_forward_goes_on<Q: Lane>() {
        on_cores::<Q>(5, async |end| {
            let runners: Vec<_> =
                (0..200).map(|_| local().spawn(forward::<Q>(23)).unwrap()).collect();
            for runner in runners {
                assert_eq!(runner.await, Ok((end.me() + 23) % 5));
            }
        });
    }

    pub(super) fn a_full_lane_to_one_core_does_not_hold_up_calls_to_another<Q: Lane>() {
        let mesh = mesh::<Q>(3);
        let (mut a, mut c) = (restless(), restless());
        let at_a = Endpoint::open(mesh.clone(), 0, a.local()).unwrap();
        let _at_c = Endpoint::open(mesh.clone(), 2, c.local()).unwrap();
        // Nobody serves core 1 yet.
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let call = at_a.run_on(1, move || number);
                turn_all([&mut a]);
                call
            })
            .collect();
        let handle = a.local().spawn(at_a.run_on(2, || "served")).unwrap();
        turn_all([&mut a, &mut c]);
        assert!(handle.is_finished(), "core 2 has nothing to do with core 1's lane");
        // And when core 1 comes up, everything is delivered.
        let mut b = restless();
        let _at_b = Endpoint::open(mesh, 1, b.local()).unwrap();
        turn_all([&mut a, &mut b]);
        for (number, call) in waiting.into_iter().enumerate() {
            assert_eq!(a.block_on(call), Ok(number));
        }
    }

    pub(super) fn outputs_that_nobody_awaits_are_dropped_at_home<Q: Lane>() {
        on_cores::<Q>(2, async |end| {
            let (other, ledger) = (1 - end.me(), Ledger::new());
            for _ in 0..1_000 {
                let (one, two) = (ledger.clone(), ledger.clone());
                // One is dropped while it is away, one when it is back, one is awaited.
                drop(end.submit_to(other, async move || one.token()));
                let back = end.run_on(other, move || two.token());
                let three = ledger.clone();
                let awaited = end.run_on(other, move || three.token());
                drop(awaited.await.unwrap());
                drop(back);
            }
            // A call made later comes back later.
            end.submit_to(other, async || yield_now().await).await.unwrap();
            while ledger.dropped() < 3_000 {
                yield_now().await;
            }
            ledger.settle();
        });
    }

    pub(super) fn big_and_small_calls_share_the_lane<Q: Lane>() {
        #[repr(align(128))]
        struct Aligned(u8);
        on_cores::<Q>(2, async |end| {
            let other = 1 - end.me();
            for round in 0..100_u8 {
                let medium = [round; 300];
                let large = [round; 3_000];
                let aligned = Aligned(round);
                let calls = (
                    end.run_on(other, || ()),
                    end.run_on(other, move || medium),
                    end.submit_to(other, async move || large),
                    end.run_on(other, move || {
                        assert_eq!(core::ptr::from_ref(&aligned).addr() % 128, 0);
                        aligned
                    }),
                );
                assert_eq!(calls.0.await, Ok(()));
                assert_eq!(calls.1.await, Ok(medium));
                assert_eq!(calls.2.await, Ok(large));
                assert_eq!(calls.3.await.map(|aligned| aligned.0), Ok(round));
            }
        });
    }

    pub(super) fn cores_that_share_a_bit_do_not_lose_mail<Q: Lane>() {
        // 3, 67 and 131 share a bit, with each other and nobody else that is there.
        const CORES: [usize; 5] = [0, 3, 67, 131, 140];
        let (mesh, line) = (mesh::<Q>(141), Arc::new(Line::new(CORES.len())));
        let done = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for me in CORES {
                let (mesh, line, done) = (mesh.clone(), line.clone(), done.clone());
                scope.spawn(move || {
                    run_core(mesh, me, line, async move |end| {
                        for round in 0..1_000 {
                            let calls = CORES.map(|core| end.run_on(core, || here::<Q>().me()));
                            for (core, call) in CORES.into_iter().zip(calls) {
                                assert_eq!(call.await, Ok(core), "round {round}");
                            }
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                        // Never opened: it waits in the lane until the mesh goes.
                        drop(end.submit_to::<_, Result<(), Gone>>(66, async || Ok(())));
                    });
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), CORES.len());
    }
}
