package table

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
)

const plainRules = `
version: 1
basis: safe-harbor
as_of: 2026-11-23
columns:
  - name: sex
    method: keep
  - name: dob
    method: year
  - name: zip
    method: zip3
  - {name: weight, method: bin, width: 2.5, origin: "0"}
  - name: result
    method: map
    map: {pos: positive, neg: negative}
risk:
  quasi: [sex, dob, zip]
  sensitive: [result]
  k: 5
  max_prosecutor_risk: 0.2
  suppression_limit: 0.05
  reach: generalise
  hierarchies: {zip: zip}
`

func TestReadRules(t *testing.T) {
	r, err := ReadRules([]byte(plainRules))
	if err != nil {
		t.Fatal(err)
	}
	if r.AsOf.String() != "2026-11-23" || r.Columns[3].Width.String() != "2.5" || r.Columns[4].Map["pos"] != "positive" || r.Risk.K != 5 {
		t.Errorf("read %+v", r)
	}
	again, err := ReadRules([]byte("# a comment\n" + plainRules))
	if err != nil || again.Digest() != r.Digest() || len(r.Digest()) != 64 {
		t.Errorf("a comment changes the digest: %v", err)
	}
	other, err := ReadRules([]byte(strings.Replace(plainRules, "method: zip3", "method: remove", 1) + "\n"))
	if err == nil {
		t.Errorf("a quasi-identifier that is removed is taken: %v", other)
	}
	other, err = ReadRules([]byte(strings.Replace(plainRules, "k: 5", "k: 6", 1)))
	if err != nil || other.Digest() == r.Digest() {
		t.Errorf("another k has the same digest: %v", err)
	}
}

// TestReadRulesRefuses: each mistake is named by its place, and nothing of the
// file is quoted: it may be the table itself.
func TestReadRulesRefuses(t *testing.T) {
	const head = "version: 1\nbasis: minimum-necessary\ncolumns:\n"
	for _, c := range []struct{ name, in, where string }{
		{"nothing", "", "version"},
		{"a table", "name,ssn\nZQX,123-45-6789\n", "rules, line 1"},
		{"unknown key", head + "  - name: a\n    method: keep\n    ZQX: 1\n", "rules, line 6"},
		{"unknown key at the top", "version: 1\nZQX: 1\n", "rules, line 2"},
		{"key twice", "version: 1\nversion: 1\n", "rules, line 2"},
		{"type", "version: ZQX\n", "rules, line 1"},
		{"not YAML", "version: [ZQX\n", "rules, line 1"},
		{"alias", head + "  - &ZQX {name: a, method: keep}\n  - *ZQX\n", "rules, line 4"},
		{"two documents", head + "  - {name: a, method: keep}\n---\nversion: 1\n", "rules"},
		{"no basis", "version: 1\ncolumns:\n  - {name: a, method: keep}\n", "basis"},
		{"no columns", "version: 1\nbasis: safe-harbor\n", "columns"},
		{"no method", head + "  - {name: a}\n", "columns[0].method"},
		{"unknown method", head + "  - {name: a, method: ZQX}\n", "columns[0].method"},
		{"unknown kind", head + "  - {name: a, method: keep, kind: ZQX}\n", "columns[0].kind"},
		{"named twice", head + "  - {name: a, method: keep}\n  - {name: ' A', method: remove}\n", "columns[1].name"},
		{"another method's key", head + "  - {name: a, method: keep, width: 3}\n", "columns[0].width"},
		{"no shape", head + "  - {name: a, method: keep-if-shape}\n", "columns[0].shape"},
		{"bin of nothing", head + "  - {name: a, method: bin, width: 0}\n", "columns[0].width"},
		{"not a number", head + "  - {name: a, method: bin, width: 1e3}\n", "rules"},
		{"year without a day", head + "  - {name: a, method: year}\n", "as_of"},
		{"not a day", "version: 1\nas_of: ZQX\n", "rules"},
		{"shift without a subject", head + "  - {name: a, method: date-shift}\n", "subject"},
		{"top under bottom", head + "  - {name: a, method: top-bottom, top: 1, bottom: 2}\n", "columns[0].top"},
		{"empty map", head + "  - {name: a, method: map, map: {}}\n", "columns[0].map"},
		{"level 0", head + "  - {name: a, method: generalise, hierarchy: a}\n", "columns[0].level"},
		{"risk without columns", head + "  - {name: a, method: keep}\nrisk: {k: 5}\n", "risk.quasi"},
		{"risk of a column that goes", head + "  - {name: a, method: remove}\nrisk: {k: 5, quasi: [a]}\n", "risk.quasi[0]"},
		{"risk over 1", head + "  - {name: a, method: keep}\nrisk: {max_prosecutor_risk: 5, quasi: [a]}\n", "max_prosecutor_risk"},
		{"everything suppressed", head + "  - {name: a, method: keep}\nrisk: {k: 5, suppression_limit: 1, quasi: [a]}\n", "suppression_limit"},
		{"no expert", "version: 1\nbasis: expert-determination\ncolumns:\n  - {name: a, method: keep}\n", "expert"},
		{"deep", "version: " + strings.Repeat("[", 1000), "rules"},
	} {
		_, err := ReadRules([]byte(c.in))
		var p *problem.Problem
		if !errors.As(err, &p) {
			t.Errorf("%s: got %v, want a problem", c.name, err)
			continue
		}
		if !strings.HasPrefix(p.Field, c.where) || (strings.Contains(c.where, "line") && p.Field != c.where) || p.NextStep == "" {
			t.Errorf("%s: got %q at %q, want it at %q", c.name, p, p.Field, c.where)
		}
		if strings.Contains(p.Error(), "ZQX") || strings.Contains(p.Error(), "123-45") {
			t.Errorf("%s: the error quotes the file: %v", c.name, p)
		}
	}
}

