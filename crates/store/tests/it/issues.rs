//! Issues: numbers, columns, relations, cards.

use std::collections::BTreeSet;

use model::{
    actor::Actor,
    id::*,
    issue::*,
    question::{Question, QuestionKind, QuestionState},
    run::{Run, RunKind, RunStatus},
};
use serde_json::{Value, json};
use store::{IssueFilter, IssueOrder, QuestionEnd, RunChange, StoreError};

use crate::support::*;

/// As `within!`, for a script that takes what it needs along.
macro_rules! with {
    ($db:expr, $($taken:ident),+, |$tx:ident| $body:expr) => {
        $db.store.write(move |$tx| {
            $(let $taken = $taken.clone();)+
            Box::pin(async move { $body })
        })
    };
}

/// Files an issue as it comes from this body; answers it.
async fn file(db: &Db, body: Value) -> Issue {
    let (project, now, id) = (db.project, db.now(), IssueId::from_uuid(uuid()));
    db.store
        .write(move |tx| {
            let new: NewIssue = serde_json::from_value(body.clone()).unwrap();
            Box::pin(async move {
                let number = tx.issue_number(project).await?;
                let rank = Rank::between(tx.issue_last_rank(project).await?.as_ref(), None);
                let given = Given { id, number, project, rank, by: Actor::System, at: now };
                let issue = new.read(given).unwrap();
                tx.issue_insert(&issue).await?;
                Ok::<_, StoreError>(issue)
            })
        })
        .await
        .unwrap()
}

async fn replace(db: &Db, new: Issue, read: u64) -> Result<(), StoreError> {
    db.store
        .write(move |tx| {
            let new = new.clone();
            Box::pin(async move { tx.issue_update(&new, read).await })
        })
        .await
}

async fn change(db: &Db, old: &Issue, with: impl FnOnce(&mut Issue)) -> Issue {
    let mut new = old.clone();
    with(&mut new);
    new.revision += 1;
    replace(db, new.clone(), old.revision).await.unwrap();
    new
}

async fn card(db: &Db, id: IssueId) -> Card {
    within!(db, |tx| {
        let issue = tx.issue(id).await?.unwrap();
        tx.issue_card(&issue).await
    })
    .await
    .unwrap()
}

async fn numbers(db: &Db, filter: IssueFilter, order: IssueOrder, after: Option<u32>, limit: u32) -> Vec<u32> {
    let project = db.project;
    let after = after.and_then(IssueNumber::new);
    let found = db.store.read(move |tx| {
        let filter = filter.clone();
        Box::pin(async move { tx.issues(project, &filter, order, after, limit).await })
    });
    found.await.unwrap().iter().map(|issue| issue.number.number()).collect()
}

/// Stores a run about an issue.
async fn run_about(db: &Db, issue: IssueId, kind: &'static str, key: Option<String>) -> Run {
    let mut run = db.new_run();
    run.issue = Some(issue);
    run.kind = RunKind::named(kind);
    run.exclusive_key = key;
    let stored = run.clone();
    db.store
        .write(move |tx| {
            let run = stored.clone();
            Box::pin(async move { tx.run_insert(&run, None, None).await })
        })
        .await
        .unwrap();
    run
}

async fn end(db: &Db, run: RunId, status: RunStatus, verdict: Option<&'static str>) {
    let now = db.now();
    let change = RunChange { status: Some(status), verdict: verdict.map(str::to_owned), ..RunChange::default() };
    db.store
        .write(move |tx| {
            let change = change.clone();
            Box::pin(async move { tx.run_set(run, &change, now).await })
        })
        .await
        .unwrap()
        .unwrap();
}

/// Every kind in every status with everything that may be left to look at.
fn every_state() -> Vec<(IssueKind, IssueStatus, Option<Notice>)> {
    let mut all = Vec::new();
    for kind in IssueKind::ALL {
        for status in IssueStatus::ALL {
            all.extend([None, Some(Notice::Review), Some(Notice::Failed)].map(|notice| (*kind, *status, notice)));
        }
    }
    all
}

