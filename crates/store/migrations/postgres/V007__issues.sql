-- Issues of the board. What lists, columns and relations need stands in columns; the whole of an issue is its body.
CREATE TABLE issue (
  id UUID PRIMARY KEY, project UUID NOT NULL REFERENCES project (id), number BIGINT NOT NULL, parent UUID,
  kind TEXT NOT NULL, status TEXT NOT NULL, priority BIGINT NOT NULL, rank TEXT COLLATE "C" NOT NULL, assignee TEXT,
  execution TEXT NOT NULL, notice TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  revision BIGINT NOT NULL, labels TEXT NOT NULL, words TEXT NOT NULL, body TEXT NOT NULL
);
CREATE UNIQUE INDEX issue_number ON issue (project, number);
CREATE INDEX issue_column ON issue (project, status, rank, number);
CREATE INDEX issue_rank ON issue (project, rank);
CREATE INDEX issue_of_parent ON issue (parent, status) WHERE parent IS NOT NULL;

-- The next number of a project; whoever changes the shape of its tree holds this row.
CREATE TABLE issue_counter (
  project UUID PRIMARY KEY REFERENCES project (id), next BIGINT NOT NULL
);

CREATE TABLE issue_blocker (
  issue UUID NOT NULL, blocker UUID NOT NULL, project UUID NOT NULL, PRIMARY KEY (issue, blocker)
);
CREATE INDEX issue_blocker_back ON issue_blocker (blocker, issue);
CREATE INDEX issue_blocker_of_project ON issue_blocker (project, issue, blocker);

CREATE TABLE issue_comment (
  id UUID PRIMARY KEY, issue UUID NOT NULL, at BIGINT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX issue_comment_of ON issue_comment (issue, id);

CREATE TABLE lineage (
  id UUID PRIMARY KEY, project UUID NOT NULL, issue UUID NOT NULL, origin UUID, at BIGINT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX lineage_of_issue ON lineage (issue, id);
CREATE INDEX lineage_of_origin ON lineage (origin, id) WHERE origin IS NOT NULL;
CREATE INDEX lineage_of_project ON lineage (project, id);

-- The issue that a run is about.
ALTER TABLE run ADD COLUMN issue UUID;
CREATE INDEX run_of_issue ON run (issue, id, kind) WHERE issue IS NOT NULL;
