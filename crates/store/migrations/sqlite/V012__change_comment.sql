-- What people say on lines of the difference that a run made. One that is sent names the run that was told.
CREATE TABLE change_comment (
  id BLOB PRIMARY KEY, run BLOB NOT NULL, issue BLOB NOT NULL, at INTEGER NOT NULL, sent BLOB, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX change_comment_of_run ON change_comment (run, id);
CREATE INDEX change_comment_of_issue ON change_comment (issue, id);
