package deid

import (
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/yamldoc"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Basis is the part of the Privacy Rule that a profile must satisfy.
type Basis string

// The bases. A profile without one does not load.
const (
	SafeHarbor          Basis = "safe-harbor"          // 45 CFR 164.514(b)(2)
	LimitedDataSet      Basis = "limited-data-set"     // 45 CFR 164.514(e)
	ExpertDetermination Basis = "expert-determination" // 45 CFR 164.514(b)(1)
	BasisMinimum        Basis = "minimum-necessary"    // 45 CFR 164.502(b), 164.514(d)
)

// The names of the built-in profiles.
const (
	SafeHarborProfile          = "safe-harbor"
	LimitedDataSetProfile      = "limited-data-set"
	ExpertDeterminationProfile = "expert-determination"
	MinimumNecessary           = "minimum-necessary"
)

// The words of a profile's switches. Empty is what the profile extends says, or
// the strictest.
const (
	byYear      = "year"
	byShift     = "shift"
	byRole      = "role"
	kept        = "keep"
	removed     = "remove"
	scrubbed    = "scrub"
	aggregated  = "aggregate"
	prefix3     = "prefix3"
	assigned    = "assigned"
	anyCode     = "any"
	pseudonym   = "pseudonym"
	never       = "never"
	required    = "required"
	optional    = "optional"
	defaultDays = 365
)

// Determination is what an expert determined (45 CFR 164.514(b)(1)): for one
// recipient, and until a day. HHS sets no length; the profile must.
type Determination struct {
	Expert       string    // who has the knowledge and experience, (b)(1)
	DeterminedOn time.Time // a day, in UTC
	Recipient    string    // the anticipated recipient, (b)(1)(i)
	ValidUntil   time.Time // the last day, in UTC
	Method       string    // where the analysis is documented, (b)(1)(ii)
}

// Profile says what happens to every element of every R4 type, and why that is
// lawful. It is made by LoadProfile only, which refuses one that does not
// satisfy its basis; it is immutable. The zero Profile removes everything.
type Profile struct {
	doc     document
	types   map[string]Action
	paths   map[string]Action // "Observation.code", "Observation.value[x]:string"
	when    Determination
	digest  [32]byte
	builtIn bool
}

// document is a profile as it is written. Its JSON is what the digest is over.
type document struct {
	Profile       string            `yaml:"profile"`
	Version       int               `yaml:"version"`
	Title         string            `yaml:"title"`
	Basis         Basis             `yaml:"basis"`
	Extends       string            `yaml:"extends" json:"-"` // what it extends is in the digest itself
	Template      bool              `yaml:"template"`
	DataClass     hipaa.DataClass   `yaml:"data_class"`
	Dates         string            `yaml:"dates"`
	ShiftDays     int               `yaml:"shift_days"`
	Ages          string            `yaml:"ages"`
	ZIP           string            `yaml:"zip"`
	Text          string            `yaml:"text"`
	Narrative     string            `yaml:"narrative"`
	Attachments   string            `yaml:"attachments"`
	Record        string            `yaml:"record"`
	Codes         string            `yaml:"codes"`
	Identifiers   string            `yaml:"identifiers"`
	Direct        string            `yaml:"direct_identifiers"`
	Determination determination     `yaml:"determination"`
	Systems       []string          `yaml:"systems"`
	Types         map[string]string `yaml:"types"`
	Elements      map[string]string `yaml:"elements"`
	Extensions    []Extension       `yaml:"extensions"`
}

type determination struct {
	Expert       string `yaml:"expert"`
	DeterminedOn string `yaml:"determined_on"`
	Recipient    string `yaml:"recipient"`
	ValidUntil   string `yaml:"valid_until"`
	Method       string `yaml:"method"`
}

//go:embed profiles/*.yaml
var profileFiles embed.FS

// BuiltIn is the four profiles that come with the product, strictest first. The
// caller must not change the list.
var BuiltIn = sync.OnceValue(func() []*Profile {
	var all []*Profile
	for _, name := range []string{SafeHarborProfile, LimitedDataSetProfile, ExpertDeterminationProfile, MinimumNecessary} {
		raw, err := profileFiles.ReadFile("profiles/" + name + ".yaml")
		if err != nil {
			panic("deid: a built-in profile is missing: " + err.Error()) // a build fault
		}
		p, err := load(raw, all)
		if err != nil {
			panic("deid: a built-in profile does not load: " + err.Error()) // a build fault, which a test finds
		}
		p.builtIn = true
		all = append(all, p)
	}
	return all
})

// BuiltInYAML is the text of a built-in profile, to start one's own from.
func BuiltInYAML(name string) ([]byte, bool) {
	raw, err := profileFiles.ReadFile("profiles/" + name + ".yaml")
	return raw, err == nil
}

// maxProfile bounds a profile's text.
const maxProfile = 1 << 20

// LoadProfile reads a site's profile: YAML of the same form as the built-in
// ones, which it may extend but whose names it may not take. A key that is not
// known, a path that R4 does not have, and a rule that the profile's basis does
// not allow are problems that name the line or the key, the fix and the citation.
// A profile holds no patient data, so an error may quote it.
func LoadProfile(raw []byte) (*Profile, error) {
	p, err := load(raw, BuiltIn())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(BuiltIn(), func(b *Profile) bool { return b.Name() == p.Name() }) {
		return nil, problem.BadField("profile", quote(p.Name())+" is a built-in profile's name", "Give this one a name of its own, and extend the built-in one")
	}
	return p, nil
}

func load(raw []byte, known []*Profile) (*Profile, error) {
	if len(raw) > maxProfile {
		return nil, problem.BadField("profile", "the file is too large for a profile", "A profile has some kilobytes")
	}
	d, err := read(raw)
	if err != nil {
		return nil, err
	}
	if d.Extends != "" {
		i := slices.IndexFunc(known, func(k *Profile) bool { return k.Name() == d.Extends })
		if i < 0 {
			return nil, problem.BadField("extends", "there is no built-in profile "+quote(printable(d.Extends)), "Use "+names(known))
		}
		d.inherit(&known[i].doc)
	}
	p := &Profile{doc: *d}
	if err := p.compile(); err != nil {
		return nil, err
	}
	if err := p.satisfies(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(&p.doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the profile: %w", err)
	}
	p.digest = sha256.Sum256(append([]byte("sallyport/deid/profile/1\n"), text...))
	return p, nil
}

func read(raw []byte) (*document, error) {
	d := &document{}
	dec := yamldoc.New(raw)
	if err := dec.Decode(d); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, problem.BadField("profile", "the file is empty", "Start from a built-in profile")
		}
		return nil, problem.BadField("profile", "the file does not read as a profile:\n"+yamldoc.Explain(err),
			"Mend the line that is marked; a built-in profile shows every key").Because(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, problem.BadField("profile", "the file holds more than one document", "Keep one")
	}
	return d, nil
}

// inherit fills in what d does not say from what it extends. A map is added to.
func (d *document) inherit(from *document) {
	for _, f := range d.switches() {
		if *f.value == "" {
			*f.value = *from.switches()[f.i].value
		}
	}
	if d.ShiftDays == 0 {
		d.ShiftDays = from.ShiftDays
	}
	if d.DataClass == "" {
		d.DataClass = from.DataClass
	}
	if d.Basis == "" {
		d.Basis = from.Basis
	}
	if d.Systems == nil {
		d.Systems = from.Systems
	}
	d.Types = over(d.Types, from.Types)
	d.Elements = over(d.Elements, from.Elements)
	list := slices.Clone(from.Extensions)
	for _, e := range d.Extensions {
		if i := slices.IndexFunc(list, func(x Extension) bool { return x.URL == e.URL }); i >= 0 {
			list[i] = e
		} else {
			list = append(list, e)
		}
	}
	d.Extensions = list
	if d.Determination == (determination{}) {
		d.Determination = from.Determination
	}
}

func over(own, base map[string]string) map[string]string {
	m := make(map[string]string, len(own)+len(base))
	for k, v := range base {
		m[k] = v
	}
	for k, v := range own {
		m[k] = v
	}
	return m
}

type toggle struct {
	i     int
	key   string
	value *string
	words []string
}

// switches are the keys that choose one of a few words.
func (d *document) switches() []toggle {
	list := []toggle{
		{key: "dates", value: &d.Dates, words: []string{byYear, kept, byShift, byRole}},
		{key: "ages", value: &d.Ages, words: []string{aggregated, kept}},
		{key: "zip", value: &d.ZIP, words: []string{prefix3, kept, removed}},
		{key: "text", value: &d.Text, words: []string{removed, scrubbed}},
		{key: "narrative", value: &d.Narrative, words: []string{removed, scrubbed}},
		{key: "attachments", value: &d.Attachments, words: []string{removed, scrubbed}},
		{key: "record", value: &d.Record, words: []string{required, optional}},
		{key: "codes", value: &d.Codes, words: []string{assigned, anyCode}},
		{key: "identifiers", value: &d.Identifiers, words: []string{pseudonym, byRole}},
		{key: "direct_identifiers", value: &d.Direct, words: []string{never, byRole}},
	}
	for i := range list {
		list[i].i = i
	}
	return list
}

// compile checks the document's words and turns its rules into actions.
func (p *Profile) compile() error {
	d := &p.doc
	if !name(d.Profile) {
		return problem.BadField("profile", "is not a name", "Use lower-case letters, digits and '-', such as radiology-safe-harbor")
	}
	if d.Version < 1 {
		return problem.BadField("version", "is not a positive number", "Write version: 1, and count up with each change")
	}
	for _, s := range d.switches() {
		if *s.value == "" {
			*s.value = s.words[0] // the first is the strictest
		} else if !slices.Contains(s.words, *s.value) {
			return problem.BadField(s.key, "there is no rule "+quote(printable(*s.value)), "Use "+strings.Join(s.words, ", "))
		}
	}
	if d.ShiftDays == 0 {
		d.ShiftDays = defaultDays
	}
	if d.ShiftDays < 7 || d.ShiftDays > 3650 {
		return problem.BadField("shift_days", "is not between 7 and 3650", "Write 365")
	}
	p.types, p.paths = make(map[string]Action, len(d.Types)), make(map[string]Action, len(d.Elements))
	for typ, word := range d.Types {
		t, ok := spec.Lookup(typ)
		switch {
		case !ok || t.Kind == spec.Resource || (t.Kind == spec.Backbone):
			return problem.BadField("types."+printable(typ), "R4 has no data type of this name", "Did you mean "+closest(typ, dataTypes())+"?")
		}
		a, err := actionOf("types."+typ, word)
		if err != nil {
			return err
		}
		p.types[typ] = a
	}
	for key, word := range d.Elements {
		field := "elements." + printable(key)
		path, typ, one := strings.Cut(key, ":")
		canonical, e, ok := spec.Path(path)
		switch {
		case !ok || canonical != path || e.Path != path:
			return problem.BadField(field, "R4 has no element of this path", "Write it as R4 defines it, such as Observation.value[x], where the element is defined")
		case one && !isChoice(path, typ):
			return problem.BadField(field, "the element cannot have this type", "Name one of the types of the choice, such as Observation.value[x]:string")
		}
		a, err := actionOf(field, word)
		if err != nil {
			return err
		}
		p.paths[key] = a
	}
	for i := range d.Extensions {
		if err := checkExtension("extensions."+printable(d.Extensions[i].URL), &d.Extensions[i]); err != nil {
			return err
		}
	}
	return p.readDetermination()
}

func actionOf(field, word string) (Action, error) {
	i := slices.Index(actionNames[:], word)
	if i < 0 {
		return Remove, problem.BadField(field, "there is no ruling "+quote(printable(word)), "Use "+strings.Join(actionNames[:], ", "))
	}
	return Action(i), nil
}

func checkExtension(field string, e *Extension) error {
	switch {
	case e.URL == "" || len(e.URL) > 512 || strings.ContainsFunc(e.URL, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }):
		return problem.BadField(field, "the url is not one", "Write the extension's canonical url")
	case (e.Removed != "") == (len(e.Values)+len(e.Parts) > 0):
		return problem.BadField(field, "says neither or both of what stays and why it goes", "Write values or parts, or removed with the reason")
	}
	for _, v := range e.Values {
		if t, ok := spec.Lookup("Extension"); ok {
			if f, ok := t.Field(v); !ok || !f.Choice {
				return problem.BadField(field, "R4 gives an extension no "+quote(printable(v)), "Write a member such as valueCode")
			}
		}
	}
	for i := range e.Parts {
		if err := checkExtension(field+"."+printable(e.Parts[i].URL), &e.Parts[i]); err != nil {
			return err
		}
	}
	return nil
}

