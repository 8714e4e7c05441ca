//! Work and destructors that unwind: the call ends, the others go on.

over_all_meshes! {
    a_core_whose_work_panics_goes_on_serving_in_order
    destructors_that_panic_do_not_take_other_calls_with_them
    a_panic_on_the_own_core_ends_nothing_else
    a_flush_that_unwinds_sends_the_rest
    an_end_that_unwinds_sends_the_rest
    a_last_flush_that_unwinds_sends_the_rest
    a_core_whose_work_panicked_sends_what_it_makes_afterwards
    tasks_that_unwind_one_after_the_other_have_successors
    a_panic_as_room_is_made_leaves_no_reply_waiting
    a_panic_as_room_is_made_leaves_no_call_waiting
    refused_calls_whose_destructors_all_panic_end_one_by_one
}

over_heap_meshes! {
    a_mesh_that_goes_drops_what_lies_behind_a_destructor_that_panics
}

mod scenarios {
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};
    use std::cell::{Cell, RefCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::task::Wake;
    use std::thread_local;
    use std::vec::Vec;

    use super::super::port::*;
    use super::super::*;
    use crate::Executor;
    use crate::call::Call;
    use crate::combine::yield_now;
    use crate::error::{CallError, Gone};

    thread_local! {
        static SERVED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn a_core_whose_work_panics_goes_on_serving_in_order<N: Net>() {
        on_cores::<N>(2, async |end| {
            if end.me() != 0 {
                return;
            }
            let work = |number: usize| {
                move || {
                    SERVED.with_borrow_mut(|served| served.push(number));
                    assert!(!number.is_multiple_of(10), "as planned");
                    number
                }
            };
            let calls: Vec<_> = (0..500).map(|number| end.run_on(1, work(number))).collect();
            let tasks: Vec<_> =
                (0..100).map(|number| end.submit_to(1, async move || work(number)())).collect();
            let expected =
                |number: usize| if number.is_multiple_of(10) { Err(Gone) } else { Ok(number) };
            for (number, call) in calls.into_iter().enumerate() {
                assert_eq!(call.await, expected(number));
            }
            for (number, call) in tasks.into_iter().enumerate() {
                assert_eq!(call.await, expected(number));
            }
            let served = end.run_on(1, || SERVED.take()).await.unwrap();
            let (plain, spawned): (Vec<_>, Vec<_>) = served.into_iter().partition({
                let mut seen = 0;
                move |number| {
                    let next = *number == seen;
                    seen += usize::from(next);
                    next
                }
            });
            assert!(plain.into_iter().eq(0..500) && spawned.into_iter().eq(0..100));
        });
    }

    /// Panics when it is dropped, once; `Send`, unlike most things that do.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(thread::panicking(), "as planned");
        }
    }

    pub(super) fn destructors_that_panic_do_not_take_other_calls_with_them<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let at_a = mesh.open(0, a.local());
        let at_b = mesh.open(1, b.local());
        turn_all([&mut a, &mut b]);
        let mut calls = Vec::new();
        // Outputs that no one awaits, in the middle of others.
        for number in 0..10 {
            calls.push(at_a.run_on(1, move || number));
            drop(at_a.run_on(1, || Bomb));
        }
        while a.local().stats().polls < 1_000 {
            drop(catch_unwind(AssertUnwindSafe(|| a.turn())));
            b.turn();
            // The successor is polled at each look, so the count goes on.
            a.local().spawn(async {}).unwrap().detach();
        }
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(a.block_on(call), Ok(number));
        }
        // Work that is refused, in the middle of others.
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let bomb = Bomb;
                at_a.run_on(1, move || drop(bomb))
            })
            .collect();
        turn_all([&mut a]);
        drop(catch_unwind(AssertUnwindSafe(|| at_b.close())));
        while a.local().stats().polls < 2_000 {
            // What had not found room in the lane is refused here.
            drop(catch_unwind(AssertUnwindSafe(|| a.turn())));
            drop(catch_unwind(AssertUnwindSafe(|| b.turn())));
            a.local().spawn(async {}).unwrap().detach();
            b.local().spawn(async {}).unwrap().detach();
        }
        drop(catch_unwind(AssertUnwindSafe(|| drop(b))));
        for call in calls {
            assert_eq!(a.block_on(call), Err(Gone));
        }
    }

    pub(super) fn a_panic_on_the_own_core_ends_nothing_else<N: Net>() {
        let mut a = restless();
        let at_a = N::new(1).open(0, a.local());
        let panicked = catch_unwind(AssertUnwindSafe(|| at_a.run_on(0, || panic!("as planned"))));
        assert!(panicked.is_err());
        assert_eq!(a.block_on(at_a.run_on(0, || 3)), Ok(3));
    }

    /// A call to a core that is closed, whose work panics when it is dropped.
    fn call_in_vain<N: Net>(end: &End<N>, core: usize) -> Call<()> {
        let bomb = Bomb;
        end.run_on(core, move || drop(bomb))
    }

    pub(super) fn a_flush_that_unwinds_sends_the_rest<N: Net>() {
        let mesh = N::new(3);
        let [mut a, mut b, mut c] = [(); 3].map(|()| restless());
        let at_a = mesh.open(0, a.local());
        let (at_b, _at_c) = (mesh.open(1, b.local()), mesh.open(2, c.local()));
        turn_all([&mut a, &mut b, &mut c]);
        at_b.close();
        let in_vain = call_in_vain::<N>(&at_a, 1);
        let call = at_a.run_on(2, || 7);
        assert!(catch_unwind(AssertUnwindSafe(|| at_a.flush())).is_err());
        turn_all([&mut a, &mut c]);
        assert_eq!(outcome(call), Poll::Ready(Ok(7)));
        assert_eq!(outcome(in_vain), Poll::Ready(Err(Gone)));
    }

    pub(super) fn an_end_that_unwinds_sends_the_rest<N: Net>() {
        let mesh = N::new(3);
        let [mut a, mut b, mut c] = [(); 3].map(|()| restless());
        let at_a = mesh.open(0, a.local());
        let (_at_b, at_c) = (mesh.open(1, b.local()), mesh.open(2, c.local()));
        turn_all([&mut a, &mut b, &mut c]);
        let mut calls = Vec::new();
        for number in 0..20 {
            // C never receives its replies: the lane back fills up, and the rest is unsent.
            calls.push(at_c.run_on(0, move || number));
            at_c.flush();
            turn_all([&mut a]);
        }
        // An output that no one awaits is in the lane.
        drop(at_a.run_on(1, || Bomb));
        at_a.flush();
        turn_all([&mut b]);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(a))).is_err());
        turn_all([&mut c]);
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(outcome(call), Poll::Ready(Ok(number)));
        }
        drop(at_a);
    }

    pub(super) fn a_last_flush_that_unwinds_sends_the_rest<N: Net>() {
        thread_local! {
            static RAN: Cell<u32> = const { Cell::new(0) };
        }
        RAN.set(0);
        let mesh = N::new(3);
        let [mut a, mut b, mut c] = [(); 3].map(|()| restless());
        let at_a = mesh.open(0, a.local());
        let (at_b, _at_c) = (mesh.open(1, b.local()), mesh.open(2, c.local()));
        turn_all([&mut a, &mut b, &mut c]);
        at_b.close();
        let in_vain = call_in_vain::<N>(&at_a, 1);
        let call = at_a.run_on(2, || RAN.set(RAN.get() + 1));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(a))).is_err());
        turn_all([&mut c]);
        assert_eq!(RAN.get(), 1, "it was made before the end");
        drop((in_vain, call));
    }

    pub(super) fn a_core_whose_work_panicked_sends_what_it_makes_afterwards<N: Net>() {
        thread_local! {
            static PANICKED: Cell<bool> = const { Cell::new(false) };
        }
        on_cores::<N>(2, async |end| {
            if end.me() == 0 {
                let panics = || {
                    PANICKED.set(true);
                    panic!("as planned");
                };
                assert_eq!(end.run_on(1, panics).await, Err::<(), _>(Gone));
                return;
            }
            while !PANICKED.get() {
                yield_now().await;
            }
            // No more comes to this core, so nothing but this call wakes the endpoint's task.
            yield_now().await;
            yield_now().await;
            assert_eq!(end.run_on(0, || 5).await, Ok(5));
        });
    }

    pub(super) fn tasks_that_unwind_one_after_the_other_have_successors<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let at_a = mesh.open(0, a.local());
        let _at_b = mesh.open(1, b.local());
        turn_all([&mut a, &mut b]);
        thread_local! {
            static WAKE: RefCell<Option<std::boxed::Box<dyn Fn()>>> = const { RefCell::new(None) };
        }
        let again = at_a.clone();
        WAKE.set(Some(std::boxed::Box::new(move || {
            drop(again.run_on(1, || ()));
            again.flush();
        })));
        let calls: Vec<_> = (0..5)
            .map(|number| {
                at_a.run_on(1, move || {
                    // A call comes while the pump serves.
                    WAKE.with_borrow(|wake| wake.as_ref().unwrap()());
                    assert!(number == 4, "as planned");
                })
            })
            .collect();
        at_a.flush();
        for _ in 0..100 {
            drop(catch_unwind(AssertUnwindSafe(|| b.turn())));
        }
        WAKE.set(None);
        turn_all([&mut a, &mut b]);
        for (number, call) in calls.into_iter().enumerate() {
            let expected = if number == 4 { Ok(()) } else { Err(Gone) };
            assert_eq!(outcome(call), Poll::Ready(expected));
        }
        let call = at_a.run_on(1, || 3);
        turn_all([&mut a, &mut b]);
        turn_all([&mut a, &mut b]);
        assert_eq!(outcome(call), Poll::Ready(Ok(3)));
    }

    thread_local! {
        static IS_OPEN: Cell<bool> = const { Cell::new(false) };
    }

    /// Ends together with all others of its kind.
    async fn gate() {
        while !IS_OPEN.get() {
            yield_now().await;
        }
    }

    /// Wakes no one, but panics.
    struct Throws;

    impl Wake for Throws {
        fn wake(self: Arc<Self>) {
            assert!(thread::panicking(), "as planned");
        }
    }

    /// Turns both, whatever unwinds.
    fn turn_both(a: &mut Executor<Port>, b: &mut Executor<Port>) {
        for _ in 0..64 {
            drop(catch_unwind(AssertUnwindSafe(|| a.turn())));
            drop(catch_unwind(AssertUnwindSafe(|| b.turn())));
        }
    }

    pub(super) fn a_panic_as_room_is_made_leaves_no_reply_waiting<N: Net>() {
        let throwing = Waker::from(Arc::new(Throws));
        for (culprit, by_waker) in (0..2 * N::LANE).flat_map(|n| [(n, false), (n, true)]) {
            let mesh = N::new(2);
            let (mut a, mut b) = (restless(), restless());
            let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
            turn_all([&mut a, &mut b]);
            IS_OPEN.set(false);
            let mut calls = Vec::new();
            for number in 0..2 * N::LANE {
                let is_culprit = number == culprit;
                let bomb = (is_culprit && !by_waker).then(|| Bomb);
                let mut call = at_a.submit_to(1, async move || {
                    gate().await;
                    bomb
                });
                if is_culprit && by_waker {
                    let throwing = &mut Context::from_waker(&throwing);
                    assert!(Pin::new(&mut call).poll(throwing).is_pending());
                }
                // The destructor of an output that no one awaits throws.
                if !is_culprit || by_waker {
                    calls.push(call);
                }
            }
            // All of them run by now, and end at once: the second half of the replies must wait.
            turn_all([&mut a, &mut b]);
            IS_OPEN.set(true);
            turn_all([&mut b]);
            turn_both(&mut a, &mut b);
            for call in calls {
                assert!(matches!(outcome(call), Poll::Ready(Ok(None))), "a reply waits on");
            }
        }
    }

    pub(super) fn a_panic_as_room_is_made_leaves_no_call_waiting<N: Net>() {
        for culprit in 0..2 * N::LANE {
            let mesh = N::new(2);
            let (mut a, mut b) = (restless(), restless());
            let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
            turn_all([&mut a, &mut b]);
            let work = |number: usize| move || assert_ne!(number, culprit, "as planned");
            let calls: Vec<_> = (0..2 * N::LANE).map(|n| at_a.run_on(1, work(n))).collect();
            turn_all([&mut a]);
            turn_both(&mut a, &mut b);
            for (number, call) in calls.into_iter().enumerate() {
                let expected = if number == culprit { Err(Gone) } else { Ok(()) };
                assert_eq!(outcome(call), Poll::Ready(expected));
            }
        }
    }

    /// Panics even while something unwinds, which would be the end of the program.
    struct Ruthless;

    impl Drop for Ruthless {
        fn drop(&mut self) {
            panic!("as planned");
        }
    }

    pub(super) fn refused_calls_whose_destructors_all_panic_end_one_by_one<N: Net>() {
        let mesh = N::new(2);
        let (mut a, mut b) = (restless(), restless());
        let (at_a, at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        at_b.close();
        let calls: Vec<_> = (0..3 * N::LANE)
            .map(|_| {
                let ruthless = Ruthless;
                at_a.run_on(1, move || drop(ruthless))
            })
            .collect();
        turn_both(&mut a, &mut b);
        for call in calls {
            assert_eq!(outcome(call), Poll::Ready(Err(Gone)));
        }
    }

    pub(super) fn a_mesh_that_goes_drops_what_lies_behind_a_destructor_that_panics<N: Net>() {
        let ledger = Ledger::new();
        let mesh = N::new(4);
        // Core 3 never comes, so its lanes keep what is sent to it.
        let mut cores = [(); 3].map(|()| Some(restless()));
        let ends = [0, 1, 2].map(|me| mesh.open(me, cores[me].as_ref().unwrap().local()));
        turn_all(cores.iter_mut().flatten());
        for end in &ends {
            let bomb = Bomb;
            drop(end.run_on(3, move || drop(bomb)));
            for _ in 0..N::LANE - 1 {
                let token = ledger.token();
                drop(end.run_on(3, move || drop(token)));
            }
            end.flush();
        }
        // Two of them end with calls under way; so the replies come late when the third ends.
        let calls: Vec<_> = [0, 1]
            .into_iter()
            .flat_map(|me| [true, false].map(|is_bomb| (me, is_bomb)))
            .map(|(me, is_bomb)| {
                let token = ledger.token();
                let bomb = is_bomb.then(|| Bomb);
                ends[me].submit_to(2, async move || {
                    gate().await;
                    (bomb, token)
                })
            })
            .collect();
        IS_OPEN.set(false);
        turn_all(cores.iter_mut().flatten());
        drop((cores[0].take(), cores[1].take()));
        drop(calls);
        IS_OPEN.set(true);
        turn_all(cores.iter_mut().flatten());
        drop((cores, ends));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(mesh))).is_err());
        ledger.settle();
    }

    fn outcome<T>(mut call: Call<T>) -> Poll<Result<T, CallError>> {
        Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop()))
    }
}
