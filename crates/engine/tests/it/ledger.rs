//! Spend is reserved before it is spent: what a dispatch run costs, who is asked when nothing is left, and what becomes
//! of money when somebody dies.

use std::time::{Duration, Instant};

use model::{
    agent::usage::{Cost, CostState},
    code::Code,
    failure::FailureCode,
    id::{RunId, WorkerId},
    ledger::{LineKind, Spent, SumState},
    limits,
    money::NanoUsd,
    problem::Problem,
    question::{Question, QuestionKind, QuestionState},
    run::RunStatus,
    task::Fence,
};
use proofhouse_engine::{
    Clock,
    projects::{BUDGET, POLICY},
    work::Outcome,
};
use serde_json::{Value, json};
use store::{ClaimRequest, LedgerFilter};
use uuid::Uuid;

use super::house::{House, owner};

/// Says what it cost, in billionths.
fn priced(nanos: i64) -> String {
    format!(
        r#"read start
echo '{{"type":"ready","name":"mine","version":"1"}}'
echo '{{"type":"usage","message":"1","input":10,"output":2,"cost_nano_usd":{nanos}}}'
echo made > made
echo '{{"type":"message","text":"I did it","final":true}}'
echo '{{"type":"end","outcome":"completed"}}'"#
    )
}

const SILENT: &str = "cat > /dev/null; echo made > made; echo I made it";

async fn house(agents: &[(&str, &str)], budget: Value) -> House {
    house_at(Clock::system(), agents, budget).await
}

async fn house_at(clock: Clock, agents: &[(&str, &str)], budget: Value) -> House {
    let house = House::at(clock, agents).await;
    let names: Vec<&str> = agents.iter().map(|(name, _)| name.split(',').next().unwrap()).collect();
    // The last one is had by nobody here, so only workers elsewhere take its tasks.
    let names: Vec<&str> = names.into_iter().chain(["nearby"]).collect();
    let policy = json!({"allowed_paths": {"*": ["."]}, "agents": names});
    house.engine.set_document(house.project.id, POLICY, policy, 1, &owner()).await.unwrap();
    house.engine.set_document(house.project.id, BUDGET, budget, 0, &owner()).await.unwrap();
    house
}

impl House {
    async fn hand_out(&self, agent: &str) -> RunId {
        let issue = self.issue("Do it").await;
        self.start(issue, json!({"role": "by-worktree", "agent": agent})).await.unwrap().run.id
    }

    /// Kinds, micro-USD and states of a run's lines.
    async fn lines(&self, run: RunId) -> Vec<(LineKind, i64, Option<CostState>)> {
        let ledger = self.engine.ledger(LedgerFilter::Run(run)).await.unwrap();
        let of = |what: model::ledger::What| match what {
            model::ledger::What::Settled { cost, .. } => Some(cost.state),
            _ => None,
        };
        let lines = ledger.lines.into_iter().map(|kept| kept.line.what);
        lines.map(|what| (what.kind(), what.amount().micros_up(), of(what))).collect()
    }

    async fn questions(&self, run: RunId) -> Vec<Question> {
        let read = self.engine.store().read(move |tx| Box::pin(async move { tx.questions_of(run).await }));
        Result::<_, store::StoreError>::unwrap(read.await)
    }

