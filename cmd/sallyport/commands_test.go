package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

func model(t *testing.T, options ...kong.Option) *kong.Kong {
	t.Helper()
	k, err := kong.New(new(cli), append(append(options, kong.Name("sallyport")), nounCommands()...)...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A next step that names a command which is not there sends its reader away
// with nothing.
func TestEveryCommandThatIsNamedExists(t *testing.T) {
	children := map[string]map[string]bool{}
	for _, node := range model(t).Model.Children {
		children[node.Name] = map[string]bool{}
		if node.DefaultCmd != nil {
			continue // what follows its name may be an argument: sallyport verify FOLDER
		}
		for _, c := range node.Children {
			children[node.Name][c.Name] = true
		}
	}
	inGo := regexp.MustCompile(`sallyport ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?`)
	inDocs := regexp.MustCompile("(?m)(?:`|^(?:\\./)?|\\(\\./)sallyport ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
	seen := 0
	check := func(file string, text []byte, pattern *regexp.Regexp) {
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			noun, verb := string(m[1]), string(m[2])
			verbs, ok := children[noun]
			if !ok {
				t.Errorf("%s names %q, which is no command", file, m[0])
				continue
			}
			seen++
			if len(verbs) > 0 && verb != "" && !verbs[verb] {
				t.Errorf("%s names %q; %s has no %s", file, m[0], noun, verb)
			}
		}
	}
	literal := regexp.MustCompile(`"(?:[^"\\\n]|\\.)*"`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "bench" || d.Name() == "hospitaltest" || d.Name() == "testdata" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		switch filepath.Ext(path) {
		case ".go":
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, text := range literal.FindAll(raw, -1) {
				check(path, bytes.ReplaceAll(text, []byte("sallyport/sallyport"), nil), inGo)
			}
		case ".md":
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			check(path, raw, inDocs)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("only %d commands are named: was their form changed?", seen)
	}
}

// Every command explains itself, and every act lists its fields.
func TestEveryCommandHasHelp(t *testing.T) {
	// One model for all: to build it takes longer than to ask it.
	var out bytes.Buffer
	k := model(t, kong.Writers(&out, &out), kong.Exit(func(int) { panic(errDemo) }))
	for _, leaf := range k.Model.Leaves(false) {
		out.Reset()
		func() {
			defer func() {
				if r := recover(); r != nil {
					if err, ok := r.(error); !ok || !errors.Is(err, errDemo) {
						panic(r)
					}
				}
			}()
			_, _ = k.Parse(append(strings.Fields(leaf.FullPath())[1:], "--help")) // help ends it
		}()
		if leaf.Help == "" || !strings.Contains(out.String(), leaf.Help[:min(20, len(leaf.Help))]) {
			t.Errorf("%s: its help says %q", leaf.FullPath(), out.String())
		}
	}
	for _, spec := range registry.Acts {
		if help := (&actCmd{Kind: spec.Name}).Help(); !strings.Contains(help, "    ") || strings.Contains(help, "interface") {
			t.Errorf("%s lists no fields: %q", spec.Name, help)
		}
	}
}

// A certificate that does not count now is said to be that before the server is
// asked, since the server says nothing to strangers.
func TestACertificateOutsideItsTime(t *testing.T) {
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	authority, err := identity.CreateAuthority(t.TempDir(), "Mercy Valley Health", made)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := authority.IssueClient(identity.PersonSubject(id.Person("ada")), 30*24*time.Hour, made)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, title, next string
		now               time.Time
	}{
		{"in time", "", "", made.Add(time.Hour)},
		{"soon over, still good", "", "", made.AddDate(0, 0, 25)},
		{"over", "expired on 2026-03-31", "renew", made.AddDate(0, 0, 31)},
		{"a clock in the past", "counts only from 2026-03-01", "clock", made.AddDate(0, -1, 0)},
	} {
		err := inTime(cred, tc.now, "renew")
		if tc.title == "" {
			if err != nil {
				t.Errorf("%s: got %v", tc.name, err)
			}
			continue
		}
		var p *problem.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Title, tc.title) || !strings.Contains(p.NextStep, tc.next) {
			t.Errorf("%s: got %v, want %q and %q", tc.name, err, tc.title, tc.next)
		}
	}
}

// What is written without an equals sign, as a list, as a time or from a file
// becomes the field that the act has.
func TestFieldsOfTheCommandLine(t *testing.T) {
	spec, ok := registry.Lookup("grant.request")
	if !ok {
		t.Fatal("there is no grant.request")
	}
	c := &actCmd{Kind: spec.Name, Fields: []string{"g1", "devices=a,b", "max_patients=10", "cohort={kind: all}", "starts_at=2026-12-31"}, connection: connection{now: time.Now}}
	got, err := c.fields(spec)
	if err != nil {
		t.Fatal(err)
	}
	if got["id"] != "g1" || len(got["devices"].([]string)) != 2 || got["starts_at"] != "2026-12-31T00:00:00Z" {
		t.Errorf("got %v", got)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"now": "2026-03-01T12:00:00Z", "90d": "2026-05-30T12:00:00Z", "-60d": "2025-12-31T12:00:00Z",
		"12h": "2026-03-02T00:00:00Z", "2026-12-31T09:00:00+01:00": "2026-12-31T08:00:00Z", "d": "", "tomorrow": "", "": ""} {
		got, err := parseTime("at", text, now)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}
