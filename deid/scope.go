package deid

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/deid/internal/release"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/internal/nearest"
	"github.com/sallyport/sallyport/problem"
)

// DateRule says what happens to dates.
type DateRule string

// The date rules. The zero rule is Years.
const (
	Years     DateRule = "year" // only the year stays; an instant or a time of day goes
	KeepDates DateRule = "keep"
	// AsProfile is what the profile says: shifted, kept, or to the year. A role
	// may be stricter than its profile and never laxer.
	AsProfile DateRule = "profile"
)

// IdentifierRule says what happens to upstream ids.
type IdentifierRule string

// The identifier rules. The zero rule is Pseudonyms.
const (
	Pseudonyms IdentifierRule = "pseudonym"
	KeepIDs    IdentifierRule = "keep"
)

// Spec is a role's view, as the role is written.
type Spec struct {
	// Resources are element paths by resource type: "code", "name.family",
	// "value[x]", "valueQuantity". A path covers what is below it; "*" covers
	// all of the type but names nothing. A type with no paths shows that a
	// resource exists, and no more.
	Resources map[string][]string
	// Dates and Identifiers are strictest when empty.
	Dates       DateRule
	Identifiers IdentifierRule
	// DirectIdentifiers lets direct identifiers and free text through where
	// Resources names that element itself: "name", "note", "code.text". Naming
	// an element above it ("code", "*") is not enough.
	DirectIdentifiers bool
	// Since and Until bound the clinical date, Since included, Until not. Zero
	// is no bound.
	Since, Until time.Time
	// Profile is the name of a built-in profile or of one of Profiles; empty is
	// MinimumNecessary.
	Profile string
	// Profiles are the site's, from LoadProfile.
	Profiles []*Profile
	// All covers every element of every type, what wraps others too, whatever
	// Resources says: for files, which no role cuts.
	All bool
}

// Scope is a compiled Spec: what a role may see, element by element. It is
// immutable and may be shared. The zero Scope covers nothing.
type Scope struct {
	spec   Spec
	nodes  map[string]*Node
	coding *Node
	meta   *Node
	// metaPlan is meta as it comes out, for questions about it.
	metaPlan *Node
	extended *Node
	bundle   *Node
	profile  *Profile
	dates    string
	digest   [32]byte
	marks    []Marks
}

// Limits on a Spec, far above any real role.
const (
	maxPaths = 2000 // for one type
	maxPath  = 16   // segments
)

// NewScope compiles spec. A type, element, profile or rule that does not exist
// is a problem that names it and what it may have meant.
func NewScope(spec Spec) (*Scope, error) {
	c := compiler{direct: spec.DirectIdentifiers, memo: map[memoKey]*Node{}}
	if spec.Profile == "" {
		spec.Profile = MinimumNecessary
	}
	known := slices.Concat(BuiltIn(), spec.Profiles)
	for _, p := range known {
		if p.Name() == spec.Profile {
			c.profile = p
		}
	}
	if c.profile == nil {
		return nil, problem.BadField("profile", "no such de-identification profile", "Use "+names(known))
	}
	if err := c.bound(&spec); err != nil {
		return nil, err
	}
	if !spec.Since.IsZero() && !spec.Until.IsZero() && !spec.Since.Before(spec.Until) {
		return nil, problem.BadField("until", "the date window is empty", "Make until later than since")
	}

	s := &Scope{nodes: make(map[string]*Node, len(spec.Resources)), profile: c.profile, dates: c.dates}
	if spec.All {
		spec.Resources = nil
		for _, typ := range resourceNames() {
			if typ != "Bundle" { // which is unpacked
				s.nodes[typ] = c.resource(typ, &trie{named: true})
			}
		}
		s.bundle = c.resource("Bundle", &trie{named: true})
	}
	resources := make(map[string][]string, len(spec.Resources))
	for _, typ := range slices.Sorted(maps.Keys(spec.Resources)) {
		if err := checkType(typ); err != nil {
			return nil, err
		}
		paths := slices.Clone(spec.Resources[typ])
		slices.Sort(paths)
		paths = slices.Compact(paths)
		want, err := readPaths(typ, paths, s.room(typ, len(paths)))
		if err != nil {
			return nil, err
		}
		resources[typ] = paths
		s.nodes[typ] = c.resource(typ, want)
	}
	spec.Resources = resources
	s.spec = spec
	s.coding = c.node("Coding", nil, true, false, false)
	s.meta = c.node("Meta", nil, true, false, false)
	s.metaPlan = metaPlan(s.meta)
	s.extended = c.node("Extension", nil, true, false, false)
	s.digest = digest(spec, c.profile)
	return s, nil
}

