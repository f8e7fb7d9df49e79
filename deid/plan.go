package deid

import (
	"maps"
	"slices"

	"github.com/sallyport/sallyport/deid/internal/release"
)

// Op is what a method does with one member of an object: an Action with the
// role's answers put in. The zero Op cuts.
type Op uint8

// The ops.
const (
	Cut       Op = iota // leave it out, and count it under Why
	TypeName            // resourceType
	Identity            // Resource.id
	MetaData            // Resource.meta
	Refuse              // a modifier that is not understood: the resource is refused
	Contained           // contained resources, each by its own type
	Object              // walk into Node
	Copy                // as it is, if it has Shape
	Year                // a date or dateTime, to its year
	Encode              // an id, to its code
	Rewrite             // Reference.reference
	Extended            // extensions
	Beside              // "_name": the extensions of a primitive
	Dated               // a date, dateTime or instant, by the scope's rule for dates and ages
	Scrub               // words, scrubbed
	Div                 // XHTML, its words scrubbed
	File                // base64 of a file, scrubbed if it is text; needs the file's type, which stands beside it
	ZIP3                // a ZIP code, to its first three digits or 000
	Words               // Coding.display, if the Coding's system is trusted
	Defined             // a canonical: HL7's as it is, any other as a code
)

// AgeForm says where a quantity of years over 89 may stand, and so how it is
// written once it is put into the category of 90 and over.
type AgeForm uint8

// The forms.
const (
	NoAge   AgeForm = iota
	AgeOpen         // a quantity: value 90, comparator >=
	AgeLow          // Range.low: value 90, since a range's ends have no comparator; without a high it is open
	AgeHigh         // Range.high: it goes
)

// Shape is what a JSON value must look like to be copied. A value that is not
// of its type may be anything, a name in a boolean for instance.
type Shape uint8

// The shapes. The zero Shape fits nothing.
const (
	NoShape   Shape = iota
	Boolean         // true, false
	Integer         // digits
	Decimal         // a JSON number
	Code            // a token
	URI             // has a scheme, no space
	Kind            // the name of a resource type, or its definition's URI
	Text            // any string
	DateShape       // YYYY, YYYY-MM, YYYY-MM-DD
	DateTime        // the same, or with a time and a zone
	Instant         // with a time and a zone
	TimeOfDay       // hh:mm:ss
	ID              // [A-Za-z0-9\-\.]{1,64}
	Samples         // SampledData.data
	Token           // letters, digits and . _ / - only
	Word            // a code without a space: that of a required binding
	MediaType       // type/subtype, with a charset at most: a file's name can be a parameter
	ZIPShape        // five or nine digits
	State           // a State, district or territory of the United States
	Country         // a country of ISO 3166
)

// Field is one member that R4 defines in an object, with what happens to it.
type Field struct {
	Name   string       // in JSON
	Quoted []byte       // the name as it is written, with its colon: "code":
	Op     Op           //
	Why    release.Rule // for Cut
	Shape  Shape        // for Copy
	List   bool         // an array in JSON
	Node   *Node        // for Object
	Age    AgeForm      // for Object: a quantity whose years are judged
	Years  bool         // for Dated: only the year stays, whatever the rule
	Mask   int          // index+1 into Node.Masks of its object; 0 where it may just be absent
	Shown  []uint32     // the marks of the role's paths that name it: see Scope.Marks
}

// Node says what happens to the members of one kind of object.
type Node struct {
	Path   string // where FHIR defines it
	fields map[string]*Field
	table  []*Field // the same, for Field
	// Masks are the members that may not vanish without a trace: those that
	// must be there (min 1) and those that change the meaning of the rest
	// (isModifier, R4 section 2.1.0.5.2). Where one was cut, this text stands
	// in for it.
	Masks [][]byte
	// Always is the set of Masks (bit i for Masks[i]) of members that the plan
	// cuts whatever they say. They stand there even where the source had no
	// such member: a mark that came and went would tell that it was there.
	Always uint64
	// Needs is the member without which the object says nothing but words: a
	// Coding that has no code is free text in its display. It is not copied.
	Needs string
	// Must is the member without which the object does not come out: a
	// Narrative's div, an Annotation's text, a backbone's required canonical.
	Must string
}

