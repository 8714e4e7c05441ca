//! Reads that have room for nothing and writes of nothing have nothing to wait for.

use super::*;

#[test]
fn a_read_without_room_does_not_wait() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        for ahead in [false, true] {
            assert_eq!(patiently(stream.read(Vec::new())).await.0.unwrap(), 0);
            assert_eq!(patiently(stream.read([0; 0])).await.0.unwrap(), 0);
            let none = patiently(stream.read_vectored([Vec::new(), Vec::new()])).await;
            assert_eq!(none.0.unwrap(), 0);
            let none = patiently(stream.read_vectored(Vec::<Vec<u8>>::new())).await;
            assert_eq!(none.0.unwrap(), 0);
            patiently(stream.read_exact(Vec::new())).await.0.unwrap();
            if !ahead {
                // From here on the kernel receives ahead.
                poll_once(pin!(stream.recv()));
            }
        }
        // Nor does it take anything.
        peer.write_all(b"all").unwrap();
        sleep(A_WHILE).await;
        assert_eq!(patiently(stream.read(Vec::new())).await.0.unwrap(), 0);
        assert_eq!(patiently(stream.recv()).await.unwrap()[..], *b"all");
    });
}

#[test]
fn a_write_of_nothing_does_not_wait_for_its_turn() {
    builder().build().unwrap().block_on(async {
        let (stream, _peer) = pair();
        let mut first = pin!(stream.write_all(vec![0; 16 << 20]));
        poll_once(first.as_mut());
        assert_eq!(patiently(stream.write("")).await.0.unwrap(), 0);
        patiently(stream.write_all(Vec::new())).await.0.unwrap();
        assert_eq!(patiently(stream.write_vectored(["", ""])).await.0.unwrap(), 0);
        patiently(stream.write_vectored_all(Vec::<&str>::new())).await.0.unwrap();
    });
}
