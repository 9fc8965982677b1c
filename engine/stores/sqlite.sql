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

-- name: schema_2
-- Leases, and when a run can be driven on.
ALTER TABLE runs ADD COLUMN ready_at INTEGER; -- microseconds since 1970 UTC; NULL: not at all
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET ready_at = 0 WHERE state IN ('AwaitingModel', 'DispatchingTools') OR (
  state = 'AwaitingApproval' AND json_valid(CAST(checkpoint AS TEXT))
  AND json_array_length(CAST(checkpoint AS TEXT), '$.approvals') = 0
);
CREATE VIEW heads AS -- a row as the program reads it: of these types, whatever stands there
  SELECT CAST(run_id AS BLOB) AS name, CAST(workflow AS BLOB) AS flow, CAST(state AS BLOB) AS place,
    CAST(seq AS INTEGER) AS seq_, CAST(logged AS INTEGER) AS logged_,
    CAST(checkpoint AS BLOB) AS checkpoint_, CAST(ready_at AS INTEGER) AS ready_,
    CAST(owner AS BLOB) AS owner_, CAST(epoch AS INTEGER) AS epoch_,
    min(max(CAST(expires AS INTEGER), 0), 9007199254740992) AS expires_, -- the year 2255
    CAST(tries AS INTEGER) AS tries_,
    id, run_id, workflow, state, seq, logged, ready_at, owner, tries
  FROM runs;