// TestBasis: what a basis does not let stand is refused when the rules are
// read, with the paragraph.
func TestBasis(t *testing.T) {
	ok := "ok"
	for _, c := range []struct{ column, sh, lds, expert string }{
		{"{name: MRN, method: keep}", "(b)(2)(i)(H)", "(e)(2)(vii)", "(b)(1)"},
		{"{name: ssn, method: keep-if-shape, shape: code}", "(b)(2)(i)(G)", "(e)(2)(vi)", "(b)(1)"},
		{"{name: mrn, method: code}", ok, ok, ok},
		{"{name: mrn, method: pseudonym}", "164.514(c)", ok, ok},
		{"{name: x, method: pseudonym}", "164.514(c)", ok, ok},
		{"{name: x, method: keep}", ok, ok, ok},
		{"{name: x, method: keep, kind: mrn}", "(b)(2)(i)(H)", "(e)(2)(vii)", "(b)(1)"},
		{"{name: mrn, method: keep, kind: state}", "(b)(2)(i)(H)", "(e)(2)(vii)", "(b)(1)"},
		{"{name: admit_date, method: keep}", "(b)(2)(i)(C)", ok, ok},
		{"{name: admit_date, method: date-shift}", "(b)(2)(i)(C)", ok, ok},
		{"{name: admit_date, method: year}", ok, ok, ok},
		{"{name: dob, method: generalise, hierarchy: h, level: 1}", "(b)(2)(i)(C)", ok, ok},
		{"{name: age, method: keep}", "(b)(2)(i)(C)", ok, ok},
		{"{name: age, method: age-cap}", ok, ok, ok},
		{"{name: age, method: top-bottom, top: 89}", ok, ok, ok},
		{"{name: age, method: top-bottom, top: 90}", "(b)(2)(i)(C)", ok, ok},
		{"{name: age, method: bin, width: 5}", "(b)(2)(i)(C)", ok, ok},
		{"{name: zip, method: keep}", "(b)(2)(i)(B)", ok, ok},
		{"{name: zip, method: zip3}", ok, ok, ok},
		{"{name: city, method: keep}", "(b)(2)(i)(B)", ok, ok},
		{"{name: city, method: code}", "(b)(2)(i)(B)", ok, ok},
		{"{name: county, method: keep}", "(b)(2)(i)(B)", ok, ok},
		{"{name: state, method: keep}", ok, ok, ok},
		{"{name: street_address, method: keep}", "(b)(2)(i)(B)", "(e)(2)(ii)", "(b)(1)"},
		{"{name: last_name, method: keep}", "(b)(2)(i)(A)", "(e)(2)(i)", "(b)(1)"},
		{"{name: clinical_note, method: keep}", "(b)(2)(i)(R)", "(e)(2)", "(b)(1)"},
		{"{name: clinical_note, method: scrub}", ok, ok, ok},
		{"{name: study_subject_id, method: keep}", "(b)(2)(i)(R)", ok, ok},
		{"{name: photo_url, method: code}", ok, ok, ok},
		{"{name: fingerprint, method: code}", "(b)(2)(i)(P)", "(e)(2)(xv)", "(b)(1)"},
	} {
		for basis, want := range map[Basis]string{SafeHarbor: c.sh, LimitedDataSet: c.lds, ExpertDetermination: c.expert, MinimumNecessary: ok} {
			in := "version: 1\nbasis: " + string(basis) + "\nas_of: 2026-11-23\nsubject: s\n" +
				"expert: {name: E, date: 2026-01-01, recipient: R, expires: 2027-01-01}\ncolumns:\n  - " + c.column + "\n"
			_, err := ReadRules([]byte(in))
			var p *problem.Problem
			switch {
			case want == ok && err != nil:
				t.Errorf("%s under %s: %v", c.column, basis, err)
			case want != ok && (!errors.As(err, &p) || !strings.Contains(p.Citation, want) || p.NextStep == ""):
				t.Errorf("%s under %s: got %v (%+v), want a refusal that cites %s", c.column, basis, err, p, want)
			}
		}
	}
}

// FuzzReadRules: no crash, no hang; what is read is lawful by its own check,
// its digest does not move, and no error quotes a canary.
func FuzzReadRules(f *testing.F) {
	f.Add([]byte(plainRules))
	f.Add([]byte("version: 1\nbasis: expert-determination\nsubject: s\nexpert: {name: E, date: 2026-01-01, recipient: R, expires: 2027-01-01}\ncolumns:\n- {name: d, method: date-shift, order: day-first}\n- {name: n, method: scrub}\n"))
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte("- - - - - -"))
	f.Add([]byte("? ? ? ?"))
	f.Add([]byte("\x00"))
	f.Add([]byte("name,ssn\nZQXV,1\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ReadRules(raw)
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Fatalf("not a problem: %v", err)
			}
			if strings.Contains(p.Error(), "ZQXV") {
				t.Fatalf("quotes the file: %v", p)
			}
			return
		}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		if d := r.Digest(); d == "" || d != r.Digest() {
			t.Fatal("the digest moves")
		}
		for _, c := range r.Columns {
			if r.Basis == SafeHarbor && KindOf(c.Name).control() != "" && (c.Method == Keep || c.Method == KeepIfShape || c.Method == Map) {
				t.Fatal("an identifier is kept under Safe Harbor")
			}
		}
	})
}
