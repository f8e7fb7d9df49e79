// Package vault keeps what turns codes back into people: the identities behind
// codes that are too long to be sealed into themselves, who belongs to a
// cohort, and which patients are on hold. It has a database of its own, apart
// from the registry's, so that the registry and its backups never hold it.
//
// Everything in the file is sealed, or is a keyed hash by which something
// sealed is found. Who has the file and not the keyring learns how many codes,
// holds and cohort members there are, and nothing else.
//
// What a decision needs (holds, cohorts, and the count of distinct patients in
// Usage) is in memory and published by one atomic pointer: a decision touches
// no database. Codes of long ids are read through a bounded cache; a new one is
// durable before it is returned, for the vendor will come back with it.
package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // the database driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Vault is an open vault. It is safe for concurrent use, and several processes
// may have one open; each sees the others' changes at its next Reload.
type Vault struct {
	db      *sql.DB
	keys    *seal.Keyring
	cache   cache
	pending pending
	writing sync.Mutex // one writer of this process at a time; SQLite has one anyway
	picture atomic.Pointer[picture]
}

// picture is what decisions see. It is never changed, only replaced.
type picture struct {
	generation uint64
	sealed     []byte // the meta row that it was read with
	holds      *Holds
	cohorts    map[Ref]*Set
}

// meta is the one row that says what must be there. It is sealed, so a row that
// somebody took out of the file is missed.
type meta struct {
	generation uint64
	holds      uint64   // how many
	tally      [16]byte // xor of a keyed hash of each hold's row
}

const (
	schemaVersion = 1
	schema        = `
CREATE TABLE IF NOT EXISTS meta (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	sealed BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS codes (
	engagement BLOB NOT NULL,
	by_id      BLOB NOT NULL,
	by_code    BLOB NOT NULL,
	sealed     BLOB NOT NULL,
	PRIMARY KEY (engagement, by_id),
	UNIQUE (engagement, by_code)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS holds (
	patient BLOB PRIMARY KEY,
	sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cohorts (
	cohort BLOB PRIMARY KEY,
	sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cohort_parts (
	cohort BLOB NOT NULL REFERENCES cohorts (cohort),
	part   INTEGER NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (cohort, part)
) STRICT, WITHOUT ROWID;`

	// writeLimit bounds a write that its caller no longer waits for.
	writeLimit = 30 * time.Second
)

// Open opens the vault at path, and makes it where there is none. The keyring
// must be the one that the vault was made with.
func Open(ctx context.Context, path string, keys *seal.Keyring) (*Vault, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	dsn, err := source(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	db.SetMaxOpenConns(4)
	v := &Vault{db: db, keys: keys}
	// Where several processes make one vault at once, SQLite refuses the change to
	// WAL mode without waiting (its busy handler is not asked, to avoid a deadlock).
	for deadline := time.Now().Add(openPatience); ; time.Sleep(openAgain) {
		if err = v.prepare(ctx); err == nil {
			return v, nil
		}
		if !busy(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return nil, errors.Join(err, db.Close())
		}
	}
}

// How long a vault that another process is making is waited for.
const (
	openPatience = 10 * time.Second
	openAgain    = 10 * time.Millisecond
)

// busy: another connection has the lock (SQLITE_BUSY with its extended codes).
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// create makes an empty file that is nobody else's from the start; SQLite gives
// its -wal and -shm the same mode. A file that is there is not so much as
// opened: to close it again would drop the locks of another Vault of this
// process ("How To Corrupt An SQLite Database File", section 2.2).
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return problem.New(problem.Unavailable, "the vault "+path+" cannot be made",
			"Make its directory, or let this user write there").Because(err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("make vault: %w", err)
	}
	return nil
}

// source is the data source name. synchronous is FULL: in WAL mode the default
// loses the last commits with the power, and a code that was handed out must
// not be lost.
func source(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open vault: %w", err)
	}
	q := url.Values{
		"_pragma":      {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(1)"},
		"_txlock":      {"immediate"},
		"_time_format": {"sqlite"},
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}).String(), nil
}

// Close closes the database. Nobody may use the vault after that.
func (v *Vault) Close() error {
	v.picture.Store(nil)
	return v.db.Close()
}

// Ping says whether the database answers.
func (v *Vault) Ping(ctx context.Context) error {
	var one int
	return v.db.QueryRowContext(ctx, "SELECT id FROM meta").Scan(&one)
}

// Generation rises by one with every change of holds or cohorts, and is sealed.
// A copy of the file from an earlier day opens like any other; who writes the
// generation down elsewhere can tell.
func (v *Vault) Generation() uint64 {
	p := v.picture.Load()
	if p == nil {
		return 0
	}
	return p.generation
}

// prepare makes what is missing and reads everything once.
func (v *Vault) prepare(ctx context.Context) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open vault: %w", err)
	}
	defer tx.Rollback()
	var have int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("open vault: %w", err)
	}
	switch have {
	case 0:
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA user_version = %d", schema, schemaVersion)); err != nil {
			return fmt.Errorf("make vault: %w", err)
		}
		if err := v.writeMeta(ctx, tx, &meta{}); err != nil {
			return err
		}
	case schemaVersion:
	default:
		return problem.New(problem.Unavailable, fmt.Sprintf("the vault has form %d, and this program knows form %d", have, schemaVersion),
			"Run the version of the program that wrote it, or a newer one")
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("open vault: %w", err)
	}
	return v.Reload(ctx)
}

