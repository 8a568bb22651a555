import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { meQuery, signOut } from "@/api/queries/access";
import { openQuestionsQuery } from "@/api/queries/questions";
import { counted } from "@/format/number";
import { IconButton } from "@/ui/Button";
import { Icon } from "@/ui/Icon";
import { Kbd } from "@/ui/Kbd";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/ui/Menu";
import { Crumbs } from "./Crumbs";
import { LiveMark } from "./LiveMark";
import type { Panel } from "./panels";
import { ProjectSwitcher } from "./ProjectSwitcher";
import { setTheme, useTheme } from "./theme";

/** Where one is, and what is at hand everywhere. */
export function TopBar({ open }: { open: (panel: Panel) => void }) {
  return (
    <header className="flex h-11 shrink-0 items-center gap-2 border-b border-line bg-bg px-3 max-sm:px-2">
      <div className="sm:hidden">
        <ProjectSwitcher />
      </div>
      <Crumbs />
      <div className="flex-1" />
      <button
        type="button"
        onClick={() => open("palette")}
        className="flex h-7 w-64 items-center gap-2 rounded-md border border-line bg-panel px-2 text-faint hover:border-line-strong max-lg:w-40 max-md:hidden"
      >
        <Icon name="search" size={14} />
        <span className="flex-1 truncate text-left">Search or go to</span>
        <Kbd keys="/" />
      </button>
      <IconButton icon="search" label="Search or go to" keys="/" className="md:hidden" onClick={() => open("palette")} />
      <LiveMark />
      <InboxButton onClick={() => open("inbox")} />
      <Account open={open} />
    </header>
  );
}

function InboxButton({ onClick }: { onClick: () => void }) {
  const { data } = useQuery(openQuestionsQuery);
  const open = data?.items.length ?? 0;
  const label = open === 0 ? "Inbox: nothing is asked" : `Inbox: ${counted(open, "open question")}`;
  return (
    <span className="relative inline-flex">
      <IconButton icon="inbox" label={label} keys="i" onClick={onClick} />
      {open > 0 && (
        <span aria-hidden="true" className="num pointer-events-none absolute -top-0.5 -right-0.5 min-w-4 rounded-full bg-accent px-1 text-center text-xs leading-4 font-semibold text-on-accent">
          {open > 99 ? "99+" : open}
        </span>
      )}
    </span>
  );
}

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]] as const;

function Account({ open }: { open: (panel: Panel) => void }) {
  const { data: me } = useQuery(meQuery);
  const theme = useTheme();
  const client = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut().catch(() => undefined);
    await navigate({ to: "/sign-in" });
    client.clear();
  };
  const name = me === undefined ? "" : "name" in me.actor ? me.actor.name : me.actor.type;
  return (
    <Menu align="end" trigger={<button type="button" aria-label={`Account: ${name}`} className="inline-flex size-7 items-center justify-center rounded-md text-soft hover:bg-well hover:text-ink max-sm:size-9"><Icon name="person" /></button>}>
      <MenuLabel>
        {name}
        {me !== undefined && `, ${me.role}`}
      </MenuLabel>
      <MenuLine />
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice value={theme} options={THEMES} onChange={setTheme} />
      <MenuLine />
      <MenuItem icon="keyboard" hint="?" onSelect={() => open("shortcuts")}>Shortcuts</MenuItem>
      <MenuItem icon="external" onSelect={() => window.open("/api/docs", "_blank", "noreferrer")}>API explorer</MenuItem>
      <MenuLine />
      <MenuItem onSelect={() => void leave()}>Sign out</MenuItem>
    </Menu>
  );
}
