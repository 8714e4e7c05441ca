//! Calls between cores that live.

over_all_meshes! {
    each_core_runs_what_is_sent_to_it
    work_that_waits_leaves_the_other_core_to_others
    calls_of_one_core_to_another_start_in_order
    an_idle_core_wakes_up_at_once
    all_pairs_call_each_other_while_being_called
    two_cores_with_full_lanes_whose_work_calls_back_go_on
    a_ring_of_cores_that_forward_goes_on
    calls_of_a_turn_are_served_and_answered_in_one_poll
    a_full_lane_to_one_core_does_not_hold_up_calls_to_another
    outputs_that_no_one_awaits_are_dropped_by_the_caller
    calls_of_a_core_to_itself_give_way_to_its_tasks
    replies_that_wait_reach_a_core_that_takes_them_one_by_one
    a_call_among_many_is_sent_within_the_turn
}

over_heap_meshes! {
    values_and_errors_come_back
    big_and_small_calls_share_the_lane
    cores_that_share_a_bit_lose_no_calls
}

mod scenarios {
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};
    use std::boxed::Box;
    use std::cell::{Cell, RefCell};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use std::vec::Vec;
    use std::{thread, thread_local};

    use super::super::port::*;
    use super::super::*;
    use crate::Budget;
    use crate::combine::yield_now;
    use crate::error::CallError;
    use crate::timer::Sleep;

    pub(super) fn each_core_runs_what_is_sent_to_it<N: Net>() {
        on_cores::<N>(4, async |end| {
            if end.me() != 0 {
                return;
            }
            let caller = thread::current().id();
            let calls: Vec<_> =
                (0..4).map(|core| end.submit_to(core, async || here::<N>().me() + 4)).collect();
            let mut slots = Vec::new();
            for call in calls {
                slots.push(call.await.unwrap());
                assert_eq!(thread::current().id(), caller);
            }
            assert_eq!(slots, [4, 5, 6, 7]);
            for core in 0..4 {
                assert_eq!(end.run_on(core, || here::<N>().me()).await, Ok(core));
            }
        });
    }

    pub(super) fn calls_of_a_core_to_itself_give_way_to_its_tasks<N: Net>() {
        thread_local! {
            static HAD_ITS_TURN: Cell<bool> = const { Cell::new(false) };
        }
        on_cores::<N>(1, async |end| {
            let waiting = end.submit_to(0, async || HAD_ITS_TURN.set(true));
            let mut calls = 0;
            while !HAD_ITS_TURN.get() {
                end.run_on(0, || ()).await.unwrap();
                calls += 1;
                assert!(calls < 1_000, "the task behind this one never has its turn");
            }
            waiting.await.unwrap();
        });
    }

    pub(super) fn values_and_errors_come_back<N: Net>() {
        on_cores::<N>(2, async |end| {
            let other = 1 - end.me();
            let failed = end.submit_to(other, async || Err::<u8, _>("no such file")).await;
            assert_eq!(failed, Ok(Err("no such file")));
            let large = end.run_on(other, || [7_u8; 10_000]).await.unwrap();
            assert_eq!(large, [7; 10_000]);
        });
    }

    pub(super) fn work_that_waits_leaves_the_other_core_to_others<N: Net>() {
        on_cores::<N>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            let start = Instant::now();
            let log = |number| STARTED.with_borrow_mut(|started| started.push(number));
            let slow = end.submit_to(1, async move || {
                Sleep::new(local(), Duration::from_millis(100)).await;
                log(1);
                "slow"
            });
            let quick = end.submit_to(1, async move || {
                yield_now().await;
                log(0);
            });
            assert_eq!(slow.await, Ok("slow"));
            assert!(start.elapsed() >= Duration::from_millis(100));
            assert_eq!(quick.await, Ok(()));
            assert_eq!(end.run_on(1, || STARTED.take()).await.unwrap(), [0, 1]);
        });
    }

    thread_local! {
        static STARTED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn calls_of_one_core_to_another_start_in_order<N: Net>() {
        on_cores::<N>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            let mut calls = Vec::new();
            for number in 0..N::BURST {
                let start = move || STARTED.with_borrow_mut(|started| started.push(number));
                calls.push(end.submit_to(1, async move || start()));
                // Now and then the endpoint gets a turn, so batches of all lengths are sent.
                if number % 97 == 0 {
                    yield_now().await;
                }
            }
            for call in calls {
                assert_eq!(call.await, Ok(()));
            }
            let started = end.run_on(1, || STARTED.take()).await.unwrap();
            assert!(started.into_iter().eq(0..N::BURST));
        });
    }

    pub(super) fn an_idle_core_wakes_up_at_once<N: Net>() {
        on_cores::<N>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            for _ in 0..5 {
                // If it sleeps on, both do, and the port takes that for a lost wake.
                thread::sleep(Duration::from_millis(5));
                assert_eq!(end.submit_to(1, async || 5).await, Ok(5));
            }
        });
    }

    /// Goes back and forth between two cores, `depth` times.
    async fn nest<N: Net>(end: End<N>, other: usize, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let me = end.me();
        let inner = async move || Box::pin(nest::<N>(here::<N>(), me, depth - 1)).await;
        1 + end.submit_to(other, inner).await.unwrap()
    }

    pub(super) fn all_pairs_call_each_other_while_being_called<N: Net>() {
        on_cores::<N>(3, async |end| {
            let calls: Vec<_> = (0..300.min(N::BURST / 10))
                .map(|number| local().spawn(nest::<N>(end.clone(), number % 3, 10)).unwrap())
                .collect();
            for call in calls {
                assert_eq!(call.await, Ok(10));
            }
            assert_eq!(nest::<N>(end.clone(), (end.me() + 1) % 3, 300).await, 300);
        });
    }

    pub(super) fn two_cores_with_full_lanes_whose_work_calls_back_go_on<N: Net>() {
        on_cores::<N>(2, async |end| {
            let (me, other) = (end.me(), 1 - end.me());
            let mut calls = Vec::new();
            for number in 0..N::BURST {
                let back =
                    async move || here::<N>().submit_to(me, async move || number).await.unwrap();
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
    async fn forward<N: Net>(left: usize) -> usize {
        let end = here::<N>();
        if left == 0 {
            return end.me();
        }
        let next = (end.me() + 1) % end.cores();
        let on = async move || Box::pin(forward::<N>(left - 1)).await;
        end.submit_to(next, on).await.unwrap()
    }

    pub(super) fn a_ring_of_cores_that_forward_goes_on<N: Net>() {
        on_cores::<N>(5, async |end| {
            let runners: Vec<_> = (0..200.min(N::BURST / 20))
                .map(|_| local().spawn(forward::<N>(23)).unwrap())
                .collect();
            for runner in runners {
                assert_eq!(runner.await, Ok((end.me() + 23) % 5));
            }
        });
    }

    pub(super) fn calls_of_a_turn_are_served_and_answered_in_one_poll<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        let calls: Vec<_> = (0..N::LANE).map(|number| at_a.run_on(1, move || number)).collect();
        a.turn();
        let polls = [&a, &b].map(|executor| executor.local().stats().polls);
        turn_all([&mut b, &mut a]);
        let polls_then = [&a, &b].map(|executor| executor.local().stats().polls);
        assert_eq!(polls_then, polls.map(|polls| polls + 1));
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(a.block_on(call), Ok(number));
        }
    }

    pub(super) fn a_full_lane_to_one_core_does_not_hold_up_calls_to_another<N: Net>() {
        let mesh = N::new(3);
        let (mut a, mut c) = (restless(), restless());
        let at_a = mesh.open(0, a.local());
        let _at_c = mesh.open(2, c.local());
        // No one serves core 1 yet.
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
        let _at_b = mesh.open(1, b.local());
        turn_all([&mut a, &mut b]);
        for (number, call) in waiting.into_iter().enumerate() {
            assert_eq!(a.block_on(call), Ok(number));
        }
    }

    pub(super) fn outputs_that_no_one_awaits_are_dropped_by_the_caller<N: Net>() {
        on_cores::<N>(2, async |end| {
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

    thread_local! {
        static IS_OPEN: Cell<bool> = const { Cell::new(false) };
        static SERVED: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn replies_that_wait_reach_a_core_that_takes_them_one_by_one<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        IS_OPEN.set(false);
        let work = |number| {
            async move || {
                while !IS_OPEN.get() {
                    yield_now().await;
                }
                number
            }
        };
        let calls: Vec<_> =
            (0..3 * N::LANE).map(|number| at_a.submit_to(1, work(number))).collect();
        turn_all([&mut a, &mut b]);
        // All end at once: more replies than the lane holds, and nothing else to send or to take.
        IS_OPEN.set(true);
        turn_all([&mut b]);
        a.set_budget(Budget { polls_max: 1, ..Budget::default() });
        for _ in 0..20 * N::LANE {
            a.turn();
            b.turn();
        }
        a.set_budget(Budget::default());
        for (number, mut call) in calls.into_iter().enumerate() {
            let poll = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(poll, Poll::Ready(Ok(number)));
        }
    }

    pub(super) fn a_call_among_many_is_sent_within_the_turn<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        SERVED.set(0);
        let call = || drop(at_a.run_on(1, || SERVED.set(SERVED.get() + 1)));
        a.block_on(async {
            (0..16).for_each(|_| call());
            turn_all([&mut b]);
            assert_eq!(SERVED.get(), N::LANE, "the other core need not wait for our turn");
        });
    }

    pub(super) fn big_and_small_calls_share_the_lane<N: Net>() {
        #[repr(align(128))]
        struct Aligned(u8);
        on_cores::<N>(2, async |end| {
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

    pub(super) fn cores_that_share_a_bit_lose_no_calls<N: Net>() {
        // 3, 67 and 131 share a bit, with each other and no one else that is there.
        const CORES: [usize; 5] = [0, 3, 67, 131, 140];
        let (mesh, line) = (N::new(141), Arc::new(Line::new(CORES.len())));
        let done = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for me in CORES {
                let (mesh, line, done) = (mesh.clone(), line.clone(), done.clone());
                scope.spawn(move || {
                    run_core(mesh, me, line, async move |end| {
                        for round in 0..1_000 {
                            let calls = CORES.map(|core| end.run_on(core, || here::<N>().me()));
                            for (core, call) in CORES.into_iter().zip(calls) {
                                assert_eq!(call.await, Ok(core), "round {round}");
                            }
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                        // Never opened: it waits in the lane until the mesh goes.
                        drop(end.submit_to::<_, Result<(), CallError>>(66, async || Ok(())));
                    });
                });
            }
        });
        assert_eq!(done.load(Ordering::SeqCst), CORES.len());
    }
}
