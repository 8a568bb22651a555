//! Providers over real sockets, against the fake model (S81 to S85).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use model::{
    agent::usage::Usage,
    provider::{Class, Key, Provider, ProviderKind, ProviderState, Retry, Wire},
};
use proofhouse_agents::{
    Boxed, SinkClosed,
    provider::{
        Client, Heard, Listener, Overdue, check,
        talk::{Block, Message, Outcome, Reply, Request, Stop, Tool},
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::models::{Answer, Models, Wire as Spoken};

const KINDS: &[(ProviderKind, Spoken)] = &[
    (ProviderKind::Anthropic, Spoken::Messages),
    (ProviderKind::Openai, Spoken::Responses),
    (ProviderKind::OpenaiCompatible, Spoken::Chat),
    (ProviderKind::Google, Spoken::Gemini),
];

fn at(kind: ProviderKind, models: &Models) -> Provider {
    let retry = Retry { base: Duration::from_millis(5), cap: Duration::from_millis(20), ..Retry::default() };
    let key = Key::Env("THE_KEY".to_owned());
    Provider { base_url: format!("{}/v1", models.url()), retry, key, ..Provider::of(kind) }
}

fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("THE_KEY".to_owned(), "planted-key-value".to_owned())])
}

fn request() -> Request {
    let input = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    Request {
        system: "be brief".to_owned(),
        messages: vec![Message::User("hello".to_owned())],
        tools: vec![Tool { name: "read", description: "reads", input }],
        max_output: None,
    }
}

/// Remembers what went wrong and what came over the wire.
#[derive(Default)]
struct Noted {
    failed: Vec<Heard>,
    raw: Vec<String>,
}

impl Listener for Noted {
    fn failed(&mut self, heard: Heard) -> Boxed<'_, Result<(), SinkClosed>> {
        self.failed.push(heard);
        Box::pin(std::future::ready(Ok(())))
    }
    fn received(&mut self, _: u32, text: &str) -> Result<(), SinkClosed> {
        self.raw.push(text.to_owned());
        Ok(())
    }
}

async fn ask(provider: &Provider, request: &Request) -> (Result<Reply, Overdue>, Noted) {
    let mut noted = Noted::default();
    let client = Client::new(environment());
    let reply = client.ask(provider, "fake-1", request, &mut noted, &CancellationToken::new()).await;
    (reply, noted)
}

fn class(result: &Result<Reply, Overdue>) -> Class {
    match result {
        Err(Overdue::Failed(trouble) | Overdue::Later(trouble, _)) => trouble.class,
        other => panic!("it did not fail: {other:?}"),
    }
}

// S81: a word, a call and its result over each wire; usage in one form; the key in a header and nowhere else.
#[tokio::test]
async fn each_wire_carries_a_conversation() {
    for (kind, spoken) in KINDS {
        let call = Answer::call("read", json!({"path": "a \u{e9}.txt"}));
        let models = Models::start([Answer::Several(vec![Answer::say("let me see"), call]), Answer::say("it says hi")]);
        let provider = at(*kind, &models);
        let mut request = request();
        let (first, noted) = ask(&provider, &request).await;
        let first = first.unwrap();
        assert_eq!((first.text().as_str(), first.stop), ("let me see", Stop::Tools), "{kind:?}");
        let call = first.calls().next().unwrap().clone();
        assert_eq!((call.name.as_str(), &call.input), ("read", &Ok(json!({"path": "a \u{e9}.txt"}))));
        assert_eq!((first.usage.input, first.usage.output), (Some(100), Some(20)), "{kind:?}");
        assert!(noted.raw[0].contains("let me see") && noted.failed.is_empty());
        let result = Outcome { id: call.id.clone(), name: call.name.clone(), text: "hi".to_owned(), is_error: false };
        request.messages.extend([Message::Model(first.blocks), Message::Results(vec![result])]);
        let second = ask(&provider, &request).await.0.unwrap();
        assert_eq!((second.text().as_str(), second.stop), ("it says hi", Stop::End));
        let asked = models.requests();
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|asked| asked.wire == *spoken));
        let body = asked[1].body.to_string();
        assert!(body.contains("be brief") && body.contains("a é.txt") && body.contains("\"hi\""), "{body}");
        assert!(!body.contains("planted-key-value") && !body.contains("max_output") && !body.contains("maxOutput"));
        if *spoken == Spoken::Gemini {
            // What a wire signs comes back to it as it was.
            assert!(body.contains("c2lnbmVk"), "{body}");
        }
        let key = asked[0].headers.iter().filter(|(_, value)| value.contains("planted-key-value")).count();
        assert_eq!(key, 1, "{kind:?}");
    }
}

// S81: optional parameters are sent only when set.
#[tokio::test]
async fn a_limit_is_sent_when_it_is_set() {
    for (kind, _) in KINDS {
        let models = Models::start([Answer::say("x")]);
        let request = Request { max_output: Some(77), ..request() };
        ask(&at(*kind, &models), &request).await.0.unwrap();
        assert!(models.requests()[0].body.to_string().contains("77"), "{kind:?}");
    }
}

