-- Evidence of runs that are not over, or were cut short a moment ago (P24, P57).
CREATE INDEX evidence_unclosed ON evidence (run) WHERE closed = 0;
