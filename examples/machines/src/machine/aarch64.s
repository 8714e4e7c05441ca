// From the loader, or the firmware, to Rust; and the way into the interrupt handler.

    .section .text.boot, "ax"
    .globl start
start:
    mov x0, #0
    // Other cores begin here, with their number.
    .globl start_other
start_other:
    // Atomics are for memory that is cached: the first GiB is devices, the second is memory.
    ldr x1, =translation
    msr ttbr0_el1, x1
    mov x1, #0xff00                 // kinds of memory: 0 is devices, 1 is cached
    msr mair_el1, x1
    ldr x1, =0x803520               // 32 bits, pages of 4 KiB, shared, one table
    msr tcr_el1, x1
    isb
    tlbi vmalle1
    dsb nsh
    mrs x1, sctlr_el1
    mov x2, #0x1005                 // translation, and both caches
    orr x1, x1, x2
    msr sctlr_el1, x1
    isb
    ldr x1, =vectors
    msr vbar_el1, x1
    ldr x1, =stacks
    add x2, x0, #1
    add x1, x1, x2, lsl #14         // 16 KiB each
    mov sp, x1
    cbnz x0, 2f
    bl first_core
2:  bl other_core

    // Of the sixteen only the sixth is expected: an interrupt of a core on its own stack.
    .balign 2048
vectors:
    .rept 5
    b fault
    .balign 128
    .endr
    b interrupt
    .rept 10
    .balign 128
    b fault
    .endr

fault:
    mrs x0, esr_el1
    mrs x1, elr_el1
    bl on_fault

// What a call may change is saved here, everything else by the handler, as by any function. Code
// for this target has no vector registers.
interrupt:
    sub sp, sp, #160
    stp x0, x1, [sp]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    bl on_device
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x30, [sp, #144]
    add sp, sp, #160
    eret

    .section .rodata
    .balign 4096
translation:
    .quad 0x0060000000000401        // devices; no code
    .quad 0x0000000040000705        // memory, shared by all cores
    .quad 0, 0

    .section .bss
    .balign 16
stacks:
    .space 4 * 16384
