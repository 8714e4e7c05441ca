//! What is worse than it could be, and the command that mends it.

use miniss_linux::topology::CpuList;
use miniss_linux::{Driver, IoUringFeature};

use crate::facts::{Facts, Limit, UNLIMITED};

/// Something that could be better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is, and what it costs.
    pub what: String,
    /// The command, or the setting, that mends it.
    pub mend: String,
}

/// So many descriptors are enough for us to be content: a server of ten thousand connections.
const DESCRIPTORS_ENOUGH: u64 = 10_000;
/// What we tell the user to ask for.
const DESCRIPTORS_BETTER: u64 = 65_536;
/// The kernel's own default for `net.core.somaxconn` since Linux 5.4.
const BACKLOG_ENOUGH: u64 = 4096;
/// Bits of capabilities, as in `capability.h`.
const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_ADMIN: u32 = 21;

/// All there are, the weightiest first.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(no_runtime(facts));
    found.extend(no_io_uring(facts));
    found.extend(other_driver(facts));
    found.extend(locked_memory(facts));
    found.extend(descriptors(facts));
    found.extend(cpus(facts));
    found.extend(unpinned(facts));
    found.extend(backlog(facts));
    found.extend(old_kernel(facts));
    found
}

fn finding(what: impl Into<String>, mend: impl Into<String>) -> Option<Finding> {
    Some(Finding { what: what.into(), mend: mend.into() })
}

fn no_runtime(facts: &Facts) -> Option<Finding> {
    let error = facts.runtime.as_ref().err()?;
    finding(format!("no runtime starts: {error}"), "what it names, then run doctor again")
}

/// Why io_uring cannot be used, if it cannot.
fn no_io_uring(facts: &Facts) -> Option<Finding> {
    if has_io_uring(facts) {
        return None;
    }
    let refused = |&(call, answer): &(_, Option<Result<(), i32>>)| Some((call, answer?.err()?));
    match facts.io_uring.probe.calls.iter().find_map(refused) {
        Some((call, errno)) => refused_call(facts, call, errno),
        None => lacking(facts),
    }
}

fn refused_call(facts: &Facts, call: &str, errno: i32) -> Option<Finding> {
    match errno {
        libc::EPERM if facts.io_uring.disabled == Some(2) => finding(
            "io_uring is switched off for all processes: kernel.io_uring_disabled is 2",
            "sysctl -w kernel.io_uring_disabled=0 (as root, on the host)",
        ),
        libc::EPERM if facts.io_uring.disabled == Some(1) && !is_in_group(facts) => group(facts),
        libc::ENOMEM => finding(
            format!("{call} finds no memory that it may lock: {}", system(errno)),
            more_memlock(facts),
        ),
        libc::EMFILE | libc::ENFILE => finding(
            format!("{call} finds no descriptor: {}", system(errno)),
            more_descriptors(facts.limits.nofile),
        ),
        _ if facts.process.seccomp == Some(2) => finding(
            format!("a seccomp filter, as containers have, refuses {call}: {}", system(errno)),
            "allow io_uring_setup, io_uring_enter and io_uring_register in a profile, as \
             miniss_linux::manual::containers shows: docker run --security-opt \
             seccomp=PROFILE.json; Kubernetes: seccompProfile, type Localhost; systemd: \
             SystemCallFilter= with @aio added",
        ),
        libc::ENOSYS => finding(
            format!("this kernel, or the sandbox that stands for it, has no io_uring ({call})"),
            "a kernel from Linux 6.1 on, built with CONFIG_IO_URING=y; under gVisor there is none",
        ),
        _ => finding(
            format!("{call} is refused, and no filter is seen that does it: {}", system(errno)),
            "a security module can do that: ausearch -m AVC -ts recent; journalctl -k -g audit",
        ),
    }
}