// Field returns the member called name, or nil if R4 defines none.
func (n *Node) Field(name []byte) *Field {
	if len(name) == 0 || len(n.table) == 0 {
		return nil
	}
	for h := hash(name); ; h++ {
		f := n.table[h&uint32(len(n.table)-1)]
		if f == nil || f.Name == string(name) {
			return f
		}
	}
}

// hash tells the names of one object apart well enough: an open table of them
// is looked up for every member of every resource, twice as fast as a map.
func hash[T ~string | ~[]byte](name T) uint32 {
	n := len(name)
	return uint32(n)*7 + uint32(name[0])*31 + uint32(name[n/2])*131 + uint32(name[n-1])*17
}

// index fills table, at most a third full so that a search ends soon.
func (n *Node) index() {
	size := 4
	for size < 3*len(n.fields) {
		size *= 2
	}
	n.table = make([]*Field, size)
	for _, name := range slices.Sorted(maps.Keys(n.fields)) {
		h := hash(name)
		for n.table[h&uint32(size-1)] != nil {
			h++
		}
		n.table[h&uint32(size-1)] = n.fields[name]
	}
}

// maxMasks is the width of the set that a method keeps for an object.
const maxMasks = 64

// choice is one JSON member that can hold an element: "valueQuantity" of "value[x]".
type choice struct {
	name  string // in JSON
	typ   string // FHIR type; "BackboneElement" for the structure of one element
	inner string // the type whose elements it has
	bound bool   // a code whose value set is required: none of R4's has a space in it
}

// child is one element of a type, as FHIR defines it.
type child struct {
	name     string // "code", "value[x]"
	path     string // where it is defined: "Observation.value[x]"
	choices  []choice
	required bool
	list     bool
	modifier bool
}

// trie is a role's element paths, by segment.
type trie struct {
	named bool // a path ends here
	below map[string]*trie
	shown []uint32 // the mark of that path; of two where a choice is named by both of its names
}

func (t *trie) get(name string) *trie {
	if t == nil {
		return nil
	}
	return t.below[name]
}

// compiler turns definitions, a profile and a role into nodes.
type compiler struct {
	profile *Profile
	direct  bool   // the role may have direct identifiers where it names them
	dates   string // byYear, kept or byShift
	judged  bool   // ages over 89 are put into one category
	ids     IdentifierRule
	memo    map[memoKey]*Node
}

type memoKey struct {
	path    string
	covered bool
	direct  bool
	inside  bool
}

// resource compiles the node of a resource type.
func (c *compiler) resource(typ string, want *trie) *Node {
	n := c.node(typ, want, want != nil && want.named, false, false)
	set := func(f *Field) {
		if old := n.fields[f.Name]; old != nil && f.Op == Cut {
			f.Why = old.Why
		}
		f.Quoted = quoted(f.Name)
		n.fields[f.Name] = f
	}
	kind := &Field{Name: "resourceType", Op: TypeName}
	if want != nil {
		kind.Shown = want.shown // of "*": whatever there is of the resource is of it
	}
	set(kind)
	set(&Field{Name: "id", Op: Identity})
	set(&Field{Name: "meta", Op: MetaData})
	set(&Field{Name: "implicitRules", Op: Refuse})
	set(&Field{Name: "_implicitRules", Op: Refuse})
	set(&Field{Name: "_id", Op: Cut, Why: release.ExtensionGone})
	if f := n.fields["contained"]; f != nil {
		f.Op, f.Node, f.List = Contained, nil, true
	}
	n.index()
	return n
}

