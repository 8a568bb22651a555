// Every crate and every package that ships, or builds what ships, has a licence that may be used here:
// one choice of its SPDX expression has only names of the list.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

const ALLOWED = new Set([
  "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "BlueOak-1.0.0",
  "CC-BY-4.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unicode-3.0",
  "Unicode-DFS-2016", "Unlicense", "Zlib",
]);

/** Whether an SPDX expression can be met. `/` is the old way to write OR. */
function isAllowed(expression) {
  const tokens = expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const any = () => {
    let held = all();
    while (tokens[at] === "OR") { at += 1; held = all() || held; }
    return held;
  };
  const all = () => {
    let held = one();
    while (tokens[at] === "AND") { at += 1; held = one() && held; }
    return held;
  };
  const one = () => {
    if (tokens[at] === "(") {
      at += 1;
      const held = any();
      if (tokens[at] !== ")") return false;
      at += 1;
      return held;
    }
    let name = tokens[at];
    at += 1;
    if (tokens[at] === "WITH") { name = `${name} WITH ${tokens[at + 1]}`; at += 2; }
    return ALLOWED.has(name);
  };
  return any() && at === tokens.length;
}

const bad = [];
const metadata = JSON.parse(execFileSync("cargo", ["metadata", "--format-version", "1", "--locked"], { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] }));
let crates = 0;
for (const { name, version, license, source } of metadata.packages) {
  if (source === null) continue;
  crates += 1;
  if (license === null || !isAllowed(license)) bad.push(`crate ${name} ${version}: ${license ?? "no licence is named"}`);
}
const { packages } = JSON.parse(readFileSync(new URL("../web/package-lock.json", import.meta.url), "utf8"));
let modules = 0;
for (const [place, { version, license }] of Object.entries(packages)) {
  if (place === "") continue;
  modules += 1;
  if (license === undefined || !isAllowed(license)) bad.push(`package ${place.replace(/^.*node_modules\//, "")} ${version}: ${license ?? "no licence is named"}`);
}
for (const line of bad) console.error(line);
console.log(`licences of ${crates} crates and ${modules} packages: ${bad.length === 0 ? "all may be used" : `${bad.length} may not`}`);
process.exit(bad.length === 0 ? 0 : 1);
