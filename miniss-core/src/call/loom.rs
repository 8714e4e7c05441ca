//! Models, each named for the race it rules out. They run the mesh that ships, with the lanes that
//! ship, and the handshake of parking.

use std::boxed::Box;
use std::vec::Vec;

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use ::loom::cell::UnsafeCell;
use ::loom::sync::atomic::{AtomicBool, Ordering};
use ::loom::thread;

use super::heap_mesh::Mesh;
use super::lane::Lane;
use super::memory::Memory;
use super::node::{CallVtable, Chain, Content, Message, Typed};
use super::peer::{PeerState, Peers};
use crate::ExecutorCell;
use crate::executor::budget::{Allowance, Budget, Stride};
use crate::executor::cell::OwnerState;
use crate::executor::watch::Watch;
use crate::reactor::Idle;
use crate::reactor::{Clock, Unpark};
use crate::time::Instant;
use crate::timer::Wheel;

/// Whether it was called since that was last asked for.
struct Unparker(AtomicBool);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Unparker {
    fn unpark(&self) {
        self.0.swap(true, Ordering::AcqRel);
    }
}

impl Clock for Unparker {
    type Timers = Wheel;

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

/// Some cores and the mesh between them, whose lanes hold `N` messages each.
struct Net<const N: usize> {
    mesh: Mesh<Unparker, N>,
    cores: Vec<Core>,
}

/// Runs `body` with a net that lives until all its threads are joined.
fn model<const N: usize>(cores: usize, body: impl Fn(&'static Net<N>) + Send + Sync + 'static) {
    ::loom::model(move || {
        let core = |_| ExecutorCell::new(Unparker(AtomicBool::new(false)));
        let mesh = Mesh::new(cores);
        let net = Net { mesh, cores: (0..cores).map(core).collect() };
        let net = Box::into_raw(Box::new(net));
        // SAFETY: freed below, when the body has joined its threads and dropped its ends.
        body(unsafe { &*net });
        // SAFETY: made above.
        drop(unsafe { Box::from_raw(net) });
    });
}

/// What a call carries: loom checks that the write happens before each read.
struct Load(UnsafeCell<u32>);

// SAFETY: that the accesses are ordered is what the models check.
unsafe impl Send for Load {}

const VTABLE: CallVtable =
    CallVtable::new::<Load, Load>(|_, _| unreachable!("nothing is served here"));

/// A call of core `from`.
fn message(from: u16, number: u32) -> Message {
    let memory = Memory::heap().take(VTABLE.layout).expect("there is memory");
    let work = Load(UnsafeCell::new(0));
    work.0.with_mut(|place| {
        // SAFETY: ours alone.
        unsafe { *place = number };
    });
    // SAFETY: fresh memory of this layout.
    unsafe { Typed::<Load, Load>::write(memory, work, (from, 0), &VTABLE) }
}

/// Reads and destroys what a node carries.
fn unload(message: Message, numbers: &mut Vec<u32>) {
    assert_eq!(message.node().content.get(), Content::Work);
    // SAFETY: *One holder*: it is us, and the content is work of this type.
    let load = unsafe { Typed::<Load, Load>::take_work(&message) };
    // SAFETY: ours alone.
    numbers.push(load.0.with(|place| unsafe { *place }));
    message.destroy();
}

fn unload_all(chain: Chain, numbers: &mut Vec<u32>) {
    chain.for_each(|message| unload(message, numbers));
}

/// One core's side of the mesh, as its task and its executor use it.
struct Side<const N: usize> {
    core: &'static Core,
    peers: Box<Peers<'static, N>>,
    watch: Box<Watch>,
    received: Vec<u32>,
}

impl<const N: usize> Side<N> {
    fn new(net: &'static Net<N>, me: usize) -> Self {
        let peers = Box::new(net.mesh.claim(me));
        let watch = Box::new(Watch::new(look::<N>, send_nothing));
        Self { core: &net.cores[me], peers, watch, received: Vec::new() }
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
        unsafe { self.peers.open(&waker(self.core), self.core.shared()) };
        let place = NonNull::from(&*self.peers).cast();
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

    /// Takes one message, as the task does when its budget is spent with that.
    fn receive_one(&mut self) {
        self.receive_within(Budget { polls_max: 1, ..Budget::UNLIMITED });
    }

    fn receive_within(&mut self, budget: Budget) {
        let received = &mut self.received;
        self.peers.collect(|message| unload(message, received));
        let stride = Stride::begun();
        let mut allowance = Allowance::new(budget, &stride, || Instant::ZERO);
        self.peers.receive(&mut allowance, |message| unload(message, received));
    }

    /// Falls asleep, unless there is something.
    fn sleeps(&self) -> bool {
        Idle::new(self.core.shared(), self.owner()).confirmed()
    }

    /// Polls as long as there is something, now that the others are done. If it has slept, its
    /// unparker must have ended that.
    fn settle(mut self, slept: bool) -> Vec<u32> {
        assert!(
            !slept || self.was_unparked() || !self.peers.has_messages(),
            "a message was overlooked"
        );
        while self.peers.has_messages() {
            self.poll();
        }
        self.received.sort();
        core::mem::take(&mut self.received)
    }

    fn was_unparked(&self) -> bool {
        unparker(self.core).0.swap(false, Ordering::AcqRel)
    }

    fn send(&self, to: usize, number: u32) -> PeerState {
        let pushed = self.peers.push(to, message(self.peers.me() as u16, number));
        assert!(pushed.is_ok(), "there is room");
        self.peers.publish(to)
    }

    /// Sends one more than there may be room for, and waits for that if need be.
    fn send_or_wait(self, to: usize, number: u32) -> Sent<N> {
        let mut sent =
            Sent { number, to, returned: Vec::new(), unsent: None, waits: false, side: self };
        sent.unsent = sent.side.peers.push(to, message(sent.side.peers.me() as u16, number)).err();
        if sent.side.peers.publish(to) == PeerState::Closed {
            unload_all(sent.side.peers.take_back(to), &mut sent.returned);
        } else if sent.unsent.is_some() {
            sent.waits = !sent.side.peers.wait_for_room(to);
        }
        sent
    }
}

/// What has become of a message that may have found no room.
struct Sent<const N: usize> {
    side: Side<N>,
    number: u32,
    to: usize,
    unsent: Option<Message>,
    waits: bool,
    /// What has not been received by a core that has closed.
    returned: Vec<u32>,
}

impl<const N: usize> Sent<N> {
    /// Sends what is left, now that the receiver is done. Gives what has come back.
    fn settle(mut self) -> Vec<u32> {
        assert!(!self.waits || self.side.was_unparked(), "a sender waits in vain");
        if let Some(message) = self.unsent.take() {
            let pushed = self.side.peers.push(self.to, message);
            assert!(pushed.is_ok(), "there is room now for {}", self.number);
        }
        if self.side.peers.publish(self.to) == PeerState::Closed {
            unload_all(self.side.peers.take_back(self.to), &mut self.returned);
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
    unsafe { place.cast::<Peers<'static, N>>().as_ref() }.has_messages()
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
        assert_eq!(receiver.settle(false), [1], "a message was overlooked");
    });
}

#[test]
fn a_batch_is_seen_whole() {
    ::loom::model(|| {
        let lane = ::loom::sync::Arc::new(Lane::<2>::new());
        let sent = lane.clone();
        let sending = thread::spawn(move || {
            for number in 1..=2 {
                // SAFETY: *One at each end*: the sender is us.
                assert!(unsafe { sent.push(message(0, number)) }.is_ok());
            }
            // SAFETY: as above.
            unsafe { sent.publish() };
        });
        let mut numbers = Vec::new();
        let mut receive = || {
            // SAFETY: *One at each end*: the receiver is us.
            while let Some(message) = unsafe { lane.pop() } {
                unload(message, &mut numbers);
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
fn send_against_sleep_wakes() {
    model::<1>(2, |net| {
        let (sender, receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let sending = thread::spawn(move || {
            let _open = sender.send(1, 7);
        });
        let sleeps = receiver.sleeps();
        sending.join().unwrap();
        assert_eq!(receiver.settle(sleeps), [7], "a message was overlooked");
    });
}

#[test]
fn send_of_two_cores_against_sleep_wakes() {
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
        assert_eq!(receiver.settle(sleeps), [0, 1], "a message was overlooked");
    });
}

#[test]
fn send_against_open_and_sleep_wakes() {
    model::<1>(2, |net| {
        let (sender, receiver) = (Side::new(net, 0), Side::new(net, 1));
        let sending = thread::spawn(move || {
            let _open = sender.send(1, 7);
        });
        receiver.open();
        let sleeps = receiver.sleeps();
        sending.join().unwrap();
        assert_eq!(receiver.settle(sleeps), [7], "a message was overlooked");
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
        assert_eq!(receiver.settle(false), [1, 2], "a message was overlooked");
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
        assert_eq!(receiver.settle(false), [1, 2, 3, 4], "a message was overlooked");
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
        assert_eq!(receiver.settle(false), [10, 10, 11, 11, 12, 12], "a message was overlooked");
    });
}

#[test]
fn full_lane_sender_is_woken_by_a_receiver_that_closes() {
    model::<2>(2, |net| {
        let (sender, mut receiver) = (Side::opened(net, 0), Side::opened(net, 1));
        let _open = (sender.send(1, 1), sender.send(1, 2));
        let sending = thread::spawn(move || sender.send_or_wait(1, 3));
        receiver.peers.close();
        receiver.receive();
        // The receiver is gone: what waits must have been told, or no one tells it.
        let mut all = sending.join().unwrap().settle();
        all.append(&mut receiver.received);
        all.sort();
        assert_eq!(all, [1, 2, 3], "a message was overlooked");
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
            let Ok(()) = sender.peers.push(1, message(0, 7)) else { return [7].to_vec() };
            if sender.peers.publish(1) == PeerState::Closed {
                unload_all(sender.peers.take_back(1), &mut returned);
            }
            returned
        });
        receiver.receive();
        receiver.peers.close();
        receiver.receive();
        // The receiver is gone: to wake it now is in vain.
        let mut returned = sending.join().unwrap();
        returned.append(&mut receiver.received);
        returned.sort();
        assert_eq!(returned, [6, 7], "a message was overlooked");
    });
}

#[test]
fn leave_late_reply_against_sleep_loses_no_reply() {
    model::<1>(3, |net| {
        let receiver = Side::opened(net, 2);
        let leaving = [0, 1].map(|me| {
            let side = Side::new(net, me);
            thread::spawn(move || side.peers.leave_late_reply(2, message(2, me as u32)))
        });
        let sleeps = receiver.sleeps();
        for leaving in leaving {
            leaving.join().unwrap();
        }
        assert_eq!(receiver.settle(sleeps), [0, 1], "a message was overlooked");
    });
}

#[test]
fn leave_late_reply_against_receive_loses_no_reply() {
    model::<1>(3, |net| {
        let mut receiver = Side::opened(net, 2);
        let leaving = [0, 1].map(|me| {
            let side = Side::new(net, me);
            thread::spawn(move || side.peers.leave_late_reply(2, message(2, me as u32)))
        });
        receiver.poll();
        for leaving in leaving {
            leaving.join().unwrap();
        }
        assert_eq!(receiver.settle(false), [0, 1], "a message was overlooked");
    });
}

// What the models must find out.
crate::prim::bugs! {
    without_release_a_message_is_not_there:
        a_batch_is_seen_whole with "lane: publish" as Relaxed
        says "Causality violation";
    without_acquire_a_message_is_not_there:
        a_batch_is_seen_whole with "lane: take" as Relaxed
        says "Causality violation";
    without_the_sender_s_fence_it_overlooks_a_sleeper:
        send_against_sleep_wakes with "peer: a sender looks for the receiver" as AcqRel
        says "a message was overlooked";
    without_a_look_at_the_lanes_a_sleeper_overlooks_a_message:
        send_against_sleep_wakes without "park: owner looks at the lanes once more"
        says "a message was overlooked";
    without_release_a_task_is_known_before_its_vtable:
        send_against_open_and_sleep_wakes with "peer: open" as Relaxed
        says "a task was found whose cell is not there";
    without_acquire_a_task_is_found_without_its_vtable:
        send_against_open_and_sleep_wakes with "peer: which task to wake" as Relaxed
        says "a task was found whose cell is not there";
    without_the_sender_s_fence_it_waits_for_room_that_was_made:
        full_lane_sender_is_woken with "lane: a sender waits for room" as AcqRel
        says "a sender waits in vain";
    without_the_receiver_s_fence_it_overlooks_a_sender_that_waits:
        full_lane_sender_is_woken with "peer: room was made" as AcqRel
        says "a sender waits in vain";
    without_a_look_for_so_many_messages_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_takes_one_at_a_time
        without "peer: a look for so many messages"
        says "a sender waits in vain";
    without_a_count_that_lasts_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_takes_one_at_a_time
        without "peer: what was taken counts until the next look"
        says "a sender waits in vain";
    without_a_look_at_all_lanes_a_sender_waits_on:
        full_lane_senders_of_two_cores_are_woken without "peer: a look for so many messages"
        says "a sender waits in vain";
    without_a_look_after_the_drain_a_sender_waits_on:
        full_lane_sender_is_woken_by_a_receiver_that_closes
        without "peer: a look after the drain"
        says "a sender waits in vain";
    without_release_a_lane_is_taken_over_too_early:
        send_against_close_returns_or_delivers with "peer: close" as Relaxed
        says "Causality violation";
    without_acquire_a_lane_is_taken_over_too_early:
        send_against_close_returns_or_delivers with "peer: is it closed" as Relaxed
        says "Causality violation";
    without_the_receiver_s_fence_a_last_look_overlooks_a_message:
        send_against_close_returns_or_delivers with "peer: a last look" as AcqRel
        says "a message was overlooked";
    without_acquire_a_drain_begins_before_the_last_has_ended:
        send_against_close_returns_or_delivers with "lane: begin to drain" as Relaxed
        says "Causality violation";
    without_release_a_drain_begins_before_the_last_has_ended:
        send_against_close_returns_or_delivers with "lane: end the drain" as Relaxed
        says "Causality violation";
    without_acquire_a_drain_that_goes_on_overlooks_a_message:
        send_against_close_returns_or_delivers with "lane: drain again" as Relaxed
        says "a message was overlooked";
    without_a_look_back_a_message_stays_in_a_closed_lane:
        send_against_close_returns_or_delivers without "peer: what no one receives is taken back"
        says "a message was overlooked";
    without_release_a_late_reply_is_not_there:
        leave_late_reply_against_receive_loses_no_reply with "peer: leave a late reply" as Relaxed
        says "Causality violation";
    without_acquire_late_replies_are_not_there:
        leave_late_reply_against_receive_loses_no_reply with "peer: take late replies" as Relaxed
        says "Causality violation";
}
