-- Connectors, sessions and the posture of devices, nouns like the others.
-- Forward only.

-- +goose Up

CREATE TABLE connectors (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE sessions (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE postures (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);
