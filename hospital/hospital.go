// Package hospital is a synthetic hospital: a patient generator and a small
// in-memory FHIR R4 server, for the demo and for the tests.
//
// Nobody in it exists. Names, streets and towns are invented; telephone numbers
// are in the range kept for fiction (555-0100 to 555-0199), e-mail and web
// addresses under example.org and example.com (RFC 2606), social security
// numbers in areas that were never issued (000, 900 to 999), national provider
// identifiers begin with a digit that none has.
//
// Generate makes a plausible hospital: what a gateway meets in practice, with
// names in narratives, dates in six formats and a telephone number in a note.
// GenerateCanaries makes the same hospital with a unique, recognisable string
// in every element that could identify somebody, so that a leak is found by
// searching for a substring. NewServer serves either.
package hospital

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
)

// Today is the day on which the synthetic hospital stands still. Everything in
// it happened on this day or before, so that a seed always gives the same bytes.
var Today = time.Date(2026, time.June, 30, 12, 0, 0, 0, time.UTC)

// Resource is one FHIR resource in one version.
type Resource struct {
	Type        string
	ID          string
	Version     string
	LastUpdated time.Time
	JSON        []byte // as served; not to be changed
}

// Records is what the hospital knows. It is not safe for use while it changes:
// a Server takes its own copy of the index when it is made.
type Records struct {
	byType   map[string][]*doc
	byKey    map[string]*doc // "Patient/123"
	older    map[string]*doc // "Patient/123/_history/1"
	byRef    map[string][]*doc
	order    []*doc
	cohort   string
	search   string
	canaries []Canary
}

func newRecords() *Records {
	return &Records{
		byType: map[string][]*doc{},
		byKey:  map[string]*doc{},
		older:  map[string]*doc{},
		byRef:  map[string][]*doc{},
	}
}

// Len is the number of resources, older versions not counted.
func (r *Records) Len() int { return len(r.order) }

// All goes through the current version of every resource, in order of creation.
func (r *Records) All() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for _, d := range r.order {
			if !yield(d.Resource) {
				return
			}
		}
	}
}

// Types are the resource types present, sorted.
func (r *Records) Types() []string {
	var out []string
	for t := range r.byType {
		out = append(out, t)
	}
	slices.Sort(out)
	return out
}

// IDs are the ids of one type, in order of creation.
func (r *Records) IDs(typ string) []string {
	var out []string
	for _, d := range r.byType[typ] {
		out = append(out, d.ID)
	}
	return out
}

// Get returns the current version of a resource.
func (r *Records) Get(typ, id string) (Resource, bool) {
	d, ok := r.byKey[typ+"/"+id]
	if !ok {
		return Resource{}, false
	}
	return d.Resource, true
}

// Cohort is the id of a Group of about half of the patients, the first among them.
func (r *Records) Cohort() string { return r.cohort }

// Sample2KB is a resource of about 2 KB about the first patient, for benchmarks.
func (r *Records) Sample2KB() Resource {
	if len(r.byType["Patient"]) == 0 {
		return Resource{}
	}
	first := r.byType["Patient"][0]
	distance := func(d *doc) int {
		n := len(d.JSON) - 2048
		return max(n, -n)
	}
	return slices.MinFunc(append([]*doc{first}, r.byRef["Patient/"+first.ID]...), func(a, b *doc) int {
		return cmp.Compare(distance(a), distance(b))
	}).Resource
}

// Search500KB is a search, relative to the base, that answers with a Bundle of
// about 500 KB on one page: the home glucose readings of the first patient.
// It is empty where the hospital has no such patient.
func (r *Records) Search500KB() string { return r.search }

// Put adds a resource, or a new version of one. It takes any R4 JSON that has a
// resourceType and an id; meta.versionId and meta.lastUpdated are kept where
// given.
func (r *Records) Put(b []byte) error {
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return fmt.Errorf("reading a resource for the hospital: %w", err)
	}
	typ, _ := tree["resourceType"].(string)
	id, _ := tree["id"].(string)
	if typ == "" || !validID(id) {
		return fmt.Errorf("a resource for the hospital needs a resourceType and an id of 1 to 64 of [A-Za-z0-9.-]")
	}
	meta, _ := tree["meta"].(map[string]any)
	if meta == nil {
		meta = obj{}
		tree["meta"] = meta
	}
	if _, ok := meta["versionId"].(string); !ok {
		meta["versionId"] = "1"
	}
	if _, ok := meta["lastUpdated"].(string); !ok {
		meta["lastUpdated"] = instant(Today)
	}
	return r.put(tree)
}

// put indexes a tree and encodes it. The tree is not kept.
func (r *Records) put(tree obj) error {
	d := &doc{}
	d.Type, _ = tree["resourceType"].(string)
	d.ID, _ = tree["id"].(string)
	meta, _ := tree["meta"].(obj)
	d.Version, _ = meta["versionId"].(string)
	updated, _ := meta["lastUpdated"].(string)
	at, err := time.Parse(time.RFC3339, updated)
	if err != nil {
		return fmt.Errorf("meta.lastUpdated of a %s: %w", d.Type, err)
	}
	d.LastUpdated = at
	d.JSON = appendJSON(nil, tree)
	d.finish(tree)

	key := d.Type + "/" + d.ID
	if old, ok := r.byKey[key]; ok {
		if old.Version == d.Version {
			return fmt.Errorf("a %s with this id and version is there already", d.Type)
		}
		r.older[key+"/_history/"+old.Version] = old
		r.forget(old)
	}
	r.byKey[key] = d
	r.order = append(r.order, d)
	r.byType[d.Type] = append(r.byType[d.Type], d)
	for _, ref := range d.refs {
		r.byRef[ref] = append(r.byRef[ref], d)
	}
	return nil
}

func (r *Records) forget(old *doc) {
	same := func(d *doc) bool { return d == old }
	r.order = slices.DeleteFunc(r.order, same)
	r.byType[old.Type] = slices.DeleteFunc(r.byType[old.Type], same)
	for _, ref := range old.refs {
		r.byRef[ref] = slices.DeleteFunc(r.byRef[ref], same)
	}
}

// validID reports whether s is a FHIR id (R4 2.24.0.1).
func validID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
