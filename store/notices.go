package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Notice is one reason to tell one addressee.
type Notice struct {
	Key     string // why: the same reason has the same key, whichever node finds it
	Target  string // whom, and by which way
	Urgent  bool
	Body    []byte // what is told; ids and the product's own words
	Created time.Time
}

// Mailing is notices that are sent together, under one id for good: who receives it
// twice can tell.
type Mailing struct {
	ID       string
	Target   string
	Attempts int // this one included
	Created  time.Time
	Notices  []Notice
}

// The states of a mailing.
const (
	mailingWaiting = "waiting"
	mailingSent    = "sent"
	mailingDropped = "dropped" // nothing of it was true any longer
	mailingFailed  = "failed"  // given up
)

// leftOut is the mailing of a notice whose reason ceased before it was told.
const leftOut = "-"

// AddNotices writes down those that are new; the others were written, or sent, before.
func (s *Store) AddNotices(ctx context.Context, notices []Notice) (added int, err error) {
	if len(notices) == 0 {
		return 0, nil
	}
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		added, err = s.addNotices(ctx, tx, notices)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: add notices: %w", err)
	}
	return added, nil
}

func (s *Store) addNotices(ctx context.Context, tx *sql.Tx, notices []Notice) (added int, err error) {
	for _, n := range notices {
		urgent := 0
		if n.Urgent {
			urgent = 1
		}
		rows, err := s.exec(ctx, tx, `INSERT INTO notices (notice_key, target, urgent, body, mailing, created_at) VALUES (?, ?, ?, ?, '', ?)
			ON CONFLICT (notice_key, target) DO NOTHING`, n.Key, n.Target, urgent, string(n.Body), micros(n.Created))
		if err != nil {
			return 0, err
		}
		added += int(rows)
	}
	return added, nil
}