// S82: each row of the table, with the number of requests it makes.
#[tokio::test]
async fn each_class_makes_its_requests() {
    let status = |status: u16, message: &str| Answer::status(status, message);
    for (kind, _) in KINDS {
        for (answer, expected, requests) in [
            (status(500, "boom"), Class::ServerError, 4),
            (status(529, "overloaded"), Class::ServerError, 4),
            (Answer::Cut, Class::InvalidResponse, 4),
            (Answer::Garbage, Class::InvalidResponse, 4),
            (status(401, "no"), Class::Auth, 1),
            (status(402, "no"), Class::Billing, 1),
            (status(404, "no"), Class::NotFound, 1),
            (status(400, "no"), Class::BadRequest, 1),
            (status(400, "prompt is too long"), Class::ContextLength, 1),
            (status(302, "elsewhere"), Class::BadRequest, 1),
        ] {
            let models = Models::start(vec![answer.clone(); 10]);
            let (result, noted) = ask(&at(*kind, &models), &request()).await;
            assert_eq!(class(&result), expected, "{kind:?} {answer:?}");
            assert_eq!((models.requests().len(), noted.failed.len()), (requests, requests), "{kind:?} {answer:?}");
            // S83: each try says whether it is made again.
            let waits = noted.failed.iter().filter(|heard| heard.wait.is_some()).count();
            assert_eq!(waits, requests - 1);
            let numbers: Vec<u32> = noted.failed.iter().map(|heard| heard.number).collect();
            assert_eq!(numbers, (1..=u32::try_from(requests).unwrap()).collect::<Vec<_>>());
        }
    }
}

// S82, S83: after what passes the reply comes; what a cut stream had used is told.
#[tokio::test]
async fn it_goes_on_after_what_passes() {
    for (kind, _) in KINDS {
        let models = Models::start([Answer::status(503, "busy"), Answer::Cut, Answer::say("here")]);
        let (reply, noted) = ask(&at(*kind, &models), &request()).await;
        assert_eq!(reply.unwrap().text(), "here");
        assert_eq!(noted.failed.len(), 2);
        assert!(noted.failed[1].trouble.may_be_billed, "{kind:?}");
        if *kind == ProviderKind::Anthropic {
            assert_eq!(noted.failed[1].usage.input, Some(100));
        } else {
            assert_eq!(noted.failed[1].usage, Usage::default());
        }
    }
}

// S83: a stated wait is waited, one of more than a minute is not waited here.
#[tokio::test]
async fn a_stated_wait_is_kept() {
    let limited = |seconds| Answer::Status { status: 429, message: "slow".to_owned(), retry_after: Some(seconds) };
    let models = Models::start([limited(1), Answer::say("now")]);
    let clock = Instant::now();
    let (reply, noted) = ask(&at(ProviderKind::Openai, &models), &request()).await;
    assert_eq!(reply.unwrap().text(), "now");
    assert!(clock.elapsed() >= Duration::from_secs(1));
    assert_eq!(noted.failed[0].wait, Some(Duration::from_secs(1)));
    let models = Models::start(vec![limited(3_600); 3]);
    let (result, _) = ask(&at(ProviderKind::Anthropic, &models), &request()).await;
    assert!(matches!(result, Err(Overdue::Later(..))), "{result:?}");
    assert_eq!((class(&result), models.requests().len()), (Class::RateLimited, 1));
}

// S83: a cancel ends a wait at once, and a reply that does not come.
#[tokio::test]
async fn a_stop_ends_a_wait_at_once() {
    let limited = Answer::Status { status: 429, message: "slow".to_owned(), retry_after: Some(50) };
    for answer in [limited, Answer::Hang(Duration::from_secs(20))] {
        let models = Models::start([answer]);
        let (stop, mut noted, clock) = (CancellationToken::new(), Noted::default(), Instant::now());
        let (client, provider, request) = (Client::new(environment()), at(ProviderKind::Openai, &models), request());
        let asking = client.ask(&provider, "fake-1", &request, &mut noted, &stop);
        let stopping = async {
            while models.requests().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.cancel();
        };
        let (result, ()) = tokio::join!(asking, stopping);
        assert_eq!(result, Err(Overdue::Stopped));
        assert!(clock.elapsed() < Duration::from_secs(15), "{:?}", clock.elapsed());
    }
}

// S82: nobody there, or nobody who answers.
#[tokio::test]
async fn who_does_not_answer_is_not_reached() {
    let gone = Models::start([]);
    let mut provider = at(ProviderKind::Openai, &gone);
    drop(gone);
    provider.base_url = "http://127.0.0.1:1/v1".to_owned();
    let (result, noted) = ask(&provider, &request()).await;
    assert_eq!((class(&result), noted.failed.len()), (Class::Network, 4));
    let models = Models::start(vec![Answer::Hang(Duration::from_secs(5)); 4]);
    let mut provider = at(ProviderKind::Anthropic, &models);
    provider.timeout = Duration::from_millis(100);
    let (result, noted) = ask(&provider, &request()).await;
    assert_eq!((class(&result), noted.failed.len()), (Class::Timeout, 4));
    assert!(noted.failed.iter().all(|heard| heard.trouble.may_be_billed));
}

