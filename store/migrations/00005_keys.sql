-- What was ordered for the keys of engagements, a noun like the others. The keys
-- are not here: they are in the key store. Forward only.

-- +goose Up

CREATE TABLE engagement_keys (
    id      TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL REFERENCES acts (seq),
    state   TEXT NOT NULL,
    body    TEXT NOT NULL
);

-- Under whose key a document is; '' is the organisation's.
ALTER TABLE documents ADD COLUMN engagement TEXT NOT NULL DEFAULT '';