/// Only members of a group may use io_uring, and we are none.
fn group(facts: &Facts) -> Option<Finding> {
    let what = "io_uring is for one group only, and this process is not in it: \
                kernel.io_uring_disabled is 1, kernel.io_uring_group is";
    match facts.io_uring.group {
        Some(group) if group >= 0 => finding(
            format!("{what} {group}"),
            format!(
                "join it: systemd: SupplementaryGroups={group}; docker run --group-add {group}; \
                 or sysctl -w kernel.io_uring_disabled=0 (as root, on the host)"
            ),
        ),
        group => finding(
            format!("{what} {}", group.map_or("unknown".into(), |group| group.to_string())),
            format!(
                "sysctl -w kernel.io_uring_group={}, or sysctl -w kernel.io_uring_disabled=0 (as \
                 root, on the host)",
                facts.process.groups.iter().flatten().next().map_or("GID".into(), i64::to_string)
            ),
        ),
    }
}

fn is_in_group(facts: &Facts) -> bool {
    let groups = facts.process.groups.iter().flatten();
    has(facts, CAP_SYS_ADMIN)
        || groups.into_iter().any(|&group| facts.io_uring.group == Some(group))
}

fn has(facts: &Facts, capability: u32) -> bool {
    facts.process.capabilities.is_some_and(|bits| bits & (1 << capability) != 0)
}

/// What the kernel lacks that the driver cannot do without.
fn lacking(facts: &Facts) -> Option<Finding> {
    let lacks: Vec<_> = missing(facts).filter(|feature| feature.required).collect();
    if lacks.is_empty() {
        return None;
    }
    finding(
        format!("the io_uring of this kernel lacks what the driver needs: {}", names(&lacks)),
        format!("a kernel from Linux {} on, better 6.1", newest(&lacks)),
    )
}

fn missing(facts: &Facts) -> impl Iterator<Item = &IoUringFeature> {
    facts.io_uring.probe.features.iter().filter(|feature| !feature.present)
}

