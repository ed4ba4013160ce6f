//! Launches a revision of a group: takes the number, ends the earlier run, applies the objects and prunes the old ones.
//! The plugin and AutoX call the same [`launch`].
//!
//! # Guarantees
//! - The parent Secret is the lock: a revision number is taken by writing it with its resourceVersion, so two launches
//!   never get the same number and never work on the same group at once.
//! - Loads do not overlap: an earlier run has ended, or had [`LaunchPlan::stop_within`] to end, before the next begins.
//! - An earlier run is ended only when the server has agreed to everything that is to come.
//! - A launch with a cause happens once: the parent's history says so, and who finds it begun completes it.
//! - A launch that fails is taken back. One whose launcher dies leaves nothing that the next launch or `delete` does
//!   not find, because the parent names every kind and namespace before anything is made there.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use iter8_core::autox::{Cause, Stage};
use jiff::Timestamp;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::applyset::{Extent, Member, to_prune};
use crate::delete::{Removal, remove};
use crate::error::{ClusterError, Failure};
use crate::history::{Entry, History, LaunchState};
use crate::names::{self, Revision};
use crate::objects::{Action, Kind, ObjectId, Outcome};
use crate::parent::{Parent, Saved, read_parent};
use crate::plan::{LaunchPlan, Planned, own};
use crate::preview::try_out;
use crate::survey::{Survey, survey};

/// How often a launch looks whether what it waits for has happened.
const POLL: Duration = Duration::from_millis(200);

/// How often a launch that waits says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(4);

/// How often a binding is tried again whose role the API server does not see yet.
const BINDING_RETRIES: u32 = 10;

/// A launch that succeeded.
#[derive(Debug)]
pub struct Launched {
    /// The revision.
    pub revision: Revision,
    /// What became of each object.
    pub outcomes: Vec<Outcome>,
    /// Why objects of earlier revisions could not be removed; the next launch tries again.
    pub prune_error: Option<ClusterError>,
}

/// Launches the next revision.
///
/// # Errors
/// [`ClusterError::Foreign`] before anything is written; otherwise the first object that could not be applied, after
/// what was made for this revision has been removed again.
pub async fn launch(client: &Client, plan: &LaunchPlan<'_>) -> Result<Launched, ClusterError> {
    loop {
        let parent = free_parent(client, plan).await?;
        if let Some(cause) = plan.cause
            && let Some(revision) = already_launched(&parent, cause)?
        {
            return Ok(Launched { revision, outcomes: Vec::new(), prune_error: None });
        }
        let survey = survey(client, plan, &parent).await?;
        if let Some(mut attempt) = Attempt::begin(client, plan, parent, survey).await? {
            return match attempt.complete(plan).await {
                Ok(launched) => Ok(launched),
                // What was sent in an outage may have arrived. Who tries again for the same cause completes it.
                Err(error) if plan.cause.is_some() && error.failure().is_some_and(Failure::is_transient) => Err(error),
                Err(error) => {
                    attempt.take_back(&error).await;
                    Err(error)
                }
            };
        }
    }
}

/// Reads the parent once nobody else is launching: their launch has ended, or has shown no sign of life for
/// [`LaunchPlan::takeover_after`] of our own time, so that no clocks are compared.
async fn free_parent(client: &Client, plan: &LaunchPlan<'_>) -> Result<Parent, ClusterError> {
    let mut seen: Option<(String, Instant)> = None;
    loop {
        let parent = read_parent(client, plan.namespace, plan.group).await?;
        let parent = parent.unwrap_or_else(|| Parent::new(plan.namespace, plan.group));
        let Some(under_way) = parent.history.under_way() else { return Ok(parent) };
        // Two replicas of one AutoX never act at once, so that a launch of its own under way has lost its launcher.
        let launcher = |cause: &Cause| cause.autox.clone();
        if plan.cause.is_some() && under_way.cause.as_ref().map(launcher) == plan.cause.map(launcher) {
            return Ok(parent);
        }
        match &seen {
            Some((version, since)) if version == parent.resource_version() => {
                if since.elapsed() >= plan.takeover_after {
                    return Ok(parent);
                }
            }
            _ => seen = Some((parent.resource_version().to_owned(), Instant::now())),
        }
        sleep(POLL.min(plan.takeover_after)).await;
    }
}

