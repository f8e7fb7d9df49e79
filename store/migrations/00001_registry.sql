-- The registry: one table for each noun with its present rows, every revision
-- of every row, the acts, and the outbox. Portable between SQLite and
-- PostgreSQL: times are microseconds since 1970 in UTC, JSON is TEXT. (SQLite
-- gives BYTEA no affinity that would change a blob.) Forward only.

-- +goose Up

-- One row: the number of the last act. Whoever raises it by one may commit.
CREATE TABLE head (
    id  BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);
INSERT INTO head (id, seq) VALUES (1, 0);

CREATE TABLE acts (
    seq             BIGINT NOT NULL PRIMARY KEY,
    id              TEXT NOT NULL,
    kind            TEXT NOT NULL,
    noun            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    actor           TEXT NOT NULL,
    requested_by    TEXT NOT NULL,
    at              BIGINT NOT NULL,
    reason          BYTEA NOT NULL, -- sealed
    idempotency_key TEXT,
    body            TEXT NOT NULL,  -- canonical JSON (RFC 8785)
    digest          TEXT NOT NULL,
    log_node        TEXT,           -- NULL while it is in the outbox
    log_index       BIGINT
);
CREATE UNIQUE INDEX acts_id ON acts (id);
CREATE UNIQUE INDEX acts_key ON acts (actor, idempotency_key);
CREATE INDEX acts_at ON acts (at);
CREATE INDEX acts_subject ON acts (noun, subject);

CREATE TABLE outbox (
    seq  BIGINT NOT NULL PRIMARY KEY REFERENCES acts (seq),
    node TEXT NOT NULL
);

CREATE TABLE revisions (
    noun TEXT NOT NULL,
    id   TEXT NOT NULL,
    seq  BIGINT NOT NULL REFERENCES acts (seq),
    body TEXT NOT NULL,
    PRIMARY KEY (noun, id, seq)
);
CREATE INDEX revisions_seq ON revisions (seq);

CREATE TABLE documents (
    sha256     TEXT NOT NULL PRIMARY KEY,
    media_type TEXT NOT NULL,
    seq        BIGINT NOT NULL REFERENCES acts (seq), -- the act that stored it first
    content    BYTEA NOT NULL -- sealed
);

CREATE TABLE vendors (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE assessments (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE certifications (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE agreements (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE engagements (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE persons (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE trainings (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE devices (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE apps (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE roles (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE grants (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE reviews (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE holds (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

