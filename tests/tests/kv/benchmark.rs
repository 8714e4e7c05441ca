//! `redis-benchmark`, which speaks to the server as programs in the field do.

use miniss_tests::deadline::deadline;
use miniss_tests::program::{installed, run};

use crate::kv;

const TESTS: &str = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,lrange,mset";

/// Lines of the report: some of the tests are several.
const RESULTS_MIN: usize = 13;

fn all_tests_pass(shards: usize) {
    let server = kv(shards);
    // In parts, so that none is near the limit on a slow machine.
    for pipeline in ["1", "16"] {
        let requests = if pipeline == "1" { "2000" } else { "20000" };
        let mut command = installed("redis-benchmark", "redis-tools");
        command.args(["-p", &server.port(), "-t", TESTS, "-n", requests, "-P", pipeline, "-q"]);
        let output = run(&mut command);
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}{errors}", output.status);
        let complaint = text.lines().chain(errors.lines()).find(|line| is_complaint(line));
        assert_eq!(complaint, None);
        let results = text.lines().filter(|line| line.contains("requests per second"));
        assert!(results.count() >= RESULTS_MIN, "{text}");
    }
}

fn is_complaint(line: &str) -> bool {
    let line = line.to_lowercase();
    line.contains("error") || line.contains("warning") || line.starts_with("could not")
}

#[test]
fn one_shard_serves_redis_benchmark() {
    let _deadline = deadline("one_shard_serves_redis_benchmark");
    all_tests_pass(1);
}

#[test]
fn two_shards_serve_redis_benchmark() {
    let _deadline = deadline("two_shards_serve_redis_benchmark");
    all_tests_pass(2);
}
