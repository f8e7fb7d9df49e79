package fhir

import (
	"encoding/hex"
	"errors"
	"maps"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/hipaa"
)

// Manifest says what was done to files, without a value of them: it may be kept,
// shown and sent. Its counts are of resources, but for Rules and Text, which
// count elements and spans.
type Manifest struct {
	Profile       string           `json:"profile"`
	Version       int              `json:"version"`
	Basis         deid.Basis       `json:"basis"`
	DataClass     hipaa.DataClass  `json:"data_class"`
	ProfileDigest string           `json:"profile_sha256"`
	ScopeDigest   string           `json:"scope_sha256"`
	AsOf          string           `json:"as_of,omitempty"` // the day on which ages were judged
	Determination *Determined      `json:"determination,omitempty"`
	Released      map[string]int64 `json:"released"` // by type
	Withheld      map[string]int64 `json:"withheld"` // by reason
	Rules         map[string]int64 `json:"rules"`    // what was removed or changed, by rule
	Text          map[string]int   `json:"text,omitempty"`
	Scrubbed      int64            `json:"scrubbed_text"` // resources in which scrubbed text stands: not Safe Harbor by itself
	Patients      int              `json:"patients"`
	MorePatients  bool             `json:"more_patients,omitempty"` // there may be more than could be told apart
	BytesIn       int64            `json:"bytes_in"`
	BytesOut      int64            `json:"bytes_out"`
}

// Determined is the expert determination that a release relies on.
type Determined struct {
	Expert       string `json:"expert"`
	DeterminedOn string `json:"determined_on"`
	Recipient    string `json:"recipient"`
	ValidUntil   string `json:"valid_until"`
}

func newManifest(m *Minimiser) Manifest {
	out := Manifest{Released: map[string]int64{}, Withheld: map[string]int64{}, Rules: map[string]int64{}}
	scope := m.o.Scope.Digest()
	out.ScopeDigest = hex.EncodeToString(scope[:])
	p := m.o.Scope.Profile()
	if p == nil {
		return out
	}
	digest := p.Digest()
	out.Profile, out.Version, out.Basis, out.DataClass = p.Name(), p.Version(), p.Basis(), p.DataClass()
	out.ProfileDigest = hex.EncodeToString(digest[:])
	if !m.o.AsOf.IsZero() {
		out.AsOf = m.o.AsOf.UTC().Format(time.DateOnly)
	}
	if d, ok := p.Determination(); ok {
		out.Determination = &Determined{d.Expert, d.DeterminedOn.Format(time.DateOnly), d.Recipient, d.ValidUntil.Format(time.DateOnly)}
	}
	return out
}

func (m *Manifest) add(info Info, err error) {
	switch {
	case errors.Is(err, ErrNotUnderstood):
		m.Withheld["modifier-not-understood"]++
	case err != nil:
		m.Withheld["refused"]++
	case info.Outcome == NotInScope:
		m.Withheld["not-in-scope"]++
	case info.Outcome == OutOfWindow:
		m.Withheld["out-of-window"]++
	case info.Outcome == Released:
		m.Released[info.Type]++
		if info.Scrubbed {
			m.Scrubbed++
		}
		m.tally(&info.Tally)
	}
}

func (m *Manifest) tally(t *deid.Tally) {
	for rule, n := range t {
		if n > 0 {
			m.Rules[deid.Rule(rule).String()] += int64(n)
		}
	}
}

func (m *Manifest) clone() Manifest {
	c := *m
	c.Released, c.Withheld, c.Rules = maps.Clone(m.Released), maps.Clone(m.Withheld), maps.Clone(m.Rules)
	return c
}

// Add adds what was done to other files under the same scope. Patients that are
// in both are counted twice.
func (m *Manifest) Add(o Manifest) {
	for _, p := range []struct{ to, from map[string]int64 }{{m.Released, o.Released}, {m.Withheld, o.Withheld}, {m.Rules, o.Rules}} {
		for k, n := range p.from {
			p.to[k] += n
		}
	}
	if m.Text == nil {
		m.Text = map[string]int{}
	}
	for k, n := range o.Text {
		m.Text[k] += n
	}
	m.Scrubbed += o.Scrubbed
	m.Patients += o.Patients
	m.MorePatients = m.MorePatients || o.MorePatients
	m.BytesIn += o.BytesIn
	m.BytesOut += o.BytesOut
}
