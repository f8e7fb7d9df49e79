package course

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// people is a view with Lin, who signs in elsewhere as 00u1, an approved course with a
// test and one without, and a course that is only proposed.
func people() *snapshot.View {
	e := (&snapshot.View{}).Edit()
	ok := snapshot.Approval{State: snapshot.Approved, RequestedBy: "ada", ApprovedBy: "grace"}
	for _, r := range []snapshot.Record{
		&snapshot.Person{ID: "lin", Vendor: "northwind", Name: "Lin Example", Region: "US", Login: snapshot.Login{Connector: "okta", Subject: "00u1"}, Approval: ok},
		&snapshot.Person{ID: "kit", Vendor: "northwind", Name: "Kit", Approval: ok},
		&snapshot.Connector{ID: "okta", Vendor: "northwind", Issuer: "https://login.northwind.example", Approval: ok},
		&snapshot.Course{ID: "c1", Course: "privacy-101", Version: "3", Title: "Privacy 101", Activity: "https://lms.example/privacy", Covers: []string{"M1"}, PassMark: .8, RefreshMonths: 12, Approval: ok},
		&snapshot.Course{ID: "c2", Course: "desk", Version: "1", Title: "Clean desk", Activity: "https://lms.example/desk", Covers: []string{"M2"}, RefreshMonths: 12, Approval: ok},
		&snapshot.Course{ID: "c3", Course: "later", Version: "1", Title: "Later", Activity: "https://lms.example/later", Approval: snapshot.Approval{State: snapshot.Proposed}},
		&snapshot.Training{ID: "t1", Person: "lin", Course: "desk", Version: "1", Passed: true, Score: 1, CompletedAt: now.AddDate(0, -1, 0), ExpiresAt: now.AddDate(0, 11, 0), External: "known-1", Modules: []string{"M2"}},
		&snapshot.Training{ID: "t2", Person: "kit", Course: "=cmd", Version: "1", CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0)},
		&snapshot.Training{ID: "t3", Person: "kit", Course: "desk", Version: "1", Passed: true, CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0), RevokedAt: now},
	} {
		e.Put(r)
	}
	return e.Publish(1, 0, now)
}

const head = "person,course,version,score,completed_at\n"

func TestReadCSV(t *testing.T) {
	v := people()
	good := "\xef\xbb\xbfexternal,version,course,person,completed_at,score,hours\r\nr1,3,privacy-101,lin,2026-05-01,0.9,1.5\r\n,1,desk,kit,2026-05-02T09:00:00+02:00,0,\r\nknown-1,1,desk,lin,2026-05-01,1,\r\n"
	got := ReadCSV([]byte(good), v, now)
	if len(got.Wrong) > 0 || len(got.Completions) != 2 || len(got.Known) != 1 || got.Completions[0].Hours != 1.5 || got.Completions[0].External != "r1" ||
		!strings.HasPrefix(got.Completions[1].External, "csv-") || !got.Completions[1].CompletedAt.Equal(time.Date(2026, 5, 2, 7, 0, 0, 0, time.UTC)) {
		t.Fatalf("got %+v", got)
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "line 1: has no head"},
		{"an unknown column", "person,email\n", "line 1, column 2"},
		{"a column twice", "person,person\n", "line 1, column 2"},
		{"a column is missing", "person,course,version,score\n", "line 1, column completed_at: is missing"},
		{"nobody", head + "nobody,desk,1,1,2026-05-01\n", "line 2, column person"},
		{"a score of percents", head + "lin,privacy-101,3,1,2026-05-01\nlin,privacy-101,3,90,2026-05-02\n", "line 3, column score"},
		{"a score that is none", head + "lin,privacy-101,3,NaN,2026-05-02\n", "line 2, column score"},
		{"below the pass mark", head + "lin,privacy-101,3,0.79,2026-05-02\n", "line 2, column score"},
		{"not approved", head + "lin,later,1,1,2026-05-02\n", "line 2, column course"},
		{"another version", head + "lin,privacy-101,4,1,2026-05-02\n", "line 2, column course"},
		{"tomorrow", head + "lin,desk,1,1,2026-06-02\n", "line 2, column completed_at"},
		{"no time", head + "lin,desk,1,1,05/01/2026\n", "line 2, column completed_at"},
		{"an empty cell", head + "lin,,1,1,2026-05-01\n", "line 2, column course"},
		{"a row twice", head + "lin,desk,1,1,2026-05-01\nlin,desk,1,1,2026-05-01\n", "line 3, column external"},
		{"a short row", head + "lin,desk,1\n", "line 2: does not have the columns"},
		{"an open quote", head + "\"lin,desk,1,1,2026-05-01\n", "line "},
		{"a quote with a line break before", head + "\"lin\n\",desk,1,1,2026-05-01\nnobody,desk,1,1,2026-05-01\n", "line 4, column person"},
	} {
		got := ReadCSV([]byte(c.text), v, now)
		if len(got.Wrong) == 0 || !strings.HasPrefix(got.Wrong[len(got.Wrong)-1].String(), c.want) {
			t.Errorf("%s: got %+v, want %q", c.name, got.Wrong, c.want)
		}
	}
	if got := ReadCSV([]byte(head+strings.Repeat("nobody,x,1,1,2026-05-01\n", 1000)), v, now); len(got.Wrong) != maxWrong {
		t.Errorf("%d mistakes are told", len(got.Wrong))
	}
	if got := ReadCSV(make([]byte, MaxBytes+1), v, now); len(got.Wrong) != 1 {
		t.Errorf("got %+v", got)
	}
}

