//! Every small case against a naive model: bytes in a plain `Vec`, one loop per operation.

use super::*;
use std::borrow::Cow;
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

/// Holds a kind of buffer to what [`IoBufMut`] promises. `make` gives one that holds 1, 2, ..
/// `init` and has room for `total`, or none if there is no such one. A read makes the buffer as
/// long as what was read if it `grows`, and else leaves its length.
fn check_kind<B: IoBufMut>(grows: bool, make: impl Fn(usize, usize) -> Option<B>) {
    let mut made = 0;
    each_fill(|init, total| {
        for len in 0..=total {
            let Some(mut buf) = make(init, total) else { return };
            let before = buf.as_init().to_vec();
            assert_eq!(before, vec_of(init, total));
            check_memory(&mut buf, total);
            read_into(&mut buf, len);
            let rest = if grows { &[] } else { &before[len..] };
            assert_eq!(buf.as_init(), [&arrived(len), rest].concat());
            check_memory(&mut buf, total);
            made += 1;
        }
    });
    assert!(made > 0);
}

/// *One memory*: the same each time it is asked for.
fn check_memory<B: IoBufMut>(buf: &mut B, total: usize) {
    let (shared, held) = (buf.as_init().as_ptr(), buf.as_init().to_vec());
    for _ in 0..2 {
        // SAFETY: nothing is stored.
        let memory = unsafe { buf.as_uninit() };
        assert_eq!((memory.as_ptr(), memory.len()), (shared.cast(), total));
        assert_eq!((buf.as_init(), buf.bytes_total()), (&held[..], total));
    }
}

/// Those that cannot be longer than what they hold.
fn full(init: usize, total: usize) -> Option<Vec<u8>> {
    (init == total).then(|| vec_of(init, total))
}

#[test]
fn a_read_replaces_what_a_growing_buffer_held() {
    check_kind(true, |init, total| Some(vec_of(init, total)));
}

#[test]
fn a_read_keeps_the_length_of_a_fixed_buffer() {
    check_kind(false, |init, total| full(init, total).map(Vec::into_boxed_slice));
    check_kind(false, |init, total| full(init, total)?.try_into().ok().map(|bytes: [u8; 4]| bytes));
    check_kind(false, |init, total| {
        let around = [&[9], &*full(init, total)?, &[9]].concat();
        Some(around.slice(1..=total))
    });
}

#[cfg(feature = "bytes")]
mod bytes_crate {
    use super::*;
    use ::bytes::{Buf, Bytes, BytesMut};

    /// What `make` gives, in a `BytesMut` with as much in front of it and room behind it.
    fn bytes_of(before: usize, init: usize, total: usize, after: usize) -> BytesMut {
        let mut bytes = BytesMut::with_capacity(before + total + after);
        bytes.extend_from_slice(&vec![9; before]);
        bytes.extend_from_slice(&vec_of(init, total));
        assert_eq!(bytes.capacity(), before + total + after);
        bytes
    }

    #[test]
    fn a_bytes_mut_is_a_growing_buffer() {
        check_kind(true, |init, total| Some(bytes_of(0, init, total, 0)));
    }

    #[test]
    fn so_is_one_whose_beginning_was_used_up() {
        check_kind(true, |init, total| {
            let mut bytes = bytes_of(3, init, total, 0);
            bytes.advance(3);
            Some(bytes)
        });
    }

    #[test]
    fn so_is_a_part_of_one_and_its_neighbours_stay_as_they_are() {
        let part = |init, total| {
            let mut part = bytes_of(3, init, total, 3);
            let before = part.split_to(3);
            let mut after = part.split_off(total);
            after.extend_from_slice(&[9; 3]);
            (before, part, after)
        };
        check_kind(true, |init, total| Some(part(init, total).1));
        each_fill(|init, total| {
            let (before, mut part, after) = part(init, total);
            read_into(&mut part, total);
            assert_eq!((&before[..], &after[..]), (&[9; 3][..], &[9; 3][..]));
            assert_eq!(part, arrived(total));
        });
    }

    #[test]
    fn bytes_of_each_origin_show_what_they_hold() {
        let shared = Bytes::slice(&Bytes::from(b"xabcx".to_vec()), 1..4);
        let frozen = BytesMut::from(&b"abc"[..]).freeze();
        let owned = Bytes::from_owner(*b"abc");
        for bytes in [Bytes::from_static(b"abc"), shared, frozen, owned] {
            assert_eq!((bytes.as_init(), bytes.bytes_total()), (&b"abc"[..], 3));
        }
    }
}

#[test]
fn read_only_buffers_show_their_bytes() {
    fn check(buf: impl IoBuf) {
        assert_eq!((buf.as_init(), buf.bytes_total()), (&b"abc"[..], 3));
    }
    check("abc");
    check(&b"abc"[..]);
    check(b"abc");
    check(String::from("abc"));
    check(Box::<str>::from("abc"));
    check(Rc::<[u8]>::from(*b"abc"));
    check(Rc::<str>::from("abc"));
    check(Arc::<[u8]>::from(*b"abc"));
    check(Arc::<str>::from("abc"));
    check(Cow::Borrowed("abc"));
    check(Cow::<str>::Owned("abc".into()));
    check(Cow::Borrowed(&b"abc"[..]));
    check(Cow::<[u8]>::Owned(b"abc".into()));
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

#[test]
fn eight_buffers_of_different_types_are_one() {
    let texts = ("a", String::from("b"), *b"c", b"d", vec![b'e'], Rc::<str>::from("f"), "g", "h");
    let mut seen = Vec::new();
    texts.for_each_init(|piece| seen.extend_from_slice(piece));
    assert_eq!(seen, b"abcdefgh");
    for len in 0..=8 {
        let mut bufs =
            ([0], vec_of(0, 1), [0], [0], vec_of(1, 1), [0], [0], vec_of(0, 1).slice(..));
        read_into_all(&mut bufs, len);
        let mut seen: Vec<u8> = Vec::new();
        bufs.for_each_init(|piece| seen.extend(piece.iter().filter(|&&byte| byte != 0)));
        assert_eq!(seen, arrived(len));
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