    /// The open question of the project about money, once there is one.
    async fn asked(&self) -> Question {
        let (project, from) = (self.project.id, Instant::now());
        loop {
            let read = self.engine.store().read(move |tx| {
                Box::pin(async move { tx.questions(project, Some(QuestionState::Open), None, 10).await })
            });
            let open = Result::<_, store::StoreError>::unwrap(read.await);
            if let Some(question) = open.into_iter().find(|question| question.kind == QuestionKind::Budget) {
                return question;
            }
            assert!(from.elapsed() < Duration::from_secs(60), "nobody is asked");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answer(&self, question: &Question, body: Value) -> Result<Question, Problem> {
        self.engine.answer(question.id, body, &owner(), None).await
    }

    async fn adds_up(&self) {
        let checked = self.engine.ledger_verify(self.project.id).await.unwrap();
        assert!(checked.flaws.is_empty(), "{:?}", checked.flaws);
    }

    /// Claims the task of an agent as a worker on another machine does.
    async fn claim(&self, agent: &str) -> Fence {
        let request = ClaimRequest {
            worker: WorkerId::from_uuid(Uuid::now_v7()),
            claim_id: Uuid::now_v7().to_string(),
            queues: vec!["agent".to_owned()],
            labels: vec![format!("agent:{agent}")],
            max: 4,
            now: self.engine.now(),
            lease: limits::LEASE,
        };
        let leased = self.engine.claim(request, Duration::from_secs(20)).await.unwrap();
        assert_eq!(leased.len(), 1, "{leased:?}");
        Fence { task: leased[0].task.id, generation: leased[0].task.generation }
    }
}

use CostState::{Reported, Unknown};
use LineKind::{Release, Reserve, Settle};

// D34, X2, L86, L88: a slice is set aside before the agent starts and settled with its end, by what it says; what it
// does not say counts as the slice.
#[tokio::test]
async fn an_agent_is_paid_for_before_it_starts() {
    let agents = [("cheap,protocol=1", priced(20_000_000)), ("dear,protocol=1", priced(3_000_000_001))];
    let mut declared: Vec<(&str, &str)> = agents.iter().map(|(name, script)| (*name, script.as_str())).collect();
    declared.extend([("silent", SILENT), ("free,free", SILENT), ("broken", "cat > /dev/null; exit 7")]);
    let house = house(&declared, json!({"day_micro_usd": "none"})).await;
    for (agent, settled, state) in [
        ("cheap", 20_000, Reported),
        ("dear", 3_000_001, Reported),
        ("silent", 1_000_000, Unknown),
        ("broken", 1_000_000, Unknown),
    ] {
        let run = house.hand_out(agent).await;
        let (run, _) = house.ended(run).await;
        assert_eq!(run.status == RunStatus::Completed, agent != "broken", "{run:#?}");
        let lines = house.lines(run.id).await;
        assert_eq!(lines, [(Reserve, 1_000_000, None), (Settle, settled, Some(state))], "{agent}");
        // X23, X24: in the run's own journal, before its end.
        let kinds: Vec<String> = house.journal(run.id).await.into_iter().map(|entry| entry.0).collect();
        let place = |kind: &str| kinds.iter().position(|told| told == kind).unwrap_or(usize::MAX);
        assert!(place("ledger.reserved") < place("agent.session"), "{kinds:?}");
        assert!(place("agent.session") < place("ledger.settled"), "{kinds:?}");
    }
    let run = house.hand_out("free").await;
    house.ended(run).await;
    assert_eq!(house.lines(run).await, [], "what is free writes nothing");
    house.adds_up().await;
}

// L85: what was provably not started is given back.
#[tokio::test]
async fn what_was_not_started_is_given_back() {
    let house = house(&[], json!({})).await;
    let run = house.hand_out("nearby").await;
    let fence = house.claim("nearby").await;
    let outcome = Outcome::released("shutdown").spending(Some(Spent::Nothing));
    house.engine.finish_one(fence, outcome).await.unwrap();
    assert_eq!(house.lines(run).await, [(Reserve, 1_000_000, None), (Release, 1_000_000, None)]);
    house.adds_up().await;
}

// D34, X11, X28, L90, S67: without room nothing is handed out and one person is asked; others are served meanwhile; a
// top-up goes on with the same task, a stop ends the run.
#[tokio::test]
async fn a_used_up_run_asks_once_and_goes_on_with_a_top_up() {
    let house = house(&[("worker", SILENT), ("free,free", SILENT)], json!({"run_micro_usd": 0})).await;
    let run = house.hand_out("worker").await;
    let question = house.asked().await;
    let waiting = house.until(run, |run| run.status == RunStatus::Waiting).await;
    assert_eq!((question.run, question.subject.as_str()), (run, format!("budget/run/{}", run.short()).as_str()));
    assert_eq!((&question.schema["pool"], &question.schema["cap_micro_usd"]), (&json!("run"), &json!(0)));
    assert!(question.prompt.contains("$0.000000 spent") && question.prompt.contains("$10.000000 left"), "{question:?}");
    assert_eq!(house.lines(run).await, []);
    // The claim goes on to the next task.
    let other = house.hand_out("free").await;
    assert_eq!(house.ended(other).await.0.status, RunStatus::Completed);
    // What does not fit changes nothing.
    for wrong in [json!({"decision": "top_up"}), json!({"decision": "top_up", "micro_usd": 11_000_000}), json!({})] {
        assert_eq!(house.answer(&question, wrong.clone()).await.unwrap_err().code, Code::Invalid, "{wrong}");
    }
    assert_eq!(house.engine.run(waiting.id).await.unwrap().status, RunStatus::Waiting);
    let body = json!({"decision": "top_up", "micro_usd": 400_000, "reason": "it is worth it"});
    house.answer(&question, body.clone()).await.unwrap();
    assert_eq!(house.answer(&question, body).await.unwrap_err().code, Code::QuestionClosed);
    let (run, _) = house.ended(run).await;
    assert_eq!(run.status, RunStatus::Completed, "{run:#?}");
    // S65: a slice, or what is left of it.
    assert_eq!(house.lines(run.id).await, [(Reserve, 400_000, None), (Settle, 400_000, Some(Unknown))]);
    assert_eq!(house.questions(run.id).await.len(), 1);
    house.adds_up().await;

    let run = house.hand_out("worker").await;
    let question = house.asked().await;
    house.answer(&question, json!({"decision": "stop", "reason": "enough"})).await.unwrap();
    let (run, _) = house.ended(run).await;
    assert_eq!(run.failure.unwrap().code, FailureCode::BudgetExhausted);
    assert_eq!(house.lines(run.id).await, []);
}

// S67, X11, L87: a day that is used up parks every run that needs it on one question; more for the day lets all of them
// go on, and so does the next day by itself.
#[tokio::test]
async fn a_used_up_day_is_one_question_for_all() {
    let clock = Clock::fixed("2027-01-01T20:00:00Z".parse().unwrap());
    let house = house_at(clock.clone(), &[("worker", SILENT)], json!({"day_micro_usd": 1_000_000})).await;
    let first = house.hand_out("worker").await;
    assert_eq!(house.ended(first).await.0.status, RunStatus::Completed);
    let (second, third) = (house.hand_out("worker").await, house.hand_out("worker").await);
    let question = house.asked().await;
    assert_eq!(question.subject, "budget/day/2027-01-01");
    for run in [second, third] {
        house.until(run, |run| run.status == RunStatus::Waiting).await;
    }
    let asked = house.questions(second).await.len() + house.questions(third).await.len();
    assert_eq!(asked, 1, "one question for both");
    house.answer(&question, json!({"decision": "top_up", "day_micro_usd": 2_000_000})).await.unwrap();
    for run in [second, third] {
        assert_eq!(house.ended(run).await.0.status, RunStatus::Completed);
    }
    // X11: the day that begins withdraws the question, it does not answer it.
    let fourth = house.hand_out("worker").await;
    let question = house.asked().await;
    house.until(fourth, |run| run.status == RunStatus::Waiting).await;
    clock.advance(Duration::from_secs(5 * 3_600));
    let (fourth, _) = house.ended(fourth).await;
    assert_eq!(fourth.status, RunStatus::Completed, "{fourth:#?}");
    let ended = house.questions(question.run).await;
    let ended = ended.iter().find(|one| one.id == question.id).unwrap();
    assert_eq!((ended.state, ended.because.as_deref()), (QuestionState::Withdrawn, Some("a new UTC day has begun")));
    let day = house.engine.ledger(LedgerFilter::Day(house.project.id, "2027-01-02".parse().unwrap())).await.unwrap();
    assert_eq!(
        (day.lines.len(), day.totals.settled.micros_up(), day.totals.state()),
        (2, 1_000_000, SumState::Unknown)
    );
    house.adds_up().await;
}

// L85, D34: a cancel and a lost lease settle as unknown; who comes too late changes nothing but what it cost.
#[tokio::test]
async fn a_lost_attempt_is_not_free() {
    let clock = Clock::fixed("2027-01-01T08:00:00Z".parse().unwrap());
    let house = house_at(clock.clone(), &[], json!({})).await;
    let run = house.hand_out("nearby").await;
    let sleeper = house.claim("nearby").await;
    assert_eq!(house.lines(run).await, [(Reserve, 1_000_000, None)]);
    clock.advance(limits::LEASE + Duration::from_secs(1));
    let heir = house.claim("nearby").await;
    assert_eq!((sleeper.task, sleeper.generation + 1), (heir.task, heir.generation));
    let lost = [(Reserve, 1_000_000, None), (Settle, 1_000_000, Some(Unknown)), (Reserve, 1_000_000, None)];
    assert_eq!(house.lines(run).await, lost);
    let cost = Spent::Cost(Cost { state: Reported, known: NanoUsd::from_micros(1_700_000).unwrap() });
    let late = Outcome::done(json!({})).spending(Some(cost));
    for _ in 0..2 {
        let refused = house.engine.finish_one(sleeper, late.clone()).await.unwrap_err();
        assert_eq!(refused.code, Code::LeaseLost);
    }
    let booked = [&lost[..], &[(Reserve, 0, None), (Settle, 700_000, Some(Reported))]].concat();
    assert_eq!(house.lines(run).await, booked, "only what is more than was counted, once");
    // X13: what is leased drains, and then counts as unknown.
    house.engine.cancel(run, &owner()).await.unwrap();
    clock.advance(limits::CANCEL_DRAIN + Duration::from_secs(1));
    let (run, _) = house.ended(run).await;
    assert_eq!(run.status, RunStatus::Cancelled);
    let all = [&booked[..], &[(Settle, 1_000_000, Some(Unknown))]].concat();
    assert_eq!(house.lines(run.id).await, all);
    // X24: behind the end the run's own stream stays as it is.
    let journal = house.journal(run.id).await.len();
    let late = Outcome::released("cancelled").spending(Some(cost));
    house.engine.finish_one(heir, late).await.unwrap_err();
    assert_eq!(house.lines(run.id).await.len(), all.len() + 2);
    assert_eq!(house.journal(run.id).await.len(), journal);
    house.adds_up().await;
}
