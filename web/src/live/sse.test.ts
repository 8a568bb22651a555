import fc from "fast-check";
import { expect, test } from "vitest";
import { messageOf } from "./protocol";
import { EventReader } from "./sse";

const TEXT = [
  "retry: 1000\n\n",
  ":\n\n",
  'id: run:1a@1\nevent: entry\ndata: {"stream":"run:1a","seq":1,"at":"2026","kind":"note","level":"info","data":{}}\n\n',
  "id: run:1a@2\r\nevent: resync\r\ndata: {}\r\n\r\n",
  "id: run:1a@3\nevent: end\ndata: {\ndata: }\n\n",
].join("");

// F6: cut at any byte, the same events come out.
test("events come whole, however the text is cut", () => {
  const whole = new EventReader().read(TEXT);
  expect(whole.map(({ id, event }) => `${event} ${id}`)).toEqual(["entry run:1a@1", "resync run:1a@2", "end run:1a@3"]);
  expect(whole[2]?.data).toBe("{\n}");
  fc.assert(
    fc.property(fc.array(fc.nat(TEXT.length)), (places) => {
      const cuts = [0, ...places.sort((a, b) => a - b), TEXT.length];
      const reader = new EventReader();
      expect(cuts.flatMap((cut, at) => reader.read(TEXT.slice(cut, cuts[at + 1])))).toEqual(whole);
    }),
  );
});

test("an event that is not complete is not there", () => {
  expect(new EventReader().read("id: run:1@1\nevent: entry\ndata: {}\n")).toEqual([]);
});

test("what is not an entry of ours is left out", () => {
  const read = (id: string, event: string, data: string) => messageOf({ id, event, data });
  const entry = '{"stream":"run:1a","seq":1,"at":"2026","kind":"note","level":"info","data":{}}';
  expect(read("run:1a@1", "entry", entry)).toMatchObject({ type: "entry", stream: "run:1a", seq: 1 });
  expect(read("run:1a@1", "entry", "{")).toBeNull();
  expect(read("run:1a@2", "entry", entry)).toBeNull();
  expect(read("run:1b@1", "entry", entry)).toBeNull();
  expect(read("board:1a@1", "entry", entry)).toBeNull();
  expect(read("run:1a@x", "end", "{}")).toBeNull();
  expect(read("run:1a", "end", "{}")).toBeNull();
  expect(read("run:1a@1", "later", "{}")).toBeNull();
});