// Reload reads holds and cohorts again if another process changed them; it
// costs one small query where none did. On an error the old picture stays, and
// how old it may grow is the caller's to decide.
func (v *Vault) Reload(ctx context.Context) error {
	sealed, err := readSealed(ctx, v.db, "SELECT sealed FROM meta")
	if err != nil {
		return fmt.Errorf("read vault: %w", err)
	}
	if p := v.picture.Load(); p != nil && bytes.Equal(p.sealed, sealed) {
		return nil
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	return v.load(ctx)
}

// load reads everything in one transaction and publishes it. Who calls it holds
// v.writing.
func (v *Vault) load(ctx context.Context) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("read vault: %w", err)
	}
	defer tx.Rollback()
	m, sealed, err := v.readMeta(ctx, tx)
	if err != nil {
		return err
	}
	p := &picture{generation: m.generation, sealed: sealed}
	if p.holds, err = v.readHolds(ctx, tx, m); err != nil {
		return err
	}
	if p.cohorts, err = v.readCohorts(ctx, tx); err != nil {
		return err
	}
	v.picture.Store(p)
	return nil
}

// change runs write in a transaction, and publishes what it returns once that
// is durable. A caller that goes away does not stop it half-way: what is
// durable is also published. Where that cannot be known, everybody is on hold
// until the vault has been read again.
func (v *Vault) change(ctx context.Context, write func(context.Context, *sql.Tx, *meta) (func(*picture), error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	v.writing.Lock()
	defer v.writing.Unlock()
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(err)
	}
	defer tx.Rollback()
	m, _, err := v.readMeta(ctx, tx)
	if err != nil {
		return err
	}
	before := m.generation
	apply, err := write(ctx, tx, m)
	if err != nil {
		return err
	}
	if apply == nil { // nothing to write, but perhaps something to see
		if p := v.picture.Load(); p != nil && p.generation == before {
			return nil
		}
		if err := tx.Rollback(); err != nil {
			return unavailable(err)
		}
		return v.load(ctx)
	}
	m.generation++
	if err := v.writeMeta(ctx, tx, m); err != nil {
		return err
	}
	sealed, err := readSealed(ctx, tx, "SELECT sealed FROM meta")
	if err != nil {
		return unavailable(err)
	}
	if err := tx.Commit(); err != nil {
		v.picture.Store(nil)
		return unavailable(errors.Join(err, v.load(ctx)))
	}
	p := v.picture.Load()
	if p == nil || p.generation != before {
		if err := v.load(ctx); err != nil {
			v.picture.Store(nil)
			return unavailable(err)
		}
		return nil
	}
	next := &picture{generation: m.generation, sealed: sealed, holds: p.holds, cohorts: p.cohorts}
	apply(next)
	v.picture.Store(next)
	return nil
}

var metaAAD = []byte("vault/meta")

func (v *Vault) readMeta(ctx context.Context, tx *sql.Tx) (*meta, []byte, error) {
	sealed, err := readSealed(ctx, tx, "SELECT sealed FROM meta")
	if err != nil {
		return nil, nil, unavailable(err)
	}
	b, err := v.keys.Documents().Open(sealed, metaAAD)
	if err != nil || len(b) != 32 {
		return nil, nil, problem.New(problem.Unavailable, "the vault does not open with this keyring",
			"Give the keyring that the vault was made with, or restore both from the same backup").Because(err)
	}
	return &meta{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), [16]byte(b[16:])}, sealed, nil
}

func (v *Vault) writeMeta(ctx context.Context, tx *sql.Tx, m *meta) error {
	b := binary.BigEndian.AppendUint64(nil, m.generation)
	b = binary.BigEndian.AppendUint64(b, m.holds)
	b = append(b, m.tally[:]...)
	sealed, err := v.keys.Documents().Seal(b, metaAAD)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO meta (id, sealed) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed", sealed); err != nil {
		return unavailable(err)
	}
	return nil
}

// count adds a row to the tally, or takes it out again.
func (v *Vault) count(m *meta, index, sealed []byte, by int) {
	h := v.keys.Owner().Index("vault/hold-row", append(bytes.Clone(index), sealed...))
	subtle.XORBytes(m.tally[:], m.tally[:], h[:])
	m.holds += uint64(by)
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readSealed(ctx context.Context, q querier, query string, args ...any) (sealed []byte, err error) {
	err = q.QueryRowContext(ctx, query, args...).Scan(&sealed)
	return sealed, err
}

func unavailable(err error) error {
	return problem.New(problem.Unavailable, "the vault cannot be read or written",
		"Nothing was released. See that its disk is there and has room, then try again").Because(err)
}

// errTampered is a row that does not open, or is gone. It names no row.
func errTampered(what string, err error) error {
	return problem.New(problem.Unavailable, "the vault's "+what+" were changed by something other than this program, or are damaged",
		"Restore the vault from its backup, and find out who had access to its file").Because(err)
}