// say is an xAPI statement by Lin's account, changed by f.
func say(f func(m map[string]any)) string {
	m := map[string]any{"id": "7ccd3322-e1a5-411a-a67d-6a735c76f119", "version": "1.0.3", "timestamp": "2026-05-01T10:00:00Z",
		"actor":  map[string]any{"objectType": "Agent", "account": map[string]any{"homePage": "https://login.northwind.example", "name": "00u1"}},
		"verb":   map[string]any{"id": verbPassed, "display": map[string]any{"en-US": "passed"}},
		"object": map[string]any{"id": "https://lms.example/privacy", "definition": map[string]any{"name": map[string]any{"de": "Datenschutz"}}},
		"result": map[string]any{"score": map[string]any{"scaled": .9, "raw": 9}, "success": true, "duration": "PT1H30M", "extensions": map[string]any{"https://x.example/a": 1}},
		// what is not read
		"context": map[string]any{"platform": "An LMS"}, "authority": map[string]any{"mbox": "mailto:lms@x.example"}, "stored": "2026-05-01T10:00:01Z"}
	if f != nil {
		f(m)
	}
	raw, _ := json.Marshal(m)
	return string(raw)
}

func at(m map[string]any, name string) map[string]any { x, _ := m[name].(map[string]any); return x }

