//! Deletes groups, and single objects of them in a way that waits for their pods. Which objects an earlier revision
//! leaves behind is decided in [`crate::applyset`].

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::{Instant, sleep};

use crate::applyset::Member;
use crate::error::{ClusterError, Failure};
use crate::names::Group;
use crate::objects::{Action, Kind, ObjectId, Outcome};
use crate::parent::{Parent, Saved, find_parent};
use crate::survey::members;

const POLL: Duration = Duration::from_millis(200);

/// Deletes all objects of a group in every namespace, then its parent.
///
/// With `wait`, it returns when they are gone, pods included. A group whose history cannot be read can be deleted too.
///
/// # Errors
/// [`ClusterError::NotFound`] when there is no such group, [`ClusterError::Foreign`] when its parent is somebody
/// else's, [`ClusterError::TimedOut`] when objects are still there after `wait`; the parent then stays, so that a
/// second try finds them.
pub async fn delete(
    client: &Client,
    namespace: &str,
    group: &Group,
    wait: Option<Duration>,
) -> Result<Vec<Outcome>, ClusterError> {
    let parent = condemned(client, namespace, group).await?;
    let found = members(client, &parent.extent, namespace, &parent.set_id()).await?;
    let mut removal = Removal::of(client, found.into_iter().map(|found| found.member).collect());
    removal.begin().await?;
    if let Some(limit) = wait {
        removal.wait(limit, &format!("group {group}")).await?;
    }
    let parent = member_of(&parent);
    remove(client, &parent).await?;
    let removed = removal.members().iter().chain([&parent]);
    Ok(removed.map(|member| Outcome { object: member.object.clone(), action: Action::Deleted }).collect())
}

/// The parent of a group that is to be deleted. One that AutoX launched says so from now on, because half of it may be
/// gone while its history still says that it was launched.
async fn condemned(client: &Client, namespace: &str, group: &Group) -> Result<Parent, ClusterError> {
    loop {
        let Some(mut parent) = find_parent(client, namespace, group).await? else {
            let (group, namespace) = (group.clone(), namespace.to_owned());
            return Err(ClusterError::NotFound { group, namespace, revision: None });
        };
        if parent.record().is_none() || parent.is_being_deleted {
            return Ok(parent);
        }
        parent.is_being_deleted = true;
        match parent.save(client).await? {
            Saved::Yes(parent) => return Ok(*parent),
            Saved::Conflict => {}
        }
    }
}

fn member_of(parent: &Parent) -> Member {
    let (namespace, name) = (parent.namespace().to_owned(), parent.name().to_owned());
    Member { object: ObjectId { kind: Kind::Secret, namespace, name }, uid: parent.uid().to_owned() }
}

/// Objects on their way out.
pub(crate) struct Removal<'a> {
    client: &'a Client,
    members: Vec<Member>,
    left: Vec<Member>,
}

impl<'a> Removal<'a> {
    pub(crate) fn of(client: &'a Client, members: Vec<Member>) -> Self {
        Self { client, left: members.clone(), members }
    }

    /// All of them, gone or not.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Asks for their deletion, all at once.
    pub(crate) async fn begin(&self) -> Result<(), ClusterError> {
        let answers = join_all(self.members.iter().map(|member| remove(self.client, member))).await;
        answers.into_iter().collect()
    }

    /// Whether they are gone; an object of the same name with another uid is another object.
    pub(crate) async fn is_done(&mut self) -> Result<bool, ClusterError> {
        let client = self.client;
        let here = try_join_all(self.left.iter().map(|member| is_there(client, member))).await?;
        let mut here = here.into_iter();
        self.left.retain(|_| here.next().unwrap_or(false));
        Ok(self.left.is_empty())
    }

    /// Waits until they are gone. `whose` names what they belong to.
    pub(crate) async fn wait(&mut self, limit: Duration, whose: &str) -> Result<(), ClusterError> {
        let deadline = Instant::now() + limit;
        while !self.is_done().await? {
            if Instant::now() >= deadline {
                let left: Vec<String> = self.left.iter().map(|member| member.object.to_string()).collect();
                let what = format!("deleting {} of {whose}", left.join(", "));
                return Err(ClusterError::TimedOut { what, limit });
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

async fn is_there(client: &Client, member: &Member) -> Result<bool, ClusterError> {
    let object = &member.object;
    let found = object.api(client).get_metadata_opt(&object.name).await;
    let found = found.map_err(ClusterError::api("read", object, &object.namespace))?;
    Ok(found.and_then(|found| found.uid()).is_some_and(|uid| uid == member.uid))
}

/// Asks for the deletion of one object, if it is still the same; one that is gone already is no error. An empty uid
/// stands for whatever has the name. A workload stays visible until its pods are gone.
pub(crate) async fn remove(client: &Client, member: &Member) -> Result<(), ClusterError> {
    let object = &member.object;
    let mut params = if object.kind.is_workload() { DeleteParams::foreground() } else { DeleteParams::background() };
    if !member.uid.is_empty() {
        params = params.preconditions(Preconditions { uid: Some(member.uid.clone()), resource_version: None });
    }
    match object.api(client).delete(&object.name, &params).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(Failure::of(&error), Failure::NotFound | Failure::Conflict) => Ok(()),
        Err(error) => Err(ClusterError::api("delete", object, &object.namespace)(error)),
    }
}
