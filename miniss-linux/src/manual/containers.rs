//! Containers: which driver runs there, and how to allow io_uring.
//!
//! A program needs no change. Where a container forbids io_uring, a runtime runs on epoll
//! ([`Driver::Auto`](crate::Driver)) and says so in one warning; the example `doctor`, run in the
//! container, names what forbids it and the remedy.
//!
//! # Who forbids it
//!
//! | where | io_uring | what a program sees |
//! |---|---|---|
//! | Docker Engine from 25.0 on, its default profile ([moby 46762](https://github.com/moby/moby/pull/46762)) | forbidden | `EPERM` |
//! | Docker Engine 20.10 to 24.0, the same | allowed | |
//! | Podman, its default profile | forbidden | `ENOSYS` |
//! | Kubernetes, a pod that sets no seccomp profile | allowed, unless the kubelet runs with `--seccomp-default` | as the next |
//! | Kubernetes, `RuntimeDefault`, with containerd from 2.0 on ([containerd 9320](https://github.com/containerd/containerd/pull/9320)) | forbidden | `EPERM` |
//! | gVisor | not there, but for the flag `--iouring`, which is for its own tests | `ENOSYS` |
//! | a virtual machine (Kata, Firecracker) | as the guest's kernel has it | |
//! | systemd, `SystemCallFilter=@system-service` | allowed | |
//! | the host's `kernel.io_uring_disabled=2`, from Linux 6.6 on | forbidden to all | `EPERM` |
//! | the host's `kernel.io_uring_disabled=1` | for root and `kernel.io_uring_group` | `EPERM` |
//!
//! A container shares its host's kernel, so the last two hold in it, too, and only the host can
//! change them. The profiles forbid io_uring for two reasons. Many holes of the kernel were found
//! in it. And a filter of system calls sees that a ring is entered, but not what the ring's entries
//! ask for.
//!
//! # What epoll costs
//!
//! Nothing changes but the speed. A turn of the loop is one system call on io_uring; on epoll each
//! read and each write is one more, and each passes the container's filter. Measured with `kv` on
//! one shard, in the first and the third container of [what was tried](#what-was-tried), with GET
//! from 50 connections, three runs each, on a machine with two cores that had other work: a request
//! takes 7.1 to 8.3 us of CPU on epoll and 5.2 to 6.5 us on io_uring; with 16 requests in flight on
//! each connection 0.46 to 0.64 us and 0.42 to 0.57 us.
//!
//! # How to allow it
//!
//! Three system calls are to be added to the profile. For Docker:
//!
//! ```sh
//! curl -O https://raw.githubusercontent.com/moby/profiles/main/seccomp/default.json
//! jq '.syscalls += [{"action": "SCMP_ACT_ALLOW",
//!     "names": ["io_uring_setup", "io_uring_enter", "io_uring_register"]}]' \
//!     default.json > io_uring.json
//! docker run --security-opt seccomp=io_uring.json IMAGE
//! ```
//!
//! Podman takes the same option; its own profile is `/usr/share/containers/seccomp.json`. For
//! Kubernetes the file goes to each node, below `/var/lib/kubelet/seccomp/`, and the pod names it:
//!
//! ```yaml
//! securityContext:
//!   seccompProfile:
//!     type: Localhost
//!     localhostProfile: io_uring.json
//! ```
//!
//! All three calls are needed: where only one is denied, the driver is epoll. To find out whether
//! the profile is what stands in the way, `--security-opt seccomp=unconfined` and
//! `type: Unconfined` have none.
//!
//! # Other limits of a container
//!
//! - CPUs: there are as many shards as the quota (`--cpus`, `resources.limits.cpu`) grants CPUs,
//!   rounded up, and no more than the cpuset has; see [`topology`](crate::topology).
//! - Locked memory: where the limit is small, rings are made smaller, which is reported.
//!   `--ulimit memlock=-1` lifts it.
//! - Open files: each connection is one. `--ulimit nofile=65536`.
//!
//! # What was tried
//!
//! Docker's default profile of June 2026, Podman's of Debian 12, and the first with the three calls
//! added, in containers that runc 1.1.5 made on Linux 6.18, with Docker's capabilities. Tests deny
//! each of the three calls with `EPERM` and `ENOSYS`. What systemd's filter has was read from
//! `systemd-analyze syscall-filter`, of version 252. Not tried were Docker Engine and Kubernetes
//! themselves, and gVisor: what the table says of them stands in their sources.

#![forbid(unsafe_code)]
