//! Messages by the batch: what is there, or what is to go, with one call.
//!
//! A batch that is received is what was received ahead into the pool. One that is sent goes by
//! `sendmmsg(2)` on both drivers: it does not wait, and io_uring has nothing that sends several
//! messages. Where there is no room, it waits as a single send does.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, Waker};

use miniss_core::coop::{Leaf, consume_budget, cooperative};
use socket2::SockAddr;

use super::datagram::{DatagramKind, DatagramSocket, NO_FDS, REST_MAX, REST_MIN, Received};
use super::read::Next;
use crate::buf::{BufResult, IoVecBuf};
use crate::driver::buffers::PoolBuf;
use crate::op::connection::Reading;
use crate::op::message::send_many;

impl<K: DatagramKind> DatagramSocket<K> {
    /// Receives all messages that are there, but no more than `limit`, puts them behind those in
    /// `messages`, and tells how many came. If there is none, it waits for one; 0 is the answer
    /// only to a limit of 0. Otherwise as [`recv_pooled`](Self::recv_pooled).
    ///
    /// A message without bytes is the last of its batch. Each holds a buffer of the pool: clear
    /// `messages` soon.
    ///
    /// # Errors
    ///
    /// As there. One that comes behind a message is for the next receive.
    ///
    /// # Cancellation
    ///
    /// Cancel safe: it has put nothing into `messages`, and what arrives is for the next receive.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// let (ours, theirs) =
    ///     (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// ours.connect(theirs.local_addr()?).await?;
    /// assert_eq!(ours.send_many(["one", "two", "three"]).await.0?, 3);
    ///
    /// let mut messages = Vec::new();
    /// while messages.len() < 3 {
    ///     theirs.recv_many(&mut messages, 64).await?;
    /// }
    /// for (received, message) in messages.drain(..) {
    ///     theirs.send_to(message, &received.from).await.0?;
    /// }
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn recv_many(
        &self,
        messages: &mut Vec<(Received<K::Address>, PoolBuf)>,
        limit: usize,
    ) -> impl Future<Output = io::Result<usize>> {
        cooperative(async move {
            let _reading = Reading::begin(&self.connection)?;
            if limit == 0 {
                return Ok(0);
            }
            let before = messages.len();
            messages.push(self.next_message().await?);
            let leaf = Leaf::new();
            poll_fn(|cx| {
                while messages.len() - before < limit
                    && messages.last().is_some_and(|(_, bytes)| !bytes.is_empty())
                    && leaf.poll_proceed(cx).is_ready()
                    && let Some(message) = self.message_that_is_there()
                {
                    messages.push(message);
                }
                Poll::Ready(())
            })
            .await;
            Ok(messages.len() - before)
        })
    }

    /// The next message, if it was received ahead.
    fn message_that_is_there(&self) -> Option<(Received<K::Address>, PoolBuf)> {
        let cx = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(Next::Bytes(next)) = self.connection.poll_next(self.ahead(), cx) else {
            return None;
        };
        match next.and_then(|message| self.open(message)) {
            Ok(message) => Some(message),
            Err(error) => {
                self.connection.side.put_back_error(error);
                None
            }
        }
    }

    /// Sends each of the buffers as a message of its own to the address that the socket is
    /// connected to, in their order, and gives them back with the number of messages that were
    /// sent. It waits while the kernel has no room, as [`send`](Self::send) does.
    ///
    /// If it is less than all, the next one failed, and none behind it was sent. Send it again to
    /// learn why, or leave it out.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), of the first message; a later one that fails makes the number
    /// less. An error that the network reports while they go out may be passed over.
    ///
    /// # Cancellation
    ///
    /// Dropping it sends none of those that are left. Each went out whole or not at all; how many
    /// did is not told.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// # let (socket, peer) =
    /// #     (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// # socket.connect(peer.local_addr()?).await?;
    /// let messages = vec![vec![1; 100], vec![2; 100_000], vec![3; 100]];
    /// let (result, mut messages) = socket.send_many(messages).await;
    /// let sent = result?;
    /// assert_eq!(sent, 1); // the second is too long for one message
    /// messages.drain(..=sent);
    /// assert_eq!(socket.send_many(messages).await.0?, 1);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn send_many<V: IoVecBuf>(&self, messages: V) -> BufResult<usize, V> {
        self.send_batch(messages, Vec::new()).await
    }

    /// Sends each of the buffers as a message to the address in the same place; otherwise as
    /// [`send_many`](Self::send_many).
    ///
    /// # Errors
    ///
    /// As there; `InvalidInput` if there are not as many addresses as buffers.
    ///
    /// # Cancellation
    ///
    /// As there.
    ///
    /// ```
    /// # use miniss_linux::{Runtime, net::UdpSocket};
    /// # Runtime::builder().shards(1).build().unwrap().block_on(async {
    /// # let (first, second) =
    /// #     (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    /// let socket = UdpSocket::bind("127.0.0.1:0").await?;
    /// let to = [first.local_addr()?, second.local_addr()?];
    /// assert_eq!(socket.send_many_to(["for you", "and you"], &to).await.0?, 2);
    /// # assert_eq!(second.recv([0; 7]).await.1, *b"and you");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn send_many_to<V: IoVecBuf>(
        &self,
        messages: V,
        addresses: &[K::Address],
    ) -> BufResult<usize, V> {
        if addresses.len() != count(&messages) {
            let what = format!(
                "send_many_to: {} addresses for {} messages",
                addresses.len(),
                count(&messages)
            );
            return (Err(io::Error::new(io::ErrorKind::InvalidInput, what)), messages);
        }
        match addresses.iter().map(K::to_kernel).collect() {
            Ok(addresses) => self.send_batch(messages, addresses).await,
            Err(error) => (Err(error), messages),
        }
    }

    async fn send_batch<V: IoVecBuf>(
        &self,
        messages: V,
        addresses: Vec<SockAddr>,
    ) -> BufResult<usize, V> {
        let mut done = 0;
        let result = self.send_from(&messages, &addresses, &mut done).await;
        (if done > 0 { Ok(done) } else { result.map(|()| 0) }, messages)
    }

    /// Sends what is left, and notes how many are done.
    async fn send_from<V: IoVecBuf>(
        &self,
        messages: &V,
        addresses: &[SockAddr],
        done: &mut usize,
    ) -> io::Result<()> {
        let _turn = self.connection.turn_with(&NO_FDS).await?;
        let (count, mut rest) = (count(messages), REST_MIN);
        while *done < count {
            match send_many(&self.connection.fd, messages, addresses, *done) {
                Ok(sent) => {
                    *done += sent;
                    rest = REST_MIN;
                    consume_budget().await;
                    self.connection.fd.check_still_open()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_elsewhere = addresses.first().is_some_and(SockAddr::is_unix);
                    self.wait_for_room(is_elsewhere, rest).await?;
                    rest = (rest * 2).min(REST_MAX);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn count<V: IoVecBuf>(messages: &V) -> usize {
    let mut count = 0;
    messages.for_each_init(|_| count += 1);
    count
}
