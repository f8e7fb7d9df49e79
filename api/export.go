package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

// collection is one kind of record, for reads of all of them.
type collection struct {
	noun    snapshot.Noun
	records func(*snapshot.View) []snapshot.Record
}

// collectionOf makes one from a table of the view.
func collectionOf[K ~string, V any](table func(*snapshot.View) snapshot.Table[K, V]) collection {
	zero, _ := any(new(V)).(snapshot.Record)
	return collection{noun: zero.Noun(), records: func(v *snapshot.View) []snapshot.Record {
		var out []snapshot.Record
		for _, row := range table(v).All() {
			if r, ok := any(row).(snapshot.Record); ok {
				out = append(out, r)
			}
		}
		return out
	}}
}

// sheets answers GET /v1/{nouns}?format=csv, and ?format=portable: the records as import
// takes them, all at once.
func (s *server) sheets(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := r.URL.Query().Get("format")
		c, ok := s.collections[strings.TrimPrefix(r.URL.Path, "/v1/")]
		if r.Method != http.MethodGet || format == "" || format == "json" || !ok {
			next.ServeHTTP(w, r)
			return
		}
		var body []byte
		var err error
		media := "application/json"
		switch format {
		case "csv":
			media = "text/csv; charset=utf-8; header=present"
			body, err = asCSV(c.noun, c.records(s.Registry.View()))
		case "portable":
			body, err = asPortable(c.records(s.Registry.View()))
		default:
			err = problem.BadField("format", "is not a format that records come in", "Use json, csv or portable")
		}
		if err != nil {
			problem.From(err).Write(w)
			return
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Disposition", `attachment; filename="`+strings.TrimPrefix(r.URL.Path, "/v1/")+`"`)
		_, _ = w.Write(body) // whoever asked has left
	})
}

// asCSV has the fields that make a record again first, and what the registry says of it
// after them, under names that begin with an underscore.
func asCSV(noun snapshot.Noun, records []snapshot.Record) ([]byte, error) {
	var columns []sheet.Column
	own := map[string]bool{}
	importable, _ := registry.Columns(noun)
	for _, c := range importable {
		columns, own[c.Name] = append(columns, sheet.Column{Name: c.Name, Text: c.Text}), true
	}
	others := map[string]bool{}
	rows := make([]map[string]json.RawMessage, len(records))
	for i, r := range records {
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &rows[i]); err != nil {
			return nil, err
		}
		for name := range rows[i] {
			if !own[name] {
				others[name] = true
			}
		}
		portable, err := registry.Portable(r)
		if err != nil {
			return nil, err
		}
		maps.Copy(rows[i], portable)
	}
	prefix := "_"
	if len(importable) == 0 {
		prefix = "" // nothing of it is read again
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		columns = append(columns, sheet.Column{Name: prefix + name})
	}
	var b bytes.Buffer
	if err := sheet.Write(&b, columns, rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func asPortable(records []snapshot.Record) ([]byte, error) {
	out := []map[string]json.RawMessage{}
	for _, r := range records {
		p, err := registry.Portable(r)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return json.MarshalIndent(out, "", "  ")
}
