import { useParams, useSearch } from "@tanstack/react-router";
import { EvidencePanel } from "../evidence/EvidencePanel";
import { RequirementPanel } from "../requirement/RequirementPanel";

/** A requirement, or a piece of evidence that was opened from it. */
export function RequirementPane() {
  const { key, req } = useParams({ from: "/shell/p/$key/proof/$req" });
  const { evidence } = useSearch({ from: "/shell/p/$key/proof" });
  return (
    <>
      <title>{`${req} · ${key} · Proofhouse`}</title>
      {evidence === undefined ? <RequirementPanel key={req} req={req} /> : <EvidencePanel id={evidence} />}
    </>
  );
}
