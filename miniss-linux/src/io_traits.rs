//! The traits of `futures-io`, of tokio and of hyper, for what has the polls that they ask for.
//!
//! Invariant **Initialised stays initialised** (of `buf`): a `poll_read_into` stores nothing but
//! bytes in the memory that it is lent, from its beginning, as many as it says.

/// Implements the traits to read of these crates, with the features of their names. The type has
/// `poll_read_into`, `poll_lend` and `advance`.
macro_rules! impl_async_read {
    ([$($generics:tt)*] $type:ty) => {
        #[cfg(feature = "futures-io")]
        impl<$($generics)*> futures_io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                // SAFETY: *Initialised stays initialised*: only bytes are stored.
                self.get_mut().poll_read_into(cx, unsafe { crate::buf::as_uninit(buffer) })
            }
        }

        #[cfg(feature = "tokio")]
        impl<$($generics)*> tokio::io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: *Initialised stays initialised*: only bytes are stored.
                let memory = unsafe { buffer.unfilled_mut() };
                let len = std::task::ready!(self.get_mut().poll_read_into(cx, memory))?;
                // SAFETY: *Initialised stays initialised*: so many were stored at its beginning.
                unsafe { buffer.assume_init(len) };
                buffer.advance(len);
                Poll::Ready(Ok(()))
            }
        }

        #[cfg(feature = "hyper")]
        impl<$($generics)*> hyper::rt::Read for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buffer: hyper::rt::ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: *Initialised stays initialised*: only bytes are stored.
                let memory = unsafe { buffer.as_mut() };
                let len = std::task::ready!(self.get_mut().poll_read_into(cx, memory))?;
                // SAFETY: *Initialised stays initialised*: so many were stored at its beginning.
                unsafe { buffer.advance(len) };
                Poll::Ready(Ok(()))
            }
        }

        #[cfg(feature = "futures-io")]
        crate::io_traits::impl_async_read!([$($generics)*] $type, futures_io::AsyncBufRead);
        #[cfg(feature = "tokio")]
        crate::io_traits::impl_async_read!([$($generics)*] $type, tokio::io::AsyncBufRead);
    };
    ([$($generics:tt)*] $type:ty, $trait:path) => {
        impl<$($generics)*> $trait for $type {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                self.get_mut().poll_lend(cx)
            }

            fn consume(self: Pin<&mut Self>, len: usize) {
                self.get_mut().advance(len);
            }
        }
    };
}

/// Implements the trait to write of these crates, with the features of their names. The type has
/// `poll_send`, `poll_send_vectored`, `poll_sent` and `poll_end`.
macro_rules! impl_async_write {
    ([$($generics:tt)*] $type:ty) => {
        #[cfg(feature = "futures-io")]
        crate::io_traits::impl_async_write!(
            [$($generics)*] $type, futures_io::AsyncWrite, poll_close,
        );
        #[cfg(feature = "tokio")]
        crate::io_traits::impl_async_write!(
            [$($generics)*] $type, tokio::io::AsyncWrite, poll_shutdown,
            fn is_write_vectored(&self) -> bool {
                true
            }
        );
        #[cfg(feature = "hyper")]
        crate::io_traits::impl_async_write!(
            [$($generics)*] $type, hyper::rt::Write, poll_shutdown,
            fn is_write_vectored(&self) -> bool {
                true
            }
        );
    };
    ([$($generics:tt)*] $type:ty, $trait:path, $poll_end:ident, $($more:tt)*) => {
        impl<$($generics)*> $trait for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().poll_send(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                pieces: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().poll_send_vectored(cx, pieces)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().poll_sent(cx)
            }

            fn $poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().poll_end(cx)
            }

            $($more)*
        }
    };
}

pub(crate) use {impl_async_read, impl_async_write};
