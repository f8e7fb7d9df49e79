package scan

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/problem"
)

// AllowName is the file of exceptions that a scan looks for.
const AllowName = ".sallyport-scan.yaml"

// Allow is a list of exceptions. Each has a reason, for the auditor; those for
// single findings also have a day on which they end, because data that somebody
// found harmless once is looked at again.
type Allow struct {
	paths        []allowPath
	categories   map[string]bool
	fingerprints map[string]bool
	mu           sync.Mutex
	used         map[string]bool
}

type allowPath struct {
	glob       []string
	categories []string // empty: all, and the file is not read
}

type allowFile struct {
	Version      int            `yaml:"version"`
	Paths        []allowEntry   `yaml:"paths"`
	Fingerprints []allowPrint   `yaml:"fingerprints"`
	Categories   []allowByClass `yaml:"categories"`
}

type allowEntry struct {
	Glob       string   `yaml:"glob"`
	Reason     string   `yaml:"reason"`
	Categories []string `yaml:"categories"`
	Expires    string   `yaml:"expires"`
}

type allowPrint struct {
	ID      string `yaml:"id"`
	Reason  string `yaml:"reason"`
	Expires string `yaml:"expires"`
}

type allowByClass struct {
	Name    string `yaml:"name"`
	Reason  string `yaml:"reason"`
	Expires string `yaml:"expires"`
}

// allowMost bounds the file of exceptions.
const allowMost = 4 << 20

// LoadAllow reads a file of exceptions.
func LoadAllow(file string, now time.Time) (*Allow, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, problem.BadField("allow", file+" cannot be read", "Name a file that is there, or leave --allow out").Because(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, allowMost+1))
	if err != nil {
		return nil, problem.BadField("allow", file+" cannot be read", "Look at who may read it, and whether it is a file").Because(err)
	}
	return ParseAllow(raw, filepath.ToSlash(file), now)
}

// ParseAllow reads exceptions. name is the file's, for errors. What is unknown,
// lacks its reason or has expired is an error with its place and the mend.
func ParseAllow(raw []byte, name string, now time.Time) (*Allow, error) {
	if len(raw) > allowMost {
		return nil, problem.BadField(name, "is larger than 4 MiB", "Except folders by a path, rather than findings one by one")
	}
	var f allowFile
	dec := yamldoc.New(raw)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, problem.BadField(name, "does not read as a list of exceptions:\n"+yamldoc.Explain(err),
			"Mend the line that is marked; the keys are version, paths (glob, reason, categories, expires), fingerprints (id, reason, expires), categories (name, reason, expires)").Because(err)
	}
	if f.Version != 1 {
		return nil, problem.BadField(name, "has no version that is known", "Write version: 1 in its first line")
	}
	a := &Allow{categories: map[string]bool{}, fingerprints: map[string]bool{}, used: map[string]bool{}}
	at := func(list string, i int) string { return fmt.Sprintf("%s: %s, entry %d", name, list, i+1) }
	for i, e := range f.Paths {
		where := at("paths", i)
		if err := entryIsGood(where, e.Reason, e.Expires, false, now); err != nil {
			return nil, err
		}
		glob := strings.Trim(e.Glob, "/")
		if glob == "" || glob == "**" || glob == "*" && len(e.Categories) == 0 {
			return nil, problem.BadField(where, "glob is missing, or excepts everything", "Name a folder or files, such as testdata/**")
		}
		parts := strings.Split(glob, "/")
		for _, p := range parts {
			if _, err := path.Match(p, ""); err != nil {
				return nil, problem.BadField(where, "glob does not read as a pattern", "Use * and ? inside a name, ** for any folders")
			}
		}
		if err := areCategories(where, e.Categories); err != nil {
			return nil, err
		}
		a.paths = append(a.paths, allowPath{parts, e.Categories})
	}
	for i, e := range f.Fingerprints {
		where := at("fingerprints", i)
		if err := entryIsGood(where, e.Reason, e.Expires, true, now); err != nil {
			return nil, err
		}
		if !isFingerprint(e.ID) {
			return nil, problem.BadField(where, "id is not a fingerprint", "Copy it from the report: p1- or v1- and 32 hexadecimal digits")
		}
		a.fingerprints[e.ID] = true
	}
	for i, e := range f.Categories {
		where := at("categories", i)
		if err := entryIsGood(where, e.Reason, e.Expires, false, now); err != nil {
			return nil, err
		}
		if err := areCategories(where, []string{e.Name}); err != nil {
			return nil, err
		}
		a.categories[e.Name] = true
	}
	return a, nil
}

