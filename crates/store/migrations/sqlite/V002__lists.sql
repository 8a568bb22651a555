-- What a reader that remembers requirements has to look at again: rises with whatever changes what one is worth.
ALTER TABLE project ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requirement ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
CREATE INDEX requirement_touched ON requirement (project, touched, number);
-- Lists of runs by what they are and how they ended.
CREATE INDEX run_of_kind ON run (project, kind, id);
CREATE INDEX run_ended ON run (project, status, id, kind) WHERE finished_at IS NOT NULL;