both! {
    /// D1: numbers are gapless and unique, whoever files at the same time, and a refused issue uses none.
    async fn numbers_have_no_holes_under_concurrent_filing(db: Db) {
        let mut filing = Vec::new();
        for one in 0..24 {
            let db = db.clone();
            filing.push(tokio::spawn(async move {
                if one % 6 == 0 {
                    let project = db.project;
                    let refused = within!(db, |tx| {
                        tx.issue_number(project).await?;
                        Err::<(), _>(StoreError::Taken("a test"))
                    });
                    assert!(refused.await.is_err());
                    return None;
                }
                Some(file(&db, json!({"title": "t"})).await.number.number())
            }));
        }
        let mut given = Vec::new();
        for one in filing {
            given.extend(one.await.unwrap());
        }
        given.sort_unstable();
        assert_eq!(given, (1..=20).collect::<Vec<_>>());
        // Never reused: what is deleted leaves its number behind.
        let last = file(&db, json!({"title": "last"})).await;
        within!(db, |tx| tx.issue_delete(last.id).await).await.unwrap();
        assert_eq!(file(&db, json!({"title": "next"})).await.number.number(), 22);
    }

    /// D4: an update behind an older revision changes nothing.
    async fn a_change_needs_the_revision_that_is_stored(db: Db) {
        let old = file(&db, json!({"title": "t", "blocked_by": []})).await;
        let new = change(&db, &old, |issue| issue.title = "u".to_owned()).await;
        let stale = Issue { title: "v".to_owned(), revision: 2, ..old.clone() };
        assert_eq!(replace(&db, stale, 1).await, Err(StoreError::RevisionOld { found: 2 }));
        let id = old.id;
        assert_eq!(within!(db, |tx| tx.issue(id).await).await.unwrap(), Some(new));
        let gone = Issue { id: IssueId::from_uuid(uuid()), ..old };
        assert_eq!(replace(&db, gone, 1).await, Err(StoreError::NotFound("issue")));
    }

    async fn issues_are_filtered_sorted_and_paged(db: Db) {
        let first = file(&db, json!({"title": "Login fails", "kind": "bug", "labels": ["UI"], "priority": "low"})).await;
        file(&db, json!({"title": "Export", "body": "as CSV\nor LOGIN list", "priority": "urgent", "assignee": "ann"})).await;
        db.advance(std::time::Duration::from_secs(1));
        file(&db, json!({"title": "Part", "parent": first.id, "execution": "role:reviewer", "status": "ready"})).await;
        file(&db, json!({"title": "Whole", "kind": "epic", "labels": ["ui", "web"]})).await;
        let of = |filter: IssueFilter| numbers(&db, filter, IssueOrder::Oldest, None, 10);
        let all = IssueFilter::default();
        for (filter, found) in [
            (IssueFilter { status: vec![IssueStatus::Ready], ..all.clone() }, vec![3]),
            (IssueFilter { kind: vec![IssueKind::Bug, IssueKind::Epic], ..all.clone() }, vec![1, 4]),
            (IssueFilter { priority: vec![Priority::Low, Priority::Urgent], ..all.clone() }, vec![1, 2]),
            (IssueFilter { label: Some(" uI".to_owned()), ..all.clone() }, vec![1, 4]),
            (IssueFilter { label: Some("u".to_owned()), ..all.clone() }, vec![]),
            (IssueFilter { assignee: Some("ann".to_owned()), ..all.clone() }, vec![2]),
            (IssueFilter { execution: Some("role:reviewer".to_owned()), ..all.clone() }, vec![3]),
            (IssueFilter { parent: Some(first.id), ..all.clone() }, vec![3]),
            (IssueFilter { words: Some("login".to_owned()), ..all.clone() }, vec![1, 2]),
            (IssueFilter { words: Some("#4".to_owned()), ..all.clone() }, vec![4]),
            (IssueFilter { attention: vec![Attention::Plan], ..all.clone() }, vec![4]),
            (all.clone(), vec![1, 2, 3, 4]),
        ] {
            assert_eq!(of(filter.clone()).await, found, "{filter:?}");
            let project = db.project;
            let count = with!(db, filter, |tx| tx.issue_count(project, &filter).await).await.unwrap();
            assert_eq!(count, found.len() as u64);
        }
        for (order, found) in [
            (IssueOrder::Rank, [1, 2, 3, 4]),
            (IssueOrder::Newest, [4, 3, 2, 1]),
            (IssueOrder::Priority, [2, 3, 4, 1]),
            (IssueOrder::Changed, [3, 4, 1, 2]),
        ] {
            let mut seen = Vec::new();
            loop {
                let page = numbers(&db, all.clone(), order, seen.last().copied(), 3).await;
                if page.is_empty() {
                    break;
                }
                seen.extend(page);
            }
            assert_eq!(seen, found, "{order:?}");
        }
    }

    /// A card is put between two others, and a column is read in that order.
    async fn a_column_is_in_the_order_of_its_ranks(db: Db) {
        let mut made = Vec::new();
        for title in ["a", "b", "c", "d"] {
            made.push(file(&db, json!({"title": title})).await);
        }
        let (project, b, d) = (db.project, made[1].clone(), made[3].id);
        let low = with!(db, b, |tx| tx.issue_rank_before(project, &b.rank, d).await).await.unwrap();
        assert_eq!(low.as_ref(), Some(&made[0].rank));
        let rank = Rank::between(low.as_ref(), Some(&made[1].rank));
        change(&db, &made[3], |issue| issue.rank = rank).await;
        change(&db, &made[2], |issue| issue.status = IssueStatus::Done).await;
        let column = |status, limit| {
            db.store.read(move |tx| {
                Box::pin(async move { tx.issue_column(project, &IssueFilter::default(), status, limit).await })
            })
        };
        let titles = |issues: Vec<Issue>| issues.into_iter().map(|issue| issue.title).collect::<String>();
        assert_eq!(titles(Result::<_, StoreError>::unwrap(column(IssueStatus::Triage, 9).await)), "adb");
        assert_eq!(titles(Result::<_, StoreError>::unwrap(column(IssueStatus::Triage, 2).await)), "ad");
        assert_eq!(titles(Result::<_, StoreError>::unwrap(column(IssueStatus::Done, 9).await)), "c");
        let counts = within!(db, |tx| tx.issue_counts(project, &IssueFilter::default()).await).await.unwrap();
        let counts: BTreeSet<_> = counts.into_iter().collect();
        assert_eq!(counts, BTreeSet::from([(IssueStatus::Done, 1), (IssueStatus::Triage, 3)]));
    }

    /// D3: who waits for whom, in both directions, as it is after a change.
    async fn blockers_are_those_of_the_last_change(db: Db) {
        let a = file(&db, json!({"title": "a"})).await;
        let b = file(&db, json!({"title": "b", "blocked_by": [a.id]})).await;
        let c = file(&db, json!({"title": "c", "blocked_by": [a.id, b.id]})).await;
        assert!(card(&db, c.id).await.blocked);
        let a = change(&db, &a, |issue| issue.status = IssueStatus::Done).await;
        assert!(!card(&db, b.id).await.blocked && card(&db, c.id).await.blocked);
        let b2 = change(&db, &b, |issue| issue.blocked_by = Vec::new()).await;
        let (project, id) = (db.project, a.id);
        let waiting = within!(db, |tx| tx.issues_waiting(project).await).await.unwrap();
        assert_eq!(BTreeSet::from_iter(waiting), BTreeSet::from([(c.id, a.id), (c.id, b2.id)]));
        let behind = within!(db, |tx| tx.issues_waiting_for(id).await).await.unwrap();
        assert_eq!(behind.iter().map(|issue| issue.id).collect::<Vec<_>>(), [c.id]);
    }

    /// S8, X48: what a card shows follows from the rows of its runs and relations.
    async fn a_card_shows_what_its_runs_and_relations_say(db: Db) {
        let epic = file(&db, json!({"title": "e", "kind": "epic"})).await;
        let part = file(&db, json!({"title": "p", "parent": epic.id})).await;
        let leaf = file(&db, json!({"title": "l", "parent": part.id, "status": "ready"})).await;
        change(&db, &leaf, |issue| issue.status = IssueStatus::Closed).await;
        assert_eq!((card(&db, epic.id).await.depth, card(&db, leaf.id).await.depth), (0, 2));
        let shown = card(&db, part.id).await;
        assert_eq!((shown.depth, shown.children), (1, Children { total: 1, done: 1 }));
        assert_eq!((shown.gates, shown.run, shown.open_questions), (Gates::None, None, 0));

        let work = run_about(&db, part.id, "dispatch", Some(work_key(part.id))).await;
        let id = part.id;
        let active = within!(db, |tx| tx.run_working_on(id).await).await.unwrap();
        assert_eq!(active.map(|run| run.id), Some(work.id));
        assert_eq!(work.works_on(), Some(part.id));
        let question = Question {
            id: QuestionId::from_uuid(uuid()),
            project: db.project,
            run: work.id,
            task: None,
            kind: QuestionKind::Question,
            state: QuestionState::Open,
            subject: "s".into(),
            prompt: "?".into(),
            schema: json!({}),
            answer: None,
            answered_by: None,
            ended_at: None,
            because: None,
            expires_at: None,
            created_at: db.now(),
        };
        let asked = question.clone();
        db.store
            .write(move |tx| {
                let asked = asked.clone();
                Box::pin(async move { tx.question_insert(&asked).await })
            })
            .await
            .unwrap();
        let shown = card(&db, part.id).await;
        assert_eq!((shown.attention, shown.open_questions), (Attention::Question, 1));
        assert_eq!(shown.run.as_ref().map(|run| (run.id, run.status)), Some((work.id, RunStatus::Queued)));
        let (id, now) = (question.id, db.now());
        within!(db, |tx| tx.question_end(id, &QuestionEnd::Expired, now).await).await.unwrap();
        end(&db, work.id, RunStatus::Failed, None).await;
        let proof = run_about(&db, part.id, "proof", None).await;
        let shown = card(&db, part.id).await;
        assert_eq!((shown.gates, shown.attention), (Gates::Running, Attention::None));
        assert_eq!(shown.run.map(|run| run.status), Some(RunStatus::Failed), "a proof is not the work");
        end(&db, proof.id, RunStatus::Running, None).await;
        end(&db, proof.id, RunStatus::Completed, Some("passed")).await;
        assert_eq!(card(&db, part.id).await.gates, Gates::Passed);
        let id = part.id;
        assert_eq!(within!(db, |tx| tx.run_working_on(id).await).await.unwrap(), None);
        let runs = within!(db, |tx| tx.runs_of_issue(id, None, 9).await).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [proof.id, work.id]);
        assert!(within!(db, |tx| tx.issue_has_runs(id).await).await.unwrap());
    }

    /// X48: the query that filters and counts says the same as the function that cards are made with.
    async fn attention_is_one_thing_in_sql_and_in_the_model(db: Db) {
        for (kind, status, notice) in every_state() {
            let issue = file(&db, json!({"title": "t", "kind": kind})).await;
            change(&db, &issue, |issue| (issue.status, issue.notice) = (status, notice)).await;
        }
        let epics = numbers(&db, IssueFilter { kind: vec![IssueKind::Epic], ..Default::default() }, IssueOrder::Oldest, None, 4).await;
        let project = db.project;
        for (place, kind) in [(0, "plan"), (1, "dispatch")] {
            let number = IssueNumber::new(epics[place]).unwrap();
            let epic = within!(db, |tx| tx.issue_by_number(project, number).await).await.unwrap().unwrap();
            run_about(&db, epic.id, kind, None).await;
        }
        let number = IssueNumber::new(epics[3]).unwrap();
        let epic = within!(db, |tx| tx.issue_by_number(project, number).await).await.unwrap().unwrap();
        file(&db, json!({"title": "child", "parent": epic.id})).await;
        let counted = within!(db, |tx| tx.issue_attention(project).await).await.unwrap();
        let mut sum = 0;
        for word in Attention::ALL {
            let filter = IssueFilter { attention: vec![word], ..Default::default() };
            let (issues, cards) = with!(db, filter, |tx| {
                let issues = tx.issues(project, &filter, IssueOrder::Oldest, None, 500).await?;
                let cards = tx.issue_cards(&issues).await?;
                Ok::<_, StoreError>((issues.len(), cards))
            })
            .await
            .unwrap();
            assert!(cards.iter().all(|card| card.attention == word), "{word:?}");
            let count = counted.iter().find(|(of, _)| *of == word).map_or(0, |(_, count)| *count);
            assert_eq!((issues as u64, cards.len()), (count, issues), "{word:?}");
            sum += issues;
        }
        assert_eq!(sum, IssueKind::ALL.len() * IssueStatus::ALL.len() * 3 + 1);
    }

    async fn comments_and_lineage_are_kept_in_their_order(db: Db) {
        let origin = file(&db, json!({"title": "o"})).await;
        let issue = file(&db, json!({"title": "i"})).await;
        let mut said = Vec::new();
        for body in ["one", "two", "three"] {
            let comment = Comment {
                id: CommentId::from_uuid(uuid()), issue: issue.id, body: body.into(), actor: Actor::System, at: db.now(),
            };
            said.push(comment.clone());
            db.store
                .write(move |tx| {
                    let comment = comment.clone();
                    Box::pin(async move { tx.comment_insert(&comment).await })
                })
                .await
                .unwrap();
        }
        let (id, after) = (issue.id, said[0].id);
        assert_eq!(within!(db, |tx| tx.comments(id, None, 2).await).await.unwrap(), said[..2]);
        assert_eq!(within!(db, |tx| tx.comments(id, Some(after), 9).await).await.unwrap(), said[1..]);
        assert_eq!(card(&db, issue.id).await.comments, 3);
        let row = Lineage {
            id: LineageId::from_uuid(uuid()), issue: issue.id, kind: LineageKind::Manual, origin_issue: Some(origin.id),
            run: None, piece: None, actor: Actor::System, at: db.now(),
        };
        let (kept, project) = (row.clone(), db.project);
        db.store
            .write(move |tx| {
                let row = kept.clone();
                Box::pin(async move { tx.lineage_insert(project, &row).await })
            })
            .await
            .unwrap();
        for (id, found) in [(issue.id, 1), (origin.id, 1), (IssueId::from_uuid(uuid()), 0)] {
            assert_eq!(within!(db, |tx| tx.lineage_of(id).await).await.unwrap().len(), found);
        }
        let from = origin.id;
        assert_eq!(within!(db, |tx| tx.lineage(project, Some(from), None, 9).await).await.unwrap(), std::slice::from_ref(&row));
        let after = row.id;
        assert_eq!(within!(db, |tx| tx.lineage(project, None, Some(after), 9).await).await.unwrap(), []);
    }
}
