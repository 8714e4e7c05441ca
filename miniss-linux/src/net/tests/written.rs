//! Writes: their order, and buffers that misbehave.

use super::*;
use std::rc::Rc;
use std::time::Instant;

const BLOCK: usize = 1 << 20;

#[test]
fn writes_of_several_tasks_do_not_mix() {
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let writers: Vec<_> = (0..8_u8)
            .map(|n| {
                let stream = stream.clone();
                spawn(async move { stream.write_all(vec![n; BLOCK]).await.0 })
            })
            .collect();
        let reader = std::thread::spawn(move || {
            let mut all = vec![0; 8 * BLOCK];
            for chunk in all.chunks_mut(BLOCK / 4) {
                std::thread::sleep(Duration::from_millis(1));
                peer.read_exact(chunk).unwrap();
            }
            all
        });
        for writer in writers {
            patiently(writer).await.unwrap().unwrap();
        }
        let all = reader.join().unwrap();
        let writer_of = |block: &[u8]| {
            assert!(block.iter().all(|byte| *byte == block[0]), "two writes are mixed");
            block[0]
        };
        let mut writers: Vec<_> = all.chunks(BLOCK).map(writer_of).collect();
        writers.sort_unstable();
        assert_eq!(writers, [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

struct Refusing;

impl crate::buf::IoBuf for Refusing {
    fn as_init(&self) -> &[u8] {
        panic!("no bytes for you")
    }
}

#[test]
fn a_buffer_that_panics_fails_its_task_and_does_not_delay_the_end() {
    let start = Instant::now();
    builder().build().unwrap().block_on(async {
        let (stream, mut peer) = pair();
        let stream = Rc::new(stream);
        let task = {
            let stream = stream.clone();
            spawn(async move { stream.write(Refusing).await.0 })
        };
        assert!(task.await.unwrap_err().is_panic());
        stream.write_all("after").await.0.unwrap();
        peer.read_exact(&mut [0; 5]).unwrap();
    });
    assert!(start.elapsed() < PATIENCE / 2);
}
