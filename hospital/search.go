package hospital

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// failure is an answer that is not what was asked for. Where a server quotes
// its input back, detail has the quotation.
type failure struct {
	status int
	code   string // IssueType
	text   string
	detail string // quoted only by servers that do (Options.QuoteInput)
}

func invalid(text, detail string) *failure { return &failure{400, "invalid", text, detail} }

// query is a search that has been understood.
type query struct {
	typ        string
	filters    []filter
	sort       []string
	count      int
	include    []string
	revinclude []string
	view       view
	onlyTotal  bool
}

type filter struct {
	match func(*doc) bool
	hint  []*doc // if not nil, everything that can match, in order
}

// view is what is shown of each resource.
type view struct {
	elements []string
	noText   bool // _summary=data
}

func (v view) whole() bool { return v.elements == nil && !v.noText }

func (s *Server) parse(typ string, form url.Values) (*query, *failure) {
	q := &query{typ: typ, count: s.opt.PageSize}
	for key, values := range form {
		for _, value := range values {
			switch base, _, _ := strings.Cut(key, ":"); base {
			case "_count":
				n, err := strconv.Atoi(value)
				if err != nil || n < 0 {
					return nil, invalid("_count is not a number", value)
				}
				q.count = min(n, s.opt.MaxPageSize)
				q.onlyTotal = q.onlyTotal || n == 0
			case "_sort":
				q.sort = append(q.sort, strings.Split(value, ",")...)
			case "_include":
				q.include = append(q.include, value)
			case "_revinclude":
				q.revinclude = append(q.revinclude, value)
			case "_elements":
				q.view.elements = append(q.view.elements, strings.Split(value, ",")...)
			case "_summary":
				q.onlyTotal = q.onlyTotal || value == "count"
				q.view.noText = value == "data"
			case "_total", "_format", "_pretty":
			default:
				f, fail := s.filter(typ, key, value)
				if fail != nil {
					return nil, fail
				}
				if f.match != nil {
					q.filters = append(q.filters, f)
				}
			}
		}
	}
	for _, by := range q.sort {
		name := strings.TrimPrefix(by, "-")
		if _, ok := lookup(typ, name); !ok && name != "_id" {
			return nil, invalid("the sort parameter is not known for "+typ, by)
		}
	}
	for _, inc := range slices.Concat(q.include, q.revinclude) {
		parts := strings.Split(inc, ":")
		if inc == "*" {
			continue
		}
		if len(parts) < 2 || len(parts) > 3 {
			return nil, invalid("an include is Type:parameter or Type:parameter:Target", inc)
		}
		if p, ok := lookup(parts[0], parts[1]); parts[1] != "*" && (!ok || p.kind != kReference) {
			return nil, invalid("the include is not a reference parameter", inc)
		}
	}
	return q, nil
}

// filter understands one parameter.
func (s *Server) filter(typ, key, value string) (filter, *failure) {
	if rest, ok := strings.CutPrefix(key, "_has:"); ok {
		return s.has(typ, rest, value)
	}
	if head, rest, ok := strings.Cut(key, "."); ok {
		return s.chain(typ, head, rest, value)
	}
	name, modifier, _ := strings.Cut(key, ":")
	if name == "_id" {
		ids := splitValues(value)
		f := filter{match: func(d *doc) bool { return slices.Contains(ids, d.ID) }, hint: []*doc{}}
		for _, id := range ids {
			if d := s.rec.byKey[typ+"/"+id]; d != nil {
				f.hint = append(f.hint, d)
			}
		}
		return f, nil
	}
	p, ok := lookup(typ, name)
	if !ok {
		if s.opt.IgnoreUnknown {
			return filter{}, nil
		}
		return filter{}, invalid("unknown search parameter for "+typ, key)
	}
	if modifier == "missing" {
		return filter{match: func(d *doc) bool { return len(d.values(name)) == 0 == (value == "true") }}, nil
	}
	f := filter{}
	negate := p.kind == kToken && modifier == "not"
	var tests []func(entry) bool
	for _, v := range splitValues(value) {
		test, fail := s.valueTest(&f, p, name, modifier, v)
		if fail != nil {
			return f, fail
		}
		tests = append(tests, test)
	}
	if len(tests) > 1 {
		f.hint = nil // several values would need a merge in order
	}
	f.match = func(d *doc) bool {
		for _, e := range d.values(name) {
			for _, t := range tests {
				if t(e) {
					return !negate
				}
			}
		}
		return negate
	}
	return f, nil
}

