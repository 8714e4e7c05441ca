# From the loader to Rust: page tables, long mode, stacks; and the way into interrupt handlers.
#
# The loader finds the note (PVH, see xen/include/public/elfnote.h) and enters `first_start` in
# 32-bit protected mode with flat segments, paging and interrupts off. The second core is started
# by the first and enters `trampoline` in 16-bit real mode. Both meet in `long_mode`.

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18                  # sizes of name and description; XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad first_start

# --- The first core ------------------------------------------------------------------------------

    .section .text.boot, "ax"
    .code32
    .globl first_start
first_start:
    cli
    cld
    mov esp, offset first_stack_top

    # Virtual is physical for the first 4 GiB, in pages of 2 MiB, everything writable and
    # executable. The last of the four holds devices and is not cached.
    mov eax, offset level3 + 3      # 3: present, writable
    mov dword ptr [level4], eax
    mov eax, offset level2 + 3
    xor ecx, ecx
3:  mov dword ptr [level3 + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jne 3b
    mov eax, 0x83                   # 2 MiB page, present, writable
    xor ecx, ecx
4:  mov dword ptr [level2 + ecx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, 3 * 512
    jne 5f
    or eax, 0x18                    # cache disabled, write-through
5:  cmp ecx, 4 * 512
    jne 4b

    mov ebx, offset first_core
    jmp long_mode

# --- The second core -----------------------------------------------------------------------------

# Copied to a page below 1 MiB, and entered there with `cs` at its beginning.
    .code16
    .globl trampoline
    .globl trampoline_end
trampoline:
    jmp 2f
    .org trampoline + 8             # where `lgdt` below finds it
    .word gdt_end - gdt - 1
    .long gdt
2:  cli
    cld
    mov ax, cs
    mov ds, ax
    lgdt [8]                        # takes 24 bits of the address, which is below 16 MiB
    mov eax, cr0
    or eax, 1                       # protected mode
    mov cr0, eax
    .byte 0x66, 0xea                # jmp far 0x18:second_start
    .long second_start
    .word 0x18
trampoline_end:

    .code32
second_start:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, offset second_stack_top
    mov ebx, offset second_core_begins

# --- Both ----------------------------------------------------------------------------------------

# Switches to 64 bits on the stack in `esp` and calls the function in `ebx`.
long_mode:
    mov eax, offset level4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x620                   # PAE; OSFXSR and OSXMMEXCPT: compiled Rust uses SSE
    mov cr4, eax
    mov ecx, 0xc0000080             # EFER
    rdmsr
    or eax, 0x100                   # LME: long mode as soon as there is paging
    wrmsr
    mov eax, cr0
    and eax, 0x9ffffff3             # CD and NW, set by INIT, are off; so are TS and EM: SSE again
    or eax, 0x80000022              # PG, NE, MP
    mov cr0, eax
    lgdt [gdt_pointer]
    mov eax, offset in_long_mode
    push 0x08
    push eax
    retf                            # to 0x08:in_long_mode
    .code64
in_long_mode:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, esp                    # the upper halves are undefined after the switch
    mov ebx, ebx
    xor ebp, ebp                    # where backtraces end
    fninit
    call rbx
    ud2

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        # 0x08: code, 64-bit
    .quad 0x00cf93000000ffff        # 0x10: data
    .quad 0x00cf9b000000ffff        # 0x18: code, 32-bit, for the second core on its way
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

# --- Interrupts ----------------------------------------------------------------------------------

# The processor has switched to the stack that the gate names (IST) and pushed five words, so the
# 128 bytes below the interrupted stack pointer, the red zone, stay as they are. Nine registers
# that a call may change are saved here, with which the stack is aligned to 16 bytes again, and the
# SSE and x87 state. All others are saved by the handler, as by any function.
    .macro interrupt entry, handler
    .globl \entry
\entry:
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    sub rsp, 512
    fxsave64 [rsp]
    cld
    call \handler
    fxrstor64 [rsp]
    add rsp, 512
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    iretq
    .endm

    .section .text.interrupts, "ax"
    interrupt timer_entry, on_timer
    interrupt serial_entry, on_serial
    interrupt wake_entry, on_wake

# Raised when an interrupt goes away before it is delivered: nothing to do, nothing to acknowledge.
    .globl spurious_entry
spurious_entry:
    iretq

# Exceptions end the program, so nothing is saved. An entry is 16 bytes long.
    .balign 16
    .globl exception_entries
exception_entries:
    .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 16
    push \vector
    jmp exception
    .endr
    .irp vector, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .balign 16
    push \vector
    jmp exception
    .endr
exception:
    pop rdi                         # the vector
    mov rsi, rsp                    # what the processor pushed
    cld
    and rsp, -16
    call on_exception
    ud2

# --- Memory --------------------------------------------------------------------------------------

    .section .bss.boot, "aw", @nobits
    .balign 4096
first_stack:
    .skip 0x10000
first_stack_top:
second_stack:
    .skip 0x10000
second_stack_top:
level4:
    .skip 4096
level3:
    .skip 4096
level2:
    .skip 4 * 4096
