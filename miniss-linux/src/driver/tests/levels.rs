//! Each level at which a ring is made carries the same conversation.

use super::*;
use crate::driver::backend::Backend;
use crate::driver::request::{FileRequest, Request};
use crate::driver::uring::setup::{LEVELS, Level, build};
use crate::op::file::{OpenFile, plain};
use crate::op::recv::received;
use miniss_core::op::Part;

/// Echoes once by a plain receive, and once out of a provided buffer.
fn echo(driver: &Rc<ShardDriver>) {
    let (connection, mut peer) = socket(driver);
    peer.write_all(b"plain").unwrap();
    let (result, buffer) = finish(driver, driver.start(recv(&connection, 64)));
    assert_eq!(&buffer[..result.unwrap()], b"plain");
    finish(driver, driver.start(send(&connection, buffer))).0.unwrap();

    let pool = driver.pool().unwrap().unwrap();
    let mut receiving = driver.start(RecvPool::new(connection.clone(), pool.clone()));
    peer.write_all(b"pooled").unwrap();
    let part = finish(driver, std::future::poll_fn(|cx| receiving.poll_part(cx)));
    let Part::More(completion) = part else { panic!("a multishot receive ended at once") };
    let bytes = received(pool, completion).unwrap();
    finish(driver, driver.start(send(&connection, bytes))).0.unwrap();

    let mut echoed = [0; 11];
    peer.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"plainpooled");
}

#[test]
fn every_level_makes_a_ring_that_carries_the_same_echo() {
    if over_ring(8).is_none() {
        return;
    }
    let config = config(8);
    let is_unknown = |level: &Level| {
        let error = build(*level, config.ring_entries).err();
        error.and_then(|error| error.raw_os_error()) == Some(libc::EINVAL)
    };
    // An older kernel does not know the first ones.
    for level in LEVELS.into_iter().skip_while(is_unknown) {
        let ring = build(level, config.ring_entries).unwrap_or_else(|e| panic!("{level:?}: {e}"));
        let backend = AnyBackend::Uring(Uring::over(ring, -1).unwrap());
        let driver = over(backend, config);
        echo(&driver);
        assert_eq!(driver.close(now() + PATIENCE).count, 0, "{level:?}");
    }
}

#[test]
fn the_smallest_and_the_largest_ring_work() {
    for entries in [1, 2, 4096] {
        let Some(driver) = over_ring(entries) else { return };
        echo(&driver);
        assert_eq!(driver.close(now() + PATIENCE).count, 0);
    }
}

#[test]
fn a_thread_may_have_any_number_of_drivers_one_after_the_other() {
    // The kernel lets a thread register 16 rings.
    for round in 0..40 {
        let Some(driver) = over_ring(4) else { return };
        let is_registered = uring(&driver).ring.borrow().as_ref().unwrap().is_registered();
        assert!(is_registered, "a former driver left its registration behind, round {round}");
        driver.close(now() + PATIENCE);
    }
}

#[test]
fn a_ring_that_cannot_cut_a_file_off_leaves_it_to_a_thread() {
    let Ok(mut uring) = Uring::new(&config(8), -1) else { return };
    let set_len = FileRequest::SetLen { fd: -1, len: 0 };
    for can in [false, true] {
        uring.features.ftruncate = can;
        assert_eq!(uring.takes(&Request::File(&raw const set_len)), can);
        for (len, can) in [(u32::MAX.into(), true), (1 << 32, false)] {
            let advise = FileRequest::Advise { fd: -1, advice: 0, offset: 0, len };
            assert_eq!(uring.takes(&Request::File(&raw const advise)), can);
        }
    }
    // It is performed there, and its error comes back.
    uring.features.ftruncate = false;
    let driver = over(AnyBackend::Uring(uring), config(8));
    let (file, _) = UnixStream::pair().unwrap();
    let file = OpenFile::new(file.into(), driver.clone(), 0, false);
    let make = |fd, (): &mut ()| FileRequest::SetLen { fd, len: 0 };
    let error = finish(&driver, driver.start(plain(file.share().unwrap(), (), make))).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "a socket has no length");
}
