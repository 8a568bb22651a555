-- Times are microseconds UTC, ids 16 bytes, digests 32 bytes, flags 0 or 1. JSON only where no query looks inside.

CREATE TABLE project (
  id BLOB PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, path TEXT NOT NULL,
  created_at INTEGER NOT NULL, revision INTEGER NOT NULL,
  next_requirement INTEGER NOT NULL DEFAULT 1, next_evidence INTEGER NOT NULL DEFAULT 1, observed TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
  project BLOB NOT NULL REFERENCES project (id), name TEXT NOT NULL, revision INTEGER NOT NULL, digest BLOB NOT NULL,
  body TEXT NOT NULL, changed_by TEXT NOT NULL, changed_at INTEGER NOT NULL,
  PRIMARY KEY (project, name, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
  id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
  secret BLOB PRIMARY KEY, person BLOB NOT NULL REFERENCES person (id),
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_in_link (
  secret BLOB PRIMARY KEY, person BLOB NOT NULL REFERENCES person (id),
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
  id BLOB PRIMARY KEY, secret BLOB NOT NULL UNIQUE, label TEXT NOT NULL, scope TEXT NOT NULL, role TEXT NOT NULL,
  project BLOB, person BLOB, run BLOB, worker BLOB,
  created_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
  id BLOB PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id BLOB PRIMARY KEY, project BLOB NOT NULL REFERENCES project (id), kind TEXT NOT NULL, status TEXT NOT NULL,
  phase TEXT NOT NULL, verdict TEXT, failure TEXT, total INTEGER NOT NULL, done INTEGER NOT NULL,
  failed INTEGER NOT NULL, config TEXT NOT NULL, detail TEXT NOT NULL, created_by TEXT NOT NULL, cause TEXT NOT NULL,
  exclusive_key TEXT, retry_of BLOB, parent BLOB, cancelling INTEGER NOT NULL, created_at INTEGER NOT NULL,
  started_at INTEGER, finished_at INTEGER, revision INTEGER NOT NULL,
  queue_deadline INTEGER, run_deadline INTEGER, cancel_deadline INTEGER, slots INTEGER,
  dropped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX run_of_project ON run (project, id);
CREATE INDEX run_active ON run (id) WHERE status IN ('queued', 'running', 'waiting', 'paused');
CREATE UNIQUE INDEX run_exclusive ON run (project, exclusive_key)
  WHERE exclusive_key IS NOT NULL AND status IN ('queued', 'running', 'waiting', 'paused');

CREATE TABLE task (
  id BLOB PRIMARY KEY, run BLOB NOT NULL, project BLOB NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  queue TEXT NOT NULL, labels TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL, detail TEXT,
  attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL, exempt INTEGER NOT NULL, generation INTEGER NOT NULL,
  not_before INTEGER, worker BLOB, counted INTEGER NOT NULL, created_at INTEGER NOT NULL, finished_at INTEGER,
  outcome_generation INTEGER, bad INTEGER NOT NULL DEFAULT 0,
  slotted INTEGER NOT NULL DEFAULT 0, input TEXT NOT NULL, output TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX task_of_run ON task (run, kind, subject);
CREATE INDEX task_open ON task (run, state) WHERE state IN ('blocked', 'ready', 'leased');

-- held: 0 may be claimed, 1 its run gives out nothing, 2 all slots of its run are taken.
CREATE TABLE task_ready (
  task BLOB PRIMARY KEY, run BLOB NOT NULL, queue TEXT NOT NULL, priority INTEGER NOT NULL, turn INTEGER NOT NULL,
  ready_at INTEGER NOT NULL, not_before INTEGER NOT NULL, held INTEGER NOT NULL, labels TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_ready_next ON task_ready (queue, held, priority DESC, turn, ready_at, not_before, labels);
CREATE INDEX task_ready_of_run ON task_ready (run, queue, priority, turn);
CREATE INDEX task_ready_waiting ON task_ready (run, priority DESC, turn) WHERE held = 2;

CREATE TABLE task_lease (
  task BLOB PRIMARY KEY, run BLOB NOT NULL, worker BLOB NOT NULL, claim_id TEXT NOT NULL,
  generation INTEGER NOT NULL, expires_at INTEGER NOT NULL, length INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX task_lease_end ON task_lease (expires_at);
CREATE INDEX task_lease_of_worker ON task_lease (worker, claim_id);

CREATE TABLE task_need (
  task BLOB NOT NULL, needs BLOB NOT NULL, PRIMARY KEY (task, needs)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_need_back ON task_need (needs, task);

CREATE TABLE stream (
  number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, owner BLOB NOT NULL, seq INTEGER NOT NULL, chain BLOB,
  floor INTEGER NOT NULL, floor_chain BLOB, closed INTEGER NOT NULL,
  UNIQUE (kind, owner)
) STRICT;

CREATE TABLE entry (
  stream INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, level INTEGER NOT NULL,
  span TEXT, parent TEXT, edge INTEGER, chain BLOB, data TEXT NOT NULL,
  PRIMARY KEY (stream, seq)
) STRICT, WITHOUT ROWID;

-- Which entries of a remote worker's outbox were taken already (D57).
CREATE TABLE outbox_seen (
  task BLOB NOT NULL, client_id TEXT NOT NULL, PRIMARY KEY (task, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE question (
  id BLOB PRIMARY KEY, project BLOB NOT NULL, run BLOB NOT NULL, task BLOB, kind TEXT NOT NULL, state TEXT NOT NULL,
  subject TEXT NOT NULL, prompt TEXT NOT NULL, schema TEXT NOT NULL, answer TEXT, answered_by TEXT, ended_at INTEGER,
  because TEXT, expires_at INTEGER, created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX question_of_project ON question (project, state, id);
CREATE INDEX question_of_run ON question (run, state);
CREATE UNIQUE INDEX question_open ON question (project, subject) WHERE state = 'open';
CREATE INDEX question_end ON question (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

CREATE TABLE requirement (
  project BLOB NOT NULL, number INTEGER NOT NULL, status TEXT NOT NULL, satisfied_at INTEGER, stale INTEGER NOT NULL,
  flaky INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, revision INTEGER NOT NULL,
  title_norm TEXT NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (project, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX requirement_list ON requirement (project, number, status, severity, kind, source, stale, flaky);
CREATE INDEX requirement_status ON requirement (project, status);
CREATE INDEX requirement_title ON requirement (project, title_norm);

-- What lists and standing need of evidence; the whole of it is the body.
CREATE TABLE evidence (
  id BLOB PRIMARY KEY, project BLOB NOT NULL, seq INTEGER NOT NULL, requirement INTEGER NOT NULL, gate TEXT NOT NULL,
  run BLOB NOT NULL, tree TEXT, reason TEXT, definition BLOB NOT NULL, settles INTEGER NOT NULL, closed INTEGER NOT NULL,
  moved INTEGER NOT NULL, intact INTEGER NOT NULL, counts INTEGER NOT NULL, recorded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX evidence_seq ON evidence (project, seq);
CREATE UNIQUE INDEX evidence_once ON evidence (run, requirement, gate);
CREATE INDEX evidence_of_requirement ON evidence (project, requirement, gate, seq);
CREATE INDEX evidence_on_tree ON evidence (project, tree, requirement, gate, seq) WHERE counts <> 0;

CREATE TABLE evidence_body (
  id BLOB PRIMARY KEY, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest evidence of an obligation that counts and settles (P57, P59).
CREATE TABLE settling (
  project BLOB NOT NULL, requirement INTEGER NOT NULL, gate TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (project, requirement, gate)
) STRICT, WITHOUT ROWID;

CREATE TABLE command (
  task BLOB PRIMARY KEY, run BLOB NOT NULL, digest BLOB NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX command_of_run ON command (run);

CREATE TABLE waiver (
  id BLOB PRIMARY KEY, project BLOB NOT NULL, requirement INTEGER NOT NULL, expires_at INTEGER, granted_at INTEGER NOT NULL,
  ended_at INTEGER, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiver_of_requirement ON waiver (project, requirement, id);
CREATE UNIQUE INDEX waiver_in_force ON waiver (project, requirement) WHERE ended_at IS NULL;

CREATE TABLE accepted_definition (
  project BLOB NOT NULL, gate TEXT NOT NULL, definition BLOB NOT NULL, accepted_by TEXT NOT NULL,
  accepted_at INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (project, gate, definition)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (
  digest BLOB PRIMARY KEY, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, unused_since INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_unused ON blob (unused_since) WHERE unused_since IS NOT NULL;

-- What a blob is kept for.
CREATE TABLE blob_use (
  digest BLOB NOT NULL, run BLOB NOT NULL, PRIMARY KEY (digest, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_use_of_run ON blob_use (run);

CREATE TABLE artifact (
  id BLOB PRIMARY KEY, run BLOB NOT NULL, task BLOB, name TEXT NOT NULL, digest BLOB NOT NULL, bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL, created_at INTEGER NOT NULL, dropped INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_of_run ON artifact (run, id);

CREATE TABLE idempotency (
  principal TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, status INTEGER,
  answer TEXT, at INTEGER NOT NULL,
  PRIMARY KEY (principal, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE leader (
  name TEXT PRIMARY KEY, holder BLOB NOT NULL, epoch INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  name TEXT PRIMARY KEY, value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
