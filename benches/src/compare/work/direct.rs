//! Random pages of one file that are read past the kernel's memory, always so many at once: by the
//! runtimes, and by fio, the program that disks are usually measured with.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use super::HINT;
use crate::compare::process::peak_rss_kib_of_children;
use crate::compare::sample::{Meter, Sample};
use crate::growth::random::Random;
use crate::rivals::Place;
use crate::rivals::direct::{DirectFiles, PAGE, open};

/// 64 MiB of them.
const PAGES: u64 = 16 << 10;

/// The file that everyone reads: beside this program, for a folder of temporary files may be in
/// memory. It stays for the next time.
fn path() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("compare-pages"))
}

/// Makes the file if it is not there.
///
/// # Errors
///
/// In a sentence, if it cannot be made, or cannot be read past the kernel's memory.
pub fn prepare() -> Result<(), String> {
    let path = path().map_err(|error| error.to_string())?;
    make(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match open(&path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(format!("the file system of {} has no O_DIRECT", path.display()))
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn make(path: &PathBuf) -> io::Result<()> {
    let len = PAGES * PAGE as u64;
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == len) {
        return Ok(());
    }
    fs::write(path, vec![7; len as usize])?;
    // What is still to be written would be in the way of the reads.
    fs::File::open(path)?.sync_all()
}

/// `DEPTH` tasks read pages, so many on average.
pub fn read<R: DirectFiles, const DEPTH: usize>(each: usize) -> Sample {
    let path = path().expect("this program has a path");
    R::block_on(Place::default(), async {
        let file = R::open(&path).await;
        read_at_once::<R>(&file, DEPTH, 10 * DEPTH).await;
        let meter = Meter::start();
        read_at_once::<R>(&file, DEPTH, each * DEPTH).await;
        per_second(meter.stop(each * DEPTH))
    })
}

fn per_second(sample: Sample) -> Sample {
    Sample { value: 1e9 / sample.value, ..sample }
}

async fn read_at_once<R: DirectFiles>(file: &R::File, depth: usize, count: usize) {
    let mut random = Random::default();
    let places: Vec<_> = (0..count).map(|_| random.below(PAGES) * PAGE as u64).collect();
    let places = Rc::new(RefCell::new(places));
    let reader = |_| R::spawn(read_pages::<R>(file.clone(), places.clone()));
    let readers: Vec<_> = (0..depth).map(reader).collect();
    for reader in readers {
        reader.await;
    }
}

/// Reads what is left until nothing is.
async fn read_pages<R: DirectFiles>(file: R::File, places: Rc<RefCell<Vec<u64>>>) {
    let mut page = R::page(&file);
    loop {
        let Some(place) = places.borrow_mut().pop() else { return };
        page = R::read(file.clone(), page, place).await;
    }
}

/// The same by fio's engine for io_uring.
///
/// # Errors
///
/// In a sentence, if fio is missing or fails.
pub fn fio(depth: usize, each: usize) -> Result<Sample, String> {
    let path = path().map_err(|error| error.to_string())?;
    let mut command = Command::new("fio");
    command.args(["--name=compare", "--output-format=json", "--ioengine=io_uring", "--direct=1"]);
    command.args(["--rw=randread", "--norandommap", "--bs=4k", "--cpus_allowed=0"]);
    // As often over the file as it takes.
    command.arg(format!("--size={}", PAGES * PAGE as u64)).arg("--io_size=1t");
    command.arg(format!("--iodepth={depth}")).arg(format!("--number_ios={}", depth * each));
    command.arg(format!("--filename={}", path.display()));
    let output = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("fio {HINT}"),
        _ => format!("fio: {error}"),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    let sample = sample_of(&text).filter(|_| output.status.success());
    let sample = sample.ok_or_else(|| format!("fio said {:?}", said + text))?;
    Ok(Sample { rss_kib: peak_rss_kib_of_children() as f64, ..sample })
}

/// What fio says in JSON. Reads stand before writes, so the first of a name is theirs.
fn sample_of(json: &str) -> Option<Sample> {
    let number = |name: &str| -> Option<f64> {
        let (_, rest) = json.split_once(&format!("\"{name}\" : "))?;
        rest.split([',', '\n']).next()?.trim().parse().ok()
    };
    let (percent, ms) = (number("usr_cpu")? + number("sys_cpu")?, number("job_runtime")?);
    Some(Sample {
        value: number("iops")?,
        operations: number("total_ios")?,
        cpu_ns: percent / 100.0 * ms * 1e6,
        ..Sample::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fio_says_is_read() {
        let json = "\
      \"read\" : {\n        \"iops\" : 12345.678000,\n        \"total_ios\" : 1000,\n      },
      \"write\" : {\n        \"iops\" : 0.000000,\n        \"total_ios\" : 0,\n      },
      \"job_runtime\" : 80,\n      \"usr_cpu\" : 10.000000,\n      \"sys_cpu\" : 40.000000,\n";
        let sample = sample_of(json).expect("it has all");
        assert_eq!((sample.value, sample.operations), (12345.678, 1000.0));
        assert_eq!(sample.cpu_ns_each(), 40_000.0);
        assert_eq!(sample_of("fio: engine not found"), None);
    }
}
