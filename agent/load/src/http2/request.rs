//! Plain requests of HTTP/2.

use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Version, header};

use super::session::{Broken, Link};
use crate::call::{Answer, CallError, Sample, Status};
use crate::dial::Dialer;
use crate::target::Message;
use crate::vary::{Varied, Vary};

/// A request in the form that is cloned for every stream.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    head: Request<()>,
    body: Bytes,
}

/// Requests that differ from one to the next.
pub(crate) struct Varying {
    pub(crate) message: Message,
    pub(crate) vary: Vary,
}

impl Varying {
    /// The request that `number` others of the load come before.
    ///
    /// # Errors
    /// In words, when it cannot be sent.
    pub(crate) fn prepared(&self, number: u64) -> Result<Prepared, String> {
        let mut varied = Varied::default();
        self.vary.make(number, &mut varied)?;
        Ok(Prepared::new(&self.message.varied(self.vary.places(), &varied)?))
    }
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

    /// Sends the request and reads its response to the end.
    pub(crate) async fn call(
        &self,
        link: &mut Link,
        dialer: &Dialer,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        let exchange = async |sender: &mut SendRequest<Bytes>| self.exchange(sender, is_error).await;
        link.call(dialer, exchange).await.map_err(Broken::into_call_error)
    }

    async fn exchange(
        &self,
        sender: &mut SendRequest<Bytes>,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, h2::Error> {
        let sent = Instant::now();
        let (response, mut body) = sender.send_request(self.head.clone(), self.body.is_empty())?;
        if !self.body.is_empty() {
            body.send_data(self.body.clone(), true)?;
        }
        let response = response.await?;
        let status = response.status().as_u16();
        let is_error = is_error(status);
        let mut sample = Sample::default();
        let mut content = response.into_body();
        while let Some(data) = content.data().await {
            let data = data?;
            if is_error {
                sample.extend(&data);
            }
            content.flow_control().release_capacity(data.len())?;
        }
        content.trailers().await?;
        Ok(Answer {
            status: Status::Http(status),
            is_error,
            sent,
            done: Instant::now(),
            sample,
            reusable: true,
            location: None,
        })
    }
}
