-- Times are microseconds UTC, ids uuid, digests 32 bytes, flags 0 or 1. JSON only where no query looks inside.

CREATE TABLE project (
  id UUID PRIMARY KEY, key TEXT COLLATE "C" NOT NULL UNIQUE, name TEXT NOT NULL, path TEXT NOT NULL,
  created_at BIGINT NOT NULL, revision BIGINT NOT NULL,
  next_requirement BIGINT NOT NULL DEFAULT 1, next_evidence BIGINT NOT NULL DEFAULT 1, observed TEXT
);

CREATE TABLE document (
  project UUID NOT NULL REFERENCES project (id), name TEXT NOT NULL, revision BIGINT NOT NULL, digest BYTEA NOT NULL,
  body TEXT NOT NULL, changed_by TEXT NOT NULL, changed_at BIGINT NOT NULL,
  PRIMARY KEY (project, name, revision)
);

CREATE TABLE person (
  id UUID PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created_at BIGINT NOT NULL
);

CREATE TABLE session (
  secret BYTEA PRIMARY KEY, person UUID NOT NULL REFERENCES person (id),
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);

CREATE TABLE sign_in_link (
  secret BYTEA PRIMARY KEY, person UUID NOT NULL REFERENCES person (id),
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT
);

CREATE TABLE token (
  id UUID PRIMARY KEY, secret BYTEA NOT NULL UNIQUE, label TEXT NOT NULL, scope TEXT NOT NULL, role TEXT NOT NULL,
  project UUID, person UUID, run UUID, worker UUID,
  created_by TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT
);

CREATE TABLE worker (
  id UUID PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL
);

