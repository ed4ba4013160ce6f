//! Leader election by a Lease: of all replicas, one holds it and acts. The protocol is that of client-go's
//! `tools/leaderelection`: the holder renews, others take a Lease over that has not changed for its whole duration.
//!
//! Times are measured by each replica's own monotonic clock from when it saw the Lease change, so that neither clocks
//! that differ nor clocks that jump make two holders; every write is conditional on the version that was read.

use std::time::Duration;

use iter8_cluster::error::Failure;
use iter8_cluster::names;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long a Lease is good without being renewed.
const DURATION: Duration = Duration::from_secs(15);

/// A holder that could not renew for so long stops acting; sooner than anybody else may begin.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// How often the holder renews, and others look.
const PERIOD: Duration = Duration::from_secs(3);

/// How often a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Who campaigns for what.
pub(crate) struct Candidate {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Name of the Lease.
    pub(crate) name: String,
    /// Name of this replica; a container that is started again in the same pod has the same.
    pub(crate) identity: String,
}

/// What to do with a Lease.
#[derive(Debug, PartialEq)]
enum Step {
    /// Nobody has it: take it.
    Take,
    /// It is ours: renew it.
    Renew,
    /// Another replica has it.
    Wait,
}

/// `unchanged` is for how long the Lease has been seen as it is.
fn step(lease: Option<&LeaseSpec>, identity: &str, unchanged: Duration) -> Step {
    let holder = lease.and_then(|lease| lease.holder_identity.as_deref()).filter(|holder| !holder.is_empty());
    let seconds = lease.and_then(|lease| lease.lease_duration_seconds).unwrap_or_default();
    let duration = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    match holder {
        None => Step::Take,
        Some(holder) if holder == identity => Step::Renew,
        Some(_) if unchanged >= duration => Step::Take,
        Some(_) => Step::Wait,
    }
}

/// Campaigns until `cancel`, and gives the Lease back then. `leading` tells whether this replica holds it.
pub(crate) async fn campaign(candidate: Candidate, leading: watch::Sender<bool>, cancel: CancellationToken) {
    let api: Api<Lease> = Api::namespaced(candidate.client.clone(), &candidate.namespace);
    // The version that was seen last, and when it was first seen.
    let mut seen = (String::new(), Instant::now());
    // What was written last, while this replica holds it.
    let mut held: Option<Lease> = None;
    let mut renewed: Option<Instant> = None;
    let mut told = false;
    loop {
        let began = Instant::now();
        let tried = tokio::select! {
            tried = candidate.attempt(&api, &mut seen, &mut held) => tried,
            // An attempt that hangs must not keep a holder in office.
            () = sleep(RENEW_DEADLINE) => Err("it took too long".to_owned()),
            () = cancel.cancelled() => break,
        };
        let pause = match tried {
            Ok(true) => {
                renewed = Some(began);
                told = false;
                PERIOD
            }
            Ok(false) => {
                renewed = None;
                told = false;
                PERIOD
            }
            Err(why) => {
                if !told {
                    warn!("lease {} in namespace {}: {why}", candidate.name, candidate.namespace);
                    told = true;
                }
                RETRY
            }
        };
        let is_leader = renewed.is_some_and(|at| at.elapsed() < RENEW_DEADLINE);
        leading.send_if_modified(|leads| {
            let changes = *leads != is_leader;
            if changes {
                info!(
                    "{} {} the lease {}",
                    candidate.identity,
                    if is_leader { "holds" } else { "lost" },
                    candidate.name
                );
            }
            *leads = is_leader;
            changes
        });
        // A holder looks again in time to step down.
        let pause = renewed.map_or(pause, |at| pause.min(RENEW_DEADLINE.saturating_sub(at.elapsed()).max(RETRY)));
        tokio::select! {
            () = sleep(pause) => {}
            () = cancel.cancelled() => break,
        }
    }
    leading.send_replace(false);
    if renewed.is_some() {
        // The others then need not wait; when it fails they do.
        let _ = tokio::time::timeout(RETRY, candidate.give_back(&api)).await;
    }
}