// node compiles the object at path. covered: everything below is in scope;
// direct: and so are direct identifiers below; inside: it is inside a direct
// identifier that the role does not have as a whole, so that of its parts only
// those pass that are named and may, each by itself. A node that is wholly inside or
// wholly outside is shared, which is also what ends recursive definitions.
func (c *compiler) node(path string, want *trie, covered, direct, inside bool) *Node {
	shared := want == nil || len(want.below) == 0
	key := memoKey{path, covered, direct, inside}
	if shared {
		if n := c.memo[key]; n != nil {
			return n
		}
	}
	n := &Node{Path: path, fields: map[string]*Field{}}
	if shared {
		c.memo[key] = n
	}
	if path == "Coding" && !direct {
		n.Needs = "code"
	}
	if c.profile.doc.Direct == never {
		n.Must = said[path]
	}
	kids, _ := children(path)
	for _, k := range kids {
		c.child(n, k, want, covered, direct, inside)
	}
	// Every element may carry these, whatever its definition lists.
	if f := n.fields["modifierExtension"]; f != nil {
		f.Op = Refuse
	} else {
		n.add(&Field{Name: "modifierExtension", Op: Refuse})
	}
	n.add(&Field{Name: "_modifierExtension", Op: Refuse})
	n.index()
	return n
}

// said is what an object of the type is there for.
var said = map[string]string{"Narrative": "div", "Annotation": "text"}

// hollow says whether the type's Must is always removed, and with it the object.
func (c *compiler) hollow(typ string) bool {
	must := said[typ]
	if must == "" || c.profile.doc.Direct != never {
		return false
	}
	kids, _ := children(typ)
	for _, k := range kids {
		if k.name == must {
			var f Field
			c.rule(&f, k, k.choices[0], nil, true, false, false)
			return f.Op == Cut
		}
	}
	return true
}

func (n *Node) add(f *Field) {
	f.Quoted = quoted(f.Name)
	n.fields[f.Name] = f
}

func quoted(name string) []byte { return []byte(`"` + name + `":`) }

func (c *compiler) child(n *Node, k child, want *trie, covered, direct, inside bool) {
	mask := 0
	if (k.required || k.modifier) && len(n.Masks) < maxMasks && len(k.choices) > 0 && k.name != "modifierExtension" && k.path != "Extension.url" {
		n.Masks = append(n.Masks, maskText(k))
		mask = len(n.Masks)
	}
	passes := false
	for _, ch := range k.choices {
		sub := want.get(k.name)
		if s := want.get(ch.name); s != nil && ch.name != k.name {
			sub = merge(sub, s)
		}
		f := &Field{Name: ch.name, List: k.list, Mask: mask}
		c.rule(f, k, ch, sub, covered || (sub != nil && sub.named), direct, inside)
		f.mark(sub)
		n.add(f)
		passes = passes || f.Op != Cut
		if isPrimitive(ch.typ) {
			g := &Field{Name: "_" + ch.name, Op: Beside, List: k.list, Mask: mask, Shown: f.Shown}
			if f.Op == Cut {
				g.Op, g.Why = Cut, f.Why
			}
			n.add(g)
		}
	}
	if mask > 0 && !passes {
		n.Always |= 1 << (mask - 1)
	}
}

