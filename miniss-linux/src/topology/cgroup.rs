//! How much CPU time the control groups grant: what a container's "1.5 CPUs" comes to.
//!
//! A quota is so many microseconds in each period, for all threads of a group and of the groups
//! below it together. Thus the smallest quota on the way from our own group to the root counts.
//!
//! Two files tell where these groups are. `/proc/self/cgroup` names our group in each hierarchy:
//!
//! ```text
//! 4:cpu,cpuacct:/docker/3f2a          version 1: number, controllers, path
//! 0::/user.slice/shell.scope          version 2: always 0 and no controllers
//! ```
//!
//! `/proc/self/mountinfo` says where a hierarchy, or the part of it below `root`, is mounted:
//!
//! ```text
//! 32 31 0:29 /docker/3f2a /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
//!            root         mount point           type        super options
//! ```
//!
//! So the group `/docker/3f2a/job` has the folder `/sys/fs/cgroup/cpu/job`. There may be several
//! mounts of a hierarchy, each of another part of it, and a limit may show in one of them alone: so
//! all that have our group or one above it are looked through. Seen from a namespace of control
//! groups, `/..` is the group above the namespace's own, whose name is not told; a mount of it has
//! our limits in its topmost folder.
//!
//! A container often sees paths of the host that are not below any mount it has; then the mounts
//! themselves are the best guess, and in a container it is right. What cannot be read counts as no
//! quota: a wrong guess costs some threads too many, not the start.
//!
//! Everything but [`cpu_quota`] is a function of these texts, and tested as such.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// The CPU quota of the control groups this process is in, in CPUs, rounded up.
///
/// `None` when there is no quota, or none that can be read. Versions 1 and 2 are both asked, in
/// all their mounts and for all groups that we are in, and the smallest quota found wins.
///
/// ```
/// if let Some(cpus) = miniss_linux::topology::cpu_quota() {
///     println!("we are granted the time of {cpus} CPUs");
/// }
/// ```
pub fn cpu_quota() -> Option<NonZeroUsize> {
    let cgroup = fs::read("/proc/self/cgroup").ok()?;
    let mountinfo = fs::read("/proc/self/mountinfo").ok()?;
    smallest_quota(&cgroup, &mountinfo, |path| fs::read_to_string(path).ok())
}

/// The smallest quota in the groups that the two texts lead to; `read` gives a file's content.
fn smallest_quota(
    cgroup: &[u8],
    mountinfo: &[u8],
    read: impl Fn(&Path) -> Option<String>,
) -> Option<NonZeroUsize> {
    let mounts: Vec<Mount> = lines(mountinfo).filter_map(Mount::parse).collect();
    let groups = lines(cgroup).filter_map(Group::parse);
    let quotas = groups.flat_map(|group| {
        let folders = group.folders(&mounts).into_iter();
        folders.filter_map(|folder| group.version.quota_of(&folder, &read)).collect::<Vec<_>>()
    });
    quotas.min()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Version {
    fn quota_of(
        self,
        folder: &Path,
        read: impl Fn(&Path) -> Option<String>,
    ) -> Option<NonZeroUsize> {
        match self {
            Self::V1 => {
                let quota_us = read(&folder.join("cpu.cfs_quota_us"))?;
                let period_us = read(&folder.join("cpu.cfs_period_us"))?;
                cpus(&quota_us, &period_us)
            }
            Self::V2 => {
                let both = read(&folder.join("cpu.max"))?;
                let (quota_us, period_us) = both.trim().split_once(' ')?;
                cpus(quota_us, period_us)
            }
        }
    }
}

/// How many CPUs a quota is worth. `max` and -1 mean no quota, and are no numbers to us.
fn cpus(quota_us: &str, period_us: &str) -> Option<NonZeroUsize> {
    let quota_us: usize = quota_us.trim().parse().ok()?;
    let period_us: NonZeroUsize = period_us.trim().parse().ok()?;
    NonZeroUsize::new(quota_us.div_ceil(period_us.get()))
}

/// A line of `/proc/self/cgroup` that can have a say in CPU time.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    version: Version,
    path: PathBuf,
}

impl Group {
    fn parse(line: &[u8]) -> Option<Self> {
        // Only the first two colons separate: the path may have its own.
        let mut fields = line.splitn(3, |&byte| byte == b':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match (number, controllers) {
            (b"0", b"") => Version::V2,
            (_, controllers) if has_cpu(controllers) => Version::V1,
            _ => return None,
        };
        Some(Self { version, path: OsString::from_vec(path.to_vec()).into() })
    }

    /// The folders of this group and of those above it, wherever they are mounted.
    fn folders(&self, mounts: &[Mount]) -> Vec<PathBuf> {
        let ours = || mounts.iter().filter(|mount| mount.version == self.version);
        let shown = |mount: &Mount| Some(mount.folders_down_to(mount.below(&self.path)?));
        let folders: Vec<_> = ours().filter_map(shown).flatten().collect();
        if folders.is_empty() { ours().map(|mount| mount.point.clone()).collect() } else { folders }
    }
}

/// A line of `/proc/self/mountinfo` that is a hierarchy with a say in CPU time.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    version: Version,
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let root = unescape(fields.nth(3)?);
        let point = unescape(fields.next()?);
        // Options and any number of optional fields, ended by a dash.
        fields.find(|field| field == b"-")?;
        let (kind, _source, options) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match kind {
            b"cgroup2" => Version::V2,
            b"cgroup" if has_cpu(options) => Version::V1,
            _ => return None,
        };
        Some(Self { version, root, point })
    }

    /// The group `path` relative to what is mounted here, if it is that or below it; as much of the
    /// way as can be told.
    fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let is_above_all = |path: &Path| {
            path.components().all(|part| matches!(part, Component::RootDir | Component::ParentDir))
        };
        match path.strip_prefix(&self.root) {
            // Our group is outside of our namespace, and beside what is mounted here.
            Ok(below) if below.components().any(|part| part == Component::ParentDir) => None,
            Ok(below) => Some(below),
            Err(_) if is_above_all(&self.root) && ups(&self.root) > ups(path) => {
                Some(Path::new(""))
            }
            Err(_) => None,
        }
    }

    /// The folders of what is mounted here and of all groups on the way `below`.
    fn folders_down_to(&self, below: &Path) -> Vec<PathBuf> {
        // `ancestors` of "a/b" are "a/b", "a" and "".
        below.ancestors().map(|part| self.point.join(part)).collect()
    }
}

/// How far above our namespace's own group a path leads.
fn ups(path: &Path) -> usize {
    path.components().filter(|part| *part == Component::ParentDir).count()
}

/// Whether a list such as `rw,cpu,cpuacct` has the controller `cpu`.
fn has_cpu(list: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| item == b"cpu")
}

/// Undoes the kernel's `\040` for a blank, and the like.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match octal(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

/// The byte that `text` begins with, if it is one written as a backslash and three digits.
fn octal(text: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = text.get(..4)? else { return None };
    u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(all(test, not(loom)))]
mod tests;