// Section 21: an answer of twenty megabytes, of no text, of nothing, of the wrong things.
#[tokio::test]
async fn hostile_answers_meet_a_class_or_a_cap() {
    for (kind, _) in KINDS {
        let huge = vec![b'x'; 20 << 20];
        let deep = format!("data: {}\n\n", "[".repeat(100_000));
        for bytes in [
            huge,
            vec![0xff; 5_000],
            b"\n\n\n".to_vec(),
            Vec::new(),
            deep.into_bytes(),
            b"data: 7\n\ndata: null\n\n".to_vec(),
        ] {
            let models = Models::start(vec![Answer::Raw(bytes.clone()); 4]);
            let (result, _) = ask(&at(*kind, &models), &request()).await;
            assert_eq!(class(&result), Class::InvalidResponse, "{kind:?} {:?}", &bytes[..bytes.len().min(20)]);
        }
    }
}

// Bytes that are no text inside of a reply hurt nothing else of it.
#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    let mut bytes =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"a\xff\xfeb\"},\"finish_reason\":\"stop\"}]}\n\n".to_vec();
    bytes.extend_from_slice(b"data: [DONE]\n\n");
    let models = Models::start([Answer::Raw(bytes)]);
    let reply = ask(&at(ProviderKind::OpenaiCompatible, &models), &request()).await.0.unwrap();
    assert_eq!(reply.text(), "a\u{fffd}\u{fffd}b");
}

// S85: a key that is missing asks nobody, and what is told of it is its place.
#[tokio::test]
async fn a_missing_key_asks_nobody() {
    let models = Models::start([Answer::say("x")]);
    let mut provider = at(ProviderKind::Anthropic, &models);
    provider.key = Key::Env("NOT_SET".to_owned());
    let (result, noted) = ask(&provider, &request()).await;
    assert_eq!(class(&result), Class::Auth);
    assert!(noted.failed[0].trouble.message.contains("NOT_SET"));
    assert!(models.requests().is_empty());
    // A server of one's own needs none.
    provider.key = Key::None;
    assert!(ask(&provider, &request()).await.0.is_ok());
}

// S85: a check asks for the list of models, which costs nothing, and makes no request for a reply.
#[tokio::test]
async fn a_check_costs_nothing() {
    let models = Models::start([]);
    for (kind, _) in KINDS {
        let provider = at(*kind, &models);
        let at = async |provider: &Provider, environment: &BTreeMap<String, String>| {
            let found = check(provider, environment).await;
            (found.state, found.class)
        };
        assert_eq!(check(&provider, &environment()).await.models, Some(vec!["fake-1".to_owned()]), "{kind:?}");
        assert_eq!(at(&provider, &environment()).await, (ProviderState::Ready, None), "{kind:?}");
        let wrong = BTreeMap::from([("THE_KEY".to_owned(), "wrong".to_owned())]);
        assert_eq!(at(&provider, &wrong).await, (ProviderState::Failed, Some(Class::Auth)), "{kind:?}");
        assert_eq!(at(&provider, &BTreeMap::new()).await, (ProviderState::MissingKey, None));
        let off = Provider { enabled: false, ..provider.clone() };
        assert_eq!(at(&off, &environment()).await, (ProviderState::Disabled, None));
        let nowhere = Provider { base_url: "http://127.0.0.1:1/v1".to_owned(), ..provider };
        assert_eq!(at(&nowhere, &environment()).await, (ProviderState::Failed, Some(Class::Network)));
    }
    assert!(models.requests().is_empty());
}

// TLS is verified (E23): a server that speaks none is no provider.
#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    let models = Models::start([Answer::say("x")]);
    let provider = at(ProviderKind::Openai, &models);
    let provider = Provider { base_url: provider.base_url.replace("http:", "https:"), ..provider };
    let (result, _) = ask(&provider, &request()).await;
    assert_eq!(class(&result), Class::Network);
    assert!(models.requests().is_empty());
    assert_eq!(provider.wire, Wire::Responses);
}

// S81: a call whose arguments are no JSON is told as that, and sent back as an object.
#[tokio::test]
async fn unreadable_arguments_are_told() {
    let bytes = b"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"read\",\"arguments\":\"{oops\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n";
    let models = Models::start([Answer::Raw(bytes.to_vec()), Answer::say("sorry")]);
    let provider = at(ProviderKind::OpenaiCompatible, &models);
    let mut request = request();
    let reply = ask(&provider, &request).await.0.unwrap();
    let Block::Call(call) = &reply.blocks[0] else { panic!("{reply:?}") };
    assert!(call.input.as_ref().unwrap_err().contains("no JSON"));
    let result = Outcome { id: "c".into(), name: "read".into(), text: "no JSON".into(), is_error: true };
    request.messages.extend([Message::Model(reply.blocks.clone()), Message::Results(vec![result])]);
    ask(&provider, &request).await.0.unwrap();
    let sent: Vec<Value> = models.requests()[1].body["messages"].as_array().unwrap().clone();
    assert_eq!(sent[2]["tool_calls"][0]["function"]["arguments"], "{}");
}