func isChoice(path, typ string) bool {
	owner, last, _ := cutLast(path)
	kids, _ := children(owner)
	for _, k := range kids {
		if k.name == last {
			return slices.ContainsFunc(k.choices, func(c choice) bool { return c.typ == typ })
		}
	}
	return false
}

func cutLast(path string) (before, last string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

func name(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

func names(list []*Profile) string {
	var all []string
	for _, p := range list {
		all = append(all, quote(p.Name()))
	}
	return strings.Join(all, " or ")
}

// Name is what a role writes in its profile field.
func (p *Profile) Name() string { return p.doc.Profile }

// Version counts a profile's changes; it has no other meaning.
func (p *Profile) Version() int { return p.doc.Version }

// Title is for people.
func (p *Profile) Title() string { return p.doc.Title }

// Basis is the rule that it satisfies.
func (p *Profile) Basis() Basis { return p.doc.Basis }

// DataClass is what a release under the profile may be called at most. A
// profile that lets scrubbed text stand under Safe Harbor is PHI.
func (p *Profile) DataClass() hipaa.DataClass { return p.doc.DataClass }

// Digest is over all that the profile says, what it extends put in: equal for
// equal rules, whatever their order or comments.
func (p *Profile) Digest() [32]byte { return p.digest }

// Scrubs says whether free text can stand under the profile, so that it needs a
// Scrubber.
func (p *Profile) Scrubs() bool {
	return p.doc.Text == scrubbed || p.doc.Narrative == scrubbed || p.doc.Attachments == scrubbed
}

// NeedsRecord says that text stands only where the patient's record is known.
func (p *Profile) NeedsRecord() bool { return p.doc.Record == required }

// Shifts says whether dates are shifted, and by how many days at most.
func (p *Profile) Shifts() (days int, ok bool) { return p.doc.ShiftDays, p.doc.Dates == byShift }

// Assigned says that codes must be random, 164.514(c).
func (p *Profile) Assigned() bool { return p.doc.Codes == assigned }

// Template says that the profile has to be filled in and cannot be used.
func (p *Profile) Template() bool { return p.doc.Template }

// Determination is the expert's, if the basis is one.
func (p *Profile) Determination() (Determination, bool) {
	return p.when, p.doc.Basis == ExpertDetermination && !p.doc.Template
}

// Expired says whether the profile's determination does not hold at the time:
// before the day on which it was made or after its last day, both in UTC. A
// profile of another basis does not expire.
func (p *Profile) Expired(now time.Time) bool {
	if p.doc.Basis != ExpertDetermination {
		return false
	}
	return now.Before(p.when.DeterminedOn) || !now.Before(p.when.ValidUntil.AddDate(0, 0, 1))
}

// Rule looks the element up by path and type, by path, and then by type. No
// entry: removed.
func (p *Profile) Rule(e Element) Action {
	if a, ok := p.paths[e.Path+":"+e.Type]; ok {
		return a
	}
	if a, ok := p.paths[e.Path]; ok {
		return a
	}
	if strings.HasPrefix(e.Type, "http://hl7.org/fhirpath/") {
		return Remove // Element.id and Extension.url are handled by name
	}
	return p.types[e.Type]
}
