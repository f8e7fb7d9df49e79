package msconfig

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// Options are what a configuration does not say.
type Options struct {
	// AsOf is the day on which an age is judged to be over 89, in the reader's
	// own zone. It must be given: the tool takes today.
	AsOf time.Time

	// Rand gives the randomness for perturb, for the initialization vectors of
	// encrypt, and for keys that the configuration leaves out. It is needed only
	// where there is one of these. It is read from one goroutine at a time.
	Rand io.Reader

	// Keys that replace the configuration's, where they are not empty, so that a
	// configuration need not hold secrets.
	DateShiftKey, CryptoHashKey, EncryptKey string

	// File or Folder is the name, without a path, whose dates are shifted
	// together where dateShiftScope is file or folder; see [Anonymizer.In].
	File, Folder string
}

// Anonymizer runs a configuration. It is immutable; it may be used by several
// goroutines if Options.Rand may.
type Anonymizer struct {
	cfg    *Config
	rand   io.Reader
	asOf   [3]int // year, month, day
	prefix string // of the date shift; "": the id of the resource
	params parameters
	hash   *hasher
	cipher blockCipher
	needs  struct{ encrypt, perturb bool }
}

// Counts says what was done: how many elements each operation changed. There are
// no values in it.
type Counts struct {
	Redacted, Abstracted, CryptoHashed, Encrypted, Perturbed, Substituted, Generalized int
	// Skipped is 1 where the resource could not be processed and processingErrors
	// is skip: what came out is an empty resource of its type.
	Skipped int
}

// Add adds up.
func (c *Counts) Add(d Counts) {
	c.Redacted += d.Redacted
	c.Abstracted += d.Abstracted
	c.CryptoHashed += d.CryptoHashed
	c.Encrypted += d.Encrypted
	c.Perturbed += d.Perturbed
	c.Substituted += d.Substituted
	c.Generalized += d.Generalized
	c.Skipped += d.Skipped
}

// Errors about a resource. None holds anything of it but names that R4 defines.
var (
	errNotJSON     = errors.New("it is not JSON, or a name stands twice in an object, or the text is not UTF-8")
	errNotResource = errors.New("it is not a resource of a type that R4 has")
	errTooDeep     = errors.New("its elements lie too deep within each other")
)

func errUnknown(n *node) error {
	return fmt.Errorf("it has an element that R4 does not define, in %s", n.def.Name)
}

func errShape(el *spec.Element) error {
	return fmt.Errorf("%s does not have the form of its type", el.Path)
}

// processingError is what processingErrors: skip is about; other errors are not
// skipped, as in the tool.
type processingError struct{ err error }

func (e *processingError) Error() string { return e.err.Error() }
func (e *processingError) Unwrap() error { return e.err }

// New prepares a configuration to run.
func New(cfg *Config, o Options) (*Anonymizer, error) {
	if cfg == nil {
		return nil, problem.New(problem.Invalid, "There is no configuration", "Read one first")
	}
	if o.AsOf.IsZero() {
		return nil, problem.BadField("AsOf", "no day is given on which ages are judged", "Give the date")
	}
	a := &Anonymizer{cfg: cfg, rand: o.Rand, params: cfg.params}
	y, m, d := o.AsOf.Date()
	a.asOf = [3]int{y, int(m), d}
	for _, r := range cfg.rules {
		a.needs.encrypt = a.needs.encrypt || r.method == Encrypt
		a.needs.perturb = a.needs.perturb || r.method == Perturb
	}
	p := &a.params
	keys := []struct {
		name  string
		given string
		into  *string
	}{
		{"dateShiftKey", o.DateShiftKey, &p.dateShiftKey},
		{"cryptoHashKey", o.CryptoHashKey, &p.cryptoHashKey},
		{"encryptKey", o.EncryptKey, &p.encryptKey},
	}
	for _, k := range keys {
		if k.given != "" {
			*k.into = k.given
		}
		if *k.into == "" {
			var err error
			if *k.into, err = randomKey(o.Rand); err != nil {
				return nil, problem.BadField(k.name, "the configuration has no such key, and there is no randomness to make one", "Give the key, or a source of randomness").Because(err)
			}
		}
	}
	if o.Rand == nil && (a.needs.encrypt || a.needs.perturb) {
		return nil, problem.BadField("Rand", "encrypt and perturb need randomness", "Give a source of randomness")
	}
	var err error
	if a.cipher, err = newCipher(p.encryptKey); err != nil {
		return nil, problem.BadField("encryptKey", "it is not 128, 192 or 256 bits long", "Give 16, 24 or 32 bytes")
	}
	a.hash = newHasher(p.cryptoHashKey)
	return a.In(o.File, o.Folder), nil
}

