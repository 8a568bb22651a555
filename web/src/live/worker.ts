/** The shared worker: one hub for all tabs of this browser. */

import { Hub, type Reader } from "./hub";
import type { FromHub, ToHub } from "./link";
import { HttpWire } from "./wire";

const hub = new Hub(new HttpWire());

// Only the parts of a worker's scope that are used: the types of pages and workers exclude each other.
const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (port === undefined) return;
  const say = (words: FromHub) => port.postMessage(words);
  const reader: Reader = {
    messages: (list) => say({ type: "messages", list }),
    status: (status) => say({ type: "status", status }),
  };
  port.onmessage = ({ data: words }: MessageEvent<ToHub>) => {
    switch (words.type) {
      case "want":
        hub.want(reader, words.wants);
        break;
      case "again":
        hub.again(words.stream, words.seq);
        break;
      case "retry":
        hub.retry();
        break;
      case "hello":
        void navigator.locks.request(words.lock, () => {
          hub.leave(reader);
          port.close();
        });
        break;
    }
  };
};
