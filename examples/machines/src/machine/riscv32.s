# From reset to Rust, and the way into the interrupt handler. All cores start here.

    .section .text.boot, "ax"
    .globl start
start:
    csrr a0, mhartid
    la sp, stacks
    addi t0, a0, 1
    slli t0, t0, 14                 # 16 KiB each
    add sp, sp, t0
    la t0, trap
    csrw mtvec, t0
    li t0, 0x88                     # software and timer
    csrw mie, t0
    bnez a0, 2f
    csrsi mstatus, 8                # they may come
    call first_core
2:  wfi                             # until the first core interrupts this one
    csrr t0, mip
    andi t0, t0, 8
    beqz t0, 2b
    csrsi mstatus, 8
    call other_core

    # What a call may change is saved here, everything else by the handler, as by any function.
    .balign 4
trap:
    addi sp, sp, -64
    .irp place, 0, 1, 2, 3, 4, 5, 6
    sw t\place, 4 * \place(sp)
    .endr
    .irp place, 0, 1, 2, 3, 4, 5, 6, 7
    sw a\place, 28 + 4 * \place(sp)
    .endr
    sw ra, 60(sp)
    csrr a0, mcause
    call on_trap
    .irp place, 0, 1, 2, 3, 4, 5, 6
    lw t\place, 4 * \place(sp)
    .endr
    .irp place, 0, 1, 2, 3, 4, 5, 6, 7
    lw a\place, 28 + 4 * \place(sp)
    .endr
    lw ra, 60(sp)
    addi sp, sp, 64
    mret

    .section .bss
    .balign 16
stacks:
    .space 4 * 16384
