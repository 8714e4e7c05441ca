//! Models, each named for the race it rules out. They run the mesh that ships, with the lanes that
//! ship, and the handshake of parking.

use std::boxed::Box;
use std::vec::Vec;

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use ::loom::cell::UnsafeCell;
use ::loom::sync::atomic::{AtomicBool, Ordering};
use ::loom::thread;

use super::fixed::FixedLane;
use super::heap_mesh::Mesh;
use super::memory::Memory;
use super::mesh::{End, Receiver};
use super::node::{CallVtable, Cargo, Chain, Held, Parcel, Typed};
use super::queue::Queue;
use crate::ExecutorCell;
use crate::executor::budget::{Allowance, Budget, Stride};
use crate::executor::cell::OwnerState;
use crate::executor::watch::Watch;
use crate::reactor::Idle;
use crate::reactor::{Clock, Unpark};
use crate::time::Instant;

/// Rung by wakes, heard by the polls that they lead to.
struct Unparker(AtomicBool);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        self.0.swap(true, Ordering::AcqRel);
    }
}

impl Clock for Unparker {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

/// A core without an executor: what others reach of it.
type Core = ExecutorCell<Unparker>;

fn unparker(core: &Core) -> &Unparker {
    core.unparker()
}

/// A waker that owns nothing, like those of tasks; the model keeps the core.
fn waker(core: &Core) -> Waker {
    fn clone(data: *const ()) -> RawWaker {
        RawWaker::new(data, &VTABLE)
    }
    fn wake(data: *const ()) {
        // SAFETY: the model keeps the unparker.
        unsafe { &*data.cast::<Unparker>() }.unpark();
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| ());
    // SAFETY: as above.
    unsafe { Waker::new(core::ptr::from_ref(unparker(core)).cast(), &VTABLE) }
}

/// Some cores and the mesh between them, whose lanes hold `N` parcels each.
struct Net<const N: usize> {
    mesh: Mesh<Unparker, FixedLane<N>>,
    cores: Vec<Core>,
}

/// Runs `body` with a net that lives until all its threads are joined.
fn model<const N: usize>(cores: usize, body: impl Fn(&'static Net<N>) + Send + Sync + 'static) {
    ::loom::model(move || {
        let core = |_| ExecutorCell::new(Unparker(AtomicBool::new(false)));
        let mesh = Mesh::new(cores, FixedLane::new);
        let net = Net { mesh, cores: (0..cores).map(core).collect() };
        let net = Box::into_raw(Box::new(net));
        // SAFETY: freed below, when the body has joined its threads and dropped its ends.
        body(unsafe { &*net });
        // SAFETY: made above.
        drop(unsafe { Box::from_raw(net) });
    });
}

/// What a call carries: loom checks that whoever reads it was told of the write.
struct Load(UnsafeCell<u32>);

// SAFETY: that the accesses are ordered is what the models check.
unsafe impl Send for Load {}

const VTABLE: CallVtable = CallVtable {
    run: |_, _| unreachable!("nothing is served here"),
    drop_work: Typed::<Load, Load>::drop_work,
    read_output: Typed::<Load, Load>::read_output,
    drop_output: Typed::<Load, Load>::drop_output,
    layout: Typed::<Load, Load>::LAYOUT,
};

/// A call of core `from`.
fn held(from: u32, number: u32) -> Held {
    let memory = Memory::heap().take(VTABLE.layout).expect("there is memory");
    let work = Load(UnsafeCell::new(0));
    work.0.with_mut(|place| {
        // SAFETY: ours alone.
        unsafe { *place = number };
    });
    // SAFETY: fresh memory of this layout.
    unsafe { Typed::<Load, Load>::write(memory, work, from, &VTABLE) }
}

/// Reads and destroys what a node carries.
fn unload(held: Held, numbers: &mut Vec<u32>) {
    assert_eq!(held.node().cargo.get(), Cargo::Work);
    // SAFETY: *One holder*: it is us, and the cargo is work of this type.
    let load = unsafe { Typed::<Load, Load>::take_work(&held) };
    // SAFETY: ours alone.
    numbers.push(load.0.with(|place| unsafe { *place }));
    held.destroy();
}

fn unload_all(chain: Option<Chain>, numbers: &mut Vec<u32>) {
    chain.into_iter().flatten().for_each(|held| unload(held, numbers));
}

/// One core's end, as its task and its executor use it.
struct Side<const N: usize> {
    core: &'static Core,
    end: Box<End<'static, FixedLane<N>>>,
    watch: Box<Watch>,
    received: Vec<u32>,
}

impl<const N: usize> Side<N> {
    fn new(net: &'static Net<N>, me: usize) -> Self {
        let end = Box::new(net.mesh.lanes().claim(me));
        let watch = Box::new(Watch::new(look::<N>, send_nothing));
        Self { core: &net.cores[me], end, watch, received: Vec::new() }
    }

    fn opened(net: &'static Net<N>, me: usize) -> Self {
        let side = Self::new(net, me);
        side.open();
        side
    }

    fn owner(&self) -> &OwnerState {
        // SAFETY: *Owner only*: the models use a side on one thread at a time.
        unsafe { self.core.owner() }
    }

    /// The task begins.
    fn open(&self) {
        // SAFETY: the model keeps the core.
        unsafe { self.end.open(&waker(self.core), self.core.shared()) };
        let place = NonNull::from(&*self.end).cast();
        // SAFETY: *Listed is there*: taken off the list by the drop. No one is woken by it.
        unsafe { self.owner().watches.list(&self.watch, place, NonNull::dangling()) };
    }

    /// What the endpoint's task does when it is polled. It yields as the models of the inbox do.
    fn poll(&mut self) {
        thread::yield_now();
        self.receive();
    }

    fn receive(&mut self) {
        self.receive_within(Budget::UNLIMITED);
    }

    /// Takes one parcel, as the task does when its budget is spent with that.
    fn receive_one(&mut self) {
        self.receive_within(Budget { polls_max: 1, ..Budget::UNLIMITED });
    }

    fn receive_within(&mut self, budget: Budget) {
        let received = &mut self.received;
        self.end.collect(|held| unload(held, received));
        let stride = Stride::new();
        let mut allowance = Allowance::new(budget, &stride, || Instant::ZERO);
        self.end.receive(&mut allowance, |held| unload(held, received));
    }

    /// Falls asleep, unless there is something.
    fn sleeps(&self) -> bool {
        Idle::new(self.core.shared(), self.owner()).confirmed()
    }

    /// Polls as long as there is something, now that the others are done. If it has slept, a ring
    /// must have ended that.
    fn settle(mut self, slept: bool) -> Vec<u32> {
        assert!(!slept || self.was_rung() || !self.end.has_news(), "a parcel was overlooked");
        while self.end.has_news() {
            self.poll();
        }
        self.received.sort();
        core::mem::take(&mut self.received)
    }

    fn was_rung(&self) -> bool {
        unparker(self.core).0.swap(false, Ordering::AcqRel)
    }

    fn send(&self, to: usize, number: u32) -> Receiver {
        let pushed = self.end.push(to, held(self.end.me() as u32, number));
        assert!(pushed.is_ok(), "there is room");
        self.end.publish(to)
    }

    /// Sends one more than there may be room for, and waits for that if need be.
    fn send_or_wait(self, to: usize, number: u32) -> Sent<N> {
        let mut sent =
            Sent { number, to, returned: Vec::new(), unsent: None, waits: false, side: self };
        sent.unsent = sent.side.end.push(to, held(sent.side.end.me() as u32, number)).err();
        if sent.side.end.publish(to) == Receiver::Closed {
            unload_all(sent.side.end.take_back(to), &mut sent.returned);
        } else if sent.unsent.is_some() {
            sent.waits = !sent.side.end.wait_for_room(to);
        }
        sent
    }
}

/// What has become of a parcel that may have found no room.
struct Sent<const N: usize> {
    side: Side<N>,
    number: u32,
    to: usize,
    unsent: Option<Held>,
    waits: bool,
    /// What has not been received by a core that has closed.
    returned: Vec<u32>,
}

impl<const N: usize> Sent<N> {
    /// Sends what is left, now that the receiver is done. Gives what has come back.
    fn settle(mut self) -> Vec<u32> {
        assert!(!self.waits || self.side.was_rung(), "a sender waits in vain");
        if let Some(held) = self.unsent.take() {
            let pushed = self.side.end.push(self.to, held);
            assert!(pushed.is_ok(), "there is room now for {}", self.number);
        }
        if self.side.end.publish(self.to) == Receiver::Closed {
            unload_all(self.side.end.take_back(self.to), &mut self.returned);
        }
        core::mem::take(&mut self.returned)
    }
}

impl<const N: usize> Drop for Side<N> {
    fn drop(&mut self) {
        self.owner().watches.unlist(&self.watch);
    }
}

/// # Safety
/// The place is the end of a side.
unsafe fn look<const N: usize>(place: NonNull<()>) -> bool {
    // SAFETY: the caller's promise.
    unsafe { place.cast::<End<'static, FixedLane<N>>>().as_ref() }.has_news()
}

/// # Safety
/// None: it looks at nothing. A side sends when the model says so.
unsafe fn send_nothing(_: NonNull<()>) {}

#[test]
fn send_against_receive_hands_over_what_is_sent() {
    model::<1>(2, |net| {
        let (sender, mut receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let sending = thread::spawn(move || {
            let _open = sender.send(1, 1);
        });
        receiver.poll();
        sending.join().unwrap();
        assert_eq!(receiver.settle(false), [1], "a parcel was overlooked");
    });
}

#[test]
fn a_batch_is_seen_whole() {
    ::loom::model(|| {
        let lane = ::loom::sync::Arc::new(FixedLane::<2>::new());
        let sent = lane.clone();
        let sending = thread::spawn(move || {
            for number in 1..=2 {
                let parcel = Parcel::from_held(held(0, number));
                // SAFETY: *One at each end*: the sender is us.
                assert!(unsafe { sent.push(parcel) }.is_ok());
            }
            // SAFETY: as above.
            unsafe { sent.publish() };
        });
        let mut numbers = Vec::new();
        let mut receive = || {
            // SAFETY: *One at each end*: the receiver is us.
            while let Some(parcel) = unsafe { lane.pop() } {
                unload(parcel.into_held(), &mut numbers);
            }
            numbers.len()
        };
        thread::yield_now();
        assert_ne!(receive(), 1, "half of a batch");
        sending.join().unwrap();
        receive();
        assert_eq!(numbers, [1, 2]);
    });
}

#[test]
fn send_against_sleep_rings() {
    model::<1>(2, |net| {
        let (sender, receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let sending = thread::spawn(move || {
            let _open = sender.send(1, 7);
        });
        let sleeps = receiver.sleeps();
        sending.join().unwrap();
        assert_eq!(receiver.settle(sleeps), [7], "a parcel was overlooked");
    });
}

#[test]
fn send_of_two_cores_against_sleep_rings() {
    model::<1>(3, |net| {
        let receiver = Side::opened(net, 2);
        let sending = [0, 1].map(|me| {
            let sender = Side::new(net, me);
            thread::spawn(move || {
                let _open = sender.send(2, me as u32);
            })
        });
        let sleeps = receiver.sleeps();
        for sending in sending {
            sending.join().unwrap();
        }
        assert_eq!(receiver.settle(sleeps), [0, 1], "a parcel was overlooked");
    });
}

#[test]
fn send_against_open_and_sleep_rings() {
    model::<1>(2, |net| {
        let (sender, receiver) = (Side::new(net, 0), Side::new(net, 1));
        let sending = thread::spawn(move || {
            let _open = sender.send(1, 7);
        });
        receiver.open();
        let sleeps = receiver.sleeps();
        sending.join().unwrap();
        assert_eq!(receiver.settle(sleeps), [7], "a parcel was overlooked");
    });
}

#[test]
fn full_lane_sender_is_woken() {
    model::<1>(2, |net| {
        let (sender, mut receiver) = (Side::new(net, 0), Side::opened(net, 1));
        let _open = sender.send(1, 1);
        let sending = thread::spawn(move || {
            sender.open();
            sender.send_or_wait(1, 2)
        });
        receiver.poll();
        assert!(sending.join().unwrap().settle().is_empty());
        assert_eq!(receiver.settle(false), [1, 2], "a parcel was overlooked");
    });
}

#[test]
fn full_lane_sender_is_woken_by_a_receiver_that_takes_one_at_a_time() {
    model::<2>(2, |net| {
        let (sender, mut receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let _open = sender.send(1, 1);
        receiver.receive();
        // It has taken one since its last look when the lane fills up.
        let _open = (sender.send(1, 2), sender.send(1, 3));
        let sending = thread::spawn(move || sender.send_or_wait(1, 4));
        thread::yield_now();
        receiver.receive_one();
        receiver.receive_one();
        assert!(sending.join().unwrap().settle().is_empty());
        assert_eq!(receiver.settle(false), [1, 2, 3, 4], "a parcel was overlooked");
    });
}

#[test]
fn full_lane_senders_of_two_cores_are_woken() {
    model::<2>(3, |net| {
        let mut receiver = Side::opened(net, 2);
        let sending = [0, 1].map(|me| {
            let sender = Side::opened(net, me);
            let _open = (sender.send(2, 10), sender.send(2, 11));
            thread::spawn(move || sender.send_or_wait(2, 12))
        });
        thread::yield_now();
        // One of one lane and the rest, so that no look falls on the last of a lane by chance.
        receiver.receive_one();
        receiver.receive();
        for sending in sending {
            assert!(sending.join().unwrap().settle().is_empty());
        }
        assert_eq!(receiver.settle(false), [10, 10, 11, 11, 12, 12], "a parcel was overlooked");
    });
}

#[test]
fn full_lane_sender_is_woken_by_a_receiver_that_closes() {
    model::<2>(2, |net| {
        let (sender, mut receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let _open = (sender.send(1, 1), sender.send(1, 2));
        let sending = thread::spawn(move || sender.send_or_wait(1, 3));
        receiver.end.close();
        receiver.receive();
        // The receiver is gone: what waits must have been told, or no one tells it.
        let mut all = sending.join().unwrap().settle();
        all.append(&mut receiver.received);
        all.sort();
        assert_eq!(all, [1, 2, 3], "a parcel was overlooked");
    });
}

#[test]
fn send_against_close_returns_or_delivers() {
    model::<1>(2, |net| {
        let (sender, mut receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let _open = sender.send(1, 6);
        let sending = thread::spawn(move || {
            let mut returned = Vec::new();
            // If it does not find room yet, the receiver is there to take what is in there.
            let Ok(()) = sender.end.push(1, held(0, 7)) else { return [7].to_vec() };
            if sender.end.publish(1) == Receiver::Closed {
                unload_all(sender.end.take_back(1), &mut returned);
            }
            returned
        });
        receiver.receive();
        receiver.end.close();
        receiver.receive();
        // The receiver is gone: whatever rings now, no one hears it.
        let mut returned = sending.join().unwrap();
        returned.append(&mut receiver.received);
        returned.sort();
        assert_eq!(returned, [6, 7], "a parcel was overlooked");
    });
}

#[test]
fn leave_stray_against_sleep_loses_no_reply() {
    model::<1>(3, |net| {
        let receiver = Side::opened(net, 2);
        let leaving = [0, 1].map(|me| {
            let side = Side::new(net, me);
            thread::spawn(move || side.end.leave_stray(2, held(2, me as u32)))
        });
        let sleeps = receiver.sleeps();
        for leaving in leaving {
            leaving.join().unwrap();
        }
        assert_eq!(receiver.settle(sleeps), [0, 1], "a parcel was overlooked");
    });
}

#[test]
fn leave_stray_against_receive_loses_no_reply() {
    model::<1>(3, |net| {
        let mut receiver = Side::opened(net, 2);
        let leaving = [0, 1].map(|me| {
            let side = Side::new(net, me);
            thread::spawn(move || side.end.leave_stray(2, held(2, me as u32)))
        });
        receiver.poll();
        for leaving in leaving {
            leaving.join().unwrap();
        }
        assert_eq!(receiver.settle(false), [0, 1], "a parcel was overlooked");
    });
}

// What the models must find out.
crate::prim::bugs! {
    without_release_a_parcel_is_not_there:
        a_batch_is_seen_whole with "lane: publish" as Relaxed
        says "Causality violation";
    without_acquire_a_parcel_is_not_there:
        a_batch_is_seen_whole with "lane: take" as Relaxed
        says "Causality violation";
    without_the_sender_s_fence_it_overlooks_a_sleeper:
        send_against_sleep_rings with "mesh: a sender looks for the receiver" as AcqRel
        says "a parcel was overlooked";
    without_a_look_at_the_lanes_a_sleeper_overlooks_a_parcel:
        send_against_sleep_rings without "park: owner looks at the lanes once more"
        says "a parcel was overlooked";
    without_release_a_task_is_known_before_its_vtable:
        send_against_open_and_sleep_rings with "mesh: open" as Relaxed
        says "a task was found whose base is not there";
    without_acquire_a_task_is_found_without_its_vtable:
        send_against_open_and_sleep_rings with "mesh: whom to wake" as Relaxed
        says "a task was found whose base is not there";
    without_the_sender_s_fence_it_waits_for_room_that_was_made:
        full_lane_sender_is_woken with "mesh: a sender waits for room" as AcqRel
        says "a sender waits in vain";
    without_the_receiver_s_fence_it_overlooks_a_sender_that_waits:
        full_lane_sender_is_woken with "mesh: room was made" as AcqRel
        says "a sender waits in vain";
    without_a_look_for_so_many_parcels_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_takes_one_at_a_time
        without "mesh: a look for so many parcels"
        says "a sender waits in vain";
    without_a_count_that_lasts_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_takes_one_at_a_time
        without "mesh: what was taken counts until the next look"
        says "a sender waits in vain";
    without_a_look_at_all_lanes_a_sender_waits_on:
        full_lane_senders_of_two_cores_are_woken without "mesh: a look for so many parcels"
        says "a sender waits in vain";
    without_a_look_behind_the_drain_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_closes
        without "mesh: a look behind the drain"
        says "a sender waits in vain";
    without_release_a_lane_is_taken_over_too_early:
        send_against_close_returns_or_delivers with "mesh: close" as Relaxed
        says "Causality violation";
    without_acquire_a_lane_is_taken_over_too_early:
        send_against_close_returns_or_delivers with "mesh: is it closed" as Relaxed
        says "Causality violation";
    without_the_receiver_s_fence_a_last_look_overlooks_a_parcel:
        send_against_close_returns_or_delivers with "mesh: a last look" as AcqRel
        says "a parcel was overlooked";
    without_acquire_a_drain_begins_before_the_last_has_ended:
        send_against_close_returns_or_delivers with "mesh: begin to drain" as Relaxed
        says "Causality violation";
    without_release_a_drain_begins_before_the_last_has_ended:
        send_against_close_returns_or_delivers with "mesh: end the drain" as Relaxed
        says "Causality violation";
    without_acquire_a_drain_that_goes_on_overlooks_a_parcel:
        send_against_close_returns_or_delivers with "mesh: drain again" as Relaxed
        says "a parcel was overlooked";
    without_a_look_back_a_parcel_stays_in_a_closed_lane:
        send_against_close_returns_or_delivers without "mesh: what no one receives is taken back"
        says "a parcel was overlooked";
    without_release_a_stray_is_not_there:
        leave_stray_against_receive_loses_no_reply with "mesh: leave a stray" as Relaxed
        says "Causality violation";
    without_acquire_strays_are_not_there:
        leave_stray_against_receive_loses_no_reply with "mesh: take the strays" as Relaxed
        says "Causality violation";
}
