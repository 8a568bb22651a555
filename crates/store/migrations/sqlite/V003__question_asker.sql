-- Runs that wait for a question which another run asked, or which was taken from them; a row goes when
-- its run was told how the question ended (P67).
CREATE TABLE question_asker (
  run BLOB NOT NULL, question BLOB NOT NULL, PRIMARY KEY (run, question)
) STRICT, WITHOUT ROWID;
CREATE INDEX question_asker_of ON question_asker (question);
