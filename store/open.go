package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sallyport/sallyport/id"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Sealer encrypts what is kept at rest. Open fails unless the associated data
// is what Seal was given.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Store is the registry's database. It is a registry.Store.
type Store struct {
	db       *sql.DB
	postgres string // the URL; empty for SQLite
	seal     Sealer
	sealOf   func(id.Engagement) (Sealer, error) // nil: no document is under an engagement's key
}

// An Option changes how a store is opened.
type Option func(*Store)

// WithEngagements gives the sealers of documents that are under an engagement's
// key. An error is passed on: the key may be destroyed.
func WithEngagements(of func(id.Engagement) (Sealer, error)) Option {
	return func(s *Store) { s.sealOf = of }
}

// Open opens the database and brings its schema up to date. Where is a
// PostgreSQL URL ("postgres://...") or the path of an SQLite file.
func Open(ctx context.Context, where string, seal Sealer, options ...Option) (*Store, error) {
	if seal == nil {
		return nil, errors.New("store: a sealer is required")
	}
	s := &Store{seal: seal}
	for _, o := range options {
		o(s)
	}
	dialect := goose.DialectSQLite3
	var err error
	if isPostgres(where) {
		dialect, s.postgres = goose.DialectPostgres, where
		s.db, err = openPostgres(where)
	} else {
		s.db, err = openSQLite(where)
	}
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.db, dialect); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func isPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

func openPostgres(where string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, errors.New("store: the PostgreSQL URL cannot be read; write postgres://user@host:5432/name") // the cause may hold the password
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(8)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

func openSQLite(path string) (*sql.DB, error) {
	if strings.Contains(path, "://") {
		return nil, errors.New("store: only postgres:// URLs and paths of SQLite files are known")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// Made here and not by the driver, so that no one else can read it.
	f, err := os.OpenFile(abs, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	q := url.Values{"_txlock": {"immediate"}, "_time_format": {"sqlite"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("store: open SQLite: %w", err)
	}
	db.SetMaxOpenConns(4)
	return db, nil
}

// migrate brings the schema up to date. Two processes may start at once: the
// one that loses the race tries again and finds the work done. On SQLite it may have
// to wait before it can even look: a change to WAL mode is refused at once where
// another connection has the file, whatever the busy timeout.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	patience := time.Now().Add(busyPatience)
	for attempt := 0; ; {
		err = migrateOnce(ctx, db, dialect, dir)
		if err == nil || errors.Is(err, errNewer) || ctx.Err() != nil {
			break
		}
		pause := busyAgain
		if !busy(err) || time.Now().After(patience) {
			if attempt++; attempt == 10 {
				break
			}
			pause = time.Duration(attempt) * 50 * time.Millisecond
		}
		time.Sleep(pause)
	}
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// How long an SQLite file that another process is making is waited for.
const (
	busyPatience = 10 * time.Second
	busyAgain    = 20 * time.Millisecond
)

// busy: another connection has the file (SQLITE_BUSY and its extended codes).
func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

var errNewer = errors.New("the database was made by a newer version")

func migrateOnce(ctx context.Context, db *sql.DB, dialect goose.Dialect, dir fs.FS) error {
	p, err := goose.NewProvider(dialect, db, dir)
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("%w: the database has schema %d, this program knows %d", errNewer, current, target)
	}
	_, err = p.Up(ctx)
	return err
}

// Close ends all connections.
func (s *Store) Close() error { return s.db.Close() }

// bind writes placeholders as the engine wants them: ? as $1, $2 ... for
// PostgreSQL. No statement here holds a ? of another meaning.
func (s *Store) bind(query string) string {
	if s.postgres == "" {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

const channel = "sallyport_acts"

// Changes listens for PostgreSQL's notices. On SQLite it returns nil: polling
// one small row of a local file is cheap.
func (s *Store) Changes(ctx context.Context) <-chan struct{} {
	if s.postgres == "" {
		return nil
	}
	news := make(chan struct{}, 1)
	go func() {
		defer close(news)
		for ctx.Err() == nil {
			_ = s.listen(ctx, news) // lost connections are made again; polling goes on meanwhile
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return news
}

func (s *Store) listen(ctx context.Context, news chan<- struct{}) error {
	conn, err := pgx.Connect(ctx, s.postgres)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case news <- struct{}{}:
		default: // one is waiting already
		}
	}
}