// In is the Anonymizer for a file in a folder: names without a path. They count
// where the configuration shifts dates by file or by folder.
func (a *Anonymizer) In(file, folder string) *Anonymizer {
	b := *a
	b.prefix = ""
	switch a.params.scope {
	case ByFile:
		b.prefix = file
	case ByFolder:
		b.prefix = folder
	}
	return &b
}

// String shows no key.
func (a *Anonymizer) String() string { return a.cfg.String() }

// GoString is String.
func (a *Anonymizer) GoString() string { return a.String() }

// Resource appends to dst what the configuration makes of one resource, as JSON
// on one line, and says what it did. On an error nothing is appended.
//
// Members keep their order, numbers their digits. A resource that R4 does not
// define, that has an element R4 does not define, or that a rule cannot be
// applied to is an error.
func (a *Anonymizer) Resource(dst, raw []byte) ([]byte, Counts, error) {
	root, err := parse(raw)
	if err != nil {
		return dst, Counts{}, refused(err)
	}
	if a.params.scope != ByResource && a.prefix == "" {
		return dst, Counts{}, problem.New(problem.Invalid, "The configuration shifts dates by file or folder, and none is named", "Name it: see Options.File and Options.Folder")
	}
	t := tree{a: a, work: maxWork}
	if _, err := t.visit(root); err != nil {
		var pe *processingError
		if a.cfg.skip && errors.As(err, &pe) {
			return emptyResource(dst, root.typ), Counts{Skipped: 1}, nil
		}
		return dst, Counts{}, refused(err)
	}
	root.prune()
	return root.write(dst), t.counts, nil
}

func refused(err error) error {
	return problem.New(problem.Invalid, "The resource cannot be anonymized: "+err.Error(), "Nothing of it was released; mend it, or the rule that fails on it").Because(err)
}

// tree is one run over one resource and all within it.
type tree struct {
	a      *Anonymizer
	work   int
	counts Counts
	types  map[string][]*node // of the resource at hand, for nodesByType alone
	names  map[string][]*node
}

// visit applies the rules to a resource, then to the resources within it, and
// labels it with what was done to all of them.
func (t *tree) visit(n *node) (done operations, err error) {
	if n.resource() {
		if done, err = t.apply(n); err != nil {
			return done, err
		}
	}
	for _, k := range n.kids {
		below, err := t.visit(k)
		if err != nil {
			return done, err
		}
		done |= below
	}
	if n.resource() && n.name != "contained" {
		err = mark(n, done)
	}
	return done, err
}

// apply runs the rules for one resource, in order. What a rule has had, a later
// one does not get.
func (t *tree) apply(n *node) (done operations, err error) {
	t.lookUp(n)
	for i := range t.a.cfg.rules {
		r := &t.a.cfg.rules[i]
		if r.resource != "" && r.resource != n.typ && r.resource != "Resource" && r.resource != "DomainResource" {
			continue
		}
		found, err := t.match(r, n)
		if err != nil {
			return done, fmt.Errorf("rule %d: %w", i, err)
		}
		for _, f := range found {
			d, err := t.process(r, f)
			if err != nil {
				return done, fmt.Errorf("rule %d: %w", i, err)
			}
			done |= d
		}
	}
	return done, nil
}

// lookUp lists what lies below the resource by type and by name, the resources
// right within it included.
func (t *tree) lookUp(n *node) {
	t.types, t.names = map[string][]*node{}, map[string][]*node{}
	n.descend(false, func(k *node) {
		t.types[k.typ] = append(t.types[k.typ], k)
		t.names[k.name] = append(t.names[k.name], k)
	})
}

func (t *tree) env(n *node) *env {
	it := item{n: n}
	return &env{this: seq{it}, context: it, work: &t.work}
}

func (t *tree) match(r *rule, n *node) ([]*node, error) {
	switch {
	case r.whole:
		return []*node{n}, nil
	case r.byType != "":
		return t.then(r, t.types[r.byType])
	case r.byName != "":
		return t.then(r, t.names[r.byName])
	}
	return t.selected(nil, r.x, n)
}

