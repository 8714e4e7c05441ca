//! A whole server without sockets, for tests: any number of shards, one connection.
//!
//! `socket ─▶ [parser ─▶ route ─▶ batch ─▶ store ─▶ reply] ─▶ socket`
#![forbid(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use miniss_linux::{Budget, Driver, Runtime};

use crate::batch::Batch;
use crate::resp::{Output, Parsed, Parser};
use crate::round::{Context, Round, Stock};
use crate::server;
use crate::session::Session;
use crate::settings::Settings;
use crate::store::Store;

/// The time a server starts at, in milliseconds.
pub const START_MS: u64 = 1_000_000;

/// Runs `test` on a shard that gives a walk over all keys turns as short as can be.
pub fn in_short_turns(test: impl FnOnce()) {
    let budget = Budget { time_max: Duration::from_nanos(1), ..Budget::default() };
    let runtime = Runtime::builder().shards(1).budget(budget).build().unwrap();
    runtime.block_on(async { test() });
}

/// What `shards` have in common.
pub fn server(shards: usize) -> Arc<server::Server> {
    let settings = <Settings as clap::Parser>::parse_from(["kv"]);
    Arc::new(server::Server::new(shards, Driver::Auto, 7379, settings.limits))
}

/// Shards and one connection to the last of them.
pub struct Server {
    /// Every shard's keys.
    pub stores: Vec<Store>,
    /// The connection.
    pub session: Session,
    /// The time, in milliseconds.
    pub now_ms: u64,
    /// Bytes of replies after which a batch stops.
    pub reply_bytes_max: usize,
    /// How often a batch crossed to another shard.
    pub crossings: usize,
    parser: Parser,
    round: Round,
}

impl Server {
    /// A server of `shards`.
    pub fn new(shards: usize) -> Self {
        Self::with_stock(shards, &Rc::default())
    }

    /// A server of `shards`, whose rounds use `stock`.
    pub fn with_stock(shards: usize, stock: &Rc<Stock>) -> Self {
        Self {
            stores: (0..shards).map(|shard| Store::new(shard, shards)).collect(),
            session: Session::new(7),
            now_ms: START_MS,
            reply_bytes_max: usize::MAX,
            crossings: 0,
            parser: Parser::new(usize::MAX),
            round: Round::new(shards - 1, server(shards), None, stock),
        }
    }

    /// Sends `bytes`, which are whole requests, and gives all replies.
    pub fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (mut from, mut out) = (0, Output::default());
        while !self.session.closing && from < bytes.len() {
            match self.parser.parse(&bytes[from..]) {
                Ok(Parsed::Request { args, used }) => {
                    let (now_ms, last) = (self.now_ms, self.stores.len() - 1);
                    let (session, store) = (&mut self.session, &mut self.stores[last]);
                    let reserve = &mut |_| Ok(());
                    let mut context = Context { session, store, now_ms, reserve, out: &mut out };
                    match self.round.request(&mut context, &args) {
                        Ok(()) => from += used,
                        Err(_) => self.settle(&mut out),
                    }
                    if self.round.is_full(&out) {
                        self.settle(&mut out);
                    }
                }
                Ok(Parsed::Nothing { used }) => from += used,
                Ok(Parsed::Incomplete) => panic!("not whole: {:?}", bytes.escape_ascii()),
                Err(error) => {
                    error.write(self.round.sink(&mut out));
                    self.session.closing = true;
                }
            }
        }
        self.settle(&mut out);
        let pieces = out.take_pieces();
        pieces.map(|piece| piece.string[piece.range].to_vec()).collect::<Vec<_>>().concat()
    }

    /// Sends one line and gives the reply as text.
    pub fn ask(&mut self, line: &str) -> String {
        let reply = self.send(format!("{line}\r\n").as_bytes());
        String::from_utf8(reply).unwrap()
    }

    fn settle(&mut self, out: &mut Output) {
        while self.round.is_waiting() {
            for shard in 0..self.stores.len() {
                let Some(batch) = self.round.take_batch(shard) else { continue };
                let batch = self.cross(shard, batch);
                self.round.put_batch(shard, batch);
            }
            self.round.drain(out);
        }
        self.round.begin_turn();
    }

    fn cross(&mut self, shard: usize, mut batch: Box<Batch>) -> Box<Batch> {
        self.crossings += 1;
        batch.run(&mut self.stores[shard], self.now_ms, self.reply_bytes_max);
        batch
    }
}
