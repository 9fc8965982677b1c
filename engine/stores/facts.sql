-- name: remove
-- A fact, removed; its words go with it.
DELETE FROM facts WHERE scope = ? AND fact_id = ?;

-- name: insert
-- One more fact.
INSERT INTO facts
  (scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector)
VALUES (
  :scope, :fact_id, :kind, :text, :run_id, :seq, :at, :call_id, :customer, :embedder, :vector
);

-- name: facts
-- Facts, the newest first.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM facts ORDER BY id DESC LIMIT :limit;

-- name: facts_in
-- Those of a scope.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM facts WHERE scope = :scope ORDER BY id DESC LIMIT :limit;

-- name: facts_of
-- Those that are a customer's.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM facts WHERE scope = :customer OR customer = :customer
ORDER BY id DESC LIMIT :limit;

-- name: fact
-- One fact of a scope.
SELECT scope, fact_id, kind, text, run_id, seq, at, call_id, customer, embedder, vector
FROM facts WHERE scope = ? AND fact_id = ?;

-- name: search
-- Facts of a scope that have some of these words, the best first.
SELECT facts.scope, fact_id, kind, facts.text, run_id, seq, at, call_id, customer, embedder, vector
FROM facts_words JOIN facts ON facts.id = facts_words.rowid
WHERE facts_words MATCH :words AND facts.scope = :scope
ORDER BY facts_words.rank, facts.id DESC LIMIT :limit;

-- name: vectors
-- The vectors of a scope's facts by one embedder.
SELECT fact_id, vector FROM facts
WHERE scope = :scope AND embedder = :embedder AND length(vector) > 0;

-- name: erase
-- The facts of a customer, and those that these runs wrote, removed.
DELETE FROM facts
WHERE scope = :customer OR customer = :customer
  OR run_id IN (SELECT value FROM json_each(:runs));

-- name: clear_index
-- The index of words, made anew of what is left: no page of it has a word that is gone.
INSERT INTO facts_words (facts_words) VALUES ('rebuild');

-- name: insert_erasure
-- That facts were erased.
INSERT INTO erasures (at, by, facts, reason) VALUES (:at, :by, :facts, :reason);

-- name: erasures
-- Every erasure of facts.
SELECT at, by, facts, reason FROM erasures ORDER BY id;
