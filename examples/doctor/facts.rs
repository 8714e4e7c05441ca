//! What there is to know about the machine and this process. Nothing here judges.
//!
//! Each fact may be missing: a sandbox hides files of `/proc`, and older kernels do not have them.

use std::fs;
use std::str::FromStr;

use miniss_linux::topology::{self, CpuList};
use miniss_linux::{Driver, IoUringProbe, Runtime, probe_io_uring};

/// All that the report is made of.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The kernel's release, such as `6.1.0-28-amd64`.
    pub kernel: Option<String>,
    /// What io_uring is here.
    pub io_uring: IoUring,
    /// Who we are to the kernel.
    pub process: Process,
    /// How much we may have.
    pub limits: Limits,
    /// Where we may run.
    pub cpus: Cpus,
    /// What a runtime with the default settings got, or why there is none.
    pub runtime: Result<Running, String>,
}

/// What io_uring is here.
#[derive(Debug, Clone)]
pub struct IoUring {
    /// The sysctl `kernel.io_uring_disabled`, which came with Linux 6.6.
    pub disabled: Option<u32>,
    /// The sysctl `kernel.io_uring_group`.
    pub group: Option<i64>,
    /// What came of trying it.
    pub probe: IoUringProbe,
    /// Bytes of locked memory that a shard wants.
    pub locked_bytes: u64,
}

/// Who we are to the kernel.
#[derive(Debug, Clone)]
pub struct Process {
    /// 0: no filter of system calls; 1: the strict mode; 2: filters.
    pub seccomp: Option<u32>,
    /// The ids of our groups.
    pub groups: Option<Vec<i64>>,
    /// The capabilities in force, as bits.
    pub capabilities: Option<u64>,
}

/// How much we may have.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of locked memory.
    pub memlock: Option<Limit>,
    /// Open files, which sockets are, too.
    pub nofile: Option<Limit>,
    /// The sysctl `net.core.somaxconn`: the longest queue of connections to be accepted.
    pub somaxconn: Option<u64>,
}

/// A limit of the process. [`UNLIMITED`] is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In force.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// No limit.
pub const UNLIMITED: u64 = u64::MAX;

/// Where we may run.
#[derive(Debug, Clone)]
pub struct Cpus {
    /// All that run.
    pub online: Option<CpuList>,
    /// Those of our cpuset, the control group that restricts a container.
    pub cpuset: Option<CpuList>,
    /// Those of our affinity mask, which `taskset` restricts.
    pub allowed: Option<CpuList>,
    /// How many CPUs' time the control groups grant, rounded up. `None`: any amount.
    pub quota: Option<usize>,
}

/// A runtime that runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its driver.
    pub driver: Driver,
    /// Why it is not io_uring, if that was refused.
    pub refusal: Option<String>,
    /// For each shard the CPUs that its thread may run on.
    pub shards: Vec<Option<CpuList>>,
}

impl Facts {
    /// Those of this machine and this process.
    pub fn gather() -> Self {
        Self {
            kernel: text("/proc/sys/kernel/osrelease"),
            io_uring: IoUring {
                disabled: number("/proc/sys/kernel/io_uring_disabled"),
                group: number("/proc/sys/kernel/io_uring_group"),
                probe: probe_io_uring(),
                locked_bytes: Runtime::builder().locked_bytes(),
            },
            process: Process::of(&text("/proc/self/status").unwrap_or_default()),
            limits: Limits::of(
                &text("/proc/self/limits").unwrap_or_default(),
                number("/proc/sys/net/core/somaxconn"),
            ),
            cpus: Cpus::gather(),
            // The last: it takes descriptors, and locked memory for some time beyond its end.
            runtime: Runtime::try_new().map(Running::of).map_err(|error| error.to_string()),
        }
    }
}

impl Process {
    /// From `/proc/self/status`.
    pub fn of(status: &str) -> Self {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let groups = || {
            let effective = field("Gid:")?.split_whitespace().nth(1)?;
            let all = [effective].into_iter().chain(field("Groups:")?.split_whitespace());
            all.map(|group| group.parse().ok()).collect()
        };
        Self {
            seccomp: field("Seccomp:").and_then(|mode| mode.trim().parse().ok()),
            groups: groups(),
            capabilities: field("CapEff:")
                .and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()),
        }
    }
}

impl Limits {
    /// From `/proc/self/limits`, and a sysctl.
    pub fn of(limits: &str, somaxconn: Option<u64>) -> Self {
        let limit = |name| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
            let mut values = line.split_whitespace().map(|value| match value {
                "unlimited" => Some(UNLIMITED),
                number => number.parse().ok(),
            });
            Some(Limit { soft: values.next()??, hard: values.next()?? })
        };
        Self { memlock: limit("Max locked memory"), nofile: limit("Max open files"), somaxconn }
    }
}

impl Cpus {
    fn gather() -> Self {
        Self {
            online: number("/sys/devices/system/cpu/online"),
            cpuset: cpuset(),
            allowed: allowed(),
            quota: topology::cpu_quota().map(usize::from),
        }
    }
}

fn allowed() -> Option<CpuList> {
    Some(topology::allowed_cpus().ok()?.into_iter().collect())
}

/// The CPUs of our control group, in version 2 or 1, or of the container's outermost one if ours is
/// not to be seen.
fn cpuset() -> Option<CpuList> {
    let group = text("/proc/self/cpuset").unwrap_or_default();
    let v2 = |group| format!("/sys/fs/cgroup{group}/cpuset.cpus.effective");
    let v1 = |group| format!("/sys/fs/cgroup/cpuset{group}/cpuset.effective_cpus");
    [v2(&*group), v1(&*group), v2(""), v1("")].iter().find_map(|path| number(path))
}

impl Running {
    fn of(runtime: Runtime) -> Self {
        Self {
            driver: runtime.driver().kind(),
            refusal: runtime.driver().refusal().map(ToString::to_string),
            shards: runtime.run(async || allowed()),
        }
    }
}

/// What a file says, without blanks around it.
fn text(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number<T: FromStr>(path: &str) -> Option<T> {
    text(path)?.parse().ok()
}
