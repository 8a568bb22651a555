//! Rust: an integration test that is ignored until it is asked for by name.

use model::proof::naming::gate_ident;

use super::{SKIPPED, Stub, Subject, below, no_proof_yet};

pub fn stub(subject: &Subject<'_>, package: &str) -> Vec<Stub> {
    let mut text = subject.comment("//");
    for test in &subject.tests {
        text.push_str(&format!(
            "\n#[test]\n#[ignore = \"{SKIPPED}\"]\nfn {test}() {{\n    panic!(\"{}\");\n}}\n",
            no_proof_yet(subject.id())
        ));
    }
    let name = format!("tests/{}_{}.rs", subject.id().snake(), gate_ident(subject.gate));
    vec![Stub { path: below(package, &name), text }]
}
