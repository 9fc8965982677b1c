-- name: schema
-- The tables of schema version 1.
CREATE TABLE runs (
  id         INTEGER PRIMARY KEY,
  run_id     TEXT    NOT NULL UNIQUE,
  workflow   TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  seq        INTEGER NOT NULL,
  logged     INTEGER NOT NULL,
  checkpoint BLOB    NOT NULL
);
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_by_workflow ON runs (workflow, id);
CREATE TABLE events (
  run    INTEGER NOT NULL REFERENCES runs (id),
  seq    INTEGER NOT NULL,
  at     INTEGER NOT NULL, -- microseconds since 1970 UTC
  kind   TEXT    NOT NULL,
  data   BLOB    NOT NULL, -- JSON with sorted keys
  digest BLOB    NOT NULL, -- SHA-256 over the digest before and this event
  UNIQUE (run, seq)
);

-- name: insert_run
-- A new run's row; fails where the id is taken.
INSERT INTO runs (run_id, workflow, state, seq, logged, checkpoint)
VALUES (:run_id, :workflow, :state, :seq, :logged, :checkpoint)
ON CONFLICT (run_id) DO NOTHING;

-- name: move_run
-- The run's row after a commit, fenced by the seq that the commit expects.
UPDATE runs SET state = :state, seq = :seq, logged = :logged, checkpoint = :checkpoint
WHERE run_id = :run_id AND seq = :expected;

-- name: insert_event
-- One more row of a run's journal.
INSERT INTO events (run, seq, at, kind, data, digest)
VALUES ((SELECT id FROM runs WHERE run_id = ?), ?, ?, ?, ?, ?);

-- name: entries
-- A run's journal, oldest first.
SELECT seq, at, kind, CAST(data AS BLOB), CAST(digest AS BLOB) FROM events
WHERE run = (SELECT id FROM runs WHERE run_id = ?) ORDER BY seq;

-- name: head
-- A run's row.
SELECT run_id, workflow, state, seq, logged, CAST(checkpoint AS BLOB) FROM runs WHERE run_id = ?;

-- name: place
-- Where a run stands in the order of beginning.
SELECT id FROM runs WHERE run_id = ?;

-- name: heads
-- Runs begun before a place, the newest first.
SELECT run_id, workflow, state, seq, logged, CAST(checkpoint AS BLOB) FROM runs
WHERE id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_state
-- Runs in one state begun before a place, the newest first.
SELECT run_id, workflow, state, seq, logged, CAST(checkpoint AS BLOB) FROM runs
WHERE state = :state AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_workflow
-- Runs of one workflow begun before a place, the newest first.
SELECT run_id, workflow, state, seq, logged, CAST(checkpoint AS BLOB) FROM runs
WHERE workflow = :workflow AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_both
-- Runs of one workflow in one state begun before a place, the newest first.
SELECT run_id, workflow, state, seq, logged, CAST(checkpoint AS BLOB) FROM runs
WHERE state = :state AND +workflow = :workflow AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: mark_logged
-- Up to which seq a run's lines are in the log.
UPDATE runs SET logged = max(logged, :seq) WHERE run_id = :run_id;
