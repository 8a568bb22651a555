import { useState } from "react";
import { IconButton } from "./Button";
import type { IconName } from "./Icon";

/** Copies a text, or what a function answers when it is asked for, and says so. */
export function Copy({ text, label, icon = "copy" }: { text: string | (() => Promise<string>); label: string; icon?: IconName }) {
  const [said, say] = useState<"" | "Copied" | "Could not copy">("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      say("Copied");
    } catch {
      // Without HTTPS a browser lets only loopback pages copy.
      say("Could not copy");
    }
  };
  return (
    <>
      <IconButton icon={said === "Copied" ? "check" : icon} label={said === "" ? label : said} onClick={() => void copy()} onBlur={() => say("")} />
      <span role="status" className="sr-only">{said}</span>
    </>
  );
}
