import { Link } from "@tanstack/react-router";
import { shortId } from "@/format/text";

/** Leads to the evidence, on the project's page of proof. */
export function EvidenceLink({ id, project }: { id: string; project: string }) {
  return (
    <Link to="/p/$key/proof" params={{ key: project }} search={{ evidence: id }} className="font-mono text-accent underline underline-offset-2">
      {shortId(id)}
    </Link>
  );
}