// NoticePosition is the number of the last act whose notices are written down. On a
// store where there is none yet it begins at start.
func (s *Store) NoticePosition(ctx context.Context, start uint64) (seq uint64, err error) {
	read := func() error {
		return s.db.QueryRowContext(ctx, `SELECT seq FROM notice_position WHERE id = 1`).Scan(&seq)
	}
	if err = read(); errors.Is(err, sql.ErrNoRows) {
		if _, err = s.exec(ctx, s.db, `INSERT INTO notice_position (id, seq) VALUES (1, ?) ON CONFLICT (id) DO NOTHING`, start); err == nil {
			err = read()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("store: position of the notices: %w", err)
	}
	return seq, nil
}

// NoteActs writes down the notices of the acts after from, up to to, and moves the
// position, in one transaction; false: another node did it first, and nothing was
// written.
func (s *Store) NoteActs(ctx context.Context, from, to uint64, notices []Notice) (mine bool, err error) {
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE notice_position SET seq = ? WHERE id = 1 AND seq = ?`, to, from)
		if err != nil || n != 1 {
			return err
		}
		mine = true
		_, err = s.addNotices(ctx, tx, notices)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store: note acts: %w", err)
	}
	return mine, nil
}

// LooseNotices are those that are in no mailing yet: the urgent first, so that no number
// of others that wait for a digest keeps them, each in the order in which they were
// written down.
func (s *Store) LooseNotices(ctx context.Context, limit int) ([]Notice, error) {
	out, err := s.notices(ctx, s.db, ``, limit)
	if err != nil {
		return nil, fmt.Errorf("store: notices: %w", err)
	}
	return out, nil
}

func (s *Store) notices(ctx context.Context, q querier, mailing string, limit int) (out []Notice, err error) {
	rows, err := q.QueryContext(ctx, s.bind(`SELECT notice_key, target, urgent, body, created_at FROM notices WHERE mailing = ?
		ORDER BY urgent DESC, created_at, notice_key, target LIMIT ?`), mailing, limit)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var n Notice
		var urgent, created int64
		var body string
		if err := rows.Scan(&n.Key, &n.Target, &urgent, &body, &created); err != nil {
			return err
		}
		n.Urgent, n.Body, n.Created = urgent != 0, []byte(body), fromMicros(created)
		out = append(out, n)
		return nil
	})
	return out, err
}

// DropNotice says that a loose notice's reason has ceased: it is not sent, and not
// written down again.
func (s *Store) DropNotice(ctx context.Context, key, target string) error {
	if _, err := s.exec(ctx, s.db, `UPDATE notices SET mailing = ? WHERE notice_key = ? AND target = ? AND mailing = ''`, leftOut, key, target); err != nil {
		return fmt.Errorf("store: drop a notice: %w", err)
	}
	return nil
}

// Bundle makes one mailing of loose notices to one target; false: another node has
// bundled one of them, and nothing was changed.
func (s *Store) Bundle(ctx context.Context, mailing, target string, keys []string, now time.Time) (mine bool, err error) {
	errTaken := errors.New("taken")
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `INSERT INTO mailings (id, target, state, attempts, created_at, next_at, owner, lease_until, settled_at)
			VALUES (?, ?, ?, 0, ?, ?, '', 0, 0) ON CONFLICT (id) DO NOTHING`, mailing, target, mailingWaiting, micros(now), micros(now))
		if err != nil {
			return err
		}
		if n != 1 {
			return errTaken
		}
		for _, key := range keys {
			n, err := s.exec(ctx, tx, `UPDATE notices SET mailing = ? WHERE notice_key = ? AND target = ? AND mailing = ''`, mailing, key, target)
			if err != nil {
				return err
			}
			if n != 1 {
				return errTaken
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errTaken):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("store: bundle notices: %w", err)
	}
	return true, nil
}

// ClaimMailing takes one mailing that is due to targets with the prefix, so that no
// other node sends it until the lease ends; nil: there is none. A node that dies leaves its lease to run out, and
// another sends again under the same id.
func (s *Store) ClaimMailing(ctx context.Context, node, prefix string, now time.Time, lease time.Duration) (*Mailing, error) {
	for range 16 { // others may take what was seen
		var m Mailing
		var attempts, created int64
		err := s.db.QueryRowContext(ctx, s.bind(`SELECT id, target, attempts, created_at FROM mailings
			WHERE state = ? AND next_at <= ? AND lease_until <= ? AND substr(target, 1, ?) = ? ORDER BY next_at, id LIMIT 1`),
			mailingWaiting, micros(now), micros(now), len(prefix), prefix).
			Scan(&m.ID, &m.Target, &attempts, &created)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("store: claim a mailing: %w", err)
		}
		n, err := s.exec(ctx, s.db, `UPDATE mailings SET owner = ?, lease_until = ?, attempts = attempts + 1
			WHERE id = ? AND state = ? AND attempts = ? AND lease_until <= ?`, node, micros(now.Add(lease)), m.ID, mailingWaiting, attempts, micros(now))
		if err != nil {
			return nil, fmt.Errorf("store: claim a mailing: %w", err)
		}
		if n != 1 {
			continue
		}
		m.Attempts, m.Created = int(attempts)+1, fromMicros(created)
		if m.Notices, err = s.notices(ctx, s.db, m.ID, maxMailing); err != nil {
			return nil, fmt.Errorf("store: claim a mailing: %w", err)
		}
		return &m, nil
	}
	return nil, nil
}

// ReleaseMailings gives up the leases that a node took before it was started anew: what
// it was sending then is sent again, under the same ids.
func (s *Store) ReleaseMailings(ctx context.Context, node string) error {
	if _, err := s.exec(ctx, s.db, `UPDATE mailings SET owner = '', lease_until = 0 WHERE owner = ? AND state = ?`, node, mailingWaiting); err != nil {
		return fmt.Errorf("store: release mailings: %w", err)
	}
	return nil
}

// maxMailing bounds a mailing; whoever bundles keeps far below.
const maxMailing = 10_000

// Settlement is what became of an attempt.
type Settlement string

// The settlements.
const (
	Sent    Settlement = mailingSent
	Dropped Settlement = mailingDropped
	GivenUp Settlement = mailingFailed
	Again   Settlement = mailingWaiting
)

// Settle ends an attempt of the node that has the lease. Again wants the time of the
// next one.
func (s *Store) Settle(ctx context.Context, mailing, node string, as Settlement, now, next time.Time) error {
	if _, err := s.exec(ctx, s.db, `UPDATE mailings SET state = ?, settled_at = ?, next_at = ?, owner = '', lease_until = 0
		WHERE id = ? AND owner = ? AND state = ?`, string(as), micros(now), micros(next), mailing, node, mailingWaiting); err != nil {
		return fmt.Errorf("store: settle a mailing: %w", err)
	}
	return nil
}

// Waiting counts the notices that were written down and not sent, those of given-up
// mailings apart, and says since when the oldest waits.
func (s *Store) Waiting(ctx context.Context) (waiting, failed int, since time.Time, err error) {
	var oldest sql.NullInt64
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT
		(SELECT COUNT(*) FROM mailings WHERE state = ?), (SELECT COUNT(*) FROM mailings WHERE state = ?), (SELECT MIN(created_at) FROM mailings WHERE state = ?)`),
		mailingWaiting, mailingFailed, mailingWaiting).Scan(&waiting, &failed, &oldest)
	if err != nil {
		return 0, 0, time.Time{}, fmt.Errorf("store: waiting notices: %w", err)
	}
	if oldest.Valid {
		since = fromMicros(oldest.Int64)
	}
	return waiting, failed, since, nil
}
