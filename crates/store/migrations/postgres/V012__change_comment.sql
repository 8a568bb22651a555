-- What people say on lines of the difference that a run made. One that is sent names the run that was told.
CREATE TABLE change_comment (
  id UUID PRIMARY KEY, run UUID NOT NULL, issue UUID NOT NULL, at BIGINT NOT NULL, sent UUID, body TEXT NOT NULL
);
CREATE INDEX change_comment_of_run ON change_comment (run, id);
CREATE INDEX change_comment_of_issue ON change_comment (issue, id);
