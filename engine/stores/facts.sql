-- name: tables
-- What is remembered for later runs, the words in it, and that some of it was erased.
CREATE TABLE memory_facts (
  id       INTEGER PRIMARY KEY,
  scope    TEXT    NOT NULL,
  fact_id  TEXT    NOT NULL,
  kind     TEXT    NOT NULL,
  text     TEXT    NOT NULL,
  run_id   TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  at       INTEGER NOT NULL, -- microseconds since 1970 UTC
  call_id  TEXT    NOT NULL,
  customer TEXT,
  embedder TEXT    NOT NULL,
  vector   BLOB    NOT NULL, -- float32; empty: none
  words    TEXT    NOT NULL, -- those of the text, each behind a mark of the scope
  UNIQUE (scope, fact_id)
);
CREATE INDEX memory_facts_by_scope ON memory_facts (scope, id);
CREATE INDEX memory_facts_by_customer ON memory_facts (customer, id) WHERE customer IS NOT NULL;
CREATE INDEX memory_facts_by_run ON memory_facts (run_id);
CREATE VIRTUAL TABLE memory_words USING fts5 (
  words, content = 'memory_facts', content_rowid = 'id', tokenize = 'ascii'
);
INSERT INTO memory_words (memory_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER memory_facts_inserted AFTER INSERT ON memory_facts BEGIN
  INSERT INTO memory_words (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER memory_facts_deleted AFTER DELETE ON memory_facts BEGIN
  INSERT INTO memory_words (memory_words, rowid, words) VALUES ('delete', old.id, old.words);
END;
CREATE TABLE memory_erasures (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL, -- microseconds since 1970 UTC
  by     TEXT    NOT NULL,
  facts  INTEGER NOT NULL, -- how many
  reason TEXT
);

-- name: has_tables
-- Whether there are these tables.
SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'memory_erasures';

-- name: remove
-- A fact, removed; its words go with it.
DELETE FROM memory_facts WHERE scope = ? AND fact_id = ?;

-- name: insert
-- One more fact.
INSERT INTO memory_facts
  (scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector, words)
VALUES (
  :scope, :fact_id, :kind, :text, :run_id, :seq, :at, :call_id, :customer, :embedder, :vector,
  :words
);

-- name: facts
-- Facts, the newest first.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM memory_facts ORDER BY id DESC LIMIT :limit;

-- name: facts_in
-- Those of a scope.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM memory_facts WHERE scope = :scope ORDER BY id DESC LIMIT :limit;

-- name: facts_of
-- Those that are a customer's; no more are read than are wanted.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM memory_facts WHERE id IN (
  SELECT id FROM (
    SELECT id FROM memory_facts WHERE scope = :customer ORDER BY id DESC LIMIT :limit
  ) UNION SELECT id FROM (
    SELECT id FROM memory_facts WHERE customer = :customer ORDER BY id DESC LIMIT :limit
  )
)
ORDER BY id DESC LIMIT :limit;

-- name: fact
-- One fact of a scope.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM memory_facts WHERE scope = ? AND fact_id = ?;

-- name: search
-- Facts of a scope that have some of these words, the best first.
SELECT memory_facts.scope, fact_id, kind, memory_facts.text, run_id, seq, at, call_id, customer, embedder, vector
FROM memory_words JOIN memory_facts ON memory_facts.id = memory_words.rowid
WHERE memory_words MATCH :words AND memory_facts.scope = :scope
ORDER BY memory_words.rank, memory_facts.id DESC LIMIT :limit;

-- name: vectors
-- The vectors of a scope's facts by one embedder, a page of them.
SELECT fact_id, vector FROM memory_facts
WHERE scope = :scope AND fact_id > :after AND embedder = :embedder AND length(vector) > 0
ORDER BY fact_id LIMIT :limit;

-- name: erase
-- The facts of a customer, and those that these runs wrote, removed.
DELETE FROM memory_facts
WHERE scope = :customer OR customer = :customer
  OR run_id IN (SELECT value FROM json_each(:runs));

-- name: clear_index
-- The index of words, made anew of what is left: no page of it has a word that is gone.
INSERT INTO memory_words (memory_words) VALUES ('rebuild');

-- name: insert_erasure
-- That facts were erased.
INSERT INTO memory_erasures (at, by, facts, reason) VALUES (:at, :by, :facts, :reason);

-- name: erasures
-- Every erasure of facts.
SELECT at, by, facts, reason FROM memory_erasures ORDER BY id;