impl Candidate {
    /// Reads the Lease and writes it if it is free or ours. Whether it is ours then; an error in words.
    async fn attempt(
        &self,
        api: &Api<Lease>,
        seen: &mut (String, Instant),
        held: &mut Option<Lease>,
    ) -> Result<bool, String> {
        // Nobody else writes it while it is renewed in time; a conflict shows that somebody did.
        if let Some(mut lease) = held.take() {
            lease.spec.get_or_insert_default().renew_time = Some(now());
            return won(api.replace(&self.name, &PostParams::default(), &lease).await, held);
        }
        let Some(lease) = api.get_opt(&self.name).await.map_err(|error| words(&error))? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    // By which it is found when AutoX is removed.
                    labels: Some([(names::RELEASE.to_owned(), self.name.clone())].into()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.taken(&LeaseSpec::default())),
            };
            return won(api.create(&PostParams::default(), &lease).await, held);
        };
        let version = lease.resource_version().unwrap_or_default();
        if seen.0 != version {
            *seen = (version, Instant::now());
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let spec = match step(lease.spec.as_ref(), &self.identity, seen.1.elapsed()) {
            Step::Wait => return Ok(false),
            Step::Take => self.taken(&spec),
            Step::Renew => LeaseSpec { renew_time: Some(now()), ..spec },
        };
        won(api.replace(&self.name, &PostParams::default(), &Lease { spec: Some(spec), ..lease }).await, held)
    }

    fn taken(&self, before: &LeaseSpec) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now()),
            renew_time: Some(now()),
            lease_transitions: Some(before.lease_transitions.map_or(0, |times| times + 1)),
            ..LeaseSpec::default()
        }
    }

    async fn give_back(&self, api: &Api<Lease>) -> kube::Result<()> {
        let Some(mut lease) = api.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|spec| spec.holder_identity.as_ref() == Some(&self.identity))
        else {
            return Ok(());
        };
        spec.holder_identity = Some(String::new());
        api.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
    }
}

/// Whether a conditional write went through; a conflict means that somebody else's did.
fn won(answer: kube::Result<Lease>, held: &mut Option<Lease>) -> Result<bool, String> {
    match answer {
        Ok(lease) => {
            *held = Some(lease);
            Ok(true)
        }
        Err(error) if matches!(Failure::of(&error), Failure::Conflict | Failure::NotFound) => Ok(false),
        Err(error) => Err(words(&error)),
    }
}

fn words(error: &kube::Error) -> String {
    iter8_cluster::error::chain(error)
}

fn now() -> MicroTime {
    MicroTime(jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> LeaseSpec {
        let duration = i32::try_from(DURATION.as_secs()).ok();
        LeaseSpec { holder_identity: Some(holder.to_owned()), lease_duration_seconds: duration, ..LeaseSpec::default() }
    }

    #[test]
    fn a_free_lease_is_taken_and_ones_own_is_renewed() {
        assert_eq!(step(None, "a", Duration::ZERO), Step::Take);
        assert_eq!(step(Some(&held_by("")), "a", Duration::ZERO), Step::Take);
        assert_eq!(step(Some(&held_by("a")), "a", Duration::ZERO), Step::Renew);
    }

    #[test]
    fn a_lease_of_another_is_taken_only_when_it_stood_still_for_its_whole_duration() {
        let lease = held_by("b");
        assert_eq!(step(Some(&lease), "a", DURATION - Duration::from_millis(1)), Step::Wait);
        assert_eq!(step(Some(&lease), "a", DURATION), Step::Take);
    }

    #[test]
    fn a_holder_that_cannot_renew_steps_down_before_anybody_can_take_over() {
        assert!(RENEW_DEADLINE + PERIOD < DURATION);
    }
}
