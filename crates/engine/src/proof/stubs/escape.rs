//! A person's words inside source code: data, whatever they look like (P10).

/// The most lines of a description that a stub repeats; the rest is read in the requirement.
const LINES: usize = 60;
/// The most characters of a line.
const WIDTH: usize = 400;

/// Lines that may stand behind a line comment's marker in any language.
///
/// Every character that some language takes for a line end ends a line here. Characters that are not
/// seen, or that turn the direction of text, are written by number: compilers refuse some of them.
/// An `@` is set apart, since test runners look for `@name` in comments.
pub fn comment_lines(text: &str) -> Vec<String> {
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let unified = text.replace("\r\n", "\n");
    let mut lines: Vec<String> = unified.trim().split(is_end).take(LINES + 1).map(plain_line).collect();
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push("...".to_owned());
    }
    lines
}

fn plain_line(line: &str) -> String {
    let mut out = String::new();
    let line = line.trim_end();
    for (at, c) in line.chars().enumerate() {
        if at == WIDTH {
            out.push_str(" ...");
            break;
        }
        match c {
            '\t' => out.push_str("    "),
            '@' => out.push_str("@ "),
            c if is_hidden(c) => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
            c => out.push(c),
        }
    }
    // A trailing backslash would join the next line in some languages.
    if out.ends_with('\\') {
        out.push('.');
    }
    out.trim_end().to_owned()
}

/// Control characters, and those that are invisible or change the direction of text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
