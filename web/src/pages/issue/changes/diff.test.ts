import fc from "fast-check";
import { expect, test } from "vitest";
import { pairsOf, parseDiff } from "./diff";

const DIFF = `diff --git a/src/a.rs b/src/a.rs
index 1..2 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -1,3 +1,4 @@ fn main() {
 one
-two
+zwei
+drei
 four
@@ -10 +11 @@
-last
\\ No newline at end of file
+end
diff --git a/new file.txt b/new file.txt
new file mode 100644
--- /dev/null
+++ b/new file.txt\t
@@ -0,0 +1,2 @@
+diff --git a/evil b/evil
+@@ -1,9 +1,9 @@
diff --git "a/\\303\\244 \\"q\\".txt" "b/\\303\\244 \\"q\\".txt"
deleted file mode 100644
--- "a/\\303\\244 \\"q\\".txt"
+++ /dev/null
@@ -1 +0,0 @@
--- a/not a header
diff --git a/old b/moved
similarity index 100%
rename from old
rename to moved
diff --git a/pic.png b/pic.png
index 1..2
Binary files a/pic.png and b/pic.png differ
`;

// W22, W42: what stands in files never passes for the diff's own words.
test("a diff is read, whatever its files hold", () => {
  const files = parseDiff(DIFF);
  expect(files.map((file) => [file.path, file.change, file.added, file.removed, file.binary])).toEqual([
    ["src/a.rs", "modified", 3, 2, false],
    ["new file.txt", "added", 2, 0, false],
    ['ä "q".txt', "deleted", 0, 1, false],
    ["moved", "renamed", 0, 0, false],
    ["pic.png", "modified", 0, 0, true],
  ]);
  expect(files[3]?.from).toBe("old");
  const lines = files[0]?.hunks[0]?.lines ?? [];
  expect(lines.map((line) => `${line.kind}${line.text} ${line.before ?? "."} ${line.after ?? "."}`)).toEqual([" one 1 1", "-two 2 .", "+zwei . 2", "+drei . 3", " four 3 4"]);
  expect(files[0]?.hunks[1]?.lines[0]?.open).toBe(true);
  expect(files[1]?.hunks[0]?.lines[0]?.text).toBe("diff --git a/evil b/evil");
});

test("what went stands beside what came", () => {
  const [file] = parseDiff(DIFF);
  const pairs = pairsOf(file?.hunks[0]?.lines ?? []);
  expect(pairs.map(({ left, right }) => `${left?.text ?? "."} | ${right?.text ?? "."}`)).toEqual(["one | one", "two | zwei", ". | drei", "four | four"]);
});

// W10: a diff that is cut anywhere is read as far as it goes, and large ones at once.
test("any text is read, and a large one fast", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: DIFF.length }), (at) => void parseDiff(DIFF.slice(0, at))));
  fc.assert(fc.property(fc.string(), (text) => void parseDiff(text)));
  const many = `diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,100000 @@\n${"+line\n".repeat(100_000)}`;
  const begin = performance.now();
  expect(parseDiff(many)[0]?.added).toBe(100_000);
  expect(performance.now() - begin).toBeLessThan(1_500);
});
