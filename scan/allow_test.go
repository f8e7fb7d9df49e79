package scan

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

const goodAllow = `version: 1
paths:
  - glob: testdata/**
    reason: invented
  - glob: "**/*.csv"
    reason: public
    categories: [CITY, ZIP]
    expires: 2027-01-31
fingerprints:
  - id: p1-00112233445566778899aabbccddeeff
    reason: invented
    expires: 2026-11-25
categories:
  - name: FACILITY
    reason: ours is public
`

func TestAllowReads(t *testing.T) {
	a, err := ParseAllow([]byte(goodAllow), "f.yaml", now)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{"testdata/a": true, "testdata/a/b.csv": true, "x/testdata/a": false, "a.csv": false, "testdata2/a": false} {
		if got := a.skips(file); got != want {
			t.Errorf("skips %s: got %v, want %v", file, got, want)
		}
	}
	for _, c := range []struct {
		f    Finding
		want bool
	}{
		{Finding{rel: "d/a.csv", Category: "ZIP"}, true},
		{Finding{rel: "d/a.csv", Category: "SSN"}, false},
		{Finding{rel: "d/a.tsv", Category: "ZIP"}, false},
		{Finding{rel: "x", Category: "FACILITY"}, true},
		{Finding{rel: "x", Category: "SSN", Fingerprint: "p1-00112233445566778899aabbccddeeff"}, true},
		{Finding{rel: "x", Category: "SSN", Fingerprint: "p1-ff112233445566778899aabbccddeeff"}, false},
	} {
		if got := a.allows(c.f); got != c.want {
			t.Errorf("allows %+v: got %v, want %v", c.f, got, c.want)
		}
	}
	if got := a.unused(true); len(got) != 0 {
		t.Errorf("got %v unused, want none", got)
	}
}

func TestAllowRefuses(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"an unknown key":       {"version: 1\npath:\n  - glob: x\n", "2 | path:"},
		"no version":           {"paths: []\n", "version"},
		"no reason":            {"version: 1\npaths:\n  - glob: x/**\n", "paths, entry 1: has no reason"},
		"everything":           {"version: 1\npaths:\n  - glob: \"**\"\n    reason: r\n", "excepts everything"},
		"no expiry":            {"version: 1\nfingerprints:\n  - id: p1-00112233445566778899aabbccddeeff\n    reason: r\n", "no day on which it ends"},
		"expired":              {"version: 1\nfingerprints:\n  - id: p1-00112233445566778899aabbccddeeff\n    reason: r\n    expires: 2026-11-24\n", "expired on 2026-11-24"},
		"an expired path":      {"version: 1\npaths:\n  - glob: x\n    reason: r\n    expires: 2020-01-01\n", "expired on 2020-01-01"},
		"no day":               {"version: 1\ncategories:\n  - name: CITY\n    reason: r\n    expires: soon\n", "is not a day"},
		"an unknown category":  {"version: 1\ncategories:\n  - name: TOWN\n    reason: r\n", "a category that there is not"},
		"no fingerprint":       {"version: 1\nfingerprints:\n  - id: x\n    reason: r\n    expires: 2027-01-01\n", "is not a fingerprint"},
		"a pattern half ended": {"version: 1\npaths:\n  - glob: \"a[\"\n    reason: r\n", "does not read as a pattern"},
	} {
		a, err := ParseAllow([]byte(c.yaml), "f.yaml", now)
		if err == nil || a != nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "f.yaml") {
			t.Errorf("%s: got %q, want %q in it", name, err, c.want)
		}
	}
}

// A fingerprint survives lines that come and go above it. Without a key it is
// the same for other values of the same shape, so it cannot be asked which one
// it is; with a key, prints of values tell them apart.
func TestFingerprints(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	print := func(key []byte, text string) (string, string) {
		t.Helper()
		rep := scanPaths(t, Options{Key: key}, filepath.Base(write(t, dir, "a.log", text)))
		if len(rep.Findings) != 1 {
			t.Fatalf("got %d findings, want 1", len(rep.Findings))
		}
		return rep.Findings[0].Fingerprint, rep.Findings[0].Value
	}
	key := bytes.Repeat([]byte{3}, MinKey)
	other := bytes.Repeat([]byte{4}, MinKey)
	place, value := print(key, "ssn: 412-68-1907\n")
	moved, same := print(key, "more\nlines\n\nhere  ssn: 412-68-1907\n")
	if place != moved || value != same {
		t.Error("a finding that moved has another fingerprint")
	}
	place2, value2 := print(key, "ssn: 418-22-9071\n")
	if place2 != place {
		t.Error("the fingerprint of a place depends on the value: it could be guessed from")
	}
	if value2 == value {
		t.Error("two values have one print")
	}
	if _, v := print(other, "ssn: 412-68-1907\n"); v == value {
		t.Error("the print of a value does not depend on the key")
	}
	if _, v := print(nil, "ssn: 412-68-1907\n"); v != "" {
		t.Error("without a key there is a print of the value")
	}
}

func TestAllowedIsCounted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.log", "ssn: "+plantedSSN+"\n")
	first := scanPaths(t, Options{Root: dir}, dir)
	list := "version: 1\nfingerprints:\n  - id: " + first.Findings[0].Fingerprint + "\n    reason: invented\n    expires: 2027-01-01\n" +
		"  - id: p1-00112233445566778899aabbccddeeff\n    reason: gone\n    expires: 2027-01-01\n"
	a, err := LoadAllow(write(t, dir, AllowName, list), now)
	if err != nil {
		t.Fatal(err)
	}
	rep := scanPaths(t, Options{Root: dir, Allow: a}, dir)
	if len(rep.Findings) != 0 || rep.Allowed != 1 || len(rep.Unused) != 1 {
		t.Errorf("got %d findings, %d allowed, %d unused; want 0, 1, 1", len(rep.Findings), rep.Allowed, len(rep.Unused))
	}
	if _, err := LoadAllow(filepath.Join(dir, "nowhere"), now); err == nil {
		t.Error("a list that is not there: got no error")
	}
}
