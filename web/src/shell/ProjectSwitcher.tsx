import { useNavigate } from "@tanstack/react-router";
import { Icon } from "@/ui/Icon";
import { Menu, MenuChoice, MenuLabel } from "@/ui/Menu";
import { useProjectAtHand } from "./project";

/** Which project the pages are of. */
export function ProjectSwitcher() {
  const { key, project, projects } = useProjectAtHand();
  const navigate = useNavigate();
  if (projects.length === 0) return null;
  return (
    <Menu
      trigger={
        <button type="button" className="flex h-8 w-full items-center gap-2 rounded-md px-2 text-left hover:bg-well">
          <span aria-hidden="true" className="flex size-5 shrink-0 items-center justify-center rounded-sm bg-accent text-xs font-semibold text-on-accent uppercase">
            {(project?.key ?? key ?? "?").slice(0, 1)}
          </span>
          <span className="sr-only">Project</span>
          <span className="min-w-0 flex-1 truncate font-semibold sm:max-lg:sr-only">{project?.key ?? key ?? "No project"}</span>
          <Icon name="chevronDown" size={12} className="text-faint sm:max-lg:hidden" />
        </button>
      }
    >
      <MenuLabel>Projects</MenuLabel>
      <MenuChoice
        value={key ?? ""}
        options={projects.map((one) => [one.key, one.name === one.key ? one.key : `${one.key}: ${one.name}`] as const)}
        onChange={(next) => void navigate({ to: "/p/$key/runs", params: { key: next } })}
      />
    </Menu>
  );
}
