//! A program that leaves the loop, by whichever way, has sent what was made in it.

over_all_meshes! {
    calls_are_on_their_way_when_block_on_returns
    calls_of_an_endpoint_that_is_new_are_on_their_way_too
    calls_are_on_their_way_when_a_panic_leaves_the_loop
    calls_are_on_their_way_after_each_turn
    replies_are_on_their_way_when_block_on_returns
    a_call_to_a_closed_core_is_the_task_s_to_turn_back
}

mod scenarios {
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker};
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::thread_local;

    use super::super::port::*;
    use super::super::*;
    use crate::call::Call;
    use crate::combine::yield_now;
    use crate::error::{CallError, Gone};
    use crate::{Budget, Executor};

    thread_local! {
        static RAN: Cell<usize> = const { Cell::new(0) };
    }

    /// A call that no one waits for.
    fn call<N: Net>(end: &End<N>, core: usize) {
        drop(end.run_on(core, || RAN.set(RAN.get() + 1)));
    }

    /// How many calls one core has served, now that it alone goes on.
    fn ran_on(executor: &mut Executor<Port>) -> usize {
        turn_all([executor]);
        RAN.take()
    }

    /// More tasks than a turn polls, spawned before the endpoint's task is woken.
    fn keep_busy(executor: &Executor<Port>) {
        (0..300).for_each(|_| executor.local().spawn(async {}).unwrap().detach());
    }

    pub(super) fn calls_are_on_their_way_when_block_on_returns<N: Net>() {
        for others in [0, 254, 255, 256, 300, 1_000] {
            let (mut a, mut b) = (restless(), restless());
            let mesh = N::new(2);
            let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
            turn_all([&mut a, &mut b]);
            let local = a.local();
            a.block_on(async {
                (0..others).for_each(|_| local.spawn(async {}).unwrap().detach());
                call::<N>(&at_a, 1);
            });
            assert_eq!(ran_on(&mut b), 1, "{others} other tasks were ready");
        }
    }

    pub(super) fn calls_of_an_endpoint_that_is_new_are_on_their_way_too<N: Net>() {
        let (mut a, mut b) = (restless(), restless());
        let mesh = N::new(2);
        let _at_b = mesh.open(1, b.local());
        let local = a.local();
        let _at_a = a.block_on(async {
            (0..300).for_each(|_| local.spawn(async {}).unwrap().detach());
            let at_a = mesh.open(0, local);
            call::<N>(&at_a, 1);
            at_a
        });
        assert_eq!(ran_on(&mut b), 1);
    }

    pub(super) fn calls_are_on_their_way_when_a_panic_leaves_the_loop<N: Net>() {
        for by_turn in [false, true] {
            let (mut a, mut b) = (restless(), restless());
            let mesh = N::new(2);
            let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
            turn_all([&mut a, &mut b]);
            let calls = async {
                call::<N>(&at_a, 1);
                panic!("as planned");
            };
            let left = catch_unwind(AssertUnwindSafe(|| match by_turn {
                false => a.block_on(calls),
                true => {
                    let end = at_a.clone();
                    let task = async move {
                        call::<N>(&end, 1);
                        panic!("as planned");
                    };
                    a.local().spawn(task).unwrap().detach();
                    while a.turn() {}
                }
            }));
            assert!(left.is_err());
            assert_eq!(ran_on(&mut b), 1);
        }
    }

    pub(super) fn calls_are_on_their_way_after_each_turn<N: Net>() {
        let (mut a, mut b) = (restless(), restless());
        let mesh = N::new(2);
        let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        for polls_max in [1, 2, 300] {
            a.set_budget(Budget { polls_max, ..Budget::default() });
            keep_busy(&a);
            let end = at_a.clone();
            let is_done = Rc::new(Cell::new(false));
            let tell = is_done.clone();
            a.local()
                .spawn(async move {
                    call::<N>(&end, 1);
                    tell.set(true);
                })
                .unwrap()
                .detach();
            keep_busy(&a);
            // A loop of the user's own, which ends when it has what it wants.
            while !is_done.get() {
                assert!(a.turn(), "a task is ready");
            }
            assert_eq!(ran_on(&mut b), 1, "{polls_max} polls in a turn");
            while a.turn() {}
        }
    }

    pub(super) fn replies_are_on_their_way_when_block_on_returns<N: Net>() {
        let (mut a, mut b) = (restless(), restless());
        let mesh = N::new(2);
        let (at_a, _at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a, &mut b]);
        let mut call = at_a.submit_to(1, async || {
            yield_now().await;
            RAN.set(7);
            3
        });
        at_a.flush();
        b.set_budget(Budget { polls_max: 1, ..Budget::default() });
        b.block_on(async {
            while RAN.get() == 0 {
                yield_now().await;
            }
        });
        assert_eq!(RAN.take(), 7);
        turn_all([&mut a]);
        assert_eq!(outcome(&mut call), Poll::Ready(Ok(3)));
    }

    pub(super) fn a_call_to_a_closed_core_is_the_task_s_to_turn_back<N: Net>() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                assert!(thread::panicking(), "as planned");
            }
        }
        let (mut a, b) = (restless(), restless());
        let mesh = N::new(2);
        let (at_a, at_b) = (mesh.open(0, a.local()), mesh.open(1, b.local()));
        turn_all([&mut a]);
        at_b.close();
        let (bomb, local) = (Bomb, a.local());
        // The end of the loop is no place for a destructor of someone else.
        let mut call = None;
        a.block_on(async {
            (0..300).for_each(|_| local.spawn(async {}).unwrap().detach());
            call = Some(at_a.run_on(1, move || drop(bomb)));
        });
        let mut call = call.unwrap();
        assert!(outcome(&mut call).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| turn_all([&mut a]))).is_err());
        turn_all([&mut a]);
        assert_eq!(outcome(&mut call), Poll::Ready(Err(Gone)));
    }

    fn outcome<T>(call: &mut Call<T>) -> Poll<Result<T, CallError>> {
        Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
    }
}

/// Over an unparker that never knows that it is local: each wake goes by the inbox.
#[test]
fn calls_are_on_their_way_over_the_simplest_unparker() {
    use crate::call::{Endpoint, Mesh};
    use crate::doctest::executor;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    let (mut a, mut b) = (executor(), executor());
    let mesh = std::sync::Arc::new(Mesh::<_, 4>::new(2));
    let at_a = Endpoint::open(mesh.clone(), 0, a.local()).unwrap();
    let _at_b = Endpoint::open(mesh, 1, b.local()).unwrap();
    let ran = std::sync::Arc::new(AtomicUsize::new(0));
    let work = |ran: &std::sync::Arc<AtomicUsize>| {
        let ran = ran.clone();
        move || _ = ran.fetch_add(1, SeqCst)
    };
    for round in 1..5 {
        a.block_on(async { drop(at_a.run_on(1, work(&ran))) });
        for _ in 0..64 {
            b.turn();
        }
        assert_eq!(ran.load(SeqCst), round);
    }
}
