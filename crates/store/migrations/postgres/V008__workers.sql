-- Workers that were paired: whose they are, whom they serve, what a person decided, and what of their state the
-- projects' streams were told. An owner of null is the plane itself.
ALTER TABLE worker ADD COLUMN owner UUID;
ALTER TABLE worker ADD COLUMN sharing TEXT NOT NULL DEFAULT 'project';
ALTER TABLE worker ADD COLUMN projects TEXT;
ALTER TABLE worker ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
ALTER TABLE worker ADD COLUMN draining BIGINT NOT NULL DEFAULT 0;
ALTER TABLE worker ADD COLUMN revoked_at BIGINT;
ALTER TABLE worker ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE worker ADD COLUMN told TEXT NOT NULL DEFAULT 'offline';
ALTER TABLE worker ADD COLUMN pairing UUID;
-- Tokens of workers that were made before there was a row for each.
INSERT INTO worker (id, name, body, created_at, seen_at)
  SELECT worker, label, '{}', created_at, 0 FROM token WHERE scope = 'worker' AND worker IS NOT NULL AND revoked_at IS NULL
  ON CONFLICT DO NOTHING;

CREATE TABLE pairing (
  code BYTEA PRIMARY KEY, id UUID NOT NULL UNIQUE, owner UUID NOT NULL, name TEXT, labels TEXT NOT NULL,
  sharing TEXT NOT NULL, projects TEXT, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_by UUID
);
CREATE INDEX pairing_end ON pairing (expires_at);

-- Who started a run, where that was a person: a personal worker serves only its owner's (D51).
ALTER TABLE run ADD COLUMN starter UUID;

-- Since when a task is in its holder's hands.
ALTER TABLE task_lease ADD COLUMN claimed_at BIGINT NOT NULL DEFAULT 0;

-- Who held a task before it went back: a worker that never held one is not told that it exists (D55).
CREATE TABLE task_held (
  task UUID NOT NULL, generation BIGINT NOT NULL, worker UUID NOT NULL, PRIMARY KEY (task, generation)
);