func (t *tree) then(r *rule, nodes []*node) ([]*node, error) {
	if r.then == nil {
		return nodes, nil
	}
	var out []*node
	var err error
	for _, n := range nodes {
		if out, err = t.selected(out, r.then, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var errNoElement = errors.New("the path gives a computed value, which is no element of the resource")

func (t *tree) selected(out []*node, x expr, n *node) ([]*node, error) {
	s, err := x.eval(t.env(n))
	if err != nil {
		return nil, err
	}
	for _, it := range s {
		if it.n == nil {
			return nil, errNoElement
		}
		out = append(out, it.n)
	}
	return out, nil
}

// process applies a rule to an element and to everything below it that no rule
// has had, resources excepted.
func (t *tree) process(r *rule, n *node) (done operations, err error) {
	if n.visited {
		return 0, nil
	}
	if done, err = t.do(r, n); err != nil {
		return done, err
	}
	n.visited = true
	for _, k := range n.kids {
		if k.resource() {
			continue
		}
		d, err := t.process(r, k)
		if err != nil {
			return done, err
		}
		done |= d
	}
	return done, nil
}

// operations is a set of what was done.
type operations uint8

const (
	redacted operations = 1 << iota
	abstracted
	cryptoHashed
	encrypted
	perturbed
	substituted
	generalized
)

func (t *tree) note(o operations) operations {
	switch o {
	case redacted:
		t.counts.Redacted++
	case abstracted:
		t.counts.Abstracted++
	case cryptoHashed:
		t.counts.CryptoHashed++
	case encrypted:
		t.counts.Encrypted++
	case perturbed:
		t.counts.Perturbed++
	case substituted:
		t.counts.Substituted++
	case generalized:
		t.counts.Generalized++
	}
	return o
}

// mark adds the tool's security labels to meta, as it does: by way of its own
// data model, which writes lastUpdated anew.
func mark(n *node, done operations) error {
	if done == 0 {
		return nil
	}
	meta := n.child("meta")
	if meta == nil {
		el, _ := n.def.Field("meta")
		meta = &node{name: "meta", typ: "Meta", def: el.Type, el: el, parent: n}
		n.kids = append(n.kids, meta)
	} else if u := meta.child("lastUpdated"); u != nil && u.val.kind != none {
		s, ok := rewriteInstant(u.val.s)
		if !ok {
			return errors.New("meta.lastUpdated is no longer a time after the rules, so that the label cannot be written")
		}
		u.val = value{kind: dateTime, s: s}
	}
	present := func(code string) bool {
		for _, s := range meta.named("security") {
			if c := s.child("code"); c != nil && strings.EqualFold(c.val.s, code) {
				return true
			}
		}
		return false
	}
	for _, l := range labels {
		if done&l.op != 0 && !present(l.code) {
			meta.addSecurity(l)
		}
	}
	return nil
}

type securityLabel struct {
	op                    operations
	system, code, display string
}

const observationValue = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

// labels are what the tool writes into meta.security, in this order. CRYTOHASH
// lacks a letter in the tool, and so it must here.
var labels = []securityLabel{
	{redacted, observationValue, "REDACTED", "redacted"},
	{abstracted, observationValue, "ABSTRED", "abstracted"},
	{cryptoHashed, observationValue, "CRYTOHASH", "cryptographic hash function"},
	{encrypted, observationValue, "MASKED", "masked"},
	{perturbed, "", "PERTURBED", "exact value is replaced with another exact value"},
	{substituted, "", "SUBSTITUTED", "exact value is replaced with a predefined value"},
	{generalized, "", "GENERALIZED", "exact value is replaced with a general value"},
}

func (meta *node) addSecurity(l securityLabel) {
	el, _ := meta.def.Field("security")
	c := &node{name: "security", typ: "Coding", def: el.Type, el: el, parent: meta}
	for _, f := range [][2]string{{"system", l.system}, {"code", l.code}, {"display", l.display}} {
		if f[1] == "" {
			continue
		}
		e, _ := c.def.Field(f[0])
		c.kids = append(c.kids, &node{name: f[0], typ: e.Type.Name, def: e.Type, el: e, parent: c, val: textValue(f[1])})
	}
	meta.kids = append(meta.kids, c)
}

func emptyResource(dst []byte, typ string) []byte {
	def, _ := spec.Lookup(typ)
	n := &node{name: typ, typ: typ, def: def}
	_ = mark(n, redacted) // fails for no resource without meta
	return n.write(dst)
}
