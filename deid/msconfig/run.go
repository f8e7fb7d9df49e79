package msconfig

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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
	arenas *sync.Pool
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
	a := &Anonymizer{cfg: cfg, rand: o.Rand, params: cfg.params, arenas: &sync.Pool{New: func() any { return &arena{} }}}
	y, m, d := o.AsOf.Date()
	a.asOf = [3]int{y, int(m), d}
	random := slices.ContainsFunc(cfg.rules, func(r rule) bool { return r.method == Encrypt || r.method == Perturb })
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
	if o.Rand == nil && random {
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
	mem := a.arenas.Get().(*arena)
	defer func() {
		mem.clear()
		a.arenas.Put(mem)
	}()
	root, err := parse(raw, mem)
	if err != nil {
		return dst, Counts{}, refused(err)
	}
	if a.params.scope != ByResource && a.prefix == "" {
		return dst, Counts{}, problem.New(problem.Invalid, "The configuration shifts dates by file or folder, and none is named", "Name it: see Options.File and Options.Folder")
	}
	t := tree{a: a, mem: mem, budget: maxWork(mem.used)}
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
	mem    *arena
	work   int // what is left of budget for the expression at hand
	budget int
	counts Counts
	nodes  []*node   // room for what a path selects
	found  [][]*node // by Config.lookUps: what the resource at hand has of each
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
	for _, i := range t.a.cfg.rulesFor(n.typ) {
		r := &t.a.cfg.rules[i]
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

// lookUp lists what lies below the resource by type and by name, as far as rules
// ask for it, the resources right within it included.
func (t *tree) lookUp(n *node) {
	if t.found == nil {
		t.found = make([][]*node, t.a.cfg.lookUps)
	}
	for i := range t.found {
		t.found[i] = nil
	}
	if t.a.cfg.lookUps == 0 {
		return
	}
	n.descend(false, func(k *node) {
		if i, ok := t.a.cfg.byType[k.typ]; ok {
			t.found[i] = append(t.found[i], k)
		}
		if i, ok := t.a.cfg.byName[k.name]; ok {
			t.found[i] = append(t.found[i], k)
		}
	})
}

func (t *tree) env(n *node) *env {
	it := item{n: n}
	t.work = t.budget
	return &env{this: seq{it}, context: it, work: &t.work}
}

func (t *tree) match(r *rule, n *node) ([]*node, error) {
	switch {
	case r.whole:
		return []*node{n}, nil
	case r.byType != "":
		return t.then(r, t.found[t.a.cfg.byType[r.byType]])
	case r.byName != "":
		return t.then(r, t.found[t.a.cfg.byName[r.byName]])
	}
	if r.names != nil {
		return t.walk(t.nodes[:0], n, r.names), nil
	}
	return t.selected(nil, r.x, n)
}

// walk is a path of plain names, which most are.
func (t *tree) walk(out []*node, n *node, names []string) []*node {
	for _, k := range n.kids {
		if k.name != names[0] {
			continue
		}
		if len(names) == 1 {
			out = append(out, k)
		} else {
			out = t.walk(out, k, names[1:])
		}
	}
	t.nodes = out
	return out
}

func (t *tree) then(r *rule, nodes []*node) ([]*node, error) {
	if r.then == nil {
		return nodes, nil
	}
	if r.names != nil {
		out := t.nodes[:0]
		for _, n := range nodes {
			out = t.walk(out, n, r.names)
		}
		return out, nil
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
