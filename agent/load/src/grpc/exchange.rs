//! One call on a stream: what is sent goes out at its time while what comes back is read.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use h2::SendStream;
use h2::client::SendRequest;

use super::call::{CallNumber, Kind, StreamRule};
use super::code::Code;
use super::request::{Frames, Outgoing, Prepared};
use super::response::{Ended, Expected, read};
use crate::call::{Answer, CallError, Status};
use crate::carrier::Means;
use crate::clock::Alarm;
use crate::http2::{Broken, Link};
use crate::report::ErrorKind;

/// Makes one call after another.
pub(crate) struct Caller {
    link: Link,
    worker: usize,
    /// Of the call under way.
    counts: Counts,
    /// For what streams do at certain times; made when it is needed.
    alarm: Option<Alarm>,
}

/// Messages that went there and came back.
#[derive(Default)]
pub(crate) struct Counts {
    sent: Cell<u64>,
    received: Cell<u64>,
}

/// How the sending side of a stream came to its end.
enum Sent {
    /// Everything that was to be sent is on its way, or nobody reads it any more: how the call ends is up to the server.
    All,
    /// The call is over.
    Over(Ended),
}

impl Counts {
    pub(super) fn received(&self, messages: u32) {
        self.received.set(self.received.get() + u64::from(messages));
    }

    fn sent_one(&self) {
        self.sent.set(self.sent.get() + 1);
    }

    fn add(&self, (sent, received): (u64, u64)) {
        self.sent.set(self.sent.get() + sent);
        self.received.set(self.received.get() + received);
    }

    /// How many were sent and received since the last time.
    pub(crate) fn take(&self) -> (u64, u64) {
        (self.sent.take(), self.received.take())
    }
}

impl Caller {
    /// The caller with this number.
    pub(crate) fn new(link: Link, worker: u64) -> Self {
        Self { link, worker: usize::try_from(worker).unwrap_or(usize::MAX), counts: Counts::default(), alarm: None }
    }

    /// Takes note that the last call was given up. Messages that came meanwhile show that the connection leads somewhere.
    pub(crate) fn given_up(&mut self, means: &Means) {
        let (sent, received) = self.counts.take();
        means.messages.add((sent, received));
        if received == 0 {
            self.link.given_up();
        }
    }

    /// Makes the call that `number` others of the load come before, and reads its answer to the end.
    pub(crate) async fn call_method(
        &mut self,
        request: &Prepared,
        number: u64,
        means: &Means,
    ) -> Result<Answer, CallError> {
        let number = CallNumber { worker: self.worker, request: number };
        let (alarm, counts) = (&mut self.alarm, &self.counts);
        let exchange = async |sender: &mut SendRequest<Bytes>| request.exchange(sender, &number, alarm, counts).await;
        let called = self.link.call(&means.dialer, exchange).await;
        means.messages.add(self.counts.take());
        called.map_err(|broken| match broken {
            Broken::Stream(error) => reset(&error).unwrap_or_else(|| Broken::Stream(error).into_call_error()),
            Broken::Connection(error) => error,
        })
    }
}

/// What it means that the stream of a call was reset.
fn reset(error: &h2::Error) -> Option<CallError> {
    let code = Code::of_reset(error.reason().filter(|_| error.is_reset())?);
    Some(CallError::new(ErrorKind::Grpc(code), error))
}

impl Prepared {
    async fn exchange(
        &self,
        sender: &mut SendRequest<Bytes>,
        number: &CallNumber,
        alarm: &mut Option<Alarm>,
        counts: &Counts,
    ) -> Result<Answer, h2::Error> {
        let outgoing = self.outgoing(number);
        let sent = Instant::now();
        let ended = match outgoing {
            Err(reason) => Ended::with(Code::Internal, &reason),
            Ok(Outgoing { head, frames: Frames::One(Ok(frame)) }) if !self.is_cut_short() => {
                let (response, mut stream) = sender.send_request(head, false)?;
                stream.send_data(frame, true)?;
                counts.sent_one();
                read(response, self.expected(), counts).await?
            }
            // In a box, because it would make every call as large as a conversation.
            Ok(outgoing) => Box::pin(self.converse(sender, outgoing, sent, alarm, counts)).await?,
        };
        let Ended { code, is_error, sample } = ended;
        Ok(Answer {
            status: Status::Grpc(code),
            is_error,
            sent,
            done: Instant::now(),
            sample,
            reusable: true,
            location: None,
        })
    }