// rule settles what happens to one choice of one element.
func (c *compiler) rule(f *Field, k child, ch choice, sub *trie, covered, direct, inside bool) {
	if !covered && sub == nil {
		f.Op, f.Why = Cut, release.OutOfScope
		return
	}
	if k.name == "id" { // Element.id: a label inside the document, any string; resource() sets Resource.id
		f.Op, f.Why = Cut, release.DirectID
		return
	}
	named := sub != nil && sub.named
	action := c.profile.Rule(Element{Path: k.path, Type: ch.typ})
	if inside && action != IfNamed {
		if c.direct && named {
			direct, inside = true, false
		} else {
			action = Direct // a code inside a name is part of the name
		}
	}
	switch action {
	case Direct:
		switch {
		case direct || (c.direct && named):
			f.pass(c, k.path, ch, sub, true, true, false)
		case sub != nil && len(sub.below) > 0 && !isPrimitive(ch.typ):
			// Parts of it are named, as "address.state": those are ruled on
			// one by one, and nothing else of it is covered.
			f.pass(c, k.path, ch, sub, false, false, true)
		default:
			f.Op, f.Why = Cut, release.DirectID
		}
	case IfNamed:
		if direct || named {
			f.pass(c, k.path, ch, sub, true, direct, false)
		} else {
			f.Op, f.Why = Cut, release.DirectID
		}
	case Walk, Keep:
		if action == Walk && c.hollow(ch.typ) {
			f.Op, f.Why = Cut, release.FreeText
			return
		}
		if c.judged {
			f.Age = ageForm(k.path, ch.typ)
		}
		f.pass(c, k.path, ch, sub, covered, direct, false)
	case Date:
		c.date(f, k.path, ch.typ)
	case YearOnly:
		c.date(f, k.path, ch.typ)
		if f.Years = f.Op == Dated; !f.Years {
			f.Op = Year
		}
	case Clock:
		if c.dates == byYear {
			f.Op, f.Why, f.Shape = Cut, release.ClockTime, shapeOf(k.path, ch.typ)
		} else {
			c.date(f, k.path, ch.typ)
		}
	case FreeText:
		f.text(Scrub, c.profile.doc.Text)
	case XHTML:
		f.text(Div, c.profile.doc.Narrative)
	case FileData:
		f.text(File, c.profile.doc.Attachments)
	case ZIPCode:
		switch c.profile.doc.ZIP {
		case kept:
			f.Op, f.Shape = Copy, ZIPShape
		case prefix3:
			f.Op = ZIP3
		default:
			f.Op, f.Why = Cut, release.Geography
		}
	case StateName:
		f.Op, f.Shape = Copy, State
	case CountryName:
		f.Op, f.Shape = Copy, Country
	case Display:
		f.Op = Words
	case Canonical:
		f.Op = Defined
	case Pseudonym:
		f.Op, f.Shape = Encode, ID
		if c.ids == KeepIDs {
			f.Op = Copy
		}
	case Refer:
		f.Op = Rewrite
	case Extend:
		f.Op = Extended
	default:
		f.Op, f.Why = Cut, release.DirectID
	}
}

// date lets a date through in the form that the rule gives it.
func (c *compiler) date(f *Field, path, typ string) {
	f.Op, f.Shape = Year, shapeOf(path, typ)
	switch {
	case typ == "time":
		f.Op = Copy // a time of day tells no date
	case c.judged || c.dates == byShift:
		f.Op = Dated
	case c.dates == kept:
		f.Op = Copy
	}
}

// text lets words through where they are scrubbed.
func (f *Field) text(op Op, rule string) {
	f.Op, f.Why, f.Shape = Cut, release.FreeText, Text
	if rule == scrubbed {
		f.Op = op
	}
}

// ageForm: any quantity can be of years, and so an age.
func ageForm(path, typ string) AgeForm {
	switch path {
	case "Range.low":
		return AgeLow
	case "Range.high":
		return AgeHigh
	}
	switch typ {
	case "Age", "Quantity", "Duration":
		return AgeOpen
	}
	return NoAge
}

// pass lets the element through: by its shape, or by the rulings of its parts.
func (f *Field) pass(c *compiler, path string, ch choice, sub *trie, covered, direct, inside bool) {
	if isPrimitive(ch.typ) {
		f.Op, f.Shape = Copy, shapeOf(path, ch.typ)
		if f.Shape == Code && ch.bound {
			f.Shape = Word
		}
		return
	}
	if _, ok := children(ch.inner); !ok {
		f.Op, f.Why = Cut, release.NotInR4
		return
	}
	f.Op = Object
	f.Node = c.node(ch.inner, sub, covered, direct, inside)
}

func merge(a, b *trie) *trie {
	if a == nil {
		return b
	}
	m := &trie{named: a.named || b.named, below: map[string]*trie{}, shown: slices.Concat(a.shown, b.shown)}
	for _, t := range []*trie{a, b} {
		for name, s := range t.below {
			if old := m.below[name]; old != nil {
				s = merge(old, s)
			}
			m.below[name] = s
		}
	}
	return m
}
