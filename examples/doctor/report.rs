//! The report: what was found, line by line, then what could be better.

use std::fmt::{self, Display};

use miniss_linux::Driver;
use miniss_linux::topology::CpuList;
use serde_json::{Map, Value, json};

use crate::facts::{Facts, Limit, Running, UNLIMITED};
use crate::findings::{Finding, findings, kib, locked_bytes, plural, system};

/// What doctor says.
#[derive(Debug)]
pub struct Report {
    /// Names and what there is to say of each.
    lines: Vec<(&'static str, String)>,
    findings: Vec<Finding>,
}

impl Report {
    /// The report that these facts make.
    pub fn of(facts: &Facts) -> Self {
        let lines = vec![
            ("kernel", known(facts.kernel.as_ref())),
            ("io_uring", sysctls(facts)),
            ("filters", filters(facts.process.seccomp)),
            ("calls", calls(facts)),
            ("has", features(facts, true)),
            ("has not", features(facts, false)),
            ("memlock", memlock(facts)),
            ("nofile", known(facts.limits.nofile.map(|limit| both(limit, |n| n.to_string())))),
            ("somaxconn", known(facts.limits.somaxconn)),
            ("cpus", cpus(facts)),
            ("shards", shards(facts)),
            ("driver", driver(facts)),
        ];
        Self { lines, findings: findings(facts) }
    }

    /// 0: all is as good as it can be; 1: something could be better.
    pub fn status(&self) -> u8 {
        u8::from(!self.findings.is_empty())
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        let facts: Map<_, _> =
            self.lines.iter().map(|(name, text)| ((*name).into(), json!(text))).collect();
        let findings = self.findings.iter();
        let findings = findings.map(|Finding { what, mend }| json!({ "what": what, "mend": mend }));
        let findings: Value = findings.collect();
        json!({ "facts": facts, "findings": findings, "status": self.status() }).to_string()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, text) in &self.lines {
            writeln!(f, "{name:<11}{text}")?;
        }
        if self.findings.is_empty() {
            return f.write_str("\nAll is as good as it can be.");
        }
        f.write_str("\nThis could be better:")?;
        for Finding { what, mend } in &self.findings {
            write!(f, "\n- {what}\n  mend: {mend}")?;
        }
        Ok(())
    }
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(|| "unknown".into(), |value| value.to_string())
}

fn sysctls(facts: &Facts) -> String {
    let group = known(facts.io_uring.group);
    match facts.io_uring.disabled {
        None => "kernel.io_uring_disabled is not there (it came with Linux 6.6)".into(),
        Some(0) => "kernel.io_uring_disabled is 0: for all".into(),
        Some(1) => format!("kernel.io_uring_disabled is 1: for root and the group {group}"),
        Some(other) => format!("kernel.io_uring_disabled is {other}: for no one"),
    }
}

fn filters(seccomp: Option<u32>) -> String {
    match seccomp {
        Some(0) => "no seccomp filter".into(),
        Some(2) => "a seccomp filter is in force".into(),
        other => format!("seccomp mode {}", known(other)),
    }
}

fn calls(facts: &Facts) -> String {
    let call = |(name, answer): &(&str, Option<Result<(), i32>>)| match answer {
        None => format!("{name} not tried"),
        Some(Ok(())) => format!("{name} works"),
        Some(Err(errno)) => format!("{name}: {}", system(*errno)),
    };
    list(facts.io_uring.probe.calls.iter().map(call))
}

fn features(facts: &Facts, present: bool) -> String {
    if facts.io_uring.probe.features.is_empty() {
        return "unknown".into();
    }
    let features = facts.io_uring.probe.features.iter();
    list(features.filter(|feature| feature.present == present).map(|feature| feature.name.into()))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { "nothing".into() } else { items.join(", ") }
}

fn memlock(facts: &Facts) -> String {
    let limit = known(facts.limits.memlock.map(|limit| both(limit, kib)));
    format!("{limit}; the rings of all shards want {}", kib(locked_bytes(facts)))
}

fn both(limit: Limit, show: impl Fn(u64) -> String) -> String {
    let show = |n| if n == UNLIMITED { "unlimited".into() } else { show(n) };
    format!("{}, can be raised to {}", show(limit.soft), show(limit.hard))
}

fn cpus(facts: &Facts) -> String {
    let cpus = &facts.cpus;
    let quota = cpus.quota.map_or("none".into(), |quota| format!("{quota} CPU{}", plural(quota)));
    format!(
        "online {}, cpuset {}, affinity mask {}, quota {quota}",
        known(cpus.online.as_ref()),
        known(cpus.cpuset.as_ref()),
        known(cpus.allowed.as_ref())
    )
}

fn shards(facts: &Facts) -> String {
    let Ok(running) = &facts.runtime else { return "none".into() };
    let of_one = |cpus: &&CpuList| cpus.as_slice().len() == 1;
    let pinned: Vec<_> = running.shards.iter().flatten().filter(of_one).collect();
    let count = running.shards.len();
    match count - pinned.len() {
        0 => {
            let cpus: CpuList = pinned.iter().flat_map(|cpus| cpus.as_slice()).copied().collect();
            format!("{count}, on CPU{} {cpus}", plural(count))
        }
        unpinned => format!("{count}, {unpinned} of them unpinned"),
    }
}

fn driver(facts: &Facts) -> String {
    match &facts.runtime {
        Ok(Running { driver, refusal: Some(refusal), .. }) => format!("{driver}: {refusal}"),
        Ok(Running { driver: Driver::Epoll, .. }) => "epoll: MINISS_DRIVER says so".into(),
        Ok(Running { driver, .. }) => driver.to_string(),
        Err(error) => format!("none: {error}"),
    }
}
