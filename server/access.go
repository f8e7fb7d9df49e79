package server

import (
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Access is snapshot.AccessRule as the file writes it.
type Access struct {
	MaxRequest      time.Duration `yaml:"max_request"`
	MaxElevation    time.Duration `yaml:"max_elevation"`
	RequestLapse    time.Duration `yaml:"request_lapse"`
	EmergencyReview time.Duration `yaml:"emergency_review"`
	ReviewGrace     time.Duration `yaml:"review_grace"`
	CampaignEvery   time.Duration `yaml:"campaign_every"`
	CampaignRuns    time.Duration `yaml:"campaign_runs"`
	Hasty           time.Duration `yaml:"hasty_under"`
	AllKeepFrom     int           `yaml:"all_keep_from"`
}

func (a Access) check() error {
	const day = 24 * time.Hour
	for _, f := range []struct {
		name       string
		got        time.Duration
		least, top time.Duration
		fix        string
	}{
		{"max_request", a.MaxRequest, time.Hour, 366 * day, "1h to 8784h; 2160h (90 days) is usual"},
		{"max_elevation", a.MaxElevation, time.Minute, 24 * time.Hour, "1m to 24h; 8h is usual"},
		{"request_lapse", a.RequestLapse, time.Hour, 90 * day, "1h to 2160h; 336h (14 days) is usual"},
		{"emergency_review", a.EmergencyReview, time.Hour, 7 * day, "1h to 168h; 24h is usual"},
		{"review_grace", a.ReviewGrace, 0, 366 * day, "0s to 8784h; 720h (30 days) is usual"},
		{"campaign_every", a.CampaignEvery, 0, 2 * 366 * day, "0s to 17568h; 0s where people open campaigns"},
		{"campaign_runs", a.CampaignRuns, day, 90 * day, "24h to 2160h; 336h (14 days) is usual"},
		{"hasty_under", a.Hasty, 0, time.Hour, "0s to 1h; 20s is usual"},
	} {
		if f.got < f.least || f.got > f.top {
			return problem.BadField("policy.access."+f.name, "is out of its bounds", "Write "+f.fix)
		}
	}
	if a.AllKeepFrom < 0 {
		return problem.BadField("policy.access.all_keep_from", "is below zero", "10 is usual; 0 shows none")
	}
	return nil
}

// checkProcedure wants one line for people, in words or with an address.
func checkProcedure(field, text string) error {
	if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return problem.BadField(field, "is longer than 1000 bytes, or more than one line", "Write a sentence, or the address of the procedure")
	}
	return nil
}

// showsOf says of an element whether a role lets any of it out, as the gateway compiles it.
func showsOf(site []*deid.Profile) func(*snapshot.Role) (func(string) bool, error) {
	return func(role *snapshot.Role) (func(string) bool, error) {
		scope, err := gateway.ScopeOf(role, site)
		if err != nil {
			return nil, err
		}
		return scope.Names, nil
	}
}

// viewOf gives the digest of what a role shows, as the log's entries have it. A role is
// compiled for it, which takes a few milliseconds.
func viewOf(site []*deid.Profile) func(*snapshot.Role) (string, error) {
	return func(role *snapshot.Role) (string, error) {
		scope, err := gateway.ScopeOf(role, site)
		if err != nil {
			return "", err
		}
		digest := scope.Digest()
		return hex.EncodeToString(digest[:]), nil
	}
}

// rulings are what each profile makes of elements, for people who pick some.
type rulings struct {
	profiles []*deid.Profile
	mu       sync.Mutex
	of       map[string]map[string][]string // by profile, then by owner and name; made when first asked for
}

func newRulings(site []*deid.Profile) *rulings {
	return &rulings{profiles: slices.Concat(deid.BuiltIn(), site), of: map[string]map[string][]string{}}
}

// maxParts bounds how far below an element is looked: types hold themselves.
const maxParts = 4

// Of is what the profile makes of the element and of what is in it, each word once
// and in order.
func (r *rulings) Of(profile, path string) []string {
	table := r.table(profile)
	_, e, ok := spec.Path(path)
	if table == nil || !ok {
		return nil
	}
	var words []string
	last := path[strings.LastIndexByte(path, '.')+1:]
	owner, name := split(e.Path)
	if !e.Choice || last == e.JSON {
		words = r.below(table, words, owner, name, e, maxParts)
	} else if t, ok := spec.Lookup(owner); ok {
		for _, one := range t.Elements {
			if one.Choice && one.Name == e.Name {
				words = r.below(table, words, owner, name, one, maxParts)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func (r *rulings) below(table map[string][]string, words []string, owner, name string, e *spec.Element, depth int) []string {
	found, ok := table[owner+" "+name+":"+e.Type.Name]
	if !ok {
		found = table[owner+" "+name]
	}
	for _, w := range found {
		if w != "parts" || depth == 0 {
			words = append(words, w)
			continue
		}
		for _, part := range e.Type.Elements {
			o, n := split(part.Path)
			if o == "Element" || o == "BackboneElement" {
				continue // its id and its extensions, which have rules of their own
			}
			words = r.below(table, words, o, n, part, depth-1)
		}
	}
	return words
}

func split(path string) (owner, name string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)], path[i+1:]
}

func (r *rulings) table(profile string) map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.of[profile]; ok {
		return t
	}
	for _, p := range r.profiles {
		if p.Name() != profile {
			continue
		}
		t := map[string][]string{}
		for _, x := range p.Rulings() {
			t[x.Owner+" "+x.Name] = append(t[x.Owner+" "+x.Name], x.What)
		}
		r.of[profile] = t
		return t
	}
	return nil
}