// bound fills in the rules of the spec and checks that the role's are no laxer
// than its profile's.
func (c *compiler) bound(spec *Spec) error {
	d := &c.profile.doc
	citation := map[Basis]string{SafeHarbor: citeHarbor, LimitedDataSet: citeLimited, ExpertDetermination: citeExpert}[d.Basis]
	if d.Template {
		return unlawful("profile", "the profile is a template: no expert has determined anything",
			"Copy it, fill in the determination, and name the copy", citeExpert)
	}
	switch spec.Dates {
	case "":
		spec.Dates = Years
	case Years, KeepDates, AsProfile:
	default:
		return problem.BadField("dates", "no such rule for dates", `Use "year", "keep" or "profile"`)
	}
	switch {
	case spec.Dates == Years, spec.Dates == AsProfile && d.Dates == byRole:
		c.dates = byYear
	case spec.Dates == AsProfile:
		c.dates = d.Dates
	case d.Dates == byRole, d.Dates == kept:
		c.dates = kept
	default:
		return unlawful("dates", "the profile "+quote(c.profile.Name())+" does not keep dates", `Use "year" or "profile"`, citation)
	}
	switch spec.Identifiers {
	case "":
		spec.Identifiers = Pseudonyms
	case Pseudonyms:
	case KeepIDs:
		if d.Identifiers != byRole {
			return unlawful("identifiers", "the profile "+quote(c.profile.Name())+" does not keep the source's ids", `Use "pseudonym"`, citation)
		}
	default:
		return problem.BadField("identifiers", "no such rule for identifiers", `Use "pseudonym" or "keep"`)
	}
	if spec.DirectIdentifiers && d.Direct != byRole {
		return unlawful("direct_identifiers", "the profile "+quote(c.profile.Name())+" lets no role have direct identifiers", "Leave it out, or name another profile", citation)
	}
	c.ids, c.judged = spec.Identifiers, d.Ages == aggregated
	return nil
}

// notScoped are resource types that are envelopes for others, or answers about
// the exchange: a role cannot name them, the gateway makes or unpacks them.
var notScoped = []string{"Bundle", "Parameters", "OperationOutcome", "CapabilityStatement", "DomainResource", "Resource"}

func checkType(typ string) error {
	if slices.Contains(notScoped, typ) {
		return problem.BadField("resources."+typ, "a role cannot name "+typ,
			"Name the types of the resources that it may see; what they are wrapped in needs no mention")
	}
	if !isResource(typ) {
		return problem.BadField("resources."+typ, "R4 has no resource type of this name", "Did you mean "+closest(typ, resourceNames())+"?")
	}
	return nil
}

// readPaths reads element paths strictly into a trie, and gives each its mark, the
// first of which is from.
func readPaths(typ string, paths []string, from uint32) (*trie, error) {
	root := &trie{below: map[string]*trie{}}
	field := "resources." + typ
	if len(paths) > maxPaths {
		return nil, problem.BadField(field, "too many element paths", "Name whole elements instead of all of their parts")
	}
	for n, p := range paths {
		var mark []uint32
		if n < MaxMarks && !spec.TellsByPresence(typ, p) {
			mark = []uint32{from + uint32(n)}
		}
		if p == "*" {
			root.named, root.shown = true, mark
			continue
		}
		segments := strings.Split(p, ".")
		if len(segments) > maxPath {
			return nil, problem.BadField(field, "an element path is too deep", "Name an element nearer to the top")
		}
		at, where := root, typ
		for i, seg := range segments {
			if where == "" {
				return nil, problem.BadField(field+"."+p, "a path cannot go on below "+quote(strings.Join(segments[:i], ".")),
					"End it there, or name one type of the choice, such as valueQuantity")
			}
			inner, err := descend(field+"."+p, where, seg)
			if err != nil {
				return nil, err
			}
			where = inner
			if at.below == nil {
				at.below = map[string]*trie{}
			}
			sub := at.below[seg]
			if sub == nil {
				sub = &trie{}
				at.below[seg] = sub
			}
			at = sub
		}
		at.named, at.shown = true, mark
	}
	return root, nil
}

func quote(s string) string { return `"` + s + `"` }

