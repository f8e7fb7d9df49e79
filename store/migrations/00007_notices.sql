-- What people and their systems were told, and still have to be. Forward only.
-- A notice is one reason for one addressee, for good: its key is never used twice.
-- Times are microseconds since 1970.

-- +goose Up

CREATE TABLE notices (
    notice_key TEXT NOT NULL,
    target     TEXT NOT NULL,
    urgent     BIGINT NOT NULL,
    body       TEXT NOT NULL,
    mailing    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (notice_key, target)
);

CREATE INDEX notices_mailing ON notices (mailing);

CREATE TABLE mailings (
    id          TEXT NOT NULL PRIMARY KEY,
    target      TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    owner       TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    settled_at  BIGINT NOT NULL
);

CREATE INDEX mailings_next ON mailings (state, next_at);

-- How far the acts have been turned into notices: one row.
CREATE TABLE notice_position (
    id  BIGINT NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL
);