fn names(features: &[&IoUringFeature]) -> String {
    let name = |feature: &&IoUringFeature| {
        format!("{} ({}.{})", feature.name, feature.since.0, feature.since.1)
    };
    features.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn newest(features: &[&IoUringFeature]) -> String {
    let (major, minor) = features.iter().map(|feature| feature.since).max().unwrap_or_default();
    format!("{major}.{minor}")
}

/// io_uring can be had, and another driver runs.
fn other_driver(facts: &Facts) -> Option<Finding> {
    let running = facts.runtime.as_ref().ok()?;
    if running.driver == Driver::IoUring || no_io_uring(facts).is_some() {
        return None;
    }
    match &running.refusal {
        None => finding("io_uring can be had, but is not asked for", "unset MINISS_DRIVER"),
        // Alone it is to be had, but not for all shards.
        Some(refusal) => finding(refusal, "what it names, then run doctor again"),
    }
}

/// Whether the default driver is the better one.
fn has_io_uring(facts: &Facts) -> bool {
    facts.runtime.as_ref().is_ok_and(|running| running.driver == Driver::IoUring)
}

fn locked_memory(facts: &Facts) -> Option<Finding> {
    let limit = facts.limits.memlock?;
    let wanted = locked_bytes(facts);
    if !has_io_uring(facts) || limit.soft >= wanted || has(facts, CAP_IPC_LOCK) {
        return None;
    }
    finding(
        format!(
            "the processes of this user may lock {} of memory, the rings of all shards want {}: \
             they are made smaller",
            kib(limit.soft),
            kib(wanted)
        ),
        more_memlock(facts),
    )
}

/// What the rings of all shards want.
pub fn locked_bytes(facts: &Facts) -> u64 {
    let shards = facts.runtime.as_ref().map_or(1, |running| running.shards.len());
    facts.io_uring.locked_bytes * shards as u64
}

fn more_memlock(facts: &Facts) -> String {
    let bytes = locked_bytes(facts).next_multiple_of(1 << 20);
    let may = facts.limits.memlock.is_some_and(|limit| limit.hard >= bytes);
    let shell = format!("ulimit -l {}", bytes >> 10);
    let who = if may { "" } else { " (as root)" };
    format!("{shell}{who}; systemd: LimitMEMLOCK={bytes}; docker run --ulimit memlock={bytes}")
}

fn descriptors(facts: &Facts) -> Option<Finding> {
    let limit = facts.limits.nofile?;
    if limit.soft >= DESCRIPTORS_ENOUGH {
        return None;
    }
    let what = format!("{} open files are allowed, and each connection is one", limit.soft);
    finding(what, more_descriptors(Some(limit)))
}

fn more_descriptors(limit: Option<Limit>) -> String {
    let enough = DESCRIPTORS_BETTER;
    match limit {
        Some(limit) if limit.hard >= DESCRIPTORS_ENOUGH => {
            let soft = limit.hard.min(enough);
            format!("ulimit -n {soft}; systemd: LimitNOFILE={soft}")
        }
        _ => format!(
            "ulimit -n {enough} (as root); systemd: LimitNOFILE={enough}; docker run --ulimit \
             nofile={enough}"
        ),
    }
}

/// Where fewer CPUs may be used than there are: the narrowest of mask, cpuset and quota counts.
fn cpus(facts: &Facts) -> Vec<Finding> {
    let cpus = &facts.cpus;
    let count = |list: &Option<CpuList>| list.as_ref().map(|list| list.as_slice().len());
    let (online, cpuset, allowed) =
        (count(&cpus.online), count(&cpus.cpuset), count(&cpus.allowed));
    let mut found = Vec::new();
    if let (Some(cpuset), Some(online), Some(all)) = (cpuset, online, &cpus.online)
        && cpuset < online
    {
        found.extend(finding(
            format!("the cpuset has {cpuset} of the {online} CPUs that run"),
            format!("docker run --cpuset-cpus={all}; systemd: AllowedCPUs={all}"),
        ));
    }
    let all = cpus.cpuset.as_ref().or(cpus.online.as_ref());
    if let (Some(allowed), Some(all)) = (allowed, all)
        && allowed < all.as_slice().len()
    {
        let of = all.as_slice().len();
        found.extend(finding(
            format!("the affinity mask has {allowed} of {of} CPUs"),
            format!("taskset -c {all} PROGRAM; systemd: CPUAffinity={all}"),
        ));
    }
    if let (Some(quota), Some(allowed)) = (cpus.quota, allowed)
        && quota < allowed
    {
        found.extend(finding(
            format!("a quota grants the time of {quota} CPU{}, of {allowed}", plural(quota)),
            format!(
                "docker run --cpus={allowed}; Kubernetes: resources.limits.cpu; systemd: \
                 CPUQuota={}%",
                allowed * 100
            ),
        ));
    }
    found
}

fn unpinned(facts: &Facts) -> Option<Finding> {
    let shards = &facts.runtime.as_ref().ok()?.shards;
    let is_free =
        |cpus: &&Option<CpuList>| cpus.as_ref().is_none_or(|cpus| cpus.as_slice().len() > 1);
    let free = shards.iter().filter(is_free).count();
    if shards.len() == 1 || free == 0 {
        return None;
    }
    finding(
        format!("{free} of {} shards run unpinned", shards.len()),
        "allow sched_setaffinity in the seccomp profile",
    )
}

fn backlog(facts: &Facts) -> Option<Finding> {
    let somaxconn = facts.limits.somaxconn.filter(|&somaxconn| somaxconn < BACKLOG_ENOUGH)?;
    finding(
        format!("net.core.somaxconn lets {somaxconn} connections wait, whatever a listener asks"),
        format!(
            "sysctl -w net.core.somaxconn={BACKLOG_ENOUGH} (as root); docker run --sysctl \
             net.core.somaxconn={BACKLOG_ENOUGH}"
        ),
    )
}

/// What the kernel lacks that the driver can do without.
fn old_kernel(facts: &Facts) -> Option<Finding> {
    let lacks: Vec<_> = missing(facts).collect();
    if lacks.is_empty() || lacks.iter().any(|feature| feature.required) {
        return None;
    }
    finding(
        format!("the io_uring driver does without {}", names(&lacks)),
        format!("a kernel from Linux {} on", newest(&lacks)),
    )
}

/// The system's text for an error.
pub fn system(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno).to_string()
}

/// Bytes, for people.
pub fn kib(bytes: u64) -> String {
    match bytes {
        UNLIMITED => "any amount".into(),
        bytes => format!("{} KiB", bytes.div_ceil(1 << 10)),
    }
}

pub fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
