-- Executions, their events, log lines and notices of one profile.
-- Instants are microseconds since 1970 UTC. What a list shows lies in `executions`, which stays narrow;
-- definitions, snapshots, inputs and outputs lie apart, so that a page of a list is a page of rows.
CREATE TABLE IF NOT EXISTS executions (
    key           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    workflow      TEXT NOT NULL,
    name          TEXT NOT NULL,
    status        TEXT NOT NULL,
    started       INTEGER NOT NULL,
    ended         INTEGER,
    window_from   TEXT,
    window_to     TEXT,
    redrives      INTEGER NOT NULL DEFAULT 0,
    -- Microseconds between ends and redrives, in which nothing ran.
    idle          INTEGER NOT NULL DEFAULT 0,
    current_stage TEXT,
    error         TEXT,
    last_event    INTEGER NOT NULL DEFAULT 0,
    -- The execution and stage that started this one, for nested executions.
    parent        TEXT,
    parent_stage  TEXT,
    -- Who runs it. Null once nothing of it runs any more.
    owner_token   TEXT,
    owner         TEXT,
    owner_seen    INTEGER,
    -- What an operator asked for from another process.
    stop_cause    TEXT,
    UNIQUE (workflow, name)
) STRICT;
CREATE INDEX IF NOT EXISTS executions_newest ON executions (started DESC, key DESC);
CREATE INDEX IF NOT EXISTS executions_of_workflow ON executions (workflow, started DESC, key DESC);
CREATE INDEX IF NOT EXISTS executions_successes ON executions (workflow, ended) WHERE status = 'SUCCEEDED';
CREATE INDEX IF NOT EXISTS executions_fixed ON executions (workflow, window_from, window_to, started) WHERE status = 'SUCCEEDED';
CREATE INDEX IF NOT EXISTS executions_of_parent ON executions (parent, parent_stage) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_running ON executions (key) WHERE owner_token IS NOT NULL;

CREATE TABLE IF NOT EXISTS definitions (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS payloads (
    execution  INTEGER PRIMARY KEY REFERENCES executions (key),
    definition TEXT NOT NULL REFERENCES definitions (hash),
    input      TEXT NOT NULL,
    output     TEXT,
    snapshot   TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS events (
    execution INTEGER NOT NULL REFERENCES executions (key),
    id        INTEGER NOT NULL,
    event     TEXT NOT NULL,
    PRIMARY KEY (execution, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS logs (
    execution INTEGER NOT NULL REFERENCES executions (key),
    line      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    level     TEXT NOT NULL,
    stage     TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    message   TEXT NOT NULL,
    PRIMARY KEY (execution, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logs_of_stage ON logs (execution, stage, line);

CREATE TABLE IF NOT EXISTS progress (
    execution INTEGER NOT NULL REFERENCES executions (key),
    stage     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    message   TEXT NOT NULL,
    PRIMARY KEY (execution, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS notices (
    key       INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    topic     TEXT NOT NULL,
    subject   TEXT,
    message   TEXT NOT NULL,
    execution TEXT
) STRICT;
