-- What is set aside for tasks that cost money, and what became of it. Lines are only ever added: a line is the truth,
-- a pool's totals follow from its lines.
CREATE TABLE ledger_line (
  number INTEGER PRIMARY KEY AUTOINCREMENT, reserve BLOB NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL,
  project BLOB NOT NULL, run BLOB NOT NULL, day INTEGER NOT NULL, task BLOB, generation INTEGER, late INTEGER NOT NULL,
  reserved INTEGER NOT NULL, settled INTEGER NOT NULL, known INTEGER, cost_state TEXT, because TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
-- Each reserve is opened once and closed once: step 0, then step 1.
CREATE UNIQUE INDEX ledger_step ON ledger_line (reserve, step);
CREATE UNIQUE INDEX ledger_attempt ON ledger_line (task, generation, late, step) WHERE task IS NOT NULL;
CREATE INDEX ledger_of_run ON ledger_line (run, number);
CREATE INDEX ledger_of_day ON ledger_line (project, day, number);
CREATE TRIGGER ledger_line_update BEFORE UPDATE ON ledger_line
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_line_delete BEFORE DELETE ON ledger_line
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- By how much people raised caps, by the question that they answered. Amounts are for the run, and for the day.
CREATE TABLE ledger_top_up (
  question BLOB PRIMARY KEY, project BLOB NOT NULL, run BLOB NOT NULL, day INTEGER NOT NULL, run_amount INTEGER NOT NULL,
  day_amount INTEGER NOT NULL, by_whom TEXT NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_top_up_of_run ON ledger_top_up (run);
CREATE INDEX ledger_top_up_of_day ON ledger_top_up (project, day);
CREATE TRIGGER ledger_top_up_update BEFORE UPDATE ON ledger_top_up
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_top_up_delete BEFORE DELETE ON ledger_top_up
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- Totals: of a run (day 0), and of a project's day. Whoever reserves holds the rows of its pools.
CREATE TABLE ledger_pool (
  kind TEXT NOT NULL, owner BLOB NOT NULL, day INTEGER NOT NULL, reserved INTEGER NOT NULL, settled INTEGER NOT NULL,
  topped_up INTEGER NOT NULL, PRIMARY KEY (kind, owner, day)
) STRICT, WITHOUT ROWID;

-- What is to be reserved before a task is handed out; nothing for what spends nothing (D34).
ALTER TABLE task ADD COLUMN reserve TEXT;
