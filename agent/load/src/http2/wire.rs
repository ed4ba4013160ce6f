//! The connection under a session. It has a task of its own, which writes what lanes have handed over once all of them had
//! their turn; a lane that has handed over much before that has it written at once, so that the server works on the first
//! requests while the last ones are still being made. Otherwise client and server would take turns, and each would wait for
//! the other.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::Connection;

use crate::dial::Stream;

/// How many requests are written together at most.
const BATCH: u32 = 8;

pub(super) struct Wire {
    /// None when it has ended.
    connection: RefCell<Option<Connection<Stream, Bytes>>>,
    /// Of the connection's own task.
    waker: RefCell<Option<Waker>>,
    /// Requests that were handed over and may not be written.
    unwritten: Cell<u32>,
}

impl Wire {
    pub(super) const fn new(connection: Connection<Stream, Bytes>) -> Self {
        Self { connection: RefCell::new(Some(connection)), waker: RefCell::new(None), unwritten: Cell::new(0) }
    }

    /// Reads and writes until the connection has ended. Why it did is told to each of its streams.
    pub(super) async fn drive(&self) {
        poll_fn(|context| {
            self.waker.replace(Some(context.waker().clone()));
            self.advance(context)
        })
        .await;
    }

    /// Takes note that a request was handed over.
    pub(super) fn handed_over(&self) {
        self.unwritten.set(self.unwritten.get() + 1);
        if self.unwritten.get() < BATCH {
            return;
        }
        let waker = self.waker.borrow().clone();
        // On behalf of the connection's task, which is to be woken for whatever happens next.
        if let Some(waker) = waker
            && self.advance(&mut Context::from_waker(&waker)).is_ready()
        {
            waker.wake();
        }
    }

    fn advance(&self, context: &mut Context<'_>) -> Poll<()> {
        self.unwritten.set(0);
        let mut connection = self.connection.borrow_mut();
        let polled = connection.as_mut().map(|connection| Pin::new(connection).poll(context));
        match polled {
            Some(Poll::Pending) => Poll::Pending,
            None | Some(Poll::Ready(_)) => {
                *connection = None;
                Poll::Ready(())
            }
        }
    }
}
