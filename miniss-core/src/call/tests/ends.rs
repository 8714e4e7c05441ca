//! Cores that end while calls are under way: callers get `Gone`, and nothing is lost or leaked.

over_all_meshes! {
    calls_to_a_closed_core_end_at_once
    calls_in_the_lanes_of_a_core_that_closes_end
    a_core_that_closed_gets_the_replies_to_its_own_calls
    an_executor_that_ends_refuses_what_it_did_not_serve
    replies_of_a_core_that_ends_find_room_in_full_lanes
    replies_that_wait_reach_a_core_that_closes
    replies_of_tasks_that_end_behind_the_endpoint_s_wait_for_no_handle
    handles_and_executors_go_in_any_order
    calls_that_outlive_their_executor_end
    calls_that_are_awaited_elsewhere_are_woken_when_their_executor_ends
    calls_that_are_awaited_elsewhere_are_forgotten_when_they_are_over
    a_call_that_a_waker_ends_as_it_is_polled_gives_its_result
    cores_that_come_and_go_under_load_leave_nothing_behind
}

over_heap_meshes! {
    a_mesh_that_goes_drops_what_is_left_in_it
}

mod scenarios {
    use core::future::{Future, pending};
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};
    use std::boxed::Box;
    use std::cell::{Cell, RefCell};
    use std::task::Wake;
    use std::thread_local;
    use std::vec::Vec;

    use super::super::port::*;
    use super::super::*;
    use crate::Executor;
    use crate::call::Call;
    use crate::combine::yield_now;
    use crate::error::{CallError, Gone};

    /// Two cores on this thread.
    fn pair<N: Net>() -> [(Executor<Port>, End<N>); 2] {
        let mesh = N::new(2);
        [0, 1].map(|me| {
            let executor = restless();
            let end = mesh.open(me, executor.local());
            (executor, end)
        })
    }

    fn outcome<T>(call: &mut Call<T>) -> Poll<Result<T, CallError>> {
        Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
    }

    pub(super) fn calls_to_a_closed_core_end_at_once<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        turn_all([&mut a, &mut b]);
        at_b.close();
        let ledger = Ledger::new();
        let token = ledger.token();
        let mut calls = [at_a.run_on(1, move || drop(token)), at_a.submit_to(1, async || ())];
        turn_all([&mut a]);
        calls.iter_mut().for_each(|call| assert_eq!(outcome(call), Poll::Ready(Err(Gone))));
        assert_eq!(outcome(&mut at_b.run_on(1, || ())), Poll::Ready(Err(Gone)));
        ledger.settle();
    }

    pub(super) fn calls_in_the_lanes_of_a_core_that_closes_end<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let ledger = Ledger::new();
        let mut calls = Vec::new();
        for _ in 0..20 {
            let token = ledger.token();
            calls.push(at_a.run_on(1, move || token));
            turn_all([&mut a]);
        }
        // The lane is full by now, and the rest is unsent.
        at_b.close();
        turn_all([&mut a, &mut b]);
        let gone = |call| matches!(outcome(call), Poll::Ready(Err(Gone)));
        assert!(calls.iter_mut().all(gone));
        ledger.settle();
    }

    pub(super) fn a_core_that_closed_gets_the_replies_to_its_own_calls<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let mut calls: Vec<_> = (0..20)
            .map(|number| {
                let call = at_a.submit_to(1, async move || {
                    yield_now().await;
                    number
                });
                turn_all([&mut a]);
                call
            })
            .collect();
        at_a.close();
        turn_all([&mut a, &mut b]);
        let mut others = at_a.run_on(1, || 20);
        turn_all([&mut a, &mut b]);
        for (number, call) in calls.iter_mut().chain([&mut others]).enumerate() {
            assert_eq!(outcome(call), Poll::Ready(Ok(number)));
        }
        drop(at_b);
    }

    pub(super) fn an_executor_that_ends_refuses_what_it_did_not_serve<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let ledger = Ledger::new();
        let tokens = [ledger.token(), ledger.token(), ledger.token()];
        let [started, queued, sent] = tokens.map(|token| {
            let call = at_a.submit_to(1, async move || {
                let _token = token;
                pending::<()>().await
            });
            turn_all([&mut a]);
            call
        });
        turn_all([&mut b]);
        let late = at_a.run_on(1, || ());
        drop(b);
        turn_all([&mut a]);
        for mut call in [started, queued, sent, late] {
            assert_eq!(outcome(&mut call), Poll::Ready(Err(Gone)));
        }
        ledger.settle();
        drop(at_b);
    }

    pub(super) fn replies_of_a_core_that_ends_find_room_in_full_lanes<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let ledger = Ledger::new();
        let mut calls = Vec::new();
        for _ in 0..20 {
            let (served, token) = (ledger.token(), ledger.token());
            calls.push(at_a.run_on(1, move || served));
            calls.push(at_a.submit_to(1, async move || {
                pending::<()>().await;
                token
            }));
            // A never takes in its replies: the lane back fills up.
            for _ in 0..2 {
                at_a.flush();
                turn_all([&mut b]);
            }
        }
        drop((b, at_b));
        turn_all([&mut a]);
        let (mut done, mut gone) = (0, 0);
        for call in &mut calls {
            match outcome(call) {
                Poll::Ready(Ok(_)) => done += 1,
                Poll::Ready(Err(error)) => gone += usize::from(error == Gone),
                Poll::Pending => panic!("a reply was lost"),
            }
        }
        assert_eq!((done, gone), (20, 20));
        ledger.settle();
    }

    pub(super) fn replies_that_wait_reach_a_core_that_closes<N: Net>() {
        thread_local! {
            static IS_OPEN: Cell<bool> = const { Cell::new(false) };
        }
        for ends in [false, true] {
            let [(mut a, at_a), (mut b, _at_b)] = pair::<N>();
            turn_all([&mut a, &mut b]);
            IS_OPEN.set(false);
            let mut calls: Vec<_> = (0..3 * N::LANE)
                .map(|number| {
                    at_a.submit_to(1, async move || {
                        while !IS_OPEN.get() {
                            yield_now().await;
                        }
                        number
                    })
                })
                .collect();
            turn_all([&mut a, &mut b]);
            // All end at once: more replies than the lane holds, and nothing else in it.
            IS_OPEN.set(true);
            turn_all([&mut b]);
            at_a.close();
            if ends {
                // What has come by then is there; for the rest no one comes any more.
                drop(a);
                turn_all([&mut b]);
                let ready = calls.iter_mut().map(outcome).filter(Poll::is_ready).count();
                assert_eq!(ready, calls.len());
                continue;
            }
            turn_all([&mut a, &mut b]);
            for (number, call) in calls.iter_mut().enumerate() {
                assert_eq!(outcome(call), Poll::Ready(Ok(number)));
            }
        }
    }

    pub(super) fn replies_of_tasks_that_end_behind_the_endpoint_s_wait_for_no_handle<N: Net>() {
        /// A task of some size, which never ends.
        async fn large<const SIZE: usize>() -> usize {
            let large = [7_u8; SIZE];
            pending::<()>().await;
            large.len()
        }
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        // Tasks end in the order in which there was room for some of their size: the latest first.
        for large in [b.local().spawn(large::<300>()), b.local().spawn(large::<600>())] {
            large.unwrap().abort();
        }
        turn_all([&mut b]);
        let (at_a, at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        let mut calls = [
            at_a.submit_to(1, large::<100>),
            at_a.submit_to(1, large::<300>),
            at_a.submit_to(1, large::<600>),
        ];
        turn_all([&mut a, &mut b]);
        drop(b);
        turn_all([&mut a]);
        for call in &mut calls {
            assert_eq!(outcome(call), Poll::Ready(Err(Gone)));
        }
        drop(at_b);
    }

    pub(super) fn handles_and_executors_go_in_any_order<N: Net>() {
        for order in 0..24 {
            let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
            let ledger = Ledger::new();
            let mut calls = Vec::new();
            for number in 0..12 {
                let token = ledger.token();
                let work = async move || {
                    if number % 3 == 0 {
                        pending::<()>().await;
                    }
                    token
                };
                calls.push(at_a.submit_to(1, work));
                let token = ledger.token();
                calls.push(at_b.run_on(0, move || token));
                if number % 2 == 0 {
                    turn_all([&mut b]);
                } else {
                    a.turn();
                }
            }
            let (mut a, mut b) = (Some(a), Some(b));
            let (mut at_a, mut at_b, mut calls) = (Some(at_a), Some(at_b), Some(calls));
            let mut left: Vec<usize> = (0..4).collect();
            let mut choice = order;
            while !left.is_empty() {
                match left.remove(choice % left.len()) {
                    0 => drop(a.take()),
                    1 => drop(b.take()),
                    2 => drop((at_a.take(), at_b.take())),
                    _ => drop(calls.take()),
                }
                choice /= left.len() + 1;
            }
            ledger.settle();
        }
    }

    pub(super) fn calls_that_outlive_their_executor_end<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let ledger = Ledger::new();
        let token = ledger.token();
        let mut call = at_a.run_on(1, move || token);
        assert!(outcome(&mut call).is_pending());
        turn_all([&mut a]);
        drop(a);
        assert!(matches!(outcome(&mut call), Poll::Ready(Err(Gone))));
        turn_all([&mut b]);
        assert_eq!(outcome(&mut at_a.run_on(1, || ())), Poll::Ready(Err(Gone)));
        drop((call, at_a, b, at_b));
        // What comes back too late goes with the mesh, if that ever goes.
        assert_eq!(ledger.dropped(), usize::from(N::GOES));
    }

    /// Counts its wakes; panics at them, if it is told to.
    struct Counts {
        wakes: AtomicUsize,
        throws: bool,
    }

    impl Counts {
        fn new(throws: bool) -> (Arc<Self>, Waker) {
            let counts = Arc::new(Self { wakes: AtomicUsize::new(0), throws });
            (counts.clone(), Waker::from(counts))
        }

        fn wakes(&self) -> usize {
            self.wakes.load(Ordering::SeqCst)
        }
    }

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.wakes.fetch_add(1, Ordering::SeqCst);
            assert!(!self.throws || thread::panicking(), "as planned");
        }
    }

    pub(super) fn calls_that_are_awaited_elsewhere_are_woken_when_their_executor_ends<N: Net>() {
        for throws in [false, true] {
            let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
            turn_all([&mut a, &mut b]);
            let mut other = restless();
            // By a task of another executor, by one that was there before, and by hand.
            let task = other.local().spawn(at_a.run_on(1, || 7)).unwrap();
            turn_all([&mut other]);
            let here = RefCell::new(at_a.run_on(1, || 7));
            a.block_on(core::future::poll_fn(|cx| {
                assert!(Pin::new(&mut *here.borrow_mut()).poll(cx).is_pending());
                Poll::Ready(())
            }));
            let mut by_hand = Vec::from([here.into_inner()]);
            by_hand.extend((0..5).map(|_| at_a.run_on(1, || 7)));
            let counts: Vec<_> = (0..6).map(|n| Counts::new(throws && n == 3)).collect();
            for (call, (_, waker)) in by_hand.iter_mut().zip(&counts) {
                assert!(Pin::new(call).poll(&mut Context::from_waker(waker)).is_pending());
            }
            // Some are over before: their handles are dropped.
            drop(by_hand.remove(4));
            drop(by_hand.remove(0));
            let ends = std::panic::AssertUnwindSafe(|| drop(a));
            assert_eq!(std::panic::catch_unwind(ends).is_err(), throws);
            turn_all([&mut other]);
            assert!(task.is_finished());
            let woken = |n: usize| counts[n].0.wakes();
            assert_eq!([0, 1, 2, 3, 4, 5].map(woken), [0, 1, 1, 1, 0, 1]);
            for call in &mut by_hand {
                assert_eq!(outcome(call), Poll::Ready(Err(Gone)));
            }
            drop((b, at_b));
        }
    }

    pub(super) fn calls_that_are_awaited_elsewhere_are_forgotten_when_they_are_over<N: Net>() {
        let [(mut a, at_a), (mut b, at_b)] = pair::<N>();
        let (counts, waker) = Counts::new(false);
        let cx = &mut Context::from_waker(&waker);
        for round in 0..20_usize {
            let mut calls: Vec<_> = (0..20).map(|n| Some(at_a.run_on(1, move || n))).collect();
            calls
                .iter_mut()
                .flatten()
                .for_each(|call| assert!(Pin::new(call).poll(cx).is_pending()));
            // In any order, some before they are back and some after.
            let mut choice = round * 7;
            for _ in 0..10 {
                choice = (choice * 5 + 3) % 20;
                drop(calls[choice].take());
            }
            turn_all([&mut a, &mut b]);
            for (number, call) in calls.iter_mut().enumerate().rev() {
                if let Some(call) = call {
                    assert_eq!(outcome(call), Poll::Ready(Ok(number)));
                }
            }
        }
        let wakes = counts.wakes();
        drop(a);
        assert_eq!(counts.wakes(), wakes, "none of them was under way");
        assert_eq!(Arc::strong_count(&counts), 2, "a waker was kept");
        drop((b, at_b));
    }

    pub(super) fn a_call_that_a_waker_ends_as_it_is_polled_gives_its_result<N: Net>() {
        thread_local! {
            static LAST: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
        }

        /// Does something at its end.
        struct Former;

        impl Wake for Former {
            fn wake(self: Arc<Self>) {}
        }

        impl Drop for Former {
            fn drop(&mut self) {
                LAST.take().into_iter().for_each(|last| last());
            }
        }

        for ends in [false, true] {
            let [(mut a, at_a), (mut b, _at_b)] = pair::<N>();
            turn_all([&mut a, &mut b]);
            let mut call = at_a.run_on(1, || 7);
            {
                let former = Waker::from(Arc::new(Former));
                assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&former)).is_pending());
            }
            at_a.flush();
            turn_all([&mut b]);
            // The reply is in the lane.
            LAST.set(Some(if ends {
                Box::new(|| drop(a))
            } else {
                Box::new(move || at_a.close())
            }));
            assert_eq!(outcome(&mut call), Poll::Ready(Ok(7)));
        }
    }

    pub(super) fn a_mesh_that_goes_drops_what_is_left_in_it<N: Net>() {
        let ledger = Ledger::new();
        let mesh = N::new(2);
        let mut a = restless();
        let at_a = mesh.open(0, a.local());
        for _ in 0..20 {
            let token = ledger.token();
            drop(at_a.run_on(1, move || token));
            turn_all([&mut a]);
        }
        drop(a);
        drop(at_a);
        let in_the_lane = 20 - ledger.dropped();
        assert!(in_the_lane == 1 || in_the_lane == 4, "{in_the_lane}");
        drop(mesh);
        ledger.settle();
    }

    pub(super) fn cores_that_come_and_go_under_load_leave_nothing_behind<N: Net>() {
        for round in 0..30_usize {
            let mesh = N::new(3);
            thread::scope(|scope| {
                for me in 0..3 {
                    let (mesh, line) = (mesh.clone(), Arc::new(Line::new(1)));
                    // Each core goes when it likes; no one waits for the others.
                    scope.spawn(move || {
                        run_core(mesh, me, line, async move |end| {
                            let ledger = Ledger::new();
                            let mut calls = Vec::new();
                            for number in 0..(round * 13 + me * 71) % 300 {
                                let kept = ledger.clone();
                                let work = async move || {
                                    yield_now().await;
                                    drop(kept);
                                    number
                                };
                                calls.push(end.submit_to(number % 3, work));
                                if number % 7 == 0 {
                                    yield_now().await;
                                }
                            }
                            for (number, call) in calls.into_iter().enumerate() {
                                let outcome = call.await;
                                assert!(outcome == Ok(number) || outcome == Err(Gone));
                            }
                            assert_eq!(Arc::strong_count(&ledger), 1, "a closure was leaked");
                        });
                    });
                }
            });
            assert!(mesh.is_let_go());
        }
    }
}
