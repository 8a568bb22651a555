import { Hub, type Reader, type Wants } from "./hub";
import type { Message, StreamId } from "./protocol";
import type { LiveStatus } from "./status";
import { HttpWire } from "./wire";

/** What a tab says to the hub, and the hub to a tab: also the words between a tab and the shared worker. */
export type ToHub =
  | { type: "want"; wants: Wants }
  | { type: "again"; stream: StreamId; seq: number }
  | { type: "retry" }
  /** The name of a lock that this tab holds while it lives. */
  | { type: "hello"; lock: string };

export type FromHub = { type: "messages"; list: readonly Message[] } | { type: "status"; status: LiveStatus };

/** The way to a hub. */
export interface Link {
  send(words: ToHub): void;
}

/**
 * Tabs share one connection: a browser opens six to a server that speaks HTTP/1.1, for all its tabs
 * together (X61). It lives in a shared worker; where there is none, each visible tab has its own.
 */
export function openLink(hear: (words: FromHub) => void): Link {
  return typeof SharedWorker === "function" && "locks" in navigator ? shared(hear) : own(hear);
}

function shared(hear: (words: FromHub) => void): Link {
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "proofhouse-live" });
  const { port } = worker;
  port.onmessage = (event: MessageEvent<FromHub>) => hear(event.data);
  const send = (words: ToHub) => port.postMessage(words);
  const lock = `proofhouse-tab-${crypto.randomUUID()}`;
  // The worker waits for this lock: it gets it when this tab is gone, however it went.
  void navigator.locks.request(lock, () => {
    send({ type: "hello", lock });
    return new Promise(() => undefined);
  });
  return { send };
}

/** How long a hidden tab keeps a connection of its own. */
const HIDDEN = 20_000;

function own(hear: (words: FromHub) => void): Link {
  const hub = new Hub(new HttpWire());
  // What was wanted last; numbers move on with what came, so that a tab that wakes misses nothing.
  const wanted = new Map<StreamId, number | null>();
  const reader: Reader = {
    messages(list) {
      for (const message of list) {
        if (message.type === "gone" || message.type === "end") wanted.delete(message.stream);
        else if (wanted.has(message.stream)) wanted.set(message.stream, Math.max(wanted.get(message.stream) ?? 0, message.seq));
      }
      hear({ type: "messages", list });
    },
    status: (status) => {
      if (status.state !== "idle" || !document.hidden) hear({ type: "status", status });
    },
  };
  let sleep: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(sleep);
    if (document.hidden) sleep = setTimeout(() => hub.want(reader, []), HIDDEN);
    else hub.want(reader, [...wanted]);
  });
  return {
    send(words) {
      switch (words.type) {
        case "want": {
          const next = new Map(words.wants.map(([stream, seq]) => [stream, wanted.get(stream) ?? seq]));
          wanted.clear();
          for (const [stream, seq] of next) wanted.set(stream, seq);
          hub.want(reader, [...wanted]);
          break;
        }
        case "again":
          hub.again(words.stream, words.seq);
          break;
        case "retry":
          hub.retry();
          break;
        case "hello":
          break;
      }
    },
  };
}
