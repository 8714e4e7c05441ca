//! Serves a file system of FUSE whose contents hang, for [`miniss_tests::hung`].
//!
//! Its standard input is the device. To its standard output it writes a byte for each request that
//! it will never answer. It ends with the file system, or with the thread that started it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// The numbers of requests, as in the kernel's `fuse.h`.
mod opcode {
    pub(super) const LOOKUP: u32 = 1;
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const WRITE: u32 = 16;
    pub(super) const STATFS: u32 = 17;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const FSYNC: u32 = 20;
    pub(super) const FLUSH: u32 = 25;
    pub(super) const INIT: u32 = 26;
    pub(super) const INTERRUPT: u32 = 36;
    pub(super) const BATCH_FORGET: u32 = 42;
}

/// The numbers of files.
const FOLDER: u64 = 1;
const FILE: u64 = 2;
/// Of every file.
const SIZE: u64 = 1 << 20;
/// No request is longer: the kernel is told to write no more than 4 KiB at once.
const REQUEST_BYTES: usize = 64 << 10;

fn main() {
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: it is open, and not closed here.
    let mut device = ManuallyDrop::new(unsafe { File::from_raw_fd(0) });
    let mut request = vec![0; REQUEST_BYTES];
    loop {
        match device.read(&mut request) {
            Ok(len) => serve(&mut device, &request[..len]),
            // What was asked has been given up meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return,
        }
    }
}

/// A request has a header of 40 bytes, which begins with length, opcode, its own number and that of
/// the file.
fn serve(device: &mut File, request: &[u8]) {
    let opcode = u32::from_ne_bytes(request[4..8].try_into().expect("four bytes"));
    let file = u64::from_ne_bytes(request[16..24].try_into().expect("eight bytes"));
    match opcode {
        opcode::INIT => reply(device, request, 0, &init()),
        opcode::LOOKUP => reply(device, request, 0, &entry()),
        opcode::GETATTR => reply(device, request, 0, &[vec![0; 16], attributes(file)].concat()),
        opcode::OPEN => reply(device, request, 0, &opened()),
        opcode::STATFS => reply(device, request, 0, &[0; 80]),
        opcode::RELEASE | opcode::FLUSH => reply(device, request, 0, &[]),
        opcode::READ | opcode::WRITE | opcode::FSYNC => {
            io::stdout().write_all(b"x").and_then(|()| io::stdout().flush()).expect("it is piped");
        }
        opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => {}
        _ => reply(device, request, -libc::ENOSYS, &[]),
    }
}

/// A header of 16 bytes: length, error, number of the request.
fn reply(device: &mut File, request: &[u8], error: i32, body: &[u8]) {
    let len = 16 + body.len() as u32;
    let parts = [&len.to_ne_bytes(), &error.to_ne_bytes(), &request[8..16], body];
    // An error: no one waits for it any more.
    let _ = device.write(&parts.concat());
}

/// Version 7.31, and nothing that is optional.
fn init() -> Vec<u8> {
    let words: [u32; 6] = [7, 31, 0, 0, 0, 4096];
    let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    body.resize(64, 0);
    body
}

/// A name is what it is for an hour; the status is asked for each time.
fn entry() -> Vec<u8> {
    let words: [u64; 5] = [FILE, 0, 3600, 0, 0];
    let head = words.iter().flat_map(|word| word.to_ne_bytes());
    head.chain(attributes(FILE)).collect()
}

fn attributes(file: u64) -> Vec<u8> {
    let mode = if file == FOLDER { libc::S_IFDIR | 0o755 } else { libc::S_IFREG | 0o644 };
    let words: [u64; 6] = [file, SIZE, SIZE / 512, 0, 0, 0];
    let halves: [u32; 10] = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    let head = words.iter().flat_map(|word| word.to_ne_bytes());
    head.chain(halves.iter().flat_map(|half| half.to_ne_bytes())).collect()
}

/// Reads and writes pass the kernel's memory by, so each of them comes here.
fn opened() -> Vec<u8> {
    const DIRECT_IO: u32 = 1;
    let mut body = vec![0; 16];
    body[8..12].copy_from_slice(&DIRECT_IO.to_ne_bytes());
    body
}
