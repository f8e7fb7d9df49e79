package fhirapi

import (
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/problem"
)

// company is what comes with the matches of a search, or with a patient's record
// in $everything: included resources, and those that are about nobody.
//
// Each may be seen by itself, and yet tells: that the clinic of a visit is in the
// answer, though the visit is not, names the clinic of a visit that is held back.
// So what comes with others is written only if one of those that were written
// refers to it, or for _revinclude if it refers to one of them.
type company struct {
	asked   []fhir.Include // of a search; $everything takes every reference
	all     bool
	matched map[ref]struct{}  // released, where something may refer to them
	named   map[ref]struct{}  // what those that were released refer to
	before  map[mark]struct{} // the same, of the pages of $everything before this one
	held    []heldEntry
	bytes   int
}

type ref struct{ typ, id string }

// mark is a ref in short, for a paging link.
type mark [8]byte

func (r ref) mark() mark {
	sum := sha256.Sum256([]byte(r.typ + "/" + r.id))
	return mark(sum[:8])
}

// heldEntry is an entry that may belong to one that comes later.
type heldEntry struct {
	raw           []byte
	fullURL, mode string
}

// Bounds on what is remembered of one answer.
const (
	maxHeld = 16 << 20
	maxRefs = 1 << 18
	// maxMarks is how many of them a paging link carries on: 4 KB.
	maxMarks = 512
)

func tooMuchCompany() error {
	return problem.New(problem.TooLarge, "Too much comes with what was asked for", "Ask for less in one page with _count, or include less")
}

// hold keeps an entry until the end of the source's page.
func (c *company) hold(item *fhir.Item, raw []byte) error {
	if len(c.asked) == 0 && !c.all {
		return nil // nobody asked for company
	}
	h := heldEntry{raw: slices.Clone(raw), fullURL: string(item.FullURL.Open()), mode: item.Mode}
	if c.keep(h); c.bytes > maxHeld {
		return tooMuchCompany()
	}
	return nil
}

func (c *company) keep(h heldEntry) {
	c.held = append(c.held, h)
	c.bytes += len(h.raw) + len(h.fullURL)
}

// belongs says whether the resource comes with one that was written.
func (c *company) belongs(typ, id string, raw []byte, base string) bool {
	if _, ok := c.named[ref{typ, id}]; ok && id != "" {
		return true
	}
	if len(c.before) > 0 {
		if _, ok := c.before[ref{typ, id}.mark()]; ok {
			return true
		}
	}
	reverse := slices.ContainsFunc(c.asked, func(i fhir.Include) bool { return i.Reverse && i.Source == typ })
	if !reverse || len(c.matched) == 0 {
		return false
	}
	found := false
	references(raw, base, func(r ref) {
		_, ok := c.matched[r]
		found = found || ok
	})
	return found
}

// released notes what was written, and what it refers to.
func (c *company) released(typ, id string, raw []byte, match bool, base string) error {
	forward, iterate, reverse := c.all, false, false
	for _, i := range c.asked {
		forward = forward || !i.Reverse && i.Source == typ
		reverse = reverse || i.Reverse
		iterate = iterate || i.Reverse && i.Iterate
	}
	if reverse && (match || iterate) {
		note(&c.matched, ref{typ, id})
	}
	if forward {
		references(raw, base, func(r ref) {
			if c.comes(typ, r.typ) {
				note(&c.named, r)
			}
		})
	}
	if len(c.matched) > maxRefs || len(c.named) > maxRefs {
		return tooMuchCompany()
	}
	return nil
}

// comes says whether what a resource of one type refers to may come with it.
func (c *company) comes(from, to string) bool {
	return c.all && impersonal[to] || slices.ContainsFunc(c.asked, func(i fhir.Include) bool {
		return !i.Reverse && i.Source == from && slices.Contains(i.Adds(), to)
	})
}

func note(set *map[ref]struct{}, r ref) {
	if *set == nil {
		*set = map[ref]struct{}{}
	}
	if len(*set) <= maxRefs {
		(*set)[r] = struct{}{}
	}
}

// marks is what the next page must know: the source of $everything gives what a
// record refers to when it likes. What does not fit is left out of the answer.
func (c *company) marks() []byte {
	if !c.all {
		return nil
	}
	set := make(map[mark]struct{}, len(c.before)+len(c.named))
	maps.Copy(set, c.before)
	for r := range c.named {
		set[r.mark()] = struct{}{}
	}
	var out []byte
	for m := range set {
		if out = append(out, m[:]...); len(out) == maxMarks*len(m) {
			break
		}
	}
	return out
}

// recall takes up what marks gave.
func (c *company) recall(marks []byte) {
	c.before = map[mark]struct{}{}
	for m := range slices.Chunk(marks, len(mark{})) {
		if len(m) == len(mark{}) {
			c.before[mark(m)] = struct{}{}
		}
	}
}

// references finds what a resource, which was checked before, refers to.
func references(value []byte, base string, found func(ref)) {
	switch {
	case len(value) == 0:
	case value[0] == '[':
		for v := range fhir.Items(value) {
			references(v, base, found)
		}
	case value[0] == '{':
		for name, v := range fhir.Members(value) {
			if string(name) == "reference" && len(v) > 0 && v[0] == '"' {
				if r := fhir.ParseRef(unquoted(v), base); r.Kind == fhir.Literal {
					found(ref{r.Type, r.ID})
				}
				continue
			}
			references(v, base, found)
		}
	}
}
