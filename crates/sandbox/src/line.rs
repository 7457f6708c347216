//! The two ends of what can go wrong on a connection: a stream that can be reset, and a body that can break off.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection. When it is dropped with the flag set, the peer sees a reset (RST) and not an orderly end.
pub(crate) struct Line {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream, reset: Arc<AtomicBool>) -> Line {
        Line { stream, reset }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly end would come before the reset.
        if self.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// What an endless body goes on with: white space, which both JSON and XML allow.
static SPACES: [u8; 64 << 10] = [b' '; 64 << 10];

/// An answer's body: whole, breaking off in the middle, or without end.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    left: Bytes,
    length: u64,
    breaks: bool,
    endless: bool,
    /// Lets what was sent so far leave before the connection ends.
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Sent {
    pub(crate) fn whole(body: Bytes) -> Sent {
        Sent { length: body.len() as u64, left: body, ..Sent::default() }
    }

    /// Announces the whole length and sends half of it.
    pub(crate) fn half(body: Bytes) -> Sent {
        Sent { length: body.len() as u64, left: body.slice(..body.len() / 2), breaks: true, ..Sent::default() }
    }

    /// Announces no length, and never ends.
    pub(crate) fn endless(body: Bytes) -> Sent {
        Sent { left: body, endless: true, ..Sent::default() }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if !self.left.is_empty() {
            let part = std::mem::take(&mut self.left);
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if self.endless {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&SPACES)))));
        }
        if !self.breaks {
            return Poll::Ready(None);
        }
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(10))));
        std::task::ready!(pause.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && !self.breaks && !self.endless
    }

    fn size_hint(&self) -> SizeHint {
        match (self.endless, self.breaks) {
            (true, _) => SizeHint::default(),
            (false, true) => SizeHint::with_exact(self.length),
            (false, false) => SizeHint::with_exact(self.left.len() as u64),
        }
    }
}
