//! A guest book: each client gives a name, and gets all names so far.

use std::cell::RefCell;
use std::rc::Rc;
use std::{env, io};

use miniss_linux::net::{TcpListener, TcpStream};
use miniss_linux::spawn;

type Book = Rc<RefCell<Vec<String>>>;

#[miniss_linux::main(shards = 1)]
async fn main() -> io::Result<()> {
    let book = Book::default();
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(welcome(stream, book.clone())).detach();
    }
}

async fn welcome(stream: TcpStream, book: Book) -> io::Result<()> {
    let received = stream.recv().await?;
    let name = String::from_utf8_lossy(&received).trim().to_owned();
    book.borrow_mut().push(name);
    let names = book.borrow().join(", ");
    stream.write_all(format!("so far: {names}\n")).await.0
}