// descend finds the path of the definition below where at seg; "" where
// nothing can be below it (a primitive, or a choice of several types).
func descend(field, where, seg string) (string, error) {
	kids, _ := children(where)
	var names []string
	for _, k := range kids {
		switch k.name {
		case "id", "meta", "implicitRules", "contained", "modifierExtension":
			if isResource(where) || k.name == "modifierExtension" {
				if seg == k.name {
					return "", problem.BadField(field, quote(seg)+" is not for a role to name", "Leave it out: the gateway keeps, rewrites or refuses it by rule")
				}
				continue
			}
		}
		if k.name == seg && len(k.choices) > 1 {
			return "", nil
		}
		for _, ch := range k.choices {
			if ch.name == seg || k.name == seg {
				if isPrimitive(ch.typ) {
					return "", nil
				}
				return ch.inner, nil
			}
			if ch.name != k.name {
				names = append(names, ch.name)
			}
		}
		names = append(names, k.name)
	}
	return "", problem.BadField(field, where+" has no element "+quote(printable(seg)), "Did you mean "+quote(closest(seg, names))+"?")
}

// printable keeps a misspelt name readable, and short.
func printable(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// digest is over everything that the meaning of the scope depends on, each part
// with its length.
func digest(s Spec, p *Profile) [32]byte {
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(p)))
			h.Write(n[:])
			h.Write([]byte(p))
		}
	}
	put("sallyport/deid/scope/2", string(p.digest[:]), string(s.Dates), string(s.Identifiers))
	if s.All {
		put("all")
	}
	if s.DirectIdentifiers {
		put("direct")
	} else {
		put("")
	}
	put(s.Since.UTC().Format(time.RFC3339Nano), s.Until.UTC().Format(time.RFC3339Nano))
	for _, typ := range slices.Sorted(maps.Keys(s.Resources)) {
		put("type", typ)
		for _, p := range s.Resources[typ] {
			put("path", p)
		}
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// Digest identifies what the scope shows: equal for equal specs.
func (s *Scope) Digest() [32]byte { return s.digest }

// Spec is what the scope was compiled from, with empty rules filled in. The
// caller must not change its maps and lists.
func (s *Scope) Spec() Spec { return s.spec }

// Resource returns the plan for a resource type, or nil if it is not in scope.
func (s *Scope) Resource(typ []byte) *Node {
	if s == nil {
		return nil
	}
	return s.nodes[string(typ)]
}

// Types are the resource types in scope, sorted.
func (s *Scope) Types() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.nodes))
}

// Profile is the profile that the scope was compiled under: its digest goes into
// the audit entry of every release, beside the scope's.
func (s *Scope) Profile() *Profile { return s.profile }

// Shifts says whether dates come out shifted, so that a method needs Shifts.
func (s *Scope) Shifts() bool { return s.dates == byShift }

// CutsDates says whether only the year of a date comes out.
func (s *Scope) CutsDates() bool { return s.dates == byYear }

// Judges says whether ages over 89 are put into one category, so that a method
// needs to know as of which day.
func (s *Scope) Judges() bool { return s.profile != nil && s.profile.doc.Ages == aggregated }

// Extensions are those that stay. The caller must not change the list.
func (s *Scope) Extensions() []Extension {
	if s.profile == nil {
		return nil
	}
	return s.profile.doc.Extensions
}

// Trusts says whether the words of the code system may stand in Coding.display.
func (s *Scope) Trusts(system []byte) bool {
	for _, prefix := range s.profile.doc.Systems {
		if len(system) >= len(prefix) && string(system[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// Envelope is the plan for what wraps resources, a Bundle, where the scope is All.
func (s *Scope) Envelope(typ string) *Node {
	if typ == "Bundle" {
		return s.bundle
	}
	return nil
}

// Extended is the plan for an Extension: of its members those that hold a value.
func (s *Scope) Extended() *Node { return s.extended }

// Coding is the plan for a Coding that stands outside the elements of a
// resource: in an extension, or in meta.
func (s *Scope) Coding() *Node { return s.coding }

// Meta is the plan for Resource.meta.
func (s *Scope) Meta() *Node { return s.meta }

// metaPlan is meta without what the minimiser takes out of it by rule: source,
// extensions, and tags, of which only some stay.
func metaPlan(meta *Node) *Node {
	n := &Node{Path: meta.Path, fields: map[string]*Field{}}
	for _, name := range []string{"versionId", "lastUpdated", "profile", "security"} {
		if f := meta.fields[name]; f != nil {
			n.fields[name] = f
		}
	}
	for _, name := range []string{"source", "tag"} {
		n.add(&Field{Name: name, Op: Cut, Why: release.OutOfScope})
	}
	return n
}

// closest is the candidate that is likest, however little.
func closest(s string, candidates []string) string {
	return nearest.Name(printable(s), candidates, 1<<30)
}
