package hospitaltest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
)

// Postgres makes an empty schema in the PostgreSQL database that tests may use,
// and gives the URL that opens it.
func Postgres(t testing.TB) string {
	t.Helper()
	where := need.Postgres(t)
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	schema := "box" + strings.ToLower(string(id.New[id.Act](time.Now())))
	do := func(statement string) error {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit) // also after the test's own context has ended
		defer cancel()
		c, err := pgx.Connect(ctx, where)
		if err != nil {
			return err
		}
		_, err = c.Exec(ctx, statement)
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	if err := do("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := do("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
	})
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