/// The revision that was launched completely for this cause, if one was.
///
/// # Errors
/// [`ClusterError::Foreign`] when the group is not this AutoX's.
fn already_launched(parent: &Parent, cause: &Cause) -> Result<Option<Revision>, ClusterError> {
    let record = parent.record();
    let owner = match &record {
        Some(record) if record.cause.autox == cause.autox => {
            let is_there = record.stage == Stage::Launched && record.cause == *cause;
            return Ok(is_there.then_some(Revision(record.revision)));
        }
        Some(record) => format!("the AutoX {}", record.cause.autox),
        None if parent.history.latest().is_some() => "whoever launched it by hand".to_owned(),
        None => return Ok(None),
    };
    let object = format!("the group {}", parent.group());
    Err(ClusterError::Foreign { object, namespace: parent.namespace().to_owned(), owner })
}

/// A launch that holds the lock.
struct Attempt<'a> {
    client: &'a Client,
    revision: Revision,
    parent: Parent,
    survey: Survey,
    /// Where the set's objects were before; none when the group is new.
    before: Option<Extent>,
    beats: u64,
}

impl<'a> Attempt<'a> {
    /// Takes the revision by writing the parent; None when somebody else wrote it first.
    async fn begin(
        client: &'a Client,
        plan: &LaunchPlan<'_>,
        mut parent: Parent,
        survey: Survey,
    ) -> Result<Option<Self>, ClusterError> {
        let before = parent.exists().then(|| parent.extent.clone());
        parent.is_being_deleted = false;
        if let Some(revision) = parent.history.resumable(plan.cause) {
            parent.touch_again();
            return Ok(match parent.save(client).await? {
                Saved::Yes(parent) => Some(Self { client, revision, parent: *parent, survey, before, beats: 0 }),
                Saved::Conflict => None,
            });
        }
        let revision = parent.history.next_revision();
        if let (Some(result), Some(last)) = (&survey.last_result, parent.history.latest().map(|entry| entry.revision)) {
            parent.history.conclude(last, result.verdict, &result.verdict_reason);
        }
        parent.history.begin(Entry {
            revision,
            launched: Timestamp::now(),
            state: LaunchState::Launching,
            values: plan.values.clone(),
            digest: survey.objects.digest.clone(),
            image: plan.image.to_owned(),
            runner: plan.runner,
            cause: plan.cause.cloned(),
            verdict: None,
            summary: None,
        });
        let planned = survey.objects.planned.iter().map(|planned| &planned.object);
        parent.extent = parent.extent.union(&Extent::of(planned, plan.namespace));
        Ok(match parent.save(client).await? {
            Saved::Yes(parent) => Some(Self { client, revision, parent: *parent, survey, before, beats: 0 }),
            Saved::Conflict => None,
        })
    }

    async fn complete(&mut self, plan: &LaunchPlan<'_>) -> Result<Launched, ClusterError> {
        let mut outcomes = self.stop_earlier(plan).await?;
        let mut applied = BTreeSet::new();
        for phase in self.phases() {
            let answers = join_all(phase.iter().map(|index| self.apply(*index))).await;
            for (index, answer) in phase.into_iter().zip(answers) {
                let stored = answer?;
                applied.extend(stored.uid());
                let object = self.survey.objects.planned[index].object.clone();
                outcomes.push(Outcome { object, action: action(self.survey.live[index].as_ref(), &stored) });
            }
        }
        let prune_error = self.prune(plan, &applied, &mut outcomes).await.err();
        self.finish(plan, prune_error.is_none()).await?;
        Ok(Launched { revision: self.revision, outcomes, prune_error })
    }

