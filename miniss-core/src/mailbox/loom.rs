//! Models, each named for the race it rules out. They run the mesh that ships, over a lane with as
//! little ordering of its own as a lane may have.

use std::vec::Vec;

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use ::loom::cell::UnsafeCell;
use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use ::loom::thread;

use super::heap_mesh::Mesh;
use super::memory::Memory;
use super::mesh::Unsent;
use super::node::{CallVtable, Cargo, Chain, Held, Node, Typed};
use super::queue::Queue;
use crate::doorbell::Doorbell;
use crate::time::Instant;

/// A lane for one chain. Both sides look first, as rings do, and may see what is long past.
struct Narrow(AtomicPtr<Node>);

impl Narrow {
    fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }
}

// SAFETY: a chain leaves the place only by `pop`, which acquires what the push released.
unsafe impl Queue for Narrow {
    fn push(&self, chain: Chain) -> Result<(), Chain> {
        // Acquire: room is there when the one who made it is done.
        if !self.0.load(Ordering::Acquire).is_null() {
            return Err(chain);
        }
        self.0.store(chain.into_head().as_ptr(), Ordering::Release);
        Ok(())
    }

    fn pop(&self) -> Option<Chain> {
        let head = NonNull::new(self.0.load(Ordering::Relaxed))?;
        // At the end of a core's life, both sides pop.
        let (null, ordering) = (core::ptr::null_mut(), Ordering::AcqRel);
        let taken = self.0.compare_exchange(head.as_ptr(), null, ordering, Ordering::Relaxed);
        taken.is_ok().then(|| Chain::new(head))
    }
}

/// Never rung: no executor is in the models.
struct Unused;

// SAFETY: `is_home` keeps its default.
unsafe impl Doorbell for Unused {
    fn ring(&self) {}
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

/// A task's place in the inbox: set by wakes, cleared by the poll that they lead to.
struct Bell(AtomicBool);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false)))
    }

    /// A waker that owns nothing, like those of tasks; the model keeps the bell.
    fn waker(&self) -> Waker {
        fn clone(data: *const ()) -> RawWaker {
            RawWaker::new(data, &VTABLE)
        }
        fn wake(data: *const ()) {
            // SAFETY: the model keeps the bell.
            unsafe { &*data.cast::<Bell>() }.0.swap(true, Ordering::AcqRel);
        }
        static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| ());
        // SAFETY: as above.
        unsafe { Waker::new(core::ptr::from_ref(self).cast(), &VTABLE) }
    }

    fn was_rung(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
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

fn chain(from: u32, number: u32) -> Chain {
    Chain::new(held(from, number).0)
}

/// Reads and destroys what a chain carries.
fn unload(chain: Chain, numbers: &mut Vec<u32>) {
    let mut unload = |held: Held| {
        assert_eq!(held.node().cargo.get(), Cargo::Work);
        // SAFETY: *One holder*: it is us, and the cargo is work of this type.
        let load = unsafe { Typed::<Load, Load>::take_work(&held) };
        // SAFETY: ours alone.
        numbers.push(load.0.with(|place| unsafe { *place }));
        held.destroy();
    };
    chain.for_each(&mut unload, |held| held.destroy());
}

/// One core's end, as its task uses it.
struct End {
    mesh: Arc<Mesh<Unused, Narrow>>,
    me: usize,
    bell: Arc<Bell>,
    is_open: bool,
    received: Vec<u32>,
}

impl End {
    fn new(mesh: &Arc<Mesh<Unused, Narrow>>, me: usize) -> Self {
        let (mesh, bell) = (mesh.clone(), Bell::new());
        Self { mesh, me, bell, is_open: false, received: Vec::new() }
    }

    fn opened(mesh: &Arc<Mesh<Unused, Narrow>>, me: usize) -> Self {
        let mut end = Self::new(mesh, me);
        end.poll();
        end
    }

    /// What the endpoint's task does when it is polled.
    fn poll(&mut self) {
        if !self.is_open {
            self.is_open = true;
            // SAFETY: the model opens each end once at a time, and keeps the bell.
            unsafe { self.mesh.lanes().open(self.me, &self.bell.waker()) };
            self.mesh.lanes().look_everywhere(self.me);
        }
        if self.mesh.lanes().has_mail(self.me) {
            let received = &mut self.received;
            self.mesh.lanes().receive(self.me, |chain| unload(chain, received));
        }
    }

    /// Polls if a wake asks for it.
    fn turn(&mut self) -> bool {
        let was_rung = self.bell.was_rung();
        if was_rung {
            self.poll();
        }
        was_rung
    }

    /// Polls as often as wakes ask for it, now that the others are done.
    fn settle(mut self) -> Vec<u32> {
        while self.turn() {}
        self.received.sort();
        self.received
    }

    fn send(&self, to: usize, number: u32) -> Result<(), Unsent> {
        self.mesh.lanes().send(self.me, to, chain(self.me as u32, number))
    }
}

fn mesh(cores: usize) -> Arc<Mesh<Unused, Narrow>> {
    Arc::new(Mesh::new(cores, Narrow::new))
}

#[test]
fn send_against_drain_overlooks_no_chain() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (sender, mut receiver) = (End::opened(&mesh, 0), End::opened(&mesh, 1));
        let sending = thread::spawn(move || {
            (1..=2).filter(|number| sender.send(1, *number).is_ok()).collect::<Vec<_>>()
        });
        receiver.turn();
        receiver.turn();
        let sent = sending.join().unwrap();
        assert_eq!(receiver.settle(), sent, "a chain was overlooked");
    });
}