// valueTest understands one value of a parameter. Where it names one resource, f gets a hint.
func (s *Server) valueTest(f *filter, p param, name, modifier, v string) (func(entry) bool, *failure) {
	switch p.kind {
	case kToken:
		if modifier != "" && modifier != "not" {
			return nil, invalid("the modifier is not supported", name+":"+modifier)
		}
		return tokenTest(v), nil
	case kString:
		want := fold(v)
		switch modifier {
		case "":
			return func(e entry) bool { return strings.HasPrefix(e.code, want) }, nil
		case "contains":
			return func(e entry) bool { return strings.Contains(e.code, want) }, nil
		case "exact":
			return func(e entry) bool { return e.code == want }, nil
		}
		return nil, invalid("the modifier is not supported", name+":"+modifier)
	case kDate:
		test, fail := dateTest(v)
		if fail != nil || modifier != "" {
			return nil, invalid("not a date: prefix and YYYY[-MM[-DD[Thh:mm:ssZ]]]", v)
		}
		return test, nil
	case kQuantity:
		return quantityTest(v)
	default: // kReference
		if modifier == "identifier" {
			want := tokenTest(v)
			return func(e entry) bool { return s.identified(e, want) }, nil
		}
		return s.referenceTest(f, name, modifier, v), nil
	}
}

func (s *Server) referenceTest(f *filter, name, modifier, want string) func(entry) bool {
	if i := strings.Index(want, s.opt.BasePath+"/"); i >= 0 && strings.Contains(want, "://") {
		want = want[i+len(s.opt.BasePath)+1:]
	}
	switch {
	case strings.Contains(want, "/"):
	case modifier != "":
		want = modifier + "/" + want
	case name == "patient":
		want = "Patient/" + want
	default:
		suffix := "/" + want
		return func(e entry) bool { return !e.ident && strings.HasSuffix(e.code, suffix) }
	}
	f.hint = append(f.hint, s.rec.byRef[want]...)
	if f.hint == nil {
		f.hint = []*doc{}
	}
	return func(e entry) bool { return !e.ident && e.code == want }
}

// identified reports whether what a reference names has the identifier, by the
// reference's own identifier or by the resource's.
func (s *Server) identified(e entry, want func(entry) bool) bool {
	if e.ident {
		return want(e)
	}
	d := s.rec.byKey[e.code]
	return d != nil && slices.ContainsFunc(d.values("identifier"), want)
}

// chain understands subject:Patient.name=... and subject.identifier=...
func (s *Server) chain(typ, head, rest, value string) (filter, *failure) {
	name, target, _ := strings.Cut(head, ":")
	p, ok := lookup(typ, name)
	if !ok || p.kind != kReference {
		return filter{}, invalid("a chain begins with a reference parameter of "+typ, head)
	}
	inner := map[string]filter{}
	bare, _, _ := strings.Cut(rest, ".")
	bare, _, _ = strings.Cut(bare, ":")
	for t := range s.rec.byType {
		if target != "" && t != target || name == "patient" && t != "Patient" {
			continue
		}
		if _, ok := lookup(t, bare); !ok && bare != "_id" && bare != "_has" {
			continue
		}
		f, fail := s.filter(t, rest, value)
		if fail != nil {
			return filter{}, fail
		}
		inner[t] = f
	}
	if len(inner) == 0 {
		return filter{}, invalid("no target of the chain has the parameter", rest)
	}
	return filter{match: func(d *doc) bool {
		for _, e := range d.values(name) {
			if to := s.rec.byKey[e.code]; to != nil && !e.ident {
				if f, ok := inner[to.Type]; ok && (f.match == nil || f.match(to)) {
					return true
				}
			}
		}
		return false
	}}, nil
}

// has understands _has:Observation:patient:code=...
func (s *Server) has(typ, rest, value string) (filter, *failure) {
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) != 3 {
		return filter{}, invalid("_has is _has:Type:reference:parameter", rest)
	}
	if p, ok := lookup(parts[0], parts[1]); !ok || p.kind != kReference {
		return filter{}, invalid("_has needs a reference parameter", rest)
	}
	f, fail := s.filter(parts[0], parts[2], value)
	if fail != nil {
		return filter{}, fail
	}
	found := map[string]bool{}
	for _, d := range s.rec.byType[parts[0]] {
		if f.match == nil || f.match(d) {
			for _, e := range d.values(parts[1]) {
				found[e.code] = true
			}
		}
	}
	return filter{match: func(d *doc) bool { return found[d.Type+"/"+d.ID] }}, nil
}

func tokenTest(v string) func(entry) bool {
	system, code, both := strings.Cut(v, "|")
	switch {
	case !both:
		return func(e entry) bool { return e.code == v }
	case code == "":
		return func(e entry) bool { return e.system == system }
	}
	return func(e entry) bool { return e.system == system && e.code == code }
}

var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func cutPrefix(v string) (string, string) {
	if len(v) > 2 && slices.Contains(prefixes, v[:2]) {
		return v[:2], v[2:]
	}
	return "eq", v
}