    /// Ends earlier runs, and removes what a crashed launch left under names that this one needs.
    async fn stop_earlier(&mut self, plan: &LaunchPlan<'_>) -> Result<Vec<Outcome>, ClusterError> {
        let stale = stale(&self.survey);
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        self.rehearse().await?;
        let mut removal = Removal::of(self.client, stale);
        removal.begin().await?;
        let deadline = Instant::now() + plan.stop_within;
        let mut beaten = Instant::now();
        while !removal.is_done().await? && Instant::now() < deadline {
            sleep(POLL).await;
            if beaten.elapsed() >= HEARTBEAT {
                self.beat().await?;
                beaten = Instant::now();
            }
        }
        let gone: BTreeSet<&ObjectId> = removal.members().iter().map(|member| &member.object).collect();
        for (planned, live) in self.survey.objects.planned.iter().zip(&mut self.survey.live) {
            if gone.contains(&planned.object) {
                *live = None;
            }
        }
        let uids: BTreeSet<String> = removal.members().iter().map(|member| member.uid.clone()).collect();
        self.survey.members.retain(|found| !uids.contains(&found.member.uid));
        let pruned = |member: &Member| Outcome { object: member.object.clone(), action: Action::Pruned };
        Ok(removal.members().iter().map(pruned).collect())
    }

