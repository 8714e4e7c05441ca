//! Options of TCP sockets.

use std::os::fd::{AsFd, AsRawFd};

use miniss_tests::sockets::pair;
use socket2::SockRef;

use super::listener;
use crate::harness::on_each_driver;

#[test]
fn nodelay_is_what_was_set() {
    on_each_driver(async || {
        let (stream, _peer) = pair();
        for nodelay in [true, false, true] {
            stream.set_nodelay(nodelay).unwrap();
            assert_eq!(stream.nodelay().unwrap(), nodelay);
            assert_eq!(SockRef::from(&stream).tcp_nodelay().unwrap(), nodelay);
        }
    });
}

#[test]
fn the_descriptors_of_sockets_are_not_for_children() {
    on_each_driver(async || {
        let (listener, address) = listener().await;
        let client = miniss_linux::net::TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        for fd in [listener.as_fd(), client.as_fd(), accepted.as_fd()] {
            let info = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
            let info = std::fs::read_to_string(info).unwrap();
            let flags = info.split("flags:").nth(1).unwrap().split_whitespace().next().unwrap();
            let flags = i32::from_str_radix(flags, 8).unwrap();
            assert_ne!(flags & libc::O_CLOEXEC, 0, "{info}");
        }
    });
}

#[test]
fn a_descriptor_that_is_lent_serves_for_other_options() {
    on_each_driver(async || {
        let (stream, _peer) = pair();
        SockRef::from(&stream).set_ttl_v4(9).unwrap();
        assert_eq!(SockRef::from(&stream).ttl_v4().unwrap(), 9);
        let (reader, writer) = stream.into_split();
        assert_eq!(SockRef::from(&reader).ttl_v4().unwrap(), 9);
        assert_eq!(SockRef::from(&writer).ttl_v4().unwrap(), 9);
    });
}
