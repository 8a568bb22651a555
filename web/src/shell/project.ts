import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { projectsQuery, type Project } from "@/api/queries/projects";

const LAST = "project";

/** Remembers the project that was looked at last, for pages that are of none. */
export function rememberProject(key: string): void {
  try {
    localStorage.setItem(LAST, key);
  } catch {
    // Then the first project is the one at hand.
  }
}

function lastProject(): string | null {
  try {
    return localStorage.getItem(LAST);
  } catch {
    return null;
  }
}

/** The project at hand: the one in the address, else the one looked at last, else the first. */
export function useProjectAtHand(): { key: string | null; project: Project | null; projects: readonly Project[] } {
  const params = useParams({ strict: false });
  const { data } = useQuery(projectsQuery);
  const projects = data ?? [];
  const named = (key: string | null | undefined) => projects.find((project) => project.key === key);
  const project = named(params.key) ?? (params.key === undefined ? (named(lastProject()) ?? projects[0]) : undefined) ?? null;
  return { key: params.key ?? project?.key ?? null, project, projects };
}
