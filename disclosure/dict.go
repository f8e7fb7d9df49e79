package disclosure

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Facts are those of an intent or a refusal that say who asked, for what, under what.
type Facts struct {
	Vendor        id.Vendor        `json:"vendor,omitempty"`
	Engagement    id.Engagement    `json:"engagement,omitempty"`
	App           id.App           `json:"app,omitempty"`
	Device        id.Device        `json:"device,omitempty"`
	Person        id.Person        `json:"person,omitempty"`
	Grant         id.Grant         `json:"grant,omitempty"`
	Role          id.Role          `json:"role,omitempty"`
	Agent         audit.Agent      `json:"agent,omitempty"`
	Direction     audit.Direction  `json:"direction,omitempty"`
	Destination   string           `json:"destination,omitempty"`
	Source        id.Source        `json:"source,omitempty"`
	Action        string           `json:"action,omitempty"`
	Resource      string           `json:"resource,omitempty"`
	Purpose       hipaa.Purpose    `json:"purpose,omitempty"`
	Category      hipaa.Category   `json:"category,omitempty"`
	LegalBasis    hipaa.LegalBasis `json:"legal_basis,omitempty"`
	DataClass     hipaa.DataClass  `json:"data_class,omitempty"`
	Profile       string           `json:"profile,omitempty"`
	ProfileDigest string           `json:"profile_digest,omitempty"` // of the profile's rules; hex
	ScopeDigest   string           `json:"scope_digest,omitempty"`   // of what the role shows under them; hex
	Clauses       []string         `json:"clauses,omitempty"`
	TLS           string           `json:"tls,omitempty"`
	KeyExchange   string           `json:"key_exchange,omitempty"`
	Binding       string           `json:"token_binding,omitempty"`
	Region        string           `json:"region,omitempty"`
	RegionBy      audit.RegionBy   `json:"region_by,omitempty"`
}

// The places of facts in a tuple.
const (
	fVendor = iota
	fEngagement
	fApp
	fDevice
	fPerson
	fGrant
	fRole
	fAgent
	fDirection
	fDestination
	fSource
	fAction
	fResource
	fPurpose
	fCategory
	fLegalBasis
	fDataClass
	fProfile
	fProfileDigest
	fScopeDigest
	fClauses // a list: see dict.list
	fTLS
	fKeyExchange
	fBinding
	fRegion
	fRegionBy
	nFacts
)

// tuple is one combination of facts, by the numbers of its strings.
type tuple [nFacts]uint32

// patient is a pseudonym as the gateway writes it, 128 bits. Another form is known
// by its number alone: see dict.long.
type patient [16]byte

// dict numbers what repeats. It only grows, in the order of the log, so a reader that
// holds the slices of some moment may use them while it goes on growing.
type dict struct {
	strings  []string // 0 is ""
	tuples   []tuple
	patients []patient
	long     []longName

	byString map[string]uint32
	byTuple  map[tuple]uint32
	byKey    map[patient]uint32
	byLong   map[string]uint32
}

// longName is a pseudonym of another form than the gateway's.
type longName struct {
	code uint32
	text string
}

func newDict() *dict {
	d := &dict{byString: map[string]uint32{}, byTuple: map[tuple]uint32{}, byKey: map[patient]uint32{}, byLong: map[string]uint32{}}
	d.string("")
	return d
}

// words are what a reader needs of a dict.
type words struct {
	strings  []string
	tuples   []tuple
	patients []patient
	long     []longName
}

func (d *dict) words() words { return words{d.strings, d.tuples, d.patients, d.long} }

func (d *dict) string(s string) uint32 {
	n, ok := d.byString[s]
	if !ok {
		n = uint32(len(d.strings))
		s = strings.Clone(s) // those of an entry share its bytes, which are not to be kept
		d.strings = append(d.strings, s)
		d.byString[s] = n
	}
	return n
}

func (d *dict) tuple(t tuple) uint32 {
	n, ok := d.byTuple[t]
	if !ok {
		n = uint32(len(d.tuples))
		d.tuples = append(d.tuples, t)
		d.byTuple[t] = n
	}
	return n
}

func (d *dict) patient(text string) uint32 {
	if k, ok := parsePatient(text); ok {
		return d.key(k)
	}
	n, ok := d.byLong[text]
	if !ok {
		n = d.longer(text)
	}
	return n
}

func (d *dict) key(k patient) uint32 {
	n, ok := d.byKey[k]
	if !ok {
		n = uint32(len(d.patients))
		d.patients = append(d.patients, k)
		d.byKey[k] = n
	}
	return n
}

func (d *dict) longer(text string) uint32 {
	n := uint32(len(d.patients))
	text = strings.Clone(text)
	d.patients = append(d.patients, patient{}) // keeps its place
	d.long = append(d.long, longName{n, text})
	d.byLong[text] = n
	return n
}

// parsePatient reads 22 characters of base64url, in the one form that they have.
func parsePatient(text string) (k patient, ok bool) {
	if len(text) != 22 {
		return k, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(k[:], []byte(text))
	if err != nil || n != len(k) {
		return patient{}, false
	}
	return k, true
}

// patient is the pseudonym with this number.
func (w *words) patient(code uint32) string {
	if i, ok := slices.BinarySearchFunc(w.long, code, func(l longName, c uint32) int { return int(int64(l.code) - int64(c)) }); ok {
		return w.long[i].text
	}
	return base64.RawURLEncoding.EncodeToString(w.patients[code][:])
}

// hexOf writes a digest, and "" for none.
func hexOf(d audit.Digest) string {
	if d == (audit.Digest{}) {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// facts numbers the facts of an entry.
func (d *dict) facts(in *audit.Intent) uint32 {
	clauses := ""
	for i, c := range in.Clauses {
		if i > 0 {
			clauses += "\n"
		}
		clauses += c
	}
	text := [nFacts]string{string(in.Vendor), string(in.Engagement), string(in.App), string(in.Device), string(in.Person), string(in.Grant), string(in.Role),
		string(in.Agent), string(in.Direction), in.Destination, string(in.Source), in.Action, in.Resource, string(in.Purpose), string(in.Category),
		string(in.LegalBasis), string(in.DataClass), in.Profile, hexOf(in.ProfileDigest), hexOf(in.ScopeDigest), clauses,
		in.Transport.TLS, in.Transport.KeyExchange, in.Transport.Binding, in.Region, string(in.RegionBy)}
	var t tuple
	for i, s := range text {
		t[i] = d.string(s)
	}
	return d.tuple(t)
}

// facts spells a tuple out.
func (w *words) facts(n uint32) Facts {
	t := w.tuples[n]
	s := func(i int) string { return w.strings[t[i]] }
	return Facts{id.Vendor(s(fVendor)), id.Engagement(s(fEngagement)), id.App(s(fApp)), id.Device(s(fDevice)), id.Person(s(fPerson)), id.Grant(s(fGrant)), id.Role(s(fRole)),
		audit.Agent(s(fAgent)), audit.Direction(s(fDirection)), s(fDestination), id.Source(s(fSource)), s(fAction), s(fResource), hipaa.Purpose(s(fPurpose)), hipaa.Category(s(fCategory)),
		hipaa.LegalBasis(s(fLegalBasis)), hipaa.DataClass(s(fDataClass)), s(fProfile), s(fProfileDigest), s(fScopeDigest), lines(s(fClauses)),
		s(fTLS), s(fKeyExchange), s(fBinding), s(fRegion), audit.RegionBy(s(fRegionBy))}
}