// isFingerprint: the two kinds that a report prints.
func isFingerprint(id string) bool {
	hexes := strings.TrimPrefix(strings.TrimPrefix(id, placePrint), valuePrint)
	if len(hexes) != 32 || len(id) != 35 {
		return false
	}
	return strings.Trim(hexes, "0123456789abcdef") == ""
}

func entryIsGood(where, reason, expires string, mustExpire bool, now time.Time) error {
	if strings.TrimSpace(reason) == "" {
		return problem.BadField(where, "has no reason", "Say why this is no patient's data, for who reads it in a year")
	}
	if expires == "" {
		if mustExpire {
			return problem.BadField(where, "has no day on which it ends", "Write expires: "+now.AddDate(1, 0, 0).Format(time.DateOnly)+", or an earlier day")
		}
		return nil
	}
	day, err := time.Parse(time.DateOnly, expires)
	if err != nil {
		return problem.BadField(where, "expires is not a day", "Write it as "+now.AddDate(1, 0, 0).Format(time.DateOnly))
	}
	if !now.Before(day.AddDate(0, 0, 1)) {
		return problem.BadField(where, "expired on "+expires, "Look at the place again. If it is still no patient's data, give the entry a new day; if it is, take the data out and delete the entry")
	}
	return nil
}

func areCategories(where string, names []string) error {
	all := categories()
	for _, n := range names {
		if !slices.Contains(all, n) {
			return problem.BadField(where, "names a category that there is not", "The categories are "+strings.Join(all, ", "))
		}
	}
	return nil
}

// skips says whether a file need not be read.
func (a *Allow) skips(file string) bool {
	if a == nil {
		return false
	}
	return slices.ContainsFunc(a.paths, func(p allowPath) bool { return len(p.categories) == 0 && globMatches(p.glob, file) })
}

// allows says whether a finding is excepted.
func (a *Allow) allows(f Finding) bool {
	if a == nil {
		return false
	}
	for _, id := range []string{f.Fingerprint, f.Value} {
		if id != "" && a.fingerprints[id] {
			a.mu.Lock()
			a.used[id] = true
			a.mu.Unlock()
			return true
		}
	}
	if a.categories[f.Category] {
		return true
	}
	return slices.ContainsFunc(a.paths, func(p allowPath) bool { return slices.Contains(p.categories, f.Category) && globMatches(p.glob, f.rel) })
}

// unused are the fingerprints that excepted nothing, which may go. Without the
// key, nothing can be said of prints of values.
func (a *Allow) unused(keyed bool) []string {
	out := []string{}
	for id := range a.fingerprints {
		if !a.used[id] && (keyed || !strings.HasPrefix(id, valuePrint)) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// globMatches: * and ? inside a name, ** for any number of folders. A pattern
// that matches a folder matches what is in it.
func globMatches(glob []string, file string) bool {
	return globParts(glob, strings.Split(file, "/"))
}

func globParts(glob, parts []string) bool {
	for i, g := range glob {
		if g == "**" {
			for skip := 0; skip <= len(parts)-i && skip <= 64; skip++ {
				if globParts(glob[i+1:], parts[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) {
			return false
		}
		if ok, _ := path.Match(g, parts[i]); !ok { // bad patterns were refused
			return false
		}
	}
	return true
}
