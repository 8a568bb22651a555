//! Programs that know nothing of any protocol: the whole standard output is the answer (D62).

use model::{
    agent::{
        event::{AgentEvent, EndOutcome, ErrorClass},
        usage::{Numbers, Usage, UsageReport},
    },
    limits,
};
use serde_json::Value;

use super::{Reader, Told, Understood};

/// Keys by which a JSON object on standard output is known to be a report (L29).
const REPORT: &[&str] = &["num_turns", "is_error", "usage", "total_cost_usd", "result"];

/// Gathers the answer.
#[derive(Debug, Default)]
pub(super) struct Plain {
    answer: String,
    is_cut: bool,
    report: Option<Value>,
}

impl Reader for Plain {
    fn is_plain(&self) -> bool {
        true
    }

    fn object(&mut self, _: &Value, _: &mut Told) -> Understood {
        Understood::No
    }

    fn text(&mut self, line: &str, _: &mut Told) {
        if line.starts_with('{')
            && let Ok(report) = serde_json::from_str::<Value>(line)
            && REPORT.iter().any(|key| report.get(key).is_some())
        {
            self.report = Some(report);
        }
        if self.is_cut {
            return;
        }
        if self.answer.len() + line.len() + 1 > limits::AGENT_ANSWER {
            self.is_cut = true;
            return;
        }
        self.answer.push_str(line);
        self.answer.push('\n');
    }

    fn ended(&mut self, code: Option<i32>, told: &mut Told) {
        let mut is_error = false;
        if let Some(report) = &self.report {
            let mut numbers = Numbers::default();
            let count = |numbers: &mut Numbers, at: &str| numbers.count(report.pointer(at));
            let usage = Usage {
                input: count(&mut numbers, "/usage/input_tokens"),
                output: count(&mut numbers, "/usage/output_tokens"),
                ..Usage::default()
            };
            let report = UsageReport {
                total: true,
                usage,
                cost: numbers.dollars(report.get("total_cost_usd")),
                turns: numbers.count(report.get("num_turns")),
                bad_number: numbers.bad,
                message: None,
            };
            is_error = self.report.as_ref().is_some_and(|report| report.get("is_error") == Some(&Value::Bool(true)));
            told.push(AgentEvent::Usage(report));
        }
        let answer = std::mem::take(&mut self.answer);
        let answer = answer.strip_suffix('\n').unwrap_or(&answer).to_owned();
        if self.is_cut {
            let most = limits::AGENT_ANSWER >> 20;
            told.push(AgentEvent::error(ErrorClass::Protocol, format!("the answer is longer than {most} MiB")));
        } else if is_error {
            let words = self.report.as_ref().and_then(|report| report.get("result")).and_then(Value::as_str);
            told.push(AgentEvent::error(ErrorClass::Other, words.unwrap_or("the program reported an error")));
        } else if code == Some(0) {
            told.push(AgentEvent::Message { text: answer, is_final: true });
            told.push(AgentEvent::end(EndOutcome::Completed));
        } else if !answer.is_empty() {
            told.push(AgentEvent::said(answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::read_again;

    fn end(raw: &str, code: i32) -> Vec<AgentEvent> {
        read_again(&mut Plain::default(), raw, Some(code))
    }

    // D62: whatever a program prints is its answer, JSON or not.
    #[test]
    fn the_whole_output_is_the_answer() {
        for text in ["", "hello", "{\"files\": []}", "a\n\nb", "null"] {
            let told = end(text, 0);
            let expected =
                [AgentEvent::Message { text: text.to_owned(), is_final: true }, AgentEvent::end(EndOutcome::Completed)];
            assert_eq!(told, expected, "{text}");
        }
        assert!(!end("half", 3).contains(&AgentEvent::end(EndOutcome::Completed)));
    }

    // L29, row command: a report on the last line that has one.
    #[test]
    fn a_report_tells_what_was_used() {
        let told = end("work\n{\"usage\":{\"input_tokens\":7,\"output_tokens\":-1},\"total_cost_usd\":0.5}", 0);
        let AgentEvent::Usage(report) = &told[0] else { panic!("{told:?}") };
        assert_eq!((report.usage.input, report.usage.output, report.bad_number), (Some(7), None, true));
        let told = end("{\"is_error\":true,\"result\":\"no luck\"}", 0);
        assert_eq!(told[1], AgentEvent::error(ErrorClass::Other, "no luck"));
    }
}
