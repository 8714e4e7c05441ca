//! The crates of the embedded field on our executor: `embassy-sync` between its tasks and from
//! other threads, a driver over `embedded-hal-async`, bytes over `embedded-io-async`, errors for
//! `defmt`. The machine is made up: each wait for a timer takes its clock to the deadline.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::mutex::Mutex;
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::i2c::{self, I2c, Operation};
use embedded_io_async::{ErrorType, Read};
use miniss_core::interrupt::{Queue, Receiver, Signal};
use miniss_core::time::Instant;
use miniss_core::timer::{Sleep, TimerList};
use miniss_core::{Clock, Executor, ExecutorCell, Idle, LocalHandle, Reactor, Unpark, error};
use sht4x::{Precision, Sht4xAsync};

struct Machine(AtomicU64);

// SAFETY: `is_local` keeps its default.
unsafe impl Unpark for Machine {
    fn unpark(&self) {}
}

impl Clock for Machine {
    type Timers = TimerList;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Port(&'static ExecutorCell<Machine>);

impl Reactor for Port {
    type Unparker = Machine;

    fn poll(&mut self) -> usize {
        0
    }

    fn park(&mut self, deadline: Option<Instant>, idle: Idle<'_>) {
        match deadline {
            Some(deadline) if idle.confirmed() => {
                self.0.unparker().0.store(deadline.as_nanos(), Ordering::Relaxed);
            }
            _ => thread::yield_now(),
        }
    }
}

fn executor() -> Executor<Port> {
    let cell: &_ = Box::leak(Box::new(ExecutorCell::new(Machine(AtomicU64::new(0)))));
    Executor::new(cell, Port(cell)).unwrap()
}

#[derive(Clone, Copy)]
struct Delay(LocalHandle<Machine>);

impl DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        Sleep::new(self.0, Duration::from_nanos(ns.into())).await;
    }
}

/// A bus with one sensor. Each step is ended by an interrupt, which another thread stands for.
struct Bus {
    ended: Receiver<Signal<()>>,
    command: u8,
}

static ENDED: Signal<()> = Signal::new();

impl i2c::ErrorType for Bus {
    type Error = Infallible;
}

impl I2c for Bus {
    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Infallible> {
        assert_eq!(address, 0x44);
        for operation in operations {
            let interrupt = thread::spawn(|| ENDED.send(()).unwrap());
            self.ended.recv().await;
            interrupt.join().unwrap();
            match operation {
                Operation::Write(bytes) => self.command = bytes[0],
                // Two words, each with its checksum: two fifths of the range.
                Operation::Read(bytes) => {
                    bytes.copy_from_slice(&[0x66, 0x66, 0x93, 0x66, 0x66, 0x93]);
                }
            }
        }
        Ok(())
    }
}

#[test]
fn a_driver_of_a_sensor_measures() {
    let mut executor = executor();
    let local = executor.local();
    let mut sensor = Sht4xAsync::new(Bus { ended: ENDED.receiver().unwrap(), command: 0 });
    let measured = executor.block_on(async {
        let start = local.now();
        let measured = sensor.measure(Precision::High, &mut Delay(local)).await.unwrap();
        assert!(local.now() - start >= Duration::from_micros(8_200), "the sensor needs its time");
        measured
    });
    assert_eq!(sensor.destroy().command, 0xfd);
    let (celsius, percent) =
        (measured.temperature_milli_celsius(), measured.humidity_milli_percent());
    assert!(celsius.abs_diff(25_000) < 10 && percent.abs_diff(44_000) < 10, "{measured:?}");
}

#[test]
fn embassy_s_channel_and_mutex_wake_our_tasks() {
    static NUMBERS: Channel<CriticalSectionRawMutex, u32, 2> = Channel::new();
    static SUM: Mutex<CriticalSectionRawMutex, u32> = Mutex::new(0);
    let mut executor = executor();
    let local = executor.local();
    let adding = move |count| async move {
        for _ in 0..count {
            let number = NUMBERS.receive().await;
            let mut sum = SUM.lock().await;
            Sleep::new(local, Duration::from_micros(1)).await;
            *sum += number;
        }
    };
    let tasks = [20, 30].map(|count| local.spawn(adding(count)).unwrap());
    let other_core = thread::spawn(|| {
        for number in 0..50 {
            while NUMBERS.try_send(number).is_err() {
                thread::yield_now();
            }
        }
    });
    executor.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*SUM.lock().await, (0..50).sum::<u32>());
    });
    other_core.join().unwrap();
}

/// A serial port: its handler puts bytes into a queue.
struct Serial(Receiver<Queue<u8, 8>>);

impl ErrorType for Serial {
    type Error = Infallible;
}

impl Read for Serial {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some((first, rest)) = bytes.split_first_mut() else { return Ok(0) };
        *first = self.0.recv().await;
        let mut count = 1;
        for (place, byte) in rest.iter_mut().zip(std::iter::from_fn(|| self.0.try_recv())) {
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

/// Knows nothing of what it reads from.
async fn frame(serial: &mut impl Read) -> Vec<u8> {
    let mut length = [0];
    serial.read_exact(&mut length).await.unwrap();
    let mut frame = vec![0; length[0].into()];
    serial.read_exact(&mut frame).await.unwrap();
    frame
}

#[test]
fn bytes_of_a_handler_are_read_by_the_trait_of_the_field() {
    static BYTES: Queue<u8, 8> = Queue::new();
    let handler = thread::spawn(|| {
        for byte in *b"\x05hello\x00\x05world" {
            while BYTES.try_send(byte).is_err() {
                thread::yield_now();
            }
        }
    });
    let mut serial = Serial(BYTES.receiver().unwrap());
    executor().block_on(async {
        for expected in ["hello", "", "world"] {
            assert_eq!(frame(&mut serial).await, expected.as_bytes());
        }
    });
    handler.join().unwrap();
}

/// That it compiles is the test: without a probe there is no log.
#[test]
fn errors_can_be_logged_by_defmt() {
    fn can_be_logged<T: defmt::Format>() {}
    can_be_logged::<error::BrokenPromise>();
    can_be_logged::<error::Refused<fn(), error::CallError>>();
    can_be_logged::<error::Refused<u8, error::NotSent>>();
    can_be_logged::<error::Refused<(), error::SpawnError>>();
    can_be_logged::<miniss_core::sync::channel::TrySendError<fn()>>();
    can_be_logged::<miniss_core::op::InsertError>();
}