// dateTest compares ranges as R4 3.1.1.4.7 says.
func dateTest(v string) (func(entry) bool, *failure) {
	prefix, v := cutPrefix(v)
	// A plus sign in a query that was not escaped arrives as a space.
	lo, hi, ok := dateRange(strings.ReplaceAll(v, " ", "+"))
	if !ok {
		return nil, invalid("not a date", v)
	}
	within := func(e entry) bool { return e.lo >= lo && e.hi <= hi }
	switch prefix {
	case "ne":
		return func(e entry) bool { return !within(e) }, nil
	case "gt":
		return func(e entry) bool { return e.hi > hi }, nil
	case "lt":
		return func(e entry) bool { return e.lo < lo }, nil
	case "ge":
		return func(e entry) bool { return e.hi > hi || within(e) }, nil
	case "le":
		return func(e entry) bool { return e.lo < lo || within(e) }, nil
	case "sa":
		return func(e entry) bool { return e.lo >= hi }, nil
	case "eb":
		return func(e entry) bool { return e.hi <= lo }, nil
	case "ap":
		return func(e entry) bool { return e.lo < hi && e.hi > lo }, nil
	}
	return within, nil
}

func quantityTest(v string) (func(entry) bool, *failure) {
	parts := strings.Split(v, "|")
	prefix, number := cutPrefix(parts[0])
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || len(parts) != 1 && len(parts) != 3 {
		return nil, invalid("not a quantity: [prefix]number or [prefix]number|system|code", v)
	}
	return func(e entry) bool {
		if len(parts) == 3 && (parts[1] != "" && e.system != parts[1] || e.code != parts[2]) {
			return false
		}
		switch prefix {
		case "ne":
			return e.num != n
		case "gt", "sa":
			return e.num > n
		case "lt", "eb":
			return e.num < n
		case "ge":
			return e.num >= n
		case "le":
			return e.num <= n
		case "ap":
			return e.num >= n*.9 && e.num <= n*1.1
		}
		return e.num == n
	}, nil
}

// splitValues splits alternatives; "\," is a comma (R4 3.1.1.4.0.1).
func splitValues(v string) []string {
	if !strings.Contains(v, `\`) {
		return strings.Split(v, ",")
	}
	var out []string
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '\\' && i+1 < len(v):
			i++
			b.WriteByte(v[i])
		case v[i] == ',':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(v[i])
		}
	}
	return append(out, b.String())
}

// find runs a search.
func (s *Server) find(q *query) []*doc {
	from := s.rec.byType[q.typ]
	for _, f := range q.filters {
		if f.hint != nil && len(f.hint) < len(from) {
			from = f.hint
		}
	}
	var out []*doc
next:
	for _, d := range from {
		if d.Type != q.typ {
			continue
		}
		for _, f := range q.filters {
			if !f.match(d) {
				continue next
			}
		}
		out = append(out, d)
	}
	if len(q.sort) > 0 {
		slices.SortStableFunc(out, func(a, b *doc) int {
			for _, by := range q.sort {
				name, down := strings.CutPrefix(by, "-")
				if c := compare(a, b, name, down); c != 0 {
					return c
				}
			}
			return 0
		})
	}
	return out
}

// compare puts what lacks the element last, whichever way the sort goes.
func compare(a, b *doc, name string, down bool) int {
	if name == "_id" {
		c := strings.Compare(a.ID, b.ID)
		if down {
			return -c
		}
		return c
	}
	x, y := a.values(name), b.values(name)
	switch {
	case len(x) == 0 && len(y) == 0:
		return 0
	case len(x) == 0:
		return 1
	case len(y) == 0:
		return -1
	}
	key := func(e entry) string { return fmt.Sprintf("%020d", uint64(e.lo+1<<62)) + e.system + e.code }
	c := strings.Compare(key(x[0]), key(y[0]))
	if down {
		return -c
	}
	return c
}

// included are what the includes add to the matches of one page.
func (s *Server) included(q *query, matches []*doc) []*doc {
	seen := map[*doc]bool{}
	for _, d := range matches {
		seen[d] = true
	}
	var out []*doc
	add := func(d *doc) {
		if d != nil && !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	for _, inc := range q.include {
		parts := append(strings.Split(inc, ":"), "", "")
		for _, d := range matches {
			if inc == "*" || parts[0] == d.Type && parts[1] == "*" {
				for _, r := range d.refs {
					add(s.rec.byKey[r])
				}
				continue
			}
			if parts[0] != d.Type {
				continue
			}
			for _, e := range d.values(parts[1]) {
				if to := s.rec.byKey[e.code]; to != nil && (parts[2] == "" || parts[2] == to.Type) {
					add(to)
				}
			}
		}
	}
	for _, inc := range q.revinclude {
		parts := append(strings.Split(inc, ":"), "", "")
		for _, m := range matches {
			key := m.Type + "/" + m.ID
			for _, d := range s.rec.byRef[key] {
				if inc != "*" && d.Type != parts[0] {
					continue
				}
				if inc == "*" || parts[1] == "*" || slices.ContainsFunc(d.values(parts[1]), func(e entry) bool { return e.code == key }) {
					add(d)
				}
			}
		}
	}
	return out
}