    /// Whether a stream of the server is ended at a certain time.
    fn is_cut_short(&self) -> bool {
        self.kind == Kind::ServerStream && self.stream.call_duration.is_some()
    }

    fn expected(&self) -> Expected {
        let enough = if self.kind == Kind::ServerStream { self.stream.call_count } else { 0 };
        Expected { kind: self.kind, max: self.max_receive, enough }
    }

    /// Sends at certain times while it reads, until either has ended the call.
    async fn converse(
        &self,
        sender: &mut SendRequest<Bytes>,
        outgoing: Outgoing,
        began: Instant,
        alarm: &mut Option<Alarm>,
        counts: &Counts,
    ) -> Result<Ended, h2::Error> {
        let alarm = match alarm.take().map_or_else(Alarm::new, Ok) {
            Ok(made) => alarm.insert(made),
            Err(error) => return Ok(no_alarm(&error)),
        };
        let (response, stream) = sender.send_request(outgoing.head, false)?;
        let mut sending = pin!(self.send(stream, &outgoing.frames, began, alarm, counts));
        let mut reading = pin!(read(response, self.expected(), counts));
        let mut is_sending = true;
        poll_fn(|context| {
            if is_sending && let Poll::Ready(sent) = sending.as_mut().poll(context) {
                is_sending = false;
                if let Sent::Over(ended) = sent {
                    return Poll::Ready(Ok(ended));
                }
            }
            reading.as_mut().poll(context)
        })
        .await
    }

    async fn send(
        &self,
        mut stream: SendStream<Bytes>,
        frames: &Frames,
        began: Instant,
        alarm: &Alarm,
        counts: &Counts,
    ) -> Sent {
        let StreamRule { interval, call_duration, call_count } = self.stream;
        let (frames, count) = match frames {
            Frames::One(frame) => (std::slice::from_ref(frame), 1),
            Frames::Stream(frames) if call_count == 0 => (&**frames, frames.len()),
            Frames::Stream(frames) => (&**frames, call_count as usize),
        };
        let until = call_duration.map(|duration| began + duration);
        let is_over = || until.is_some_and(|until| Instant::now() >= until);
        let mut is_closed = false;
        for (number, frame) in frames.iter().cycle().take(count).enumerate() {
            if number > 0 && is_over() {
                break;
            }
            let frame = match frame {
                Ok(frame) => frame.clone(),
                Err(error) => return Sent::Over(Ended::from(error.clone())),
            };
            // What was sent before must have left, or a slow reader would have everything kept here.
            if number > 0 && !has_room(&mut stream).await {
                return Sent::All;
            }
            is_closed = number + 1 == count;
            if stream.send_data(frame, is_closed).is_err() {
                return Sent::All;
            }
            counts.sent_one();
            if !is_closed && !interval.is_zero() {
                let next = Instant::now() + interval;
                if let Err(error) = alarm.wait_until(until.map_or(next, |until| next.min(until))).await {
                    return Sent::Over(no_alarm(&error));
                }
            }
        }
        if !is_closed {
            let _ = stream.send_data(Bytes::new(), true);
        }
        match until.filter(|_| self.is_cut_short()) {
            None => Sent::All,
            Some(until) => match alarm.wait_until(until).await {
                Ok(()) => Sent::Over(Ended::enough()),
                Err(error) => Sent::Over(no_alarm(&error)),
            },
        }
    }
}

/// Waits until a stream takes more; false when nobody reads it any more.
async fn has_room(stream: &mut SendStream<Bytes>) -> bool {
    poll_fn(|context| {
        while stream.capacity() == 0 {
            stream.reserve_capacity(1);
            if !matches!(ready!(stream.poll_capacity(context)), Some(Ok(_))) {
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    })
    .await
}

fn no_alarm(error: &io::Error) -> Ended {
    Ended::with(Code::Internal, &format!("cannot set a timer: {error}"))
}
