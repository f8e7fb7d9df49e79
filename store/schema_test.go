package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// column is one column in words that both engines share.
type column struct {
	table, name, typ string
	notNull          bool
}

func TestBothEnginesHaveTheSameSchema(t *testing.T) {
	lite := engines["sqlite"](t)
	pg := postgres(t)
	open(t, lite)
	open(t, pg)
	got, want := strings.Join(sqliteSchema(t, raw(t, lite)), "\n"), strings.Join(postgresSchema(t, raw(t, pg)), "\n")
	if got != want {
		t.Errorf("SQLite:\n%s\nPostgreSQL:\n%s", got, want)
	}
	for _, must := range []string{"acts idempotency_key text null", "index acts_key acts(actor,idempotency_key) unique", "vendors id text not null",
		"outbox seq -> acts seq", "revisions key id,noun,seq"} {
		if !strings.Contains(got, must) {
			t.Errorf("the comparison misses %q, so it compares too little", must)
		}
	}
}

func query(t *testing.T, db *sql.DB, q string, args ...any) (out [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), q, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		vals := make([]sql.NullString, len(names))
		ptrs := make([]any, len(names))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(names))
		for i := range vals {
			row[i] = vals[i].String
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func line(c column) string {
	null := "null"
	if c.notNull {
		null = "not null"
	}
	return fmt.Sprintf("%s %s %s %s", c.table, c.name, strings.ToLower(c.typ), null)
}

func keyLine(table string, columns []string) string {
	slices.Sort(columns)
	return table + " key " + strings.Join(columns, ",")
}

func sqliteSchema(t *testing.T, db *sql.DB) (out []string) {
	for _, table := range query(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`) {
		var key []string
		for _, c := range query(t, db, `SELECT name, type, "notnull", pk FROM pragma_table_info(?)`, table[0]) {
			out = append(out, line(column{table[0], c[0], c[1], c[2] == "1"}))
			if c[3] != "0" {
				key = append(key, c[0])
			}
		}
		out = append(out, keyLine(table[0], key))
		for _, f := range query(t, db, `SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)`, table[0]) {
			out = append(out, fmt.Sprintf("%s %s -> %s %s", table[0], f[0], f[1], f[2]))
		}
		for _, i := range query(t, db, `SELECT name, "unique" FROM pragma_index_list(?) WHERE origin = 'c'`, table[0]) {
			var cols []string
			for _, c := range query(t, db, `SELECT name FROM pragma_index_info(?) ORDER BY seqno`, i[0]) {
				cols = append(cols, c[0])
			}
			out = append(out, indexLine(i[0], table[0], strings.Join(cols, ","), i[1] == "1"))
		}
	}
	slices.Sort(out)
	return out
}

func indexLine(name, table, columns string, unique bool) string {
	s := fmt.Sprintf("index %s %s(%s)", name, table, columns)
	if unique {
		s += " unique"
	}
	return s
}

func postgresSchema(t *testing.T, db *sql.DB) (out []string) {
	for _, c := range query(t, db, `SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
		WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose_%'`) {
		out = append(out, line(column{c[0], c[1], c[2], c[3] == "NO"}))
	}
	for _, k := range query(t, db, `SELECT tc.table_name, string_agg(k.column_name, ',') FROM information_schema.table_constraints tc
		JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
		WHERE tc.constraint_type = 'PRIMARY KEY' AND tc.table_schema = current_schema() AND tc.table_name NOT LIKE 'goose_%' GROUP BY 1`) {
		out = append(out, keyLine(k[0], strings.Split(k[1], ",")))
	}
	for _, f := range query(t, db, `SELECT tc.table_name, k.column_name, u.table_name, u.column_name FROM information_schema.table_constraints tc
		JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
		JOIN information_schema.constraint_column_usage u USING (constraint_schema, constraint_name)
		WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_schema = current_schema()`) {
		out = append(out, fmt.Sprintf("%s %s -> %s %s", f[0], f[1], f[2], f[3]))
	}
	for _, i := range query(t, db, `SELECT c.relname, t.relname, string_agg(a.attname, ',' ORDER BY array_position(i.indkey::int2[], a.attnum)), i.indisunique
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
		JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = current_schema() AND NOT i.indisprimary AND t.relname NOT LIKE 'goose_%' GROUP BY 1, 2, 4`) {
		out = append(out, indexLine(i[0], i[1], i[2], i[3] == "true"))
	}
	slices.Sort(out)
	return out
}
