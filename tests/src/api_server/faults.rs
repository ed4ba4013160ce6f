//! What goes wrong on demand: which requests it concerns, how often, and what happens to them.

use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::resource::Call;
use super::state::Shared;
use super::status::Refusal;

/// Something that goes wrong with some requests.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    verb: String,
    resource: String,
    name: Option<String>,
    /// How many more requests it concerns; None for all.
    left: Option<u32>,
    effect: Effect,
}

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum Effect {
    /// It is answered by this, and nothing is done.
    Refuse(Arc<dyn Fn(&Call) -> Refusal + Send + Sync>),
    /// The connection ends without an answer, and nothing is done.
    Drop,
    /// It is carried out, and the connection ends without an answer.
    LoseAnswer,
    /// It is carried out once the hold with this number lets it go.
    Hold(usize),
    /// It is carried out, and the answer carries a warning.
    Warn(String),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse(_) => "Refuse",
            Self::Drop => "Drop",
            Self::LoseAnswer => "LoseAnswer",
            Self::Hold(_) => "Hold",
            Self::Warn(_) => "Warn",
        })
    }
}

/// What became of a hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HoldState {
    pub(crate) is_reached: bool,
    pub(crate) is_released: bool,
}

/// Takes the effects that concern a request, in the order in which they were asked for.
pub(crate) fn take(faults: &mut Vec<Fault>, call: &Call) -> Vec<Effect> {
    let mut effects = Vec::new();
    faults.retain_mut(|fault| {
        let is_named = fault.name.as_ref().is_none_or(|name| *name == call.name);
        if is_named && call.is_meant(&fault.verb, &fault.resource) {
            effects.push(fault.effect.clone());
            fault.left = fault.left.map(|left| left - 1);
        }
        fault.left != Some(0)
    });
    effects
}

/// Says which requests go wrong; the last call says how.
#[derive(Debug)]
#[must_use = "nothing goes wrong until it is said how"]
pub struct When<'a> {
    shared: &'a Arc<Shared>,
    verb: String,
    resource: String,
    name: Option<String>,
    left: Option<u32>,
}

impl<'a> When<'a> {
    pub(crate) fn new(shared: &'a Arc<Shared>, verb: &str, resource: &str) -> Self {
        Self { shared, verb: verb.to_owned(), resource: resource.to_owned(), name: None, left: None }
    }

    /// Only for the object with this name.
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Only the next `count` times.
    pub fn times(self, count: u32) -> Self {
        Self { left: Some(count), ..self }
    }

    fn effect(self, effect: Effect) {
        let Self { shared, verb, resource, name, left } = self;
        shared.update(|state| state.faults.push(Fault { verb, resource, name, left, effect }));
    }

    fn refused(self, refusal: impl Fn(&Call) -> Refusal + Send + Sync + 'static) {
        self.effect(Effect::Refuse(Arc::new(refusal)));
    }

    /// 401: nobody knows who asks.
    pub fn unauthorized(self) {
        self.refused(|_| Refusal::unauthorized());
    }

    /// 403, in the words of the authorizer.
    pub fn forbidden(self) {
        self.refused(Refusal::forbidden);
    }

    /// 403 of an admission plugin: `jobs.batch "x" is forbidden: WHY`.
    pub fn rejected(self, why: &str) {
        let why = why.to_owned();
        self.refused(move |call| Refusal::rejected(call, &why));
    }

    /// 404, as if the object were not there.
    pub fn not_found(self) {
        self.refused(Refusal::not_found);
    }

    /// 409: somebody else was faster.
    pub fn conflict(self) {
        self.refused(Refusal::modified);
    }

    /// 422: the object is invalid, WHY.
    pub fn invalid(self, why: &str) {
        let why = why.to_owned();
        self.refused(move |call| Refusal::invalid(call, &why));
    }

    /// 429 with the header `Retry-After`.
    pub fn too_many_requests(self, retry_after_seconds: u32) {
        self.refused(move |_| Refusal::too_many_requests(retry_after_seconds));
    }

    /// 500.
    pub fn internal_error(self) {
        self.refused(|_| Refusal::internal());
    }

    /// 503.
    pub fn unavailable(self) {
        self.refused(|_| Refusal::unavailable());
    }

    /// Anything else.
    pub fn refuse(self, code: StatusCode, reason: &str, message: &str) {
        let refusal = Refusal::new(code, reason, message, &Value::Null);
        self.refused(move |_| refusal.clone());
    }

    /// The connection ends without an answer, and nothing is done.
    pub fn drop_connection(self) {
        self.effect(Effect::Drop);
    }

    /// The request is carried out, and the connection ends without an answer.
    pub fn lose_answer(self) {
        self.effect(Effect::LoseAnswer);
    }

    /// The request is carried out, and the answer carries the header `Warning: 299 - "TEXT"`.
    pub fn warn(self, text: &str) {
        self.effect(Effect::Warn(text.to_owned()));
    }

    /// Requests wait until the hold lets them go.
    pub fn hold(self) -> Hold {
        let shared = self.shared.clone();
        let number = shared.update(|state| {
            state.holds.push(HoldState::default());
            state.holds.len() - 1
        });
        self.effect(Effect::Hold(number));
        Hold { shared, number }
    }
}

/// Requests that wait. Dropping it lets them go.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    number: usize,
}

impl Hold {
    /// Waits until a request has come.
    pub fn wait_until_reached(&self) {
        let reached = |state: &super::State| state.holds[self.number].is_reached.then_some(());
        self.shared.wait(reached).expect("a request that is held comes");
    }

    /// Lets them go, and those that come later.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.update(|state| state.holds[self.number].is_released = true);
    }
}
