//! Every small case against a naive model: bytes in a plain `Vec`, one loop per operation.

use super::*;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// What the stand-in for the kernel stores: 101, 102, and so on.
fn incoming(at: usize) -> u8 {
    101 + at as u8
}

/// Stands in for a read that transfers `len` bytes.
fn read_into<B: IoBufMut>(buf: &mut B, len: usize) {
    // SAFETY: only initialised bytes are stored, and the first `len` before `set_len` says so;
    // `zip` would stop early, so the count is checked.
    unsafe {
        let memory = buf.as_uninit();
        assert!(len <= memory.len());
        for (at, byte) in memory.iter_mut().take(len).enumerate() {
            byte.write(incoming(at));
        }
        buf.set_len(len);
    }
}

/// Stands in for a vectored read that transfers `len` bytes.
fn read_into_all<V: IoVecBufMut>(bufs: &mut V, len: usize) {
    let mut at = 0;
    // SAFETY: as in `read_into`, across the buffers.
    unsafe {
        bufs.for_each_uninit(|piece| {
            for byte in piece.iter_mut().take(len - at) {
                byte.write(incoming(at));
                at += 1;
            }
        });
        assert_eq!(at, len);
        bufs.set_len_all(len);
    }
}

/// A `Vec` that holds 1, 2, .. `init`, and has room for exactly `total`.
fn vec_of(init: usize, total: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(total);
    bytes.extend((1..=init).map(|at| at as u8));
    assert_eq!(bytes.capacity(), total);
    bytes
}

fn arrived(len: usize) -> Vec<u8> {
    (0..len).map(incoming).collect()
}

/// Calls `case(init, total)` for each way to fill a buffer of up to five bytes.
fn each_fill(mut case: impl FnMut(usize, usize)) {
    for total in 0..=5 {
        (0..=total).for_each(|init| case(init, total));
    }
}

#[test]
fn a_read_replaces_what_a_vec_held() {
    each_fill(|init, total| {
        for len in 0..=total {
            let mut buf = vec_of(init, total);
            assert_eq!((buf.as_init().len(), buf.bytes_total()), (init, total));
            read_into(&mut buf, len);
            assert_eq!(buf, arrived(len));
            assert_eq!(buf.capacity(), total);
        }
    });
}

#[test]
fn a_read_keeps_the_length_of_a_fixed_buffer() {
    for len in 0..=4 {
        let mut expected = vec![9; 4];
        expected[..len].copy_from_slice(&arrived(len));
        let mut array = [9; 4];
        read_into(&mut array, len);
        assert_eq!(array[..], expected);
        let mut boxed: Box<[u8]> = Box::new([9; 4]);
        read_into(&mut boxed, len);
        assert_eq!(boxed[..], expected);
    }
}

#[test]
fn the_memory_is_the_same_each_time() {
    fn check<B: IoBufMut>(mut buf: B) {
        let shared = buf.as_init().as_ptr();
        // SAFETY: nothing is stored.
        let (first, second) = unsafe { (buf.as_uninit().as_ptr(), buf.as_uninit().as_ptr()) };
        assert_eq!((first, second), (shared.cast(), shared.cast()));
        // SAFETY: nothing is stored.
        assert_eq!(unsafe { buf.as_uninit().len() }, buf.bytes_total());
    }
    check([1u8; 3]);
    check(vec_of(2, 5));
    check(vec_of(2, 5).into_boxed_slice());
    check(vec_of(2, 5).slice(1..4));
    check(vec_of(2, 5).slice(1..).slice(1..3));
}

#[test]
fn read_only_buffers_show_their_bytes() {
    fn bytes(buf: impl IoBuf) -> Vec<u8> {
        assert_eq!(buf.bytes_total(), buf.as_init().len());
        buf.as_init().to_vec()
    }
    assert_eq!(bytes("abc"), b"abc");
    assert_eq!(bytes(&b"abc"[..]), b"abc");
    assert_eq!(bytes(b"abc"), b"abc");
    assert_eq!(bytes(String::from("abc")), b"abc");
    assert_eq!(bytes(Rc::<[u8]>::from(*b"abc")), b"abc");
    assert_eq!(bytes(Arc::<[u8]>::from(*b"abc")), b"abc");
}

