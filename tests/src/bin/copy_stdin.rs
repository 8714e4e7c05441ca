//! Copies what it reads to where it writes, and says on stderr how much that was.

use std::io;

use miniss_linux::Runtime;
use miniss_linux::pipe::{stderr, stdin, stdout};

fn main() -> io::Result<()> {
    let runtime = Runtime::builder().shards(1).build().map_err(io::Error::other)?;
    runtime.block_on(async {
        let (input, output) = (stdin()?, stdout()?);
        let mut total = 0;
        loop {
            let bytes = input.recv().await?;
            if bytes.is_empty() {
                break;
            }
            total += bytes.len();
            output.write_all(bytes).await.0?;
        }
        stderr()?.write_all(format!("{total} bytes\n")).await.0
    })
}
