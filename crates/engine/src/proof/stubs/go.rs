//! Go: a test file of the module's outermost package.

use model::proof::naming::gate_ident;

use super::{SKIPPED, Stub, Subject, below, no_proof_yet};

/// Words that, before `_test.go`, tie a file to a system or a machine.
const CONSTRAINTS: [&str; 29] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "unix",
    "wasip1",
    "windows",
    "386",
    "amd64",
    "arm",
    "arm64",
    "loong64",
    "mips",
    "mips64",
    "ppc64",
    "ppc64le",
    "riscv64",
    "s390x",
    "wasm",
    "mipsle",
];

pub fn stub(subject: &Subject<'_>, folder: &str, package: &str) -> Vec<Stub> {
    let mut text = subject.comment("//");
    text.push_str(&format!("\npackage {package}\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n"));
    for test in &subject.tests {
        text.push_str(&format!(
            "\nfunc {test}(t *testing.T) {{\n\tif os.Getenv(\"PROOFHOUSE_PROVE\") == \"\" {{\n\t\tt.Skip(\"{SKIPPED}\")\n\t}}\n\
             \tt.Fatal(\"{}\")\n}}\n",
            no_proof_yet(subject.id())
        ));
    }
    let gate = gate_ident(subject.gate);
    let tied = gate.rsplit('_').next().is_some_and(|word| CONSTRAINTS.contains(&word));
    let gate = if tied { format!("{gate}_gate") } else { gate };
    vec![Stub { path: below(folder, &format!("{}_{gate}_test.go", subject.id().snake())), text }]
}