    /// Has the server check every object before an earlier run is ended for it: a launch that is refused must not cost
    /// what was running.
    async fn rehearse(&self) -> Result<(), ClusterError> {
        let planned = &self.survey.objects.planned;
        let answers = join_all(planned.iter().map(|planned| try_out(self.client, &self.parent, planned))).await;
        for (planned, answer) in planned.iter().zip(answers) {
            match answer {
                // Its role is one of the objects that are not made yet.
                Err(error)
                    if planned.object.kind == Kind::RoleBinding && error.failure() == Some(Failure::NotFound) => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    /// Shows others that this launch is alive.
    async fn beat(&mut self) -> Result<(), ClusterError> {
        self.beats += 1;
        self.parent.touch(self.beats);
        match self.parent.save(self.client).await? {
            Saved::Yes(parent) => self.parent = *parent,
            // Whoever wrote it either took over, which finishing finds out, or did not touch the history.
            Saved::Conflict => self.reread().await?,
        }
        Ok(())
    }

    /// Reads the parent again after a conflict.
    async fn reread(&mut self) -> Result<(), ClusterError> {
        let read = read_parent(self.client, self.parent.namespace(), self.parent.group()).await?;
        let ours = |parent: &Parent| {
            parent.uid() == self.parent.uid()
                && parent.history.under_way().is_some_and(|entry| entry.revision == self.revision)
        };
        match read.filter(ours) {
            Some(parent) => self.parent = parent,
            None => {
                let group = self.parent.group().clone();
                return Err(ClusterError::Superseded { group, revision: self.revision });
            }
        }
        Ok(())
    }

    /// Indices of the planned objects in groups that are applied one after another. What pods need exists before
    /// them, and a role before its binding, because whoever may not bind freely is checked against the role.
    fn phases(&self) -> Vec<Vec<usize>> {
        let planned = &self.survey.objects.planned;
        let is_new_role = |index: usize| planned[index].object.kind == Kind::Role && self.survey.live[index].is_none();
        let new_roles = (0..planned.len()).any(is_new_role);
        let phase = |object: &ObjectId| match object.kind {
            Kind::ServiceAccount | Kind::Secret | Kind::Role | Kind::PodDisruptionBudget => 0,
            Kind::RoleBinding => usize::from(new_roles),
            Kind::Deployment | Kind::CronJob | Kind::Job => 2,
        };
        let mut phases = vec![Vec::new(); 3];
        for (index, planned) in planned.iter().enumerate() {
            phases[phase(&planned.object)].push(index);
        }
        phases.retain(|phase| !phase.is_empty());
        phases
    }

    async fn apply(&self, index: usize) -> Result<DynamicObject, ClusterError> {
        let Planned { object, manifest } = &self.survey.objects.planned[index];
        let mut manifest = manifest.clone();
        if object.namespace == self.parent.namespace() {
            own(&mut manifest, &self.parent.owner_reference());
        }
        apply_patiently(self.client, object, &manifest).await
    }

    async fn prune(
        &self,
        plan: &LaunchPlan<'_>,
        applied: &BTreeSet<String>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), ClusterError> {
        let members: Vec<Member> = self.survey.members.iter().map(|found| found.member.clone()).collect();
        let kept = kept(plan, &self.parent.history, self.revision);
        let doomed: Vec<&Member> = to_prune(&members, applied, &kept);
        let answers = join_all(doomed.iter().map(|member| remove(self.client, member))).await;
        for (member, answer) in doomed.into_iter().zip(answers) {
            answer?;
            outcomes.push(Outcome { object: member.object.clone(), action: Action::Pruned });
        }
        Ok(())
    }

    /// Marks the revision as launched. Unless everything old is gone, the parent goes on naming where it may be.
    async fn finish(&mut self, plan: &LaunchPlan<'_>, pruned: bool) -> Result<(), ClusterError> {
        let objects = self.survey.objects.planned.iter().map(|planned| &planned.object);
        let exact = Extent::of(objects, self.parent.namespace());
        loop {
            let group = self.parent.group().clone();
            if !self.parent.history.finish(self.revision, plan.history_limit) {
                return Err(ClusterError::Superseded { group, revision: self.revision });
            }
            if pruned {
                self.parent.extent = exact.clone();
            }
            self.parent.settle();
            match self.parent.save(self.client).await? {
                Saved::Yes(parent) => {
                    self.parent = *parent;
                    return Ok(());
                }
                Saved::Conflict => self.reread().await?,
            }
        }
    }

    /// Removes what was made for this revision. What cannot be removed is found by the next launch or by `delete`.
    async fn take_back(&mut self, error: &ClusterError) {
        let superseded = matches!(error, ClusterError::Superseded { .. });
        let planned = self.survey.objects.planned.iter().zip(&self.survey.live);
        // Objects that revisions share belong to whoever took over.
        let ours = planned.filter(|(planned, live)| live.is_none() && !(superseded && is_shared(&planned.object)));
        let removals = ours.map(|(planned, _)| remove_named(self.client, &planned.object));
        for failed in join_all(removals).await.into_iter().filter_map(Result::err) {
            tracing::warn!(error = %failed, "an object of the failed launch is left");
        }
        if superseded {
            return;
        }
        if let Err(left) = self.withdraw().await {
            tracing::warn!(error = %left, "the failed launch is left in the history");
        }
    }

    async fn withdraw(&mut self) -> Result<(), ClusterError> {
        loop {
            let Some(before) = &self.before else {
                let object = ObjectId {
                    kind: Kind::Secret,
                    namespace: self.parent.namespace().to_owned(),
                    name: self.parent.name().to_owned(),
                };
                return remove(self.client, &Member { object, uid: self.parent.uid().to_owned() }).await;
            };
            if !self.parent.history.withdraw(self.revision) {
                return Ok(());
            }
            self.parent.extent = before.clone();
            self.parent.settle();
            match self.parent.save(self.client).await? {
                Saved::Yes(_) => return Ok(()),
                Saved::Conflict => self.reread().await?,
            }
        }
    }
}

/// Applies one object; a binding again and again whose role was made a moment ago, because the API server checks bindings
/// against a cache.
pub(crate) async fn apply_patiently(
    client: &Client,
    object: &ObjectId,
    manifest: &Value,
) -> Result<DynamicObject, ClusterError> {
    let mut tries = 0;
    loop {
        match apply(client, object, manifest, false).await {
            Err(error)
                if object.kind == Kind::RoleBinding
                    && error.failure() == Some(Failure::NotFound)
                    && tries < BINDING_RETRIES =>
            {
                tries += 1;
                sleep(POLL / 2).await;
            }
            answer => return answer,
        }
    }
}

/// Applies one object as iter8's own, taking fields over from whoever else set them.
pub(crate) async fn apply(
    client: &Client,
    object: &ObjectId,
    manifest: &Value,
    dry_run: bool,
) -> Result<DynamicObject, ClusterError> {
    let mut params = PatchParams::apply(names::FIELD_MANAGER).force().validation_strict();
    params.dry_run = dry_run;
    let answer = object.api(client).patch(&object.name, &params, &Patch::Apply(manifest)).await;
    answer.map_err(ClusterError::api("apply", object, &object.namespace))
}

async fn remove_named(client: &Client, object: &ObjectId) -> Result<(), ClusterError> {
    remove(client, &Member { object: object.clone(), uid: String::new() }).await
}

/// What applying did to an object.
pub(crate) fn action(live: Option<&DynamicObject>, stored: &DynamicObject) -> Action {
    match live {
        None => Action::Created,
        Some(live) if live.metadata.resource_version == stored.metadata.resource_version => Action::Unchanged,
        Some(_) => Action::Configured,
    }
}

/// The members that outlive the launch of `revision`: results of the revisions that the history will remember.
pub(crate) fn kept(plan: &LaunchPlan<'_>, history: &History, revision: Revision) -> BTreeSet<ObjectId> {
    let earlier = history.entries.iter().filter(|entry| entry.state == LaunchState::Launched);
    let earlier: Vec<Revision> = earlier.map(|entry| entry.revision).filter(|earlier| *earlier != revision).collect();
    let forgotten = (earlier.len() + 1).saturating_sub(plan.history_limit.max(1));
    let result = |revision: &Revision| ObjectId {
        kind: Kind::Secret,
        namespace: plan.namespace.to_owned(),
        name: names::result_secret(plan.group, revision.0),
    };
    earlier[forgotten..].iter().map(result).collect()
}

/// Whether all revisions of a group share the object.
fn is_shared(object: &ObjectId) -> bool {
    match object.kind {
        Kind::ServiceAccount | Kind::Role | Kind::RoleBinding | Kind::PodDisruptionBudget => true,
        Kind::Secret | Kind::Deployment | Kind::CronJob | Kind::Job => false,
    }
}

/// The members that must be gone before anything is applied.
fn stale(survey: &Survey) -> Vec<Member> {
    let taken: BTreeSet<&ObjectId> = survey.objects.planned.iter().map(|planned| &planned.object).collect();
    // What was made before of a revision that is completed now is no more in the way than it is an earlier run.
    let resumed = |object: &ObjectId| survey.resumes && taken.contains(object);
    let in_the_way = |object: &ObjectId| taken.contains(object) && !is_shared(object);
    let mut stale: Vec<Member> = survey
        .members
        .iter()
        .filter(|found| {
            let object = &found.member.object;
            !resumed(object) && ((found.is_active() && !survey.is_over(object)) || in_the_way(object))
        })
        .map(|found| found.member.clone())
        .collect();
    // A parent that was deleted by hand leaves members behind which the new one does not list.
    for (planned, live) in survey.objects.planned.iter().zip(&survey.live) {
        let stays = is_shared(&planned.object) || resumed(&planned.object);
        if let Some(uid) = live.as_ref().and_then(|live| live.uid()).filter(|_| !stays)
            && stale.iter().all(|member| member.uid != uid)
        {
            stale.push(Member { object: planned.object.clone(), uid });
        }
    }
    stale
}