#[test]
fn a_slice_shows_its_window_and_nothing_else() {
    each_slice(|init, total, begin, end| {
        let window = vec_of(init, total).slice(begin..end);
        assert_eq!(window.as_init(), &vec_of(init, total)[begin..end.min(init).max(begin)]);
        assert_eq!(window.bytes_total(), end - begin);
        assert_eq!((window.range(), window.into_inner()), (begin..end, vec_of(init, total)));
    });
}

#[test]
fn a_read_into_a_slice_touches_only_the_window() {
    each_slice(|init, total, begin, end| {
        for len in 0..=end - begin {
            let mut expected = vec_of(init, total);
            expected.resize(init.max(begin + len), 0);
            expected[begin..begin + len].copy_from_slice(&arrived(len));
            let mut window = vec_of(init, total).slice(begin..end);
            read_into(&mut window, len);
            assert_eq!(window.into_inner(), expected);
        }
    });
}

#[test]
fn a_slice_of_a_slice_is_one_slice() {
    each_slice(|init, total, begin, end| {
        for len in 0..=end - begin {
            let mut nested = vec_of(init, total).slice(..end).slice(begin..);
            let mut single = vec_of(init, total).slice(begin..end);
            read_into(&mut nested, len);
            read_into(&mut single, len);
            assert_eq!(nested.into_inner().into_inner(), single.into_inner());
        }
    });
}

/// Calls `case(init, total, begin, end)` for each slice that [`IoBuf::slice`] must allow, and
/// checks that it refuses all others.
fn each_slice(mut case: impl FnMut(usize, usize, usize, usize)) {
    each_fill(|init, total| {
        for (begin, end) in (0..=6).flat_map(|begin| (0..=6).map(move |end| (begin, end))) {
            if begin <= end && end <= total && begin <= init {
                case(init, total, begin, end);
            } else {
                refusal(|| vec_of(init, total).slice(begin..end));
            }
        }
    });
}

/// What a call that must panic says.
fn refusal<T>(call: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else { panic!("this was allowed") };
    panic.downcast_ref::<String>().expect("a formatted message").clone()
}

#[test]
fn a_refused_slice_says_why() {
    let gap = refusal(|| vec_of(2, 8).slice(3..));
    assert_eq!(gap, "slice 3..8 would leave a gap: only 2 bytes are initialised");
    let beyond = refusal(|| vec_of(2, 8).slice(1..9));
    assert_eq!(beyond, "slice 1..9 ends beyond the 8 bytes of the buffer");
    let (three, two) = (3, 2);
    let backwards = refusal(|| vec_of(4, 8).slice(three..two));
    assert_eq!(backwards, "slice 3..2 ends before it begins");
    let read_only = refusal(|| "abc".slice(..4));
    assert_eq!(read_only, "slice 0..4 ends beyond the 3 bytes of the buffer");
}

#[test]
fn a_slice_of_a_buffer_that_shrinks_is_empty_and_not_a_panic() {
    struct Fickle(std::cell::Cell<bool>);
    impl IoBuf for Fickle {
        fn as_init(&self) -> &[u8] {
            if self.0.get() { b"" } else { b"abcdef" }
        }
    }
    let window = Fickle(false.into()).slice(2..4);
    assert_eq!(&*window, b"cd");
    window.inner().0.set(true);
    assert_eq!(&*window, b"");
}

#[test]
fn a_vectored_read_fills_front_to_back() {
    for (a, b, c) in (0..64usize).map(|n| (n % 4, n / 4 % 4, n / 16)) {
        for len in 0..=a + b + c {
            let shares = [len.min(a), len.saturating_sub(a).min(b), len.saturating_sub(a + b)];
            let all = arrived(len);
            let expected =
                [&all[..shares[0]], &all[shares[0]..][..shares[1]], &all[len - shares[2]..]];
            let bufs = || [vec_of(a, a), vec_of(0, b), vec_of(c / 2, c)];
            let (mut array, mut vec) = (bufs(), Vec::from(bufs()));
            let mut tuple: (_, _, _) = bufs().into();
            read_into_all(&mut array, len);
            read_into_all(&mut vec, len);
            read_into_all(&mut tuple, len);
            assert_eq!(array, expected);
            assert_eq!(vec, expected);
            assert_eq!(<[Vec<u8>; 3]>::from(tuple), expected);
        }
    }
}

