-- Entries of projects' streams that are stored and wait for their numbers. Every run of a project tells its stream;
-- were the stream's row held until each commit is synced, all runs of a project would wait for one another.
CREATE TABLE board_waiting (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind BIGINT NOT NULL, owner UUID NOT NULL, at BIGINT NOT NULL,
  body TEXT NOT NULL
);
ALTER TABLE board_waiting SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
