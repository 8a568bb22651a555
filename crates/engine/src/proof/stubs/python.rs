//! Python: a module of its own package, so that files of the same name do not clash.

use model::proof::naming::gate_ident;

use super::{SKIPPED, Stub, Subject, below, family::PythonTool, no_proof_yet};

pub fn stub(subject: &Subject<'_>, root: &str, tool: PythonTool) -> Vec<Stub> {
    let id = subject.id();
    let fails = no_proof_yet(id);
    let mut text = subject.comment("#");
    match tool {
        PythonTool::Pytest => {
            text.push_str("\nimport os\n\nimport pytest\n");
            for test in &subject.tests {
                text.push_str(&format!(
                    "\n\n@pytest.mark.skipif(not os.environ.get(\"PROOFHOUSE_PROVE\"), reason=\"{SKIPPED}\")\n\
                     def {test}() -> None:\n    pytest.fail(\"{fails}\")\n"
                ));
            }
        }
        PythonTool::Unittest => {
            let class = format!("Req{:04}", id.number());
            text.push_str(&format!("\nimport os\nimport unittest\n\n\nclass {class}(unittest.TestCase):\n"));
            for (at, test) in subject.tests.iter().enumerate() {
                let apart = if at == 0 { "" } else { "\n" };
                text.push_str(&format!(
                    "{apart}    @unittest.skipUnless(os.environ.get(\"PROOFHOUSE_PROVE\"), \"{SKIPPED}\")\n    \
                     def {test}(self) -> None:\n        self.fail(\"{fails}\")\n"
                ));
            }
        }
    }
    let folder = below(root, &format!("tests/{}", id.snake()));
    vec![
        Stub { path: format!("{folder}/__init__.py"), text: String::new() },
        Stub { path: format!("{folder}/test_{}.py", gate_ident(subject.gate)), text },
    ]
}
