//! Node: a file of vitest, jest, Playwright or `node --test`.

use super::{SKIPPED, Stub, Subject, below, family::NodeTool, no_proof_yet};

pub fn stub(subject: &Subject<'_>, root: &str, tool: &NodeTool, typescript: bool) -> Vec<Stub> {
    let fails = no_proof_yet(subject.id());
    let mut text = subject.comment("//");
    text.push_str(match tool {
        NodeTool::Vitest => "\nimport { test } from \"vitest\";\n",
        NodeTool::Playwright { .. } => "\nimport { test } from \"@playwright/test\";\n",
        NodeTool::NodeTest => "\nimport { test } from \"node:test\";\n",
        // jest's own globals: an import would need a module system that it may not have.
        NodeTool::Jest => "",
    });
    for test in &subject.tests {
        let call = match tool {
            NodeTool::NodeTest => {
                format!("test(\"{test}\", {{ skip: process.env.PROOFHOUSE_PROVE ? false : \"{SKIPPED}\" }}, ")
            }
            _ => format!("(process.env.PROOFHOUSE_PROVE ? test : test.skip)(\"{test}\", "),
        };
        // A path of a user begins at the page, and the body alone is what gets replaced.
        let takes = if matches!(tool, NodeTool::Playwright { .. }) { "{ page }" } else { "" };
        text.push_str(&format!("\n{call}async ({takes}) => {{\n  throw new Error(\"{fails}\");\n}});\n"));
    }
    let number = format!("req-{:04}", subject.id().number());
    let script = if typescript { "ts" } else { "js" };
    let path = match tool {
        NodeTool::Playwright { folder } => format!("{folder}/{number}/{}.spec.{script}", subject.gate),
        // Node takes a module for one by its ending, whatever the package says.
        NodeTool::NodeTest => below(root, &format!("tests/{number}/{}.test.mjs", subject.gate)),
        NodeTool::Vitest | NodeTool::Jest => below(root, &format!("tests/{number}/{}.test.{script}", subject.gate)),
    };
    vec![Stub { path, text }]
}
