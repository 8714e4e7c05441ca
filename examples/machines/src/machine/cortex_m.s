@ From reset to Rust, and where exceptions lead. The linker puts the end of the stack in front of
@ the table.

    .section .vectors, "a"
    .word reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0
    .word on_pend_sv, on_systick

    .section .text.reset, "ax"
    .globl reset
    .thumb_func
reset:
    @ Data goes from flash to where it belongs, and the rest of memory is zero.
    ldr r0, =data_start
    ldr r1, =data_end
    ldr r2, =data_in_flash
2:  cmp r0, r1
    bhs 3f
    ldm r2!, {r3}
    stm r0!, {r3}
    b 2b
3:  ldr r0, =bss_start
    ldr r1, =bss_end
    movs r3, #0
4:  cmp r0, r1
    bhs 5f
    stm r0!, {r3}
    b 4b
5:  bl first_core

    .thumb_func
fault:
    bl on_fault
