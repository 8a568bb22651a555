//! Bringing what waits on disk to the plane: in order, each thing until it is taken.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::{Notify, watch};

use crate::{
    link::{Backoff, CallError, Link},
    outbox::{Item, TaskBox},
};

/// How a task's box was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The plane has everything, the outcome last.
    Delivered,
    /// There is nothing more to send, and no outcome was put in.
    Empty,
    /// The task is no longer this worker's: what waits is worth nothing.
    Lost,
    /// The worker was revoked.
    Revoked,
}

/// What a deliverer shares with whoever fills the box.
pub struct Progress {
    /// Fires when something was put in.
    pub more: Notify,
    /// The number of the last thing that the plane has taken.
    pub taken: watch::Sender<u64>,
    /// What last went wrong, for the plane's list of workers.
    pub trouble: Arc<dyn Fn(Option<String>) + Send + Sync>,
}

/// Delivers until the outcome is taken, or all there is when `wait` is false.
pub async fn deliver(link: &Link, task: &TaskBox, aside: &Path, progress: &Progress, wait: bool) -> End {
    let mut backoff = Backoff::default();
    loop {
        let numbers = match task.numbers() {
            Ok(numbers) => numbers,
            Err(error) => {
                (progress.trouble)(Some(format!("failed to read the outbox: {error}")));
                backoff.pause().await;
                continue;
            }
        };
        for number in numbers {
            let item = match task.item(number) {
                Ok(item) => item,
                Err(error) => {
                    give_up(task, number, aside, &format!("it is damaged: {error}"), progress);
                    progress.taken.send_replace(number);
                    continue;
                }
            };
            let is_outcome = matches!(item, Item::Outcome { .. });
            loop {
                match send(link, task, number, &item).await {
                    Ok(()) => break,
                    Err(error) if error.is_revoked() => return End::Revoked,
                    // The same outcome was taken before, or another: either way there is one (D59).
                    Err(CallError::Refused(refusal)) if refusal.document["reason"] == "outcome_set" => break,
                    Err(error) if error.is_lost() => return End::Lost,
                    Err(error) if error.is_passing() => {
                        tracing::warn!(%error, "the plane did not take it; trying again");
                        (progress.trouble)(Some(error.to_string()));
                        backoff.pause().await;
                    }
                    Err(error) => {
                        give_up(task, number, aside, &error.to_string(), progress);
                        if is_outcome {
                            // Nobody waits for a task that cannot be ended: it goes back.
                            let body = json!({"reason": "the plane refused the outcome"});
                            let release = Item::Outcome { verb: "release".into(), body };
                            return match send(link, task, number, &release).await {
                                Err(error) if error.is_revoked() => End::Revoked,
                                Ok(()) | Err(_) => End::Lost,
                            };
                        }
                        break;
                    }
                }
            }
            backoff.reset();
            (progress.trouble)(None);
            // Not there any more: it was set aside.
            if let Err(error) = task.remove(number)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "failed to take a delivered thing out of the outbox");
            }
            progress.taken.send_replace(number);
            if is_outcome {
                return End::Delivered;
            }
        }
        if !wait {
            return End::Empty;
        }
        progress.more.notified().await;
    }
}

fn give_up(task: &TaskBox, number: u64, aside: &Path, why: &str, progress: &Progress) {
    match task.set_aside(number, aside) {
        Ok(kept) => {
            tracing::error!(why, kept = %kept.display(), "a thing in the outbox cannot be delivered and is set aside");
            (progress.trouble)(Some(format!("set aside: {why}")));
        }
        Err(error) => tracing::error!(%error, why, "failed to set a thing aside that cannot be delivered"),
    }
}

async fn send(link: &Link, task: &TaskBox, number: u64, item: &Item) -> Result<(), CallError> {
    let fence = task.fence();
    let base = format!("/worker/tasks/{}", fence.task);
    let generation = fence.generation;
    match item {
        Item::Entries { entries } => {
            let body = json!({"entries": entries});
            link.post(&format!("{base}/entries"), Some(generation), &body, Duration::ZERO).await.map(drop)
        }
        Item::Artifact { name, media_type, sha256 } => {
            let path = format!("{base}/artifacts?name={}&sha256={sha256}", encoded(name));
            link.upload(&path, generation, media_type, &task.bytes(number)).await.map(drop)
        }
        Item::Outcome { verb, body } => {
            link.post(&format!("{base}/{verb}"), Some(generation), body, Duration::ZERO).await.map(drop)
        }
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_value_of_a_query() {
        assert_eq!(encoded("a b/c&d=ä.txt"), "a%20b%2Fc%26d%3D%C3%A4.txt");
    }
}
