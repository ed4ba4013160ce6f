//! Sessions: when a connection is made, shared, given up and made anew, and what is sent a second time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::wire::Wire;
use crate::call::CallError;
use crate::dial::Dialer;
use crate::report::ErrorKind;

/// So large that a response never waits for the generator to make room.
const WINDOW: u32 = (1 << 31) - 1;

/// The sessions of a worker, by their number.
#[derive(Default)]
pub(crate) struct Sessions(RefCell<Vec<Rc<Session>>>);

/// A connection that is made when it is needed, and made anew when it has ended.
#[derive(Default)]
struct Session {
    /// The handle of the connection that was made last. Locked while another is made.
    handle: Mutex<Option<Handle>>,
    /// How often it was made.
    made: Cell<u64>,
    /// The generation that can be used: `made`, or 0 when there is none.
    open: Cell<u64>,
    /// How many exchanges came to an end, be it that their stream was reset: so often the peer was heard of.
    heard: Cell<u64>,
    drivers: RefCell<JoinSet<()>>,
}

/// The way of a lane, which sends one request at a time, to a session.
pub(crate) struct Link {
    session: Rc<Session>,
    /// Its own handle.
    handle: Option<Handle>,
    /// What is under way: on which generation, and how often its peer had been heard of before.
    under_way: Option<(u64, u64)>,
}

/// Sends on a connection.
#[derive(Clone)]
struct Handle {
    /// Of the connection.
    generation: u64,
    sender: SendRequest<Bytes>,
    wire: Rc<Wire>,
}

/// How often a request is sent that nobody has worked on.
const TRIES: u32 = 5;

/// Why an exchange came to no end.
pub(crate) enum Broken {
    /// There was no connection to send it on.
    Connection(CallError),
    /// Its stream or its connection broke.
    Stream(h2::Error),
}

impl Sessions {
    /// A way to the session with this number.
    pub(crate) fn link(&self, number: usize) -> Link {
        let mut sessions = self.0.borrow_mut();
        while sessions.len() <= number {
            sessions.push(Rc::default());
        }
        Link { session: sessions[number].clone(), handle: None, under_way: None }
    }

    /// How often sessions were made anew.
    pub(crate) fn reconnects(&self) -> u64 {
        self.0.borrow().iter().map(|session| session.made.get().saturating_sub(1)).sum()
    }
}

impl Link {
    /// Has `exchange` send a request and read its response to the end, and again if nobody has worked on it.
    pub(crate) async fn call<T>(
        &mut self,
        dialer: &Dialer,
        mut exchange: impl AsyncFnMut(&mut SendRequest<Bytes>) -> Result<T, h2::Error>,
    ) -> Result<T, Broken> {
        let mut tries = 0;
        loop {
            tries += 1;
            let session = &self.session;
            let Handle { generation, sender, wire } = match &mut self.handle {
                Some(handle) if handle.generation == session.open.get() => handle,
                // In a box, because it is rare and would make every call as large as a handshake.
                mine => mine.insert(Box::pin(session.handle(dialer)).await.map_err(Broken::Connection)?),
            };
            let generation = *generation;
            self.under_way = Some((generation, session.heard.get()));
            // Waits while the server allows no further stream.
            let (error, was_sent) = match poll_fn(|context| sender.poll_ready(context)).await {
                Ok(()) => match handing_over(wire, exchange(sender)).await {
                    Ok(answer) => {
                        session.heard.set(session.heard.get() + 1);
                        return Ok(answer);
                    }
                    Err(error) => (error, true),
                },
                Err(error) => (error, false),
            };
            self.under_way = None;
            if error.is_reset() {
                session.heard.set(session.heard.get() + 1);
            } else {
                self.handle = None;
                session.forget(generation);
            }
            // Nobody has worked on what could not be sent, which happens when a connection was closed at rest, and on what
            // the server says it has not processed (RFC 9113, section 8.7).
            let is_untouched = (!was_sent && tries == 1)
                || error.reason() == Some(h2::Reason::REFUSED_STREAM)
                || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
            if !is_untouched || tries == TRIES {
                return Err(Broken::Stream(error));
            }
        }
    }

    /// Takes note that the last call was given up. If nothing was heard of the peer while it waited, there is no telling
    /// whether the connection still leads anywhere: the next request makes another.
    pub(crate) fn given_up(&mut self) {
        if let Some((generation, heard)) = self.under_way.take()
            && self.session.heard.get() == heard
        {
            self.session.forget(generation);
        }
    }
}

impl Session {
    /// A handle to the connection, which is made if there is none.
    async fn handle(self: &Rc<Self>, dialer: &Dialer) -> Result<Handle, CallError> {
        let mut handle = self.handle.lock().await;
        if let Some(handle) = handle.as_ref().filter(|handle| handle.generation == self.open.get()) {
            return Ok(handle.clone());
        }
        let dialed = dialer.dial().await?;
        if !dialed.http2 {
            let mut error = CallError::without_detail(ErrorKind::Protocol);
            "the server does not agree to HTTP/2".clone_into(&mut error.detail);
            return Err(error);
        }
        let handshake = h2::client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            // None before the server has said how many it allows: those opened too early would be lost.
            .initial_max_send_streams(0)
            .enable_push(false)
            .handshake(dialed.stream);
        let (sender, connection) = handshake.await.map_err(|error| call_error(&error))?;
        let wire = Rc::new(Wire::new(connection));
        let generation = self.made.get() + 1;
        let session = Rc::downgrade(self);
        let mut drivers = self.drivers.borrow_mut();
        // Those that have ended, of which nothing is to be kept.
        while drivers.try_join_next().is_some() {}
        let driver = wire.clone();
        drivers.spawn_local(async move {
            driver.drive().await;
            // It may have ended between two requests.
            if let Some(session) = session.upgrade() {
                session.forget(generation);
            }
        });
        self.made.set(generation);
        self.open.set(generation);
        Ok(handle.insert(Handle { generation, sender, wire }).clone())
    }

    /// Has the next request make a new connection, if this is the one that it would use.
    fn forget(&self, generation: u64) {
        if self.open.get() == generation {
            self.open.set(0);
        }
    }
}

impl Broken {
    /// What it is where no protocol gives it another meaning.
    pub(crate) fn into_call_error(self) -> CallError {
        match self {
            Self::Connection(error) => error,
            Self::Stream(error) => call_error(&error),
        }
    }
}

/// Has `exchange` hand over its request, which it does when it is polled for the first time, and read its response.
async fn handing_over<T>(wire: &Wire, exchange: impl Future<Output = T>) -> T {
    let mut exchange = pin!(exchange);
    let mut is_first = true;
    poll_fn(|context| {
        let polled = exchange.as_mut().poll(context);
        if std::mem::take(&mut is_first) && polled.is_pending() {
            wire.handed_over();
        }
        polled
    })
    .await
}

fn call_error(error: &h2::Error) -> CallError {
    match error.get_io() {
        Some(io) => CallError::of_io(io),
        None if error.is_reset() || error.is_go_away() => CallError::new(ErrorKind::Reset, error),
        None => CallError::new(ErrorKind::Protocol, error),
    }
}
