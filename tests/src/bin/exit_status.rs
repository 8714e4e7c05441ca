//! Ends as its argument says: with the value of its main future, an error, or a panic.

use std::process::ExitCode;

use miniss_linux::Runtime;

fn main() -> Result<ExitCode, String> {
    let how = std::env::args().nth(1).unwrap_or_default();
    let runtime = Runtime::builder().shards(4).build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match how.as_str() {
            "default" => Ok(ExitCode::default()),
            "ready" => Ok(ExitCode::from(7)),
            "failed" => Err("the main future failed".to_owned()),
            _ => panic!("the main future panicked"),
        }
    })
}
