-- What was attested of the images that devices run, a noun like the others.
-- Forward only.

-- +goose Up

CREATE TABLE attestations (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);
