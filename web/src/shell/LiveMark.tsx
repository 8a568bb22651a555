import { useEffect, useState } from "react";
import { clock, duration } from "@/format/time";
import { useLiveStatus } from "@/live/hooks";
import { BANNER_AFTER } from "@/live/status";
import { live } from "@/live/store";
import { Button } from "@/ui/Button";
import { useNow } from "@/ui/clock";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Code } from "@/ui/states";

/** How the connection stands, in a word (X49). */
export function LiveMark() {
  const status = useLiveStatus();
  const now = useNow();
  const [hue, word, title] = (() => {
    switch (status.state) {
      case "live":
        return ["bg-good", "Live", "What happens shows here as it happens"] as const;
      case "polling":
        return ["bg-warning", "Every 5 s", `${status.cause.message}: asked for every 5 s instead`] as const;
      case "reconnecting": {
        const past = duration(Math.max(0, Math.floor((now - status.lostAt) / 1_000) * 1_000)).replace("0 ms", "0 s").replace(".0 s", " s");
        return ["bg-warning", `Reconnecting, last seen ${past} ago`, status.cause.message] as const;
      }
      case "signed_out":
        return ["bg-bad", "Signed out", "The session has ended"] as const;
      case "idle":
      case "connecting":
        return ["bg-neutral", "Connecting", "The first connection is being made"] as const;
    }
  })();
  return (
    <span className="flex items-center gap-1.5 text-sm whitespace-nowrap text-soft" title={title} data-live={status.state}>
      <span aria-hidden="true" className={cx("size-2 rounded-full", hue, status.state !== "live" && "pulse")} />
      <span className={cx(status.state === "live" && "max-sm:sr-only")}>{word}</span>
    </span>
  );
}

/** After a minute without a connection: why, and what to do. */
export function LostBanner() {
  const status = useLiveStatus();
  const now = useNow();
  const [dismissed, dismiss] = useState<number | null>(null);
  useEffect(() => {
    const retry = () => document.hidden || live.retry();
    addEventListener("online", retry);
    document.addEventListener("visibilitychange", retry);
    return () => {
      removeEventListener("online", retry);
      document.removeEventListener("visibilitychange", retry);
    };
  }, []);
  if (status.state !== "reconnecting" || now - status.lostAt < BANNER_AFTER || dismissed === status.lostAt) return null;
  return (
    <div role="alert" className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-warning/40 bg-warning-tint px-4 py-1.5">
      <Icon name="warning" className="text-warning" />
      <span>
        No connection since {clock(status.lostAt)}: {status.cause.message} (<Code code={status.cause.code} />). What you see is from then.
      </span>
      <span className="flex gap-2">
        <Button onClick={live.retry}>Reconnect</Button>
        <Button look="quiet" onClick={() => dismiss(status.lostAt)}>Dismiss</Button>
      </span>
    </div>
  );
}