CREATE INDEX runs_ready ON runs (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX runs_leased ON runs (id) WHERE owner <> '';
CREATE INDEX runs_owed ON runs (id) WHERE logged < seq;

-- name: schema_3
-- Audit keys, what stands in for data that is masked or erased, and runs that were archived.
ALTER TABLE events ADD COLUMN key TEXT;   -- the id of the audit key of the digest; NULL: plain
ALTER TABLE events ADD COLUMN cover BLOB; -- binds data that stands in for other; NULL: none does
CREATE TABLE archived (
  run_id   TEXT    NOT NULL UNIQUE,
  workflow TEXT    NOT NULL,
  state    TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  digest   BLOB    NOT NULL, -- of its newest event
  at       INTEGER NOT NULL, -- microseconds since 1970 UTC
  place    TEXT    NOT NULL  -- the file that has it
);
CREATE INDEX archived_by_place ON archived (place, run_id);

-- name: schema_4
-- Nothing yet: what is remembered has tables of its own, made with the first note (facts.sql).
-- An older program, which would not erase them, leaves such a file alone.

-- name: schema_5
-- Nothing: from now on an event's data is deflated where it is long and that makes it shorter.
-- An older program, which would take it for damage, leaves such a file alone.

-- name: insert_run
-- A new run's row, and its place; nothing where the id is taken.
INSERT INTO runs
  (run_id, workflow, state, seq, logged, checkpoint, ready_at, owner, epoch, expires, tries)
VALUES (
  :run_id, :workflow, :state, :seq, :logged, :checkpoint, :ready_at, :owner, :epoch, :expires,
  :tries
)
ON CONFLICT (run_id) DO NOTHING
RETURNING id;

-- name: move_run
-- The run's row after a commit, fenced by the seq and the epoch that the commit expects; its place.
UPDATE runs SET
  state = :state, seq = :seq, logged = max(logged, :logged), checkpoint = :checkpoint,
  ready_at = :ready_at, tries = 0
WHERE run_id = :run_id AND seq = :expected AND epoch = :epoch
RETURNING id;

-- name: insert_event
-- One more row of a run's journal.
INSERT INTO events (run, seq, at, kind, data, digest, key, cover)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: entries
-- A run's journal, oldest first, of these types, whatever stands there.
SELECT CAST(seq AS INTEGER), CAST(at AS INTEGER), coalesce(CAST(kind AS BLOB), x''),
  coalesce(CAST(data AS BLOB), x''),
  CAST(digest AS BLOB), coalesce(CAST(key AS BLOB), x''), coalesce(CAST(cover AS BLOB), x'')
FROM events
WHERE run = (SELECT id FROM runs WHERE run_id = ?) ORDER BY seq;

-- name: head
-- A run's row.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads WHERE run_id = ?;

-- name: place
-- Where a run stands in the order of beginning.
SELECT id FROM runs WHERE run_id = ?;

-- name: heads
-- Runs begun before a place, the newest first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_state
-- Runs in one state begun before a place, the newest first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE state = :state AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_workflow
-- Runs of one workflow begun before a place, the newest first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE workflow = :workflow AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: heads_by_both
-- Runs of one workflow in one state begun before a place, the newest first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE state = :state AND +workflow = :workflow AND id < :before
ORDER BY id DESC LIMIT :limit;

-- name: waiting
-- Runs in AwaitingApproval begun after a place, the oldest first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE state = 'AwaitingApproval' AND id > :after AND (:workflow IS NULL OR +workflow = :workflow)
ORDER BY id LIMIT :limit;

-- name: mark_logged
-- Up to which seq a run's lines are in the log.
UPDATE runs SET logged = max(logged, :seq) WHERE run_id = :run_id;

-- name: orphans
-- How many events belong to no run.
SELECT count(*) FROM events WHERE run NOT IN (SELECT id FROM runs);

-- name: counts
-- How many runs are owed log lines, ready, and waiting for a person; the most tries of a ready one.
SELECT
  (SELECT count(*) FROM runs WHERE logged < seq AND owner = ''),
  (SELECT count(*) FROM runs WHERE ready_at <= :now AND owner = ''),
  (SELECT count(*) FROM runs
    WHERE state = 'AwaitingApproval' AND (ready_at IS NULL OR ready_at > :now)),
  (SELECT coalesce(max(CAST(tries AS INTEGER)), 0) FROM runs WHERE ready_at IS NOT NULL AND owner = '');

-- name: ready
-- Runs that can be driven on and that nobody drives, the longest ready first.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads
WHERE ready_at <= :now AND owner = '' AND tries < :tries
  AND +workflow IN (SELECT value FROM json_each(:workflows))
ORDER BY ready_at LIMIT :limit;

-- name: leased
-- Runs that somebody drives, or drove when it died.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads WHERE owner <> '' ORDER BY id;

-- name: owed
-- Runs that nobody drives and whose lines are not all in the log.
SELECT name, flow, place, seq_, logged_, checkpoint_, ready_, owner_, epoch_, expires_, tries_
FROM heads WHERE logged < seq AND owner = '' ORDER BY id LIMIT :limit;

-- name: claim
-- The lease of a run, for who saw it as it still is: an owner comes and goes with an epoch,
-- or with a time of expiry.
UPDATE runs SET owner = :owner, epoch = :epoch, expires = :expires, tries = tries + 1
WHERE run_id = :run_id
  AND CAST(epoch AS INTEGER) = :seen_epoch
  AND min(max(CAST(expires AS INTEGER), 0), 9007199254740992) = :seen_expires;

-- name: renew
-- Every lease of one owner lasts on.
UPDATE runs SET expires = :expires WHERE owner = :owner AND owner <> '';

-- name: release
-- Nobody drives the run, if that driver did.
UPDATE runs SET owner = '', expires = 0, tries = CASE WHEN :moved THEN 0 ELSE tries END
WHERE run_id = :run_id AND epoch = :epoch AND owner = :owner;

-- name: replace_event
-- An event of which less is left: it keeps its place, its kind and its digest.
UPDATE events SET data = :data, cover = :cover
WHERE run = (SELECT id FROM runs WHERE run_id = :run_id)
  AND seq = :seq AND at = :at AND kind = :kind AND digest = :digest;

-- name: archived
-- What is left of an archived run.
SELECT run_id, workflow, state, seq, digest, at, place FROM archived WHERE run_id = ?;

-- name: archives
-- What is left of archived runs, by place.
SELECT run_id, workflow, state, seq, digest, at, place FROM archived
WHERE (place, run_id) > (:after_place, :after_run)
ORDER BY place, run_id LIMIT :limit;

-- name: archives_in
-- The same of one place.
SELECT run_id, workflow, state, seq, digest, at, place FROM archived
WHERE place = :place AND run_id > :after_run
ORDER BY run_id LIMIT :limit;

-- name: put_back
-- A run that is in the store again was not archived.
DELETE FROM archived WHERE run_id = ?;

-- name: rearchive
-- The line of an archived run, for who saw it as it still is.
UPDATE archived SET seq = :seq, digest = :digest, at = :at, place = :place
WHERE run_id = :run_id AND seq = :seen_seq AND digest = :seen_digest AND place = :seen_place;

-- name: is_at
-- Whether a run's newest event is that one.
SELECT 1 FROM runs JOIN events ON events.run = runs.id AND events.seq = runs.seq
WHERE runs.run_id = :run_id AND runs.seq = :seq AND events.digest = :digest;

-- name: remove_events
-- A run's journal, removed.
DELETE FROM events WHERE run = (SELECT id FROM runs WHERE run_id = ?);

-- name: remove_run
-- A run's row, removed.
DELETE FROM runs WHERE run_id = ?;

-- name: insert_archived
-- What is left of a run that was removed.
INSERT INTO archived (run_id, workflow, state, seq, digest, at, place)
VALUES (:run_id, :workflow, :state, :seq, :digest, :at, :place);
