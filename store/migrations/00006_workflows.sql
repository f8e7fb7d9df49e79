-- What the workflows of the paper door keep, nouns like the others. Forward only.

-- +goose Up

CREATE TABLE questionnaires (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE links (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE findings (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE courses (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE attempts (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE requests (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE campaigns (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE emergencies (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE incidents (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE TABLE offboardings (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);
