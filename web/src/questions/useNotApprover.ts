import { useQuery } from "@tanstack/react-query";
import { meQuery } from "@/api/queries/access";
import { projectsQuery } from "@/api/queries/projects";
import { documentQuery } from "@/api/queries/settings";

/**
 * Why the person at hand may not answer about a project's money; null when they may (L90). The plane decides it
 * again when they do.
 */
export function useNotApprover(project: string): string | null {
  const { data: me } = useQuery(meQuery);
  const { data: projects } = useQuery(projectsQuery);
  // News makes answers old by the project's key.
  const key = projects?.find((one) => one.id === project)?.key;
  const isMember = me?.role === "member";
  const policy = useQuery({ ...documentQuery(key ?? "", "policy"), enabled: isMember && key !== undefined });
  if (me === undefined || me.role === "admin") return null;
  if (!isMember) return "A viewer answers no questions";
  const named: unknown = policy.data?.body.budget_approvers;
  if (policy.isPending) return "It is being looked up whether you may";
  const { actor } = me;
  if (actor.type === "person" && Array.isArray(named) && (named.includes(actor.name) || named.includes(actor.id))) return null;
  return "Only an admin answers about money, and whom the policy names in budget_approvers";
}
