//! Where interrupts lead, and the stacks on which they are served.
//!
//! `device, timer, unparker ─▶ [gate] ─▶ boot.s ─▶ handler`
//!
//! Code for the host's target, the precompiled `core` included, keeps locals in the *red zone*, the
//! 128 bytes below the stack pointer. An interrupt on the same stack would overwrite them. So every
//! gate names a stack of its own (IST), which the processor switches to. Gates keep interrupts off,
//! so one such stack a core is enough; exceptions have another, for one may come in a handler.
//!
//! # Invariants
//!
//! *Bare core*, see the crate, and
//!
//! - **Own tables.** Each core's entry of [`TABLES`] is written by that core, once, before it loads
//!   it, and only the processor uses it from then on. The gates are written by the first core
//!   before it starts the second.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::mem::size_of;

use crate::apic::Vector;
use crate::end::{Status, end};
use crate::println;

/// Cores that there is room for.
const CORES: usize = 2;
const STACK_BYTES: usize = 16 * 1024;

/// Selectors: places in a segment table. Code and data are as in `boot.s`.
const CODE: u16 = 0x08;
const TASK: u16 = 0x18;
const CODE_SEGMENT: u64 = 0x00af_9b00_0000_ffff;
const DATA_SEGMENT: u64 = 0x00cf_9300_0000_ffff;
/// Present, a 64-bit task segment.
const TASK_SEGMENT: u64 = 0x89 << 40;
/// Present, ring 0, keeps interrupts off.
const GATE: u64 = 0x8e << 40;

/// Which of its stacks the processor switches to, counted from 1.
const INTERRUPT_STACK: u64 = 1;
const EXCEPTION_STACK: u64 = 2;

const EXCEPTIONS: usize = 32;
/// The exceptions for which the processor pushes an error code, a bit for each.
const WITH_ERROR_CODE: u32 = 0x6022_7d00;

#[repr(C, align(16))]
struct Stack([u8; STACK_BYTES]);

/// The task segment: in 64-bit mode, little but a list of stacks.
#[repr(C, packed(4))]
struct Task {
    reserved: [u32; 9],
    stacks: [u64; 7],
    reserved_too: [u16; 5],
    /// Where the I/O permissions begin: behind the end, for there are none.
    io_map: u16,
}

const _: () = assert!(size_of::<Task>() == 104, "as the processor reads it");

#[repr(C)]
struct Core {
    segments: [u64; 5],
    task: Task,
    interrupt_stack: Stack,
    exception_stack: Stack,
}

/// What `lgdt` and `lidt` read.
#[repr(C, packed)]
struct Table {
    limit: u16,
    address: u64,
}

struct Shared<T>(UnsafeCell<T>);

// SAFETY: *Own tables*.
unsafe impl<T> Sync for Shared<T> {}

/// All zero until they are loaded, so that they take no room in the image.
static TABLES: [Shared<Core>; CORES] = [const { Shared(UnsafeCell::new(Core::ZERO)) }; CORES];
/// Two words for each vector. What has no gate is never raised.
static GATES: Shared<[[u64; 2]; 256]> = Shared(UnsafeCell::new([[0; 2]; 256]));

// SAFETY: `boot.s` defines them. They are code: addresses to be put in gates.
unsafe extern "C" {
    static timer_entry: u8;
    static serial_entry: u8;
    static wake_entry: u8;
    static spurious_entry: u8;
    static exception_entries: [[u8; 16]; EXCEPTIONS];
}

impl Core {
    const ZERO: Self = Self {
        segments: [0; 5],
        task: Task { reserved: [0; 9], stacks: [0; 7], reserved_too: [0; 5], io_map: 0 },
        interrupt_stack: Stack([0; STACK_BYTES]),
        exception_stack: Stack([0; STACK_BYTES]),
    };
}

/// Fills the gates. Called once, by the first core.
pub(crate) fn open_gates() {
    let gates = GATES.0.get().cast::<[u64; 2]>();
    let open = |vector: usize, entry: u64, stack: u64| {
        let low = entry & 0xffff | u64::from(CODE) << 16 | stack << 32 | GATE;
        let gate = [low | (entry >> 16 & 0xffff) << 48, entry >> 32];
        // SAFETY: *Own tables*; a vector is below 256.
        unsafe { gates.add(vector).write(gate) };
    };
    let entries = &raw const exception_entries;
    for vector in 0..EXCEPTIONS {
        open(vector, entries as u64 + 16 * vector as u64, EXCEPTION_STACK);
    }
    let interrupts = [
        (Vector::Timer, &raw const timer_entry),
        (Vector::Serial, &raw const serial_entry),
        (Vector::Unpark, &raw const wake_entry),
        (Vector::Spurious, &raw const spurious_entry),
    ];
    for (vector, entry) in interrupts {
        open(vector as usize, entry as u64, INTERRUPT_STACK);
    }
}

/// Fills and loads the tables of the core that this is called on, which is `core`. Called once on
/// each.
pub(crate) fn load(core: usize) {
    let tables = TABLES[core].0.get();
    // SAFETY: *Own tables*; the pointers stay inside the static.
    let (task, interrupt, exception) = unsafe {
        (
            &raw mut (*tables).task,
            (&raw const (*tables).interrupt_stack).add(1),
            (&raw const (*tables).exception_stack).add(1),
        )
    };
    let Core { task: mut filled, .. } = Core::ZERO;
    // Stacks grow down: a stack is named by its end.
    filled.stacks = [interrupt as u64, exception as u64, 0, 0, 0, 0, 0];
    filled.io_map = size_of::<Task>() as u16;
    let segments = [0, CODE_SEGMENT, DATA_SEGMENT, task_segment(task as u64), task as u64 >> 32];
    // SAFETY: *Own tables*: the processor does not use them yet.
    unsafe {
        task.write(filled);
        (&raw mut (*tables).segments).write(segments);
    }
    let segments = Table { limit: size_of_val(&segments) as u16 - 1, address: tables as u64 };
    let gates = Table { limit: 256 * 16 - 1, address: GATES.0.get() as u64 };
    // SAFETY: *Bare core*. The tables are filled and `'static`. Code and data segments are what
    // they were in the table of `boot.s`, so none need be loaded again.
    unsafe {
        asm!("lgdt [{}]", in(reg) &raw const segments, options(nostack));
        asm!("ltr {:x}", in(reg) TASK, options(nostack));
        asm!("lidt [{}]", in(reg) &raw const gates, options(nostack));
    }
}

/// The lower word of the descriptor of a task segment at `address`.
fn task_segment(address: u64) -> u64 {
    let limit = size_of::<Task>() as u64 - 1;
    TASK_SEGMENT | limit | (address & 0xff_ffff) << 16 | (address >> 24 & 0xff) << 56
}

/// Called by `boot.s`: no exception is expected here.
///
/// # Safety
///
/// `frame` is what the processor pushed.
#[unsafe(no_mangle)]
unsafe extern "C" fn on_exception(vector: u32, frame: *const u64) -> ! {
    let has_code = WITH_ERROR_CODE >> vector & 1;
    // SAFETY: the processor pushed an error code, for these, and then at least the address of the
    // instruction.
    let (code, address) = unsafe { (frame.read(), frame.add(has_code as usize).read()) };
    match has_code {
        0 => println!("exception {vector} at {address:#x}"),
        _ => println!("exception {vector} ({code:#x}) at {address:#x}"),
    }
    end(Status::Failed)
}
