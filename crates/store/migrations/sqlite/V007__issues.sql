-- Issues of the board. What lists, columns and relations need stands in columns; the whole of an issue is its body.
CREATE TABLE issue (
  id BLOB PRIMARY KEY, project BLOB NOT NULL REFERENCES project (id), number INTEGER NOT NULL, parent BLOB,
  kind TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL, rank TEXT NOT NULL, assignee TEXT,
  execution TEXT NOT NULL, notice TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL, labels TEXT NOT NULL, words TEXT NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX issue_number ON issue (project, number);
CREATE INDEX issue_column ON issue (project, status, rank, number);
CREATE INDEX issue_rank ON issue (project, rank);
CREATE INDEX issue_of_parent ON issue (parent, status) WHERE parent IS NOT NULL;

-- The next number of a project; whoever changes the shape of its tree holds this row.
CREATE TABLE issue_counter (
  project BLOB PRIMARY KEY REFERENCES project (id), next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE issue_blocker (
  issue BLOB NOT NULL, blocker BLOB NOT NULL, project BLOB NOT NULL, PRIMARY KEY (issue, blocker)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_blocker_back ON issue_blocker (blocker, issue);
CREATE INDEX issue_blocker_of_project ON issue_blocker (project, issue, blocker);

CREATE TABLE issue_comment (
  id BLOB PRIMARY KEY, issue BLOB NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_comment_of ON issue_comment (issue, id);

CREATE TABLE lineage (
  id BLOB PRIMARY KEY, project BLOB NOT NULL, issue BLOB NOT NULL, origin BLOB, at INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_of_issue ON lineage (issue, id);
CREATE INDEX lineage_of_origin ON lineage (origin, id) WHERE origin IS NOT NULL;
CREATE INDEX lineage_of_project ON lineage (project, id);

-- The issue that a run is about.
ALTER TABLE run ADD COLUMN issue BLOB;
CREATE INDEX run_of_issue ON run (issue, id, kind) WHERE issue IS NOT NULL;