CREATE TABLE run (
  id UUID PRIMARY KEY, project UUID NOT NULL REFERENCES project (id), kind TEXT COLLATE "C" NOT NULL, status TEXT NOT NULL,
  phase TEXT NOT NULL, verdict TEXT, failure TEXT, total BIGINT NOT NULL, done BIGINT NOT NULL,
  failed BIGINT NOT NULL, config TEXT NOT NULL, detail TEXT NOT NULL, created_by TEXT NOT NULL, cause TEXT NOT NULL,
  exclusive_key TEXT, retry_of UUID, parent UUID, cancelling BIGINT NOT NULL, created_at BIGINT NOT NULL,
  started_at BIGINT, finished_at BIGINT, revision BIGINT NOT NULL,
  queue_deadline BIGINT, run_deadline BIGINT, cancel_deadline BIGINT, slots BIGINT,
  dropped BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX run_of_project ON run (project, id);
CREATE INDEX run_active ON run (id) WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE UNIQUE INDEX run_exclusive ON run (project, exclusive_key)
  WHERE exclusive_key IS NOT NULL AND status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE task (
  id UUID PRIMARY KEY, run UUID NOT NULL, project UUID NOT NULL, kind TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL,
  queue TEXT NOT NULL, labels TEXT NOT NULL, priority BIGINT NOT NULL, state TEXT NOT NULL, detail TEXT,
  attempt BIGINT NOT NULL, max_attempts BIGINT NOT NULL, exempt BIGINT NOT NULL, generation BIGINT NOT NULL,
  not_before BIGINT, worker UUID, counted BIGINT NOT NULL, created_at BIGINT NOT NULL, finished_at BIGINT,
  outcome_generation BIGINT, bad BIGINT NOT NULL DEFAULT 0,
  slotted BIGINT NOT NULL DEFAULT 0, input TEXT NOT NULL, output TEXT
);
CREATE UNIQUE INDEX task_of_run ON task (run, kind, subject);
CREATE INDEX task_open ON task (run, state) WHERE state IN ('blocked', 'ready', 'leased');

-- held: 0 may be claimed, 1 its run gives out nothing, 2 all slots of its run are taken.
CREATE TABLE task_ready (
  task UUID PRIMARY KEY, run UUID NOT NULL, queue TEXT NOT NULL, priority BIGINT NOT NULL, turn BIGINT NOT NULL,
  ready_at BIGINT NOT NULL, not_before BIGINT NOT NULL, held BIGINT NOT NULL, labels TEXT NOT NULL
);
CREATE INDEX task_ready_next ON task_ready (queue, held, priority DESC, turn, ready_at, not_before, labels);
CREATE INDEX task_ready_of_run ON task_ready (run, queue, priority, turn);
CREATE INDEX task_ready_waiting ON task_ready (run, priority DESC, turn) WHERE held = 2;

CREATE TABLE task_lease (
  task UUID PRIMARY KEY, run UUID NOT NULL, worker UUID NOT NULL, claim_id TEXT NOT NULL,
  generation BIGINT NOT NULL, expires_at BIGINT NOT NULL, length BIGINT NOT NULL
);
CREATE INDEX task_lease_end ON task_lease (expires_at);
CREATE INDEX task_lease_of_worker ON task_lease (worker, claim_id);

CREATE TABLE task_need (
  task UUID NOT NULL, needs UUID NOT NULL, PRIMARY KEY (task, needs)
);
CREATE INDEX task_need_back ON task_need (needs, task);

CREATE TABLE stream (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind BIGINT NOT NULL, owner UUID NOT NULL, seq BIGINT NOT NULL, chain BYTEA,
  floor BIGINT NOT NULL, floor_chain BYTEA, closed BIGINT NOT NULL,
  UNIQUE (kind, owner)
);

CREATE TABLE entry (
  stream BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, level BIGINT NOT NULL,
  span TEXT, parent TEXT, edge BIGINT, chain BYTEA, data TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
);

-- Which entries of a remote worker's outbox were taken already (D57).
CREATE TABLE outbox_seen (
  task UUID NOT NULL, client_id TEXT NOT NULL, PRIMARY KEY (task, client_id)
);

CREATE TABLE question (
  id UUID PRIMARY KEY, project UUID NOT NULL, run UUID NOT NULL, task UUID, kind TEXT COLLATE "C" NOT NULL, state TEXT NOT NULL,
  subject TEXT COLLATE "C" NOT NULL, prompt TEXT NOT NULL, schema TEXT NOT NULL, answer TEXT, answered_by TEXT, ended_at BIGINT,
  because TEXT, expires_at BIGINT, created_at BIGINT NOT NULL
);
CREATE INDEX question_of_project ON question (project, state, id);
CREATE INDEX question_of_run ON question (run, state);
CREATE UNIQUE INDEX question_open ON question (project, subject) WHERE state = 'open';
CREATE INDEX question_end ON question (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE requirement (
  project UUID NOT NULL, number BIGINT NOT NULL, status TEXT NOT NULL, satisfied_at BIGINT, stale BIGINT NOT NULL,
  flaky BIGINT NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, revision BIGINT NOT NULL,
  title_norm TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (project, number)
);
CREATE INDEX requirement_list ON requirement (project, number, status, severity, kind, source, stale, flaky);
CREATE INDEX requirement_status ON requirement (project, status);
CREATE INDEX requirement_title ON requirement (project, title_norm);

-- What lists and standing need of evidence; the whole of it is the body.
CREATE TABLE evidence (
  id UUID PRIMARY KEY, project UUID NOT NULL, seq BIGINT NOT NULL, requirement BIGINT NOT NULL, gate TEXT COLLATE "C" NOT NULL,
  run UUID NOT NULL, tree TEXT, reason TEXT, definition BYTEA NOT NULL, settles BIGINT NOT NULL, closed BIGINT NOT NULL,
  moved BIGINT NOT NULL, intact BIGINT NOT NULL, counts BIGINT NOT NULL, recorded_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX evidence_seq ON evidence (project, seq);
CREATE UNIQUE INDEX evidence_once ON evidence (run, requirement, gate);
CREATE INDEX evidence_of_requirement ON evidence (project, requirement, gate, seq);
CREATE INDEX evidence_on_tree ON evidence (project, tree, requirement, gate, seq) WHERE counts <> 0;

CREATE TABLE evidence_body (
  id UUID PRIMARY KEY, body TEXT NOT NULL
);

-- The newest evidence of an obligation that counts and settles (P57, P59).
CREATE TABLE settling (
  project UUID NOT NULL, requirement BIGINT NOT NULL, gate TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL,
  PRIMARY KEY (project, requirement, gate)
);

CREATE TABLE command (
  task UUID PRIMARY KEY, run UUID NOT NULL, digest BYTEA NOT NULL, body TEXT NOT NULL
);
CREATE INDEX command_of_run ON command (run);

CREATE TABLE waiver (
  id UUID PRIMARY KEY, project UUID NOT NULL, requirement BIGINT NOT NULL, expires_at BIGINT, granted_at BIGINT NOT NULL,
  ended_at BIGINT, body TEXT NOT NULL
);
CREATE INDEX waiver_of_requirement ON waiver (project, requirement, id);
CREATE UNIQUE INDEX waiver_in_force ON waiver (project, requirement) WHERE ended_at IS NULL;

CREATE TABLE accepted_definition (
  project UUID NOT NULL, gate TEXT COLLATE "C" NOT NULL, definition BYTEA NOT NULL, accepted_by TEXT NOT NULL,
  accepted_at BIGINT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (project, gate, definition)
);

CREATE TABLE blob (
  digest BYTEA PRIMARY KEY, bytes BIGINT NOT NULL, created_at BIGINT NOT NULL, unused_since BIGINT
);
CREATE INDEX blob_unused ON blob (unused_since) WHERE unused_since IS NOT NULL;

-- What a blob is kept for.
CREATE TABLE blob_use (
  digest BYTEA NOT NULL, run UUID NOT NULL, PRIMARY KEY (digest, run)
);
CREATE INDEX blob_use_of_run ON blob_use (run);

CREATE TABLE artifact (
  id UUID PRIMARY KEY, run UUID NOT NULL, task UUID, name TEXT NOT NULL, digest BYTEA NOT NULL, bytes BIGINT NOT NULL,
  media_type TEXT NOT NULL, created_at BIGINT NOT NULL, dropped BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX artifact_of_run ON artifact (run, id);

CREATE TABLE idempotency (
  principal TEXT NOT NULL, route TEXT NOT NULL, key TEXT COLLATE "C" NOT NULL, digest BYTEA NOT NULL, status BIGINT,
  answer TEXT, at BIGINT NOT NULL,
  PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE leader (
  name TEXT PRIMARY KEY, holder UUID NOT NULL, epoch BIGINT NOT NULL, until BIGINT NOT NULL
);

CREATE TABLE meta (
  name TEXT PRIMARY KEY, value TEXT NOT NULL
);

-- Rows that live for seconds: clean up often, leave room for updates in place.
ALTER TABLE task_ready SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE task_lease SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 70);
ALTER TABLE stream SET (fillfactor = 70);
ALTER TABLE run SET (fillfactor = 70);
