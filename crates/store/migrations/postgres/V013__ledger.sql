-- What is set aside for tasks that cost money, and what became of it. Lines are only ever added: a line is the truth,
-- a pool's totals follow from its lines.
CREATE TABLE ledger_line (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reserve UUID NOT NULL, step BIGINT NOT NULL, kind TEXT NOT NULL,
  project UUID NOT NULL, run UUID NOT NULL, day BIGINT NOT NULL, task UUID, generation BIGINT, late BIGINT NOT NULL,
  reserved BIGINT NOT NULL, settled BIGINT NOT NULL, known BIGINT, cost_state TEXT, because TEXT NOT NULL,
  at BIGINT NOT NULL
);
-- Each reserve is opened once and closed once: step 0, then step 1.
CREATE UNIQUE INDEX ledger_step ON ledger_line (reserve, step);
CREATE UNIQUE INDEX ledger_attempt ON ledger_line (task, generation, late, step) WHERE task IS NOT NULL;
CREATE INDEX ledger_of_run ON ledger_line (run, number);
CREATE INDEX ledger_of_day ON ledger_line (project, day, number);

-- By how much people raised caps, by the question that they answered. Amounts are for the run, and for the day.
CREATE TABLE ledger_top_up (
  question UUID PRIMARY KEY, project UUID NOT NULL, run UUID NOT NULL, day BIGINT NOT NULL, run_amount BIGINT NOT NULL,
  day_amount BIGINT NOT NULL, by_whom TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX ledger_top_up_of_run ON ledger_top_up (run);
CREATE INDEX ledger_top_up_of_day ON ledger_top_up (project, day);

CREATE FUNCTION ledger_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER ledger_line_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_line
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_kept();
CREATE TRIGGER ledger_top_up_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_top_up
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_kept();

-- Totals: of a run (day 0), and of a project's day. Whoever reserves holds the rows of its pools.
CREATE TABLE ledger_pool (
  kind TEXT NOT NULL, owner UUID NOT NULL, day BIGINT NOT NULL, reserved BIGINT NOT NULL, settled BIGINT NOT NULL,
  topped_up BIGINT NOT NULL, PRIMARY KEY (kind, owner, day)
);

-- What is to be reserved before a task is handed out; nothing for what spends nothing (D34).
ALTER TABLE task ADD COLUMN reserve TEXT;