#[test]
fn send_of_two_cores_against_drain_overlooks_no_chain() {
    ::loom::model(|| {
        let mesh = mesh(3);
        let mut receiver = End::opened(&mesh, 2);
        let sending = [0, 1].map(|me| {
            let sender = End::new(&mesh, me);
            thread::spawn(move || assert!(sender.send(2, me as u32).is_ok()))
        });
        receiver.turn();
        for sending in sending {
            sending.join().unwrap();
        }
        assert_eq!(receiver.settle(), [0, 1], "a chain was overlooked");
    });
}

#[test]
fn send_against_open_overlooks_no_chain() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (sender, mut receiver) = (End::new(&mesh, 0), End::new(&mesh, 1));
        let sending = thread::spawn(move || assert!(sender.send(1, 7).is_ok()));
        receiver.poll();
        receiver.turn();
        sending.join().unwrap();
        assert_eq!(receiver.settle(), [7], "a chain was overlooked");
    });
}

#[test]
fn send_against_a_successor_that_opens_overlooks_no_chain() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (sender, former) = (End::new(&mesh, 0), End::opened(&mesh, 1));
        let sending = thread::spawn(move || assert!(sender.send(1, 7).is_ok()));
        let mut receiver = End::new(&mesh, 1);
        receiver.poll();
        receiver.turn();
        sending.join().unwrap();
        assert_eq!(receiver.settle(), [7], "a chain was overlooked");
        drop(former);
    });
}

#[test]
fn full_lane_sender_is_woken() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (mut sender, mut receiver) = (End::opened(&mesh, 0), End::opened(&mesh, 1));
        assert!(sender.send(1, 1).is_ok());
        let sending = thread::spawn(move || {
            let unsent = sender.send(1, 2).err();
            (sender, unsent)
        });
        receiver.turn();
        let (sender_again, unsent) = sending.join().unwrap();
        sender = sender_again;
        if let Some(unsent) = unsent {
            let Unsent::Full(chain) = unsent else { panic!("the receiver lives") };
            assert!(!sender.turn() || sender.mesh.lanes().send(0, 1, chain).is_ok());
        }
        assert_eq!(receiver.settle(), [1, 2], "a chain was overlooked");
    });
}

#[test]
fn send_against_close_returns_or_delivers() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (sender, mut receiver) = (End::opened(&mesh, 0), End::opened(&mesh, 1));
        let sending = thread::spawn(move || {
            let mut returned = Vec::new();
            match sender.send(1, 7) {
                Ok(()) => sender.mesh.lanes().take_back(0, 1, |chain| unload(chain, &mut returned)),
                Err(Unsent::Closed(chain)) => unload(chain, &mut returned),
                Err(Unsent::Full(_)) => panic!("the lane was empty"),
            }
            returned
        });
        mesh.lanes().close(1);
        receiver.poll();
        // The receiver is gone: whatever rings now, nobody hears it.
        let returned = sending.join().unwrap();
        assert_eq!([receiver.received, returned].concat(), [7], "a chain was overlooked");
    });
}