/// The bytes that the kernel would take: through a pipe, so that the addresses are really used.
fn taken_by_the_kernel<const N: usize>(list: &IoVecs<N>) -> Vec<u8> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let pieces = list.as_slice();
    // SAFETY: the addresses are those of buffers that the callers keep alive and still.
    let len = unsafe { libc::writev(writer.as_raw_fd(), pieces.as_ptr(), pieces.len() as i32) };
    assert!(len >= 0, "{}", io::Error::last_os_error());
    drop(writer);
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
    assert_eq!(bytes.len(), len as usize);
    bytes
}

#[test]
#[cfg_attr(miri, ignore = "miri has no writev")]
fn partial_writes_lose_and_repeat_nothing() {
    let bufs = ["", "abc", "d", "", "efghi", "jk", ""];
    let all = bufs.concat().into_bytes();
    for first in 0..=all.len() {
        for second in 0..=all.len() - first {
            let (mut inline, mut spilled) = (IoVecs::<8>::new(), IoVecs::<2>::new());
            inline.gather(&bufs);
            spilled.gather(&bufs);
            for done in [first, second] {
                inline.advance(done);
                spilled.advance(done);
            }
            let rest = &all[first + second..];
            assert_eq!((inline.bytes(), spilled.bytes()), (rest.len(), rest.len()));
            assert_eq!(taken_by_the_kernel(&inline), rest);
            assert_eq!(taken_by_the_kernel(&spilled), rest);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri has no readv")]
fn the_kernel_reads_into_the_buffers_listed() {
    let path = std::env::current_exe().unwrap();
    let file = File::open(&path).unwrap();
    let mut bufs = ([0u8; 3], vec_of(2, 5), vec_of(3, 9).slice(2..7));
    let mut list: IoVecs = IoVecs::new();
    list.scatter(&mut bufs);
    let pieces = list.as_slice();
    // SAFETY: the list has the memory of `bufs`, which stay where they are.
    let len = unsafe { libc::readv(file.as_raw_fd(), pieces.as_ptr(), pieces.len() as i32) };
    assert_eq!(len, 13);
    // SAFETY: the kernel has stored that many bytes, front to back.
    unsafe { bufs.set_len_all(13) };
    assert_eq!(bufs.0, *b"\x7fEL");
    assert_eq!(bufs.1, *b"F\x02\x01\x01\x00");
    assert_eq!(bufs.2.into_inner(), [1, 2, 0, 0, 0, 0, 0]);
}

#[test]
fn a_list_is_forgotten_when_it_is_filled_again() {
    let mut list = IoVecs::<2>::new();
    list.gather(&["a", "b", "c"]);
    list.advance(2);
    list.gather(&["de"]);
    assert_eq!((list.as_slice().len(), list.bytes()), (1, 2));
    list.gather(&[""; 0]);
    assert_eq!((list.as_slice().len(), list.bytes()), (0, 0));
}

#[test]
fn more_buffers_than_the_kernel_takes_are_done_in_turns() {
    let bufs = vec![[7u8; 2]; IOVECS_MAX + 5];
    let mut list: IoVecs = IoVecs::new();
    list.gather(&bufs);
    assert_eq!(list.as_slice().len(), IOVECS_MAX);
    list.advance(2 * IOVECS_MAX);
    assert_eq!((list.as_slice().len(), list.bytes()), (5, 10));
}

#[test]
fn more_done_than_listed_is_a_panic() {
    let mut list: IoVecs = IoVecs::new();
    list.gather(&["abc"]);
    refusal(|| list.advance(4));
}

#[test]
fn a_list_of_eight_fits_a_slot() {
    assert!(size_of::<IoVecs>() <= 8 * size_of::<libc::iovec>() + 40);
}
