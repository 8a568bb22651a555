import fc from "fast-check";
import { expect, test } from "vitest";
import { notAnObject, placeOf } from "./pointer";

const TEXT = `{
  "commands": [
    { "program": "a/b", "x~y": 1 },
    { "program": "c" }
  ],
  "network": "off"
}`;

test("a pointer leads to its value, and its line", () => {
  const at = (pointer: string) => {
    const place = placeOf(TEXT, pointer);
    return place === null ? null : [TEXT.slice(place.from, place.to), place.line];
  };
  expect(at("/network")).toEqual(['"off"', 6]);
  expect(at("/commands/1/program")).toEqual(['"c"', 4]);
  expect(at("/commands/0/x~0y")).toEqual(["1", 3]);
  // A member that is missing: the object that lacks it.
  expect(at("/commands/1/decision")).toEqual(['{ "program": "c" }', 4]);
  expect(placeOf("{ not json", "/a")).toBeNull();
});

test("every value of any document is found by its pointer", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (document, wide) => {
      const text = JSON.stringify(document, null, wide ? 2 : 0);
      const seen = JSON.parse(text) as Record<string, unknown>;
      for (const [name, value] of Object.entries(seen)) {
        const place = placeOf(text, `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
        expect(place).not.toBeNull();
        if (place !== null) expect(JSON.parse(text.slice(place.from, place.to))).toEqual(value);
      }
    }),
  );
});

test("only an object is a document", () => {
  expect(notAnObject("{}")).toBeNull();
  expect(notAnObject("[]")).toMatch(/one object/);
  expect(notAnObject("{")).not.toBeNull();
});
