-- The expert determinations of 45 CFR 164.514(b)(1), a noun like the others.
-- Forward only.

-- +goose Up

CREATE TABLE determinations (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);
