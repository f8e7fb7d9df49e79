package hospitaltest_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal"
)

// What an operator's dump of the databases holds is of no use to who takes it: no
// key, no id behind a code, no patient.
func TestNothingUsefulInADump(t *testing.T) {
	for name, where := range map[string]func(*testing.T) string{
		"sqlite":     func(*testing.T) string { return "" },
		"postgresql": func(t *testing.T) string { return hospitaltest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			records := hospital.GenerateCanaries(12, 4)
			url := where(t)
			b := hospitaltest.Start(t, hospitaltest.Options{Records: records, Database: url})
			b.Paper()
			given := codes(t, b)
			random := aRow(t, b, "ZZMRN-4711")
			b.Act(registrytest.Ada, registry.RotateKey{ID: hospitaltest.Engagement, Codes: true})
			const why = "a reason that names ZZNOBODY"
			if _, err := b.People[registrytest.Ada].Act(registry.RotateKey{ID: hospitaltest.Engagement}, why); err != nil {
				t.Fatal(err)
			}
			dump := map[string][]byte{}
			if url != "" {
				dump["the registry"] = dumpPostgres(t, url)
			} else {
				dump["the registry"] = dumpSQLite(t, b.Data("registry.db"))
			}
			dump["the vault"] = dumpSQLite(t, b.Data("vault.db"))
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			if url == "" {
				dump["registry.db"] = mustReadFile(t, b.Data("registry.db"))
			}
			dump["vault.db"] = mustReadFile(t, b.Data("vault.db"))

			needles := map[string]string{"an id beside the gateway": "ZZMRN-4711", "a reason": "ZZNOBODY", "a random code": random}
			root := strings.TrimSpace(string(mustReadFile(t, b.Data("keys", "root.key"))))
			raw, err := base64.StdEncoding.DecodeString(root)
			if err != nil {
				t.Fatal(err)
			}
			needles["the root"] = string(raw)
			ring, err := seal.Open(b.Data("keys"), seal.KeyFile(""))
			if err != nil {
				t.Fatal(err)
			}
			key, err := ring.Engagement(hospitaltest.Engagement)
			if err != nil {
				t.Fatal(err)
			}
			needles["a key derived from the engagement's"] = string(key.Derive("shift"))
			for i, patient := range records.IDs("Patient") {
				needles[fmt.Sprintf("the id of patient %d", i)] = patient
			}
			for i, code := range given {
				needles[fmt.Sprintf("code %d", i)] = code
			}
			for _, file := range []string{"keyring.json", "engagements/" + string(hospitaltest.Engagement) + ".json"} {
				var fields map[string]any
				if err := json.Unmarshal(mustReadFile(t, b.Data("keys", filepath.FromSlash(file))), &fields); err != nil {
					t.Fatal(err)
				}
				for name, v := range fields {
					if text, ok := v.(string); ok && len(text) > 40 {
						wrapped, err := base64.StdEncoding.DecodeString(text)
						if err != nil {
							t.Fatal(err)
						}
						needles["the wrapped "+name+" of "+file] = string(wrapped)
					}
				}
			}
			if len(needles) < 12 {
				t.Fatalf("only %d things are looked for", len(needles))
			}
			var own []byte
			steps, _ := b.Steps()
			for _, s := range steps {
				raw, err := registry.Encode(s.Act)
				if err != nil {
					t.Fatal(err)
				}
				own = append(own, raw...)
			}
			hunter := newHunter(records, own)
			for part, content := range dump {
				if len(content) < 1024 {
					t.Errorf("%s: a dump of %d bytes shows nothing", part, len(content))
				}
				for what, needle := range needles {
					for form, text := range writings(needle) {
						if bytes.Contains(content, []byte(text)) {
							t.Errorf("%s holds %s (%s)", part, what, form)
						}
					}
				}
				if found := hunter.hunt(content); len(found) > 0 {
					t.Errorf("%s holds %s", part, strings.Join(found, "\n\t"))
				}
			}
			// A search that cannot find is no search.
			if !bytes.Contains(dump["the registry"], []byte(hospitaltest.Engagement)) {
				t.Error("the dump of the registry does not even name the engagement")
			}
		})
	}
}

// writings are the forms in which a dump may hold bytes.
func writings(s string) map[string]string {
	return map[string]string{"as it is": s, "hex": hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))),
		"base64": base64.StdEncoding.EncodeToString([]byte(s)), "base64url": base64.RawURLEncoding.EncodeToString([]byte(s))}
}

func mustReadFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// dumpSQLite writes every row of every table, while the program runs.
func dumpSQLite(t *testing.T, path string) []byte {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return dumpTables(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", `"`)
}

// dumpPostgres does the same for the schema that the URL names.
func dumpPostgres(t *testing.T, url string) []byte {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return dumpTables(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()", `"`)
}

func dumpTables(t *testing.T, db *sql.DB, list, quote string) []byte {
	t.Helper()
	var out bytes.Buffer
	var tables []string
	rows, err := db.QueryContext(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+quote+table+quote)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			cells := make([]any, len(columns))
			for i := range cells {
				cells[i] = new(any)
			}
			if err := rows.Scan(cells...); err != nil {
				t.Fatal(err)
			}
			for i, c := range cells {
				switch v := (*c.(*any)).(type) {
				case []byte:
					fmt.Fprintf(&out, "%s.%s=%x ", table, columns[i], v)
					out.Write(v)
				default:
					fmt.Fprintf(&out, "%s.%s=%v ", table, columns[i], v)
				}
				out.WriteByte('\n')
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
