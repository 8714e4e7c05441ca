//! Sends back what each client sends.

use std::{env, io};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::spawn;

#[miniss_linux::main(shards = 1)]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(async {
            if let Err(error) = echo(stream).await {
                println!("a client is gone: {error}");
            }
        })
        .detach();
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let (result, received) = stream.read(buffer).await;
        if result? == 0 {
            return Ok(()); // the client has ended
        }
        let (result, sent) = stream.write_all(received).await;
        result?;
        buffer = sent;
    }
}
