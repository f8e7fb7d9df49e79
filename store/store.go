package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var _ registry.Store = (*Store)(nil)

// querier is a database or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// inTx runs f in a transaction that commits if f does not fail.
func (s *Store) inTx(ctx context.Context, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// reading is a transaction that sees one moment.
var reading = &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}

func (s *Store) readTx(ctx context.Context, f func(*sql.Tx) error) error {
	o := reading
	if s.postgres == "" {
		o = &sql.TxOptions{ReadOnly: true} // a WAL reader sees one moment anyway
	}
	return s.inTx(ctx, o, f)
}

func (s *Store) exec(ctx context.Context, q querier, query string, args ...any) (int64, error) {
	res, err := q.ExecContext(ctx, s.bind(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Head implements registry.Store.
func (s *Store) Head(ctx context.Context) (h registry.Head, err error) {
	var at, index, waiting sql.NullInt64
	// One statement, so that it sees one moment on both engines.
	err = s.db.QueryRowContext(ctx, `SELECT h.seq, a.at, a.log_index, (SELECT MIN(seq) FROM outbox)
		FROM head h LEFT JOIN acts a ON a.seq = h.seq`).Scan(&h.Seq, &at, &index, &waiting)
	if err != nil {
		return h, fmt.Errorf("store: head: %w", err)
	}
	h.At, h.Logged, h.LogIndex = fromMicros(at.Int64), h.Seq, uint64(index.Int64)
	if !at.Valid {
		h.At = time.Time{}
	}
	if !waiting.Valid {
		return h, nil
	}
	h.Logged, h.LogIndex = uint64(waiting.Int64)-1, 0
	if h.Logged == 0 {
		return h, nil
	}
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT log_index FROM acts WHERE seq = ?`), h.Logged).Scan(&index)
	if err != nil {
		return h, fmt.Errorf("store: head: %w", err)
	}
	h.LogIndex = uint64(index.Int64)
	return h, nil
}

// Load implements registry.Store.
func (s *Store) Load(ctx context.Context, seq uint64) (out []snapshot.Record, err error) {
	if seq > math.MaxInt64 {
		return nil, fmt.Errorf("store: no act %d", seq)
	}
	err = s.readTx(ctx, func(tx *sql.Tx) error {
		var head uint64
		if err := tx.QueryRowContext(ctx, `SELECT seq FROM head`).Scan(&head); err != nil {
			return err
		}
		if seq == head {
			out, err = s.present(ctx, tx)
		} else {
			out, err = s.past(ctx, tx, seq)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	return out, nil
}

// past reads each record as its last revision at or before act seq has it.
func (s *Store) past(ctx context.Context, q querier, seq uint64) ([]snapshot.Record, error) {
	rows, err := q.QueryContext(ctx, s.bind(`SELECT r.noun, r.body FROM revisions r
		JOIN (SELECT noun, id, MAX(seq) AS seq FROM revisions WHERE seq <= ? GROUP BY noun, id) l
		ON l.noun = r.noun AND l.id = r.id AND l.seq = r.seq
		ORDER BY r.noun, r.id`), seq)
	if err != nil {
		return nil, err
	}
	return records(rows)
}

// records reads rows of noun and body.
func records(rows *sql.Rows) (out []snapshot.Record, err error) {
	err = each(rows, func() error {
		var noun, body string
		if err := rows.Scan(&noun, &body); err != nil {
			return err
		}
		r, err := registry.DecodeRecord(snapshot.Noun(noun), []byte(body))
		out = append(out, r)
		return err
	})
	return out, err
}

// each calls f for every row, and closes the rows.
func each(rows *sql.Rows, f func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

const actColumns = `a.seq, a.id, a.kind, a.noun, a.subject, a.actor, a.requested_by, a.at, a.reason,
	a.idempotency_key, a.body, a.digest, a.log_node, a.log_index, o.node`

const actTables = ` FROM acts a LEFT JOIN outbox o ON o.seq = a.seq `

// entries reads acts by the rest of a query.
func (s *Store) entries(ctx context.Context, q querier, rest string, args ...any) (out []registry.Entry, err error) {
	rows, err := q.QueryContext(ctx, s.bind(`SELECT `+actColumns+actTables+rest), args...)
	if err != nil {
		return nil, err
	}
	err = each(rows, func() error {
		var e registry.Entry
		var at int64
		var reason []byte
		var body string
		var key, logNode, node sql.NullString
		var index sql.NullInt64
		if err := rows.Scan(&e.Seq, &e.ID, &e.Kind, &e.Subject.Noun, &e.Subject.ID, &e.Actor, &e.RequestedBy, &at, &reason,
			&key, &body, &e.Digest, &logNode, &index, &node); err != nil {
			return err
		}
		plain, err := s.seal.Open(reason, reasonAAD(&e))
		if err != nil {
			return fmt.Errorf("open the reason of act %s: %w", e.ID, err)
		}
		e.At, e.Reason, e.Body = fromMicros(at), string(plain), []byte(body)
		e.Key, e.Node, e.LogNode, e.LogIndex = key.String, node.String, logNode.String, uint64(index.Int64)
		out = append(out, e)
		return nil
	})
	return out, err
}

// changed adds to each entry the records that it changed. The entries are a run
// of the sequence.
func (s *Store) changed(ctx context.Context, q querier, entries []registry.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	first := entries[0].Seq
	rows, err := q.QueryContext(ctx, s.bind(`SELECT seq, noun, body FROM revisions WHERE seq >= ? AND seq <= ?
		ORDER BY seq, noun, id`), first, entries[len(entries)-1].Seq)
	if err != nil {
		return err
	}
	return each(rows, func() error {
		var seq uint64
		var noun, body string
		if err := rows.Scan(&seq, &noun, &body); err != nil {
			return err
		}
		r, err := registry.DecodeRecord(snapshot.Noun(noun), []byte(body))
		if err != nil {
			return err
		}
		i := int(seq - first)
		if i >= len(entries) || entries[i].Seq != seq {
			return fmt.Errorf("revisions of act %d, which is missing", seq)
		}
		entries[i].Changed = append(entries[i].Changed, r)
		return nil
	})
}

// Since implements registry.Store.
func (s *Store) Since(ctx context.Context, seq uint64, limit int) ([]registry.Entry, error) {
	return s.after(ctx, seq, limit, true)
}

// Told implements registry.Store.
func (s *Store) Told(ctx context.Context, seq uint64, limit int) ([]registry.Entry, error) {
	return s.after(ctx, seq, limit, false)
}

func (s *Store) after(ctx context.Context, seq uint64, limit int, records bool) (out []registry.Entry, err error) {
	if seq > math.MaxInt64 || limit < 1 {
		return nil, nil
	}
	err = s.readTx(ctx, func(tx *sql.Tx) error {
		out, err = s.entries(ctx, tx, `WHERE a.seq > ? ORDER BY a.seq LIMIT ?`, seq, limit)
		if err != nil {
			return err
		}
		for i := range out {
			if !out[i].Logged() || out[i].Seq != out[0].Seq+uint64(i) { // a gap is the caller's to find
				out = out[:i]
				break
			}
		}
		if !records {
			return nil
		}
		return s.changed(ctx, tx, out)
	})
	if err != nil {
		return nil, fmt.Errorf("store: acts after %d: %w", seq, err)
	}
	return out, nil
}

// SeqAt implements registry.Store.
func (s *Store) SeqAt(ctx context.Context, t time.Time) (uint64, error) {
	var seq sql.NullInt64
	err := s.db.QueryRowContext(ctx, s.bind(`SELECT MAX(seq) FROM acts WHERE at <= ? AND log_node IS NOT NULL`), micros(t)).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("store: act at a time: %w", err)
	}
	return uint64(seq.Int64), nil
}

// ByID implements registry.Store.
func (s *Store) ByID(ctx context.Context, act id.Act) (registry.Entry, bool, error) {
	return s.one(ctx, `WHERE a.id = ?`, act)
}

// ByKey implements registry.Store.
func (s *Store) ByKey(ctx context.Context, actor id.Person, key string) (registry.Entry, bool, error) {
	return s.one(ctx, `WHERE a.actor = ? AND a.idempotency_key = ?`, actor, key)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (e registry.Entry, ok bool, err error) {
	var found []registry.Entry
	err = s.readTx(ctx, func(tx *sql.Tx) error {
		found, err = s.entries(ctx, tx, where, args...)
		if err != nil {
			return err
		}
		return s.changed(ctx, tx, found)
	})
	if err != nil {
		return e, false, fmt.Errorf("store: act: %w", err)
	}
	if len(found) == 0 {
		return e, false, nil
	}
	return found[0], true, nil
}

// Commit implements registry.Store.
func (s *Store) Commit(ctx context.Context, e *registry.Entry) error {
	reason, err := s.seal.Seal([]byte(e.Reason), reasonAAD(e))
	if err != nil {
		return fmt.Errorf("store: seal the reason of an act: %w", err)
	}
	var content []byte
	if e.Document != nil {
		sealer, err := s.sealerOf(e.Document.Engagement)
		if err == nil {
			content, err = sealer.Seal(e.Document.Content, documentAAD(e.Document.Digest))
		}
		if err != nil {
			return fmt.Errorf("store: seal a document: %w", err)
		}
	}
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `UPDATE head SET seq = ? WHERE id = 1 AND seq = ?`, e.Seq, e.Seq-1)
		if err != nil {
			return err
		}
		if n != 1 {
			return registry.ErrBehind
		}
		if _, err := s.exec(ctx, tx, `INSERT INTO acts (seq, id, kind, noun, subject, actor, requested_by, at, reason, idempotency_key, body, digest)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, e.Seq, e.ID, e.Kind, e.Subject.Noun, e.Subject.ID, e.Actor, e.RequestedBy,
			micros(e.At), reason, sql.NullString{String: e.Key, Valid: e.Key != ""}, string(e.Body), e.Digest); err != nil {
			return fmt.Errorf("insert act: %w", err)
		}
		if e.Document != nil {
			if _, err := s.exec(ctx, tx, `INSERT INTO documents (sha256, media_type, seq, engagement, content) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (sha256) DO UPDATE SET engagement = excluded.engagement, content = excluded.content
				WHERE documents.engagement <> '' AND excluded.engagement = ''`, e.Document.Digest, e.Document.MediaType, e.Seq, string(e.Document.Engagement), content); err != nil {
				return fmt.Errorf("insert document: %w", err)
			}
		}
		for _, r := range e.Changed {
			if err := s.put(ctx, tx, e.Seq, r); err != nil {
				return err
			}
		}
		if _, err := s.exec(ctx, tx, `INSERT INTO outbox (seq, node) VALUES (?, ?)`, e.Seq, e.Node); err != nil {
			return fmt.Errorf("insert into outbox: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: commit act %d: %w", e.Seq, err)
	}
	return nil
}

// Outbox implements registry.Store.
func (s *Store) Outbox(ctx context.Context) (out []registry.Entry, err error) {
	err = s.readTx(ctx, func(tx *sql.Tx) error {
		out, err = s.entries(ctx, tx, `WHERE o.seq IS NOT NULL ORDER BY a.seq`)
		if err != nil {
			return err
		}
		return s.changed(ctx, tx, out)
	})
	if err != nil {
		return nil, fmt.Errorf("store: outbox: %w", err)
	}
	return out, nil
}

// Claim implements registry.Store.
func (s *Store) Claim(ctx context.Context, seq uint64, owner, node string) (bool, error) {
	n, err := s.exec(ctx, s.db, `UPDATE outbox SET node = ? WHERE seq = ? AND node = ?`, node, seq, owner)
	if err != nil {
		return false, fmt.Errorf("store: claim act %d: %w", seq, err)
	}
	return n == 1, nil
}

// MarkLogged implements registry.Store.
func (s *Store) MarkLogged(ctx context.Context, seq uint64, node string, index uint64) error {
	if index > math.MaxInt64 {
		return fmt.Errorf("store: log index %d is too large", index)
	}
	err := s.inTx(ctx, nil, func(tx *sql.Tx) error {
		n, err := s.exec(ctx, tx, `DELETE FROM outbox WHERE seq = ? AND node = ?`, seq, node)
		if err != nil {
			return err
		}
		if n == 0 {
			// Not in the outbox under this node: logged by it before, or taken over.
			n, err = s.exec(ctx, tx, `UPDATE acts SET log_index = log_index WHERE seq = ? AND log_node = ? AND log_index = ?`, seq, node, index)
			if err == nil && n == 0 {
				err = registry.ErrClaimed
			}
			return err
		}
		if _, err := s.exec(ctx, tx, `UPDATE acts SET log_node = ?, log_index = ? WHERE seq = ?`, node, index, seq); err != nil {
			return err
		}
		if s.postgres != "" {
			_, err = s.exec(ctx, tx, `SELECT pg_notify(?, '')`, channel)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store: mark act %d: %w", seq, err)
	}
	return nil
}

// Document implements registry.Store.
func (s *Store) Document(ctx context.Context, digest string) (d registry.Document, ok bool, err error) {
	var sealed []byte
	d.Digest = digest
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT media_type, engagement, content FROM documents WHERE sha256 = ?`), digest).Scan(&d.MediaType, &d.Engagement, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Document{}, false, nil
	}
	if err == nil {
		var sealer Sealer
		if sealer, err = s.sealerOf(d.Engagement); err == nil {
			d.Content, err = sealer.Open(sealed, documentAAD(digest))
		}
	}
	if err != nil {
		return registry.Document{}, false, fmt.Errorf("store: document: %w", err)
	}
	return d, true, nil
}

// sealerOf is under which key a document is.
func (s *Store) sealerOf(engagement id.Engagement) (Sealer, error) {
	switch {
	case engagement == "":
		return s.seal, nil
	case s.sealOf == nil:
		return nil, errors.New("store: the keys of engagements are not to be had here")
	}
	return s.sealOf(engagement)
}

// DocumentsOf implements registry.Store.
func (s *Store) DocumentsOf(ctx context.Context, engagement id.Engagement) (n int, err error) {
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT COUNT(*) FROM documents WHERE engagement = ?`), string(engagement)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: documents of an engagement: %w", err)
	}
	return n, nil
}

// HasDocument implements registry.Store.
func (s *Store) HasDocument(ctx context.Context, digest string) (under id.Engagement, ok bool, err error) {
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT engagement FROM documents WHERE sha256 = ?`), digest).Scan(&under)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("store: document: %w", err)
	}
	return under, true, nil
}

// reasonAAD binds the sealed reason to its act and, by the digest, to all that
// the act's row and its revisions hold.
func reasonAAD(e *registry.Entry) []byte {
	return []byte("sallyport/act-reason/" + string(e.ID) + "/" + e.Digest)
}

func documentAAD(digest string) []byte {
	return []byte("sallyport/document/" + strings.ToLower(digest))
}

// micros is how times are kept: both engines hold and compare a BIGINT alike.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
