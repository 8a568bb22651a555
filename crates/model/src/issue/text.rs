//! What the texts of an issue may be (D2).

use crate::{limits, problem::FieldError, proof::form::Text};

/// A text without the space around it, in one line of at most `most` characters; blank is wrong.
pub(super) fn line(text: &str, most: usize, at: &str, errors: &mut Vec<FieldError>) -> String {
    let text = text.trim();
    if let Err(message) = Text::line(most).check(text) {
        errors.push(FieldError::new(at, message));
    }
    text.to_owned()
}

/// A text of several lines without the space around it; it may be blank.
pub(super) fn lines(text: &str, at: &str, errors: &mut Vec<FieldError>) -> String {
    let text = text.trim();
    if text.len() > limits::ISSUE_TEXT {
        errors.push(FieldError::new(at, format!("must be at most {} bytes", limits::ISSUE_TEXT)));
    } else if let Err(message) = Text::lines(limits::ISSUE_TEXT).check(text)
        && !text.is_empty()
    {
        errors.push(FieldError::new(at, message));
    }
    text.to_owned()
}

/// Labels without the space around them, without blank ones, each once whatever its case: the first
/// spelling stays (D2).
pub(super) fn labels(labels: &[String], errors: &mut Vec<FieldError>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (place, label) in labels.iter().enumerate() {
        let label = label.trim();
        if label.is_empty() || kept.iter().any(|known| known.to_lowercase() == label.to_lowercase()) {
            continue;
        }
        if let Err(message) = Text::line(limits::LABEL).check(label) {
            errors.push(FieldError::new(format!("/labels/{place}"), message));
        }
        kept.push(label.to_owned());
    }
    if kept.len() > limits::LABELS {
        errors.push(FieldError::new("/labels", format!("at most {} labels are allowed", limits::LABELS)));
    }
    kept
}

/// What somebody says on an issue, without the space around it.
///
/// # Errors
/// Where it is blank, too long, or holds control characters.
pub fn comment(text: &str) -> Result<String, Vec<FieldError>> {
    let mut errors = Vec::new();
    let text = lines(text, "/body", &mut errors);
    if text.is_empty() {
        errors.push(FieldError::new("/body", "must not be blank"));
    }
    if errors.is_empty() { Ok(text) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(list: &[&str]) -> Vec<String> {
        let mut errors = Vec::new();
        let list: Vec<_> = list.iter().map(|label| (*label).to_owned()).collect();
        let kept = labels(&list, &mut errors);
        assert_eq!(errors, []);
        kept
    }

    // D2
    #[test]
    fn labels_are_trimmed_and_each_is_kept_once_in_its_first_spelling() {
        assert_eq!(kept(&[" UI ", "", "  ", "ui", "Ärger", "ärger", "a b"]), ["UI", "Ärger", "a b"]);
        let mut errors = Vec::new();
        let many: Vec<_> = (0..=limits::LABELS).map(|number| format!("l{number}")).collect();
        labels(&many, &mut errors);
        labels(&["a\nb".to_owned(), "x".repeat(limits::LABEL + 1)], &mut errors);
        let places: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(places, ["/labels", "/labels/0", "/labels/1"]);
    }

    // D2
    #[test]
    fn a_text_may_have_lines_and_no_other_control_characters() {
        let check = |text: &str| {
            let mut errors = Vec::new();
            (lines(text, "/body", &mut errors), errors.len())
        };
        assert_eq!(check("  a\r\n\tb \n"), ("a\r\n\tb".to_owned(), 0));
        assert_eq!(check(" \n").1, 0, "an issue without a text is fine");
        assert_eq!(check("a\u{0}b").1, 1);
        assert_eq!(check("a\u{1b}[31mb").1, 1);
        assert_eq!(check(&"x".repeat(limits::ISSUE_TEXT)).1, 0);
        assert_eq!(check(&"x".repeat(limits::ISSUE_TEXT + 1)).1, 1);
        assert!(comment(" ").is_err() && comment("a\0").is_err());
        assert_eq!(comment(" yes\n").unwrap(), "yes");
    }
}
