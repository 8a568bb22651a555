import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { filterOf, isFiltered, readProofSearch } from "./search";

// W2: what stands in the address is what is shown, and nothing else gets in.
describe("the address", () => {
  test("what was read is read the same again", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("q", "issue", "status", "severity", "kind", "gate", "verdict", "stale", "flaky", "sort", "view", "evidence", "ref", "capture", "x"), fc.anything()), (search) => {
        const read = readProofSearch(search);
        expect(readProofSearch({ ...read })).toEqual(read);
        expect(Object.keys(read)).not.toContain("x");
      }),
    );
  });

  test("filters are read and unknown words are left out", () => {
    expect(readProofSearch({ q: 12, status: "open,nope", severity: ["high", "low"], verdict: "maybe", sort: "-id", view: "check" })).toEqual({
      q: "12", status: ["open"], severity: ["high", "low"], sort: "-id", view: "check",
    });
    expect([readProofSearch({ issue: 7 }), readProofSearch({ issue: "#7" }), readProofSearch({ issue: null })]).toEqual([{ issue: "7" }, {}, {}]);
    // All of a closed list is no filter.
    expect(readProofSearch({ status: "open,satisfied,waived" })).toEqual({});
  });

  test("only what filters is a filter", () => {
    const search = readProofSearch({ view: "check", evidence: "e", sort: "title" });
    expect(filterOf(search)).toEqual({ sort: "title" });
    expect(isFiltered(filterOf(search))).toBe(false);
    expect(isFiltered(filterOf(readProofSearch({ stale: true })))).toBe(true);
  });
});
