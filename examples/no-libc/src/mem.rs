//! The memory functions that the compiler may call and libc would bring.
//!
//! The copies are string instructions: a loop in Rust could be compiled into a call of the very
//! function it implements. The comparison reads through `volatile` for the same reason.
//!
//! Invariant **C contract**: a caller passes what C's function of that name asks for: `n` bytes
//! that are readable, and writable where they are written.

use core::arch::asm;

/// Copies `n` bytes between places that do not overlap.
///
/// # Safety
///
/// C contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: C contract.
    unsafe { copy_up(to, from, n) };
    to
}

/// Copies `n` bytes between places that may overlap.
///
/// # Safety
///
/// C contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // Upwards is right unless `to` lies inside the source.
    if (to as usize).wrapping_sub(from as usize) >= n {
        // SAFETY: C contract.
        unsafe { copy_up(to, from, n) };
    } else {
        // SAFETY: C contract; `n` is not zero here, and both start at their last byte.
        unsafe { copy_down(to.add(n - 1), from.add(n - 1), n) };
    }
    to
}

/// Sets `n` bytes to the low byte of `value`.
///
/// # Safety
///
/// C contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, n: usize) -> *mut u8 {
    // SAFETY: C contract.
    unsafe {
        asm!("rep stosb", inout("rcx") n => _, inout("rdi") to => _, in("al") value as u8,
            options(nostack, preserves_flags))
    };
    to
}

/// Compares `n` bytes: negative, zero or positive.
///
/// # Safety
///
/// C contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    for i in 0..n {
        // SAFETY: C contract, and `i` is below `n`.
        let (x, y) = unsafe { (a.add(i).read_volatile(), b.add(i).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}

/// Compares `n` bytes for equality: zero or not.
///
/// # Safety
///
/// C contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    // SAFETY: C contract.
    unsafe { memcmp(a, b, n) }
}

/// # Safety
///
/// C contract; the first bytes are given.
unsafe fn copy_up(to: *mut u8, from: *const u8, n: usize) {
    // SAFETY: C contract. The direction flag is clear at every call, by the ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags))
    };
}

/// # Safety
///
/// C contract; the last bytes are given.
unsafe fn copy_down(to: *mut u8, from: *const u8, n: usize) {
    // SAFETY: C contract. The direction flag is set for this copy alone.
    unsafe {
        asm!("std", "rep movsb", "cld",
            inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack))
    };
}