func TestReadStatements(t *testing.T) {
	v, base := people(), "https://people.example.org"
	got := ReadStatements([]byte(say(nil)), v, "", base, now)
	if len(got.Wrong) > 0 || len(got.Completions) != 1 || got.Completions[0].Person != "lin" || got.Completions[0].Course != "privacy-101" || got.Completions[0].Version != "3" ||
		got.Completions[0].Score != .9 || got.Completions[0].Hours != 1.5 || got.Completions[0].External != "xapi-7ccd3322-e1a5-411a-a67d-6a735c76f119" {
		t.Fatalf("got %+v", got)
	}
	// Version 2.0 of xAPI, an account here, a course without a test, other verbs.
	list := "[" + say(func(m map[string]any) {
		m["version"], m["id"] = "2.0.0", "00000000-0000-4000-8000-000000000001"
		m["actor"] = map[string]any{"account": map[string]any{"homePage": base + "/", "name": "kit"}}
		m["verb"], m["object"] = map[string]any{"id": verbCompleted}, map[string]any{"id": "https://lms.example/desk"}
		delete(m, "result")
	}) + "," + say(func(m map[string]any) { m["verb"] = map[string]any{"id": "http://adlnet.gov/expapi/verbs/launched"} }) + "]"
	if got := ReadStatements([]byte(list), v, "", base, now); len(got.Wrong) > 0 || len(got.Completions) != 1 || got.Completions[0].Person != "kit" || got.Left != 1 {
		t.Fatalf("got %+v", got)
	}
	for _, c := range []struct {
		name, column string
		f            func(m map[string]any)
	}{
		{"by address", "actor", func(m map[string]any) { m["actor"] = map[string]any{"mbox": "mailto:lin@x.example"} }},
		{"a group", "actor", func(m map[string]any) { at(m, "actor")["objectType"] = "Group" }},
		{"nobody's account", "actor.account", func(m map[string]any) { at(at(m, "actor"), "account")["name"] = "00u2" }},
		{"another provider's", "actor.account", func(m map[string]any) { at(at(m, "actor"), "account")["homePage"] = "https://evil.example" }},
		{"not approved", "object.id", func(m map[string]any) { at(m, "object")["id"] = "https://lms.example/later" }},
		{"not a course", "object.id", func(m map[string]any) { at(m, "object")["objectType"] = "StatementRef" }},
		{"no success", "result", func(m map[string]any) { at(m, "result")["success"] = false }},
		{"not completed", "result", func(m map[string]any) { at(m, "result")["completion"] = false }},
		{"no score", "result.score.scaled", func(m map[string]any) { delete(at(m, "result"), "score") }},
		{"a low score", "result.score.scaled", func(m map[string]any) { at(at(m, "result"), "score")["scaled"] = .5 }},
		{"a score of 9", "result.score.scaled", func(m map[string]any) { at(at(m, "result"), "score")["scaled"] = 9 }},
		{"no time", "timestamp", func(m map[string]any) { delete(m, "timestamp") }},
		{"tomorrow", "timestamp", func(m map[string]any) { m["timestamp"] = "2026-06-02T00:00:00Z" }},
		{"no id", "id", func(m map[string]any) { delete(m, "id") }},
		{"version 3", "version", func(m map[string]any) { m["version"] = "3.0" }},
		{"taken back", "verb", func(m map[string]any) { at(m, "verb")["id"] = verbVoided }},
		{"no verb", "verb.id", func(m map[string]any) { delete(m, "verb") }},
	} {
		got := ReadStatements([]byte(say(c.f)), v, "", base, now)
		if len(got.Wrong) != 1 || got.Wrong[0].Column != c.column || got.Wrong[0].Line != 1 || len(got.Completions) > 0 {
			t.Errorf("%s: got %+v, want %s", c.name, got, c.column)
		}
	}
	for _, text := range []string{"", "{", "[]", "7", `{"id":"a","id":"b"}`, `{"verb":7}`} {
		if got := ReadStatements([]byte(text), v, "", base, now); len(got.Wrong) != 1 || len(got.Completions) > 0 {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

// A vendor's system hears nothing of anybody else's people: neither whether there is such
// a person, nor what is recorded of them.
func TestAVendorsSystemTellsOfItsOwnPeople(t *testing.T) {
	v, base := people(), "https://people.example.org"
	e := v.Edit()
	e.Put(&snapshot.Training{ID: "t9", Person: "kit", Course: "privacy-101", Version: "3", Passed: true, CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0), External: "xapi-7ccd3322-e1a5-411a-a67d-6a735c76f119"})
	known := e.Publish(2, 0, now)
	text := func(name string) []byte {
		return []byte(say(func(m map[string]any) {
			m["actor"] = map[string]any{"account": map[string]any{"homePage": base, "name": name}}
		}))
	}
	nobody := ReadStatements(text("no-such-person"), v, "southwind", base, now)
	for what, v := range map[string]*snapshot.View{"new": v, "recorded already": known} {
		got := ReadStatements(text("kit"), v, "southwind", base, now)
		if len(got.Completions)+len(got.Known) > 0 || len(got.Wrong) != 1 || got.Wrong[0] != nobody.Wrong[0] {
			t.Errorf("%s: got %+v, want %+v", what, got, nobody)
		}
	}
	if got := ReadStatements(text("kit"), known, "northwind", base, now); len(got.Known) != 1 || len(got.Wrong) > 0 {
		t.Errorf("its own: got %+v", got)
	}
	// Nor does an id that another's completion has pass for one that is recorded.
	if got := ReadStatements(text("lin"), known, "northwind", base, now); len(got.Known) > 0 || len(got.Wrong) != 1 {
		t.Errorf("another's id: got %+v", got)
	}
}

// What is written can be read: by the same accounts, with the same completions.
func TestWhatIsExportedIsRead(t *testing.T) {
	v, base := people(), "https://people.example.org/"
	raw, err := WriteStatements(v, base)
	if err != nil || strings.Contains(string(raw), "Lin Example") || strings.Contains(string(raw), "t3") {
		t.Fatalf("got %s, %v", raw, err)
	}
	again, err := WriteStatements(v, base)
	if err != nil || string(again) != string(raw) {
		t.Error("the same export twice says different things")
	}
	got := ReadStatements(raw, v, "", base, now)
	if len(got.Wrong) > 0 || len(got.Completions) != 1 || got.Completions[0].Person != "lin" || got.Completions[0].Course != "desk" || got.Left != 1 {
		t.Errorf("got %+v of %s", got, raw)
	}
	text, err := WriteCSV(v)
	if err != nil || strings.Count(string(text), "\n") != 4 || !strings.Contains(string(text), "'=cmd") {
		t.Errorf("got %s, %v", text, err)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte(head + "lin,desk,1,1,2026-05-01\n"))
	f.Add([]byte(head + "\"a\nb\",,\n"))
	v := people()
	f.Fuzz(func(t *testing.T, raw []byte) { checkTold(t, ReadCSV(raw, v, now)) })
}

func FuzzStatements(f *testing.F) {
	f.Add([]byte(say(nil)))
	f.Add([]byte("[" + say(nil) + "]"))
	v := people()
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkTold(t, ReadStatements(raw, v, "", "https://people.example.org", now))
	})
}

// checkTold wants nothing taken that could not be recorded.
func checkTold(t *testing.T, got Told) {
	for _, c := range got.Completions {
		of, ok := Approved(people(), c.Course, c.Version)
		if !ok || c.Score < of.PassMark || c.Score > 1 || c.CompletedAt.After(now) || c.External == "" || c.Person != "lin" && c.Person != "kit" {
			t.Errorf("taken: %+v", c)
		}
	}
	if len(got.Wrong) > maxWrong || len(got.Completions) > MaxTold {
		t.Errorf("%d mistakes, %d completions", len(got.Wrong), len(got.Completions))
	}
	_ = fmt.Sprint(got.Wrong)
}
