import { useSearch } from "@tanstack/react-router";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { requirementsQuery } from "@/api/queries/proof";
import { count } from "@/format/number";
import { useKeys } from "@/shell/keys";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Menu, MenuItem, MenuLine } from "@/ui/Menu";
import { useProof } from "../context";
import { filterOf, isFiltered } from "../search";
import { RunDialog } from "./RunDialog";

/** The server takes so many requirements by name. */
const BY_NAME = 500;

/** Runs gates: all of them at a press, others by its menu. */
export function RunButton() {
  const { project, active, start, readOnly } = useProof();
  const filter = filterOf(useSearch({ from: "/shell/p/$key/proof" }));
  const client = useQueryClient();
  const [asking, ask] = useState(false);
  const blocked = readOnly ?? (active === null ? null : "A run is active: it is shown here, and must end first");
  const run = () => blocked === null && start.start({ mode: "full" });
  useKeys({ r: run });

  const listed = client.getQueryData(requirementsQuery(project, filter).queryKey)?.pages;
  const total = listed?.[0]?.total ?? 0;
  const named = listed?.flatMap((page) => page.items).map((item) => item.id) ?? [];
  const some = isFiltered(filter) && total > 0;
  const off = start.isStarting || blocked !== null;
  return (
    <div className="flex">
      <Button look="primary" icon="play" busy={start.isStarting} blocked={blocked} onClick={run} className="rounded-r-none" aria-keyshortcuts="r">
        Run gates
      </Button>
      <Menu
        align="end"
        trigger={
          <button
            type="button" aria-label="More ways to run gates" disabled={off}
            className={cx("flex h-7 w-7 items-center justify-center rounded-r-md border-l border-on-accent/30 bg-accent text-on-accent hover:opacity-90 max-sm:h-9 max-sm:w-9", off && "opacity-55")}
          >
            <Icon name="chevronDown" size={13} />
          </button>
        }
      >
        <MenuItem icon="play" hint="r" onSelect={run}>Everything</MenuItem>
        <MenuItem icon="file" onSelect={() => start.start({ mode: "changed" })}>What the changes touch</MenuItem>
        <MenuItem icon="gate" onSelect={() => start.start({ mode: "not_clear" })}>What the merge gate would not clear</MenuItem>
        {some && (
          <MenuItem
            icon="filter"
            hint={total > BY_NAME ? `at most ${count(BY_NAME)}` : ""}
            onSelect={() => start.start({ mode: "full", requirements: named.slice(0, BY_NAME) })}
          >
            The {count(Math.min(total, BY_NAME))} listed
          </MenuItem>
        )}
        <MenuLine />
        <MenuItem icon="settings" onSelect={() => ask(true)}>Choose gates, files and more</MenuItem>
      </Menu>
      {asking && <RunDialog onClose={() => ask(false)} />}
    </div>
  );
}
