//! HTTP/2 on the h2 crate: a session is one connection that many requests share (RFC 9113). Which request is sent when is
//! not its business.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Version, header};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::call::{Answer, CallError, Sample};
use crate::dial::Dialer;
use crate::report::ErrorKind;
use crate::target::Message;

/// So large that a response never waits for the generator to make room.
const WINDOW: u32 = (1 << 31) - 1;

/// A request in the form that is cloned for every stream.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    head: Request<()>,
    body: Bytes,
}

impl Prepared {
    pub(crate) fn new(message: &Message) -> Self {
        let mut head = Request::new(());
        *head.method_mut() = message.method.clone();
        *head.uri_mut() = message.uri.clone();
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = message.headers.clone();
        // The authority stands in a field of its own, and what concerns one connection does not exist here
        // (RFC 9113, section 8.2.2).
        for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
            head.headers_mut().remove(name);
        }
        Self { head, body: message.body.clone() }
    }
}

/// A connection that is made when it is needed, and made anew when it has ended.
#[derive(Default)]
pub(crate) struct Session {
    sender: Mutex<Option<SendRequest<Bytes>>>,
    /// How often it was made.
    generation: Cell<u64>,
    drivers: RefCell<JoinSet<()>>,
}

impl Session {
    /// How often the connection was made anew.
    pub(crate) fn reconnects(&self) -> u64 {
        self.generation.get().saturating_sub(1)
    }

    /// Sends a request and reads its response to the end.
    pub(crate) async fn call(
        &self,
        dialer: &Dialer,
        request: &Prepared,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        let mut tries = 0;
        loop {
            let (generation, sender) = self.sender(dialer).await?;
            tries += 1;
            // Waits while the server allows no further stream.
            let error = match sender.ready().await {
                Ok(sender) => match exchange(sender, request, is_error).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if !error.is_reset() {
                self.forget(generation).await;
            }
            // Nobody has worked on what the server says it has not processed (RFC 9113, section 8.7).
            let is_untouched = error.reason() == Some(h2::Reason::REFUSED_STREAM)
                || (error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR));
            if !is_untouched || tries > 1 {
                return Err(call_error(&error));
            }
        }
    }

    async fn sender(&self, dialer: &Dialer) -> Result<(u64, SendRequest<Bytes>), CallError> {
        let mut sender = self.sender.lock().await;
        if let Some(sender) = &*sender {
            return Ok((self.generation.get(), sender.clone()));
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
        let (made, driver) = handshake.await.map_err(|error| call_error(&error))?;
        self.drivers.borrow_mut().spawn_local(async {
            // Why a connection ended is told to each of its streams.
            let _ = driver.await;
        });
        self.generation.set(self.generation.get() + 1);
        *sender = Some(made.clone());
        Ok((self.generation.get(), made))
    }

    /// Has the next request make a new connection, if nobody has done so already.
    async fn forget(&self, generation: u64) {
        let mut sender = self.sender.lock().await;
        if self.generation.get() == generation {
            *sender = None;
        }
    }
}

async fn exchange(
    mut sender: SendRequest<Bytes>,
    request: &Prepared,
    is_error: &impl Fn(u16) -> bool,
) -> Result<Answer, h2::Error> {
    let sent = Instant::now();
    let (response, mut body) = sender.send_request(request.head.clone(), request.body.is_empty())?;
    if !request.body.is_empty() {
        body.send_data(request.body.clone(), true)?;
    }
    let response = response.await?;
    let status = response.status().as_u16();
    let mut sample = Sample::default();
    let mut content = response.into_body();
    while let Some(data) = content.data().await {
        let data = data?;
        if is_error(status) {
            sample.extend(&data);
        }
        content.flow_control().release_capacity(data.len())?;
    }
    content.trailers().await?;
    Ok(Answer { status, sent, done: Instant::now(), sample, reusable: true })
}

fn call_error(error: &h2::Error) -> CallError {
    match error.get_io() {
        Some(io) => CallError::of_io(io),
        None if error.is_reset() || error.is_go_away() => CallError::new(ErrorKind::Reset, error),
        None => CallError::new(ErrorKind::Protocol, error),
    }
}
