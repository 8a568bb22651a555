//! Real programs that ask for leave over their own channel, and what becomes of the answer (S77).

use std::{collections::VecDeque, fs, time::Duration};

use model::agent::{
    event::{AgentEvent, ToolStatus},
    fold::AgentOutcome,
};
use proofhouse_agents::{Ask, Boxed, Collected, Driven, Kind, Reply, Seen, Session, Sink, SinkClosed, drive};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    house::{House, answer, events},
    models::{Answer, Models},
    programs::{repository, session},
};

/// Answers in order; then waits for ever.
pub struct Answers {
    pub seen: Collected,
    pub asked: Vec<Ask>,
    replies: VecDeque<Reply>,
    /// Fires when it is asked what nobody answers.
    pub unanswered: CancellationToken,
}

impl Answers {
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = replies.into_iter().collect();
        Self { seen: Collected::default(), asked: Vec::new(), replies, unanswered: CancellationToken::new() }
    }
}

impl Sink for Answers {
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        self.seen.event(seen)
    }
    fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        self.asked.push(ask);
        match self.replies.pop_front() {
            Some(reply) => Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                reply
            }),
            None => {
                self.unanswered.cancel();
                Box::pin(std::future::pending())
            }
        }
    }
}

fn shell(path: &str) -> Answer {
    let command = format!("python3 -c \"open('{path}', 'w').write('hello')\"");
    let input: Value = json!({"command": command, "description": "make a file"});
    Answer::call("Bash", input)
}

fn statuses(sink: &Answers) -> Vec<ToolStatus> {
    let of = |event: &AgentEvent| match event {
        AgentEvent::Tool(tool) => Some(tool.status),
        _ => None,
    };
    events(&sink.seen).filter_map(of).collect()
}

async fn asked(session: Session, sink: &mut Answers) -> Driven {
    drive(session, sink, CancellationToken::new()).await
}

// S77, S79: claude asks over its control channel; a yes lets the command run, a no is told to its model.
#[tokio::test]
async fn claude_asks_and_is_answered() {
    let house = House::new();
    repository(&house);
    let models = Models::start([shell("yes.txt"), shell("no.txt"), Answer::say("that is all")]);
    let mut session = session(&house, Kind::Claude, &models);
    session.asks = true;
    let mut sink = Answers::new([Reply::Allow, Reply::Deny("not that one".to_owned())]);
    let driven = asked(session, &mut sink).await;
    house.keep("claude-asks");
    let raw = house.read("own/agent.raw");
    assert_eq!(answer(&driven), "that is all", "{raw}");
    assert_eq!(fs::read_to_string(house.at("tree/yes.txt")).unwrap_or_default(), "hello", "{raw}");
    assert!(!house.at("tree/no.txt").exists(), "{raw}");
    let [Ask::Approval { tool, input, argv: Some(argv), .. }, Ask::Approval { .. }] = sink.asked.as_slice() else {
        panic!("{:?}", sink.asked)
    };
    assert_eq!((tool.as_str(), argv.len(), argv[0].as_str()), ("Bash", 3, "bash"));
    assert_eq!(input["command"], argv[2].as_str());
    use ToolStatus::{AwaitingApproval, Denied, Done, Requested, Running};
    assert_eq!(
        statuses(&sink),
        [Requested, AwaitingApproval, Running, Done, Requested, AwaitingApproval, Denied, Denied],
        "{raw}"
    );
    let told = models.requests().pop().unwrap().body.to_string();
    assert!(told.contains("not that one"), "the model reads why: {told}");
}

// S58, S26: a session that is ended while it waits goes on by its id, and asks again for the same.
#[tokio::test]
async fn claude_goes_on_after_it_was_ended_while_it_waited() {
    let house = House::new();
    repository(&house);
    let models = Models::start([shell("made.txt"), shell("made.txt"), Answer::say("it is made")]);
    let first = Session { asks: true, ..session(&house, Kind::Claude, &models) };
    let mut sink = Answers::new([]);
    let unanswered = sink.unanswered.clone();
    let stop = CancellationToken::new();
    let stopping = async {
        unanswered.cancelled().await;
        stop.cancel();
    };
    let (driven, ()) = tokio::join!(drive(first, &mut sink, stop.clone()), stopping);
    assert_eq!(driven.end.outcome, AgentOutcome::Cancelled);
    let before = sink.asked.pop().unwrap();
    let again = Session {
        asks: true,
        resume: driven.end.session.unwrap().session,
        prompt: "you may".to_owned(),
        ..session(&house, Kind::Claude, &models)
    };
    let mut sink = Answers::new([Reply::Allow]);
    let driven = asked(again, &mut sink).await;
    assert_eq!(answer(&driven), "it is made", "{}", house.read("own/agent.raw"));
    assert_eq!(house.read("tree/made.txt"), "hello");
    let (Ask::Approval { input: first, .. }, Ask::Approval { input: second, .. }) = (&before, &sink.asked[0]) else {
        panic!("{before:?} {:?}", sink.asked)
    };
    assert_eq!(first, second, "the same call has the same input");
    let told = models.requests().pop().unwrap().body.to_string();
    assert!(told.contains("make a file") && told.contains("you may"), "{told}");
}

// D35, S78: the time that people take is not the agent's, and a stop ends the waiting at once.
#[tokio::test]
async fn waiting_for_people_costs_no_time() {
    let house = House::new();
    let body = r#"read start; echo '{"type":"ready","name":"mine"}'
echo '{"type":"approval_request","id":"1","tool":"x","input":{}}'; read a
echo '{"type":"end","outcome":"completed"}'"#;
    let mut session = house.session(house.command(",protocol=1", body), "");
    session.asks = true;
    (session.limits.wall, session.limits.quiet) = (Duration::from_secs(2), Duration::from_secs(1));
    struct Slow(Collected);
    impl Sink for Slow {
        fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
            self.0.event(seen)
        }
        fn ask(&mut self, _: Ask) -> Boxed<'static, Reply> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(4)).await;
                Reply::Allow
            })
        }
    }
    let driven = drive(session, &mut Slow(Collected::default()), CancellationToken::new()).await;
    assert_eq!(answer(&driven), "");
}