#[test]
fn leave_stray_against_receive_loses_no_reply() {
    ::loom::model(|| {
        let mesh = mesh(3);
        let mut receiver = End::opened(&mesh, 2);
        let leaving = [0, 1].map(|me| {
            let mesh = mesh.clone();
            thread::spawn(move || mesh.lanes().leave_stray(me, 2, held(2, me as u32)))
        });
        receiver.turn();
        for leaving in leaving {
            leaving.join().unwrap();
        }
        assert_eq!(receiver.settle(), [0, 1], "a chain was overlooked");
    });
}

#[test]
fn send_against_a_poll_for_another_reason_overlooks_no_chain() {
    ::loom::model(|| {
        let mesh = mesh(2);
        let (sender, mut receiver) = (End::opened(&mesh, 0), End::opened(&mesh, 1));
        let receiving = thread::spawn(move || {
            // Not led here by the wake that follows the bit, which may come later.
            receiver.poll();
            receiver
        });
        assert!(sender.send(1, 7).is_ok());
        receiver = receiving.join().unwrap();
        assert_eq!(receiver.settle(), [7], "a chain was overlooked");
    });
}

// What the models must find out.
crate::prim::bugs! {
    without_release_a_bit_is_raised_over_an_empty_lane:
        send_against_a_poll_for_another_reason_overlooks_no_chain
        with "mesh: raise a bit" as Acquire
        says "a chain was overlooked";
    without_acquire_a_bit_leads_to_an_empty_lane:
        send_against_a_poll_for_another_reason_overlooks_no_chain
        with "mesh: take the bits" as Relaxed
        says "a chain was overlooked";
    without_acquire_a_bit_raised_too_late_overlooks_that_the_port_is_open:
        send_against_open_overlooks_no_chain with "mesh: raise a bit" as Release
        says "a chain was overlooked";
    without_acquire_a_bit_raised_too_late_overlooks_that_the_port_is_closed:
        send_against_close_returns_or_delivers with "mesh: raise a bit" as Release
        says "a chain was overlooked";
    without_release_a_look_everywhere_comes_before_the_port_is_open:
        send_against_open_overlooks_no_chain with "mesh: look everywhere" as Relaxed
        says "a chain was overlooked";
    without_release_a_look_everywhere_comes_before_the_port_is_closed:
        send_against_close_returns_or_delivers with "mesh: look everywhere" as Relaxed
        says "a chain was overlooked";
    without_the_bits_that_are_there_a_look_everywhere_overlooks_a_chain:
        send_against_open_overlooks_no_chain without "mesh: a look everywhere hides no bit"
        says "a chain was overlooked";
    without_release_a_task_is_known_before_its_vtable:
        send_against_open_overlooks_no_chain with "mesh: open" as Relaxed
        says "a task was woken whose vtable is not there";
    without_acquire_a_task_is_woken_without_its_vtable:
        send_against_open_overlooks_no_chain with "mesh: whom to wake" as Relaxed
        says "a task was woken whose vtable is not there";
    without_the_sender_s_fence_it_waits_for_room_that_was_made:
        full_lane_sender_is_woken with "mesh: a sender waits for room" as AcqRel
        says "a chain was overlooked";
    without_the_receiver_s_fence_it_overlooks_a_sender_that_waits:
        full_lane_sender_is_woken with "mesh: room was made" as AcqRel
        says "a chain was overlooked";
    without_a_look_back_a_chain_stays_in_a_closed_lane:
        send_against_close_returns_or_delivers without "mesh: what nobody receives is taken back"
        says "a chain was overlooked";
    without_release_a_stray_is_not_there:
        leave_stray_against_receive_loses_no_reply with "mesh: leave a stray" as Relaxed
        says "Causality violation";
    without_acquire_strays_are_not_there:
        leave_stray_against_receive_loses_no_reply with "mesh: take the strays" as Relaxed
        says "Causality violation";
}
