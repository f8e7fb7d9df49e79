package table

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/internal/yamldoc"
	"github.com/sallyport/sallyport/problem"
)

// Method is what happens to the values of a column. The list is closed; a
// column without one is refused, and one without a rule is removed.
type Method string

// The methods. A value that a method cannot read becomes empty.
const (
	Remove      Method = "remove"        // the column goes
	Keep        Method = "keep"          // as it is
	KeepIfShape Method = "keep-if-shape" // as it is, if it has Shape
	Year        Method = "year"          // a date, to its year; none that could show an age over 89
	DateShift   Method = "date-shift"    // a date, by the days of its subject
	AgeCap      Method = "age-cap"       // an age over 89 becomes 90+
	ZIP3        Method = "zip3"          // the first three digits where they may stay, else 000
	Code        Method = "code"          // a code that was assigned at random (45 CFR 164.514(c))
	Pseudonym   Method = "pseudonym"     // a code that is derived under a key
	Scrub       Method = "scrub"         // free text, without what a scrubber finds
	Generalise  Method = "generalise"    // the label at Level of Hierarchy
	Bin         Method = "bin"           // a number, to [low, high) of Width, counted from Origin
	TopBottom   Method = "top-bottom"    // a number beyond Top or Bottom becomes >Top or <Bottom
	Map         Method = "map"           // by Map; a value that is not in it becomes empty
)

// Methods is every method.
var Methods = []Method{Remove, Keep, KeepIfShape, Year, DateShift, AgeCap, ZIP3, Code, Pseudonym, Scrub, Generalise, Bin, TopBottom, Map}

// Shape is what a value must look like to be kept.
type Shape string

// The shapes.
const (
	AnyShape     Shape = ""
	ShapeInteger Shape = "integer" // at most 12 digits
	ShapeDecimal Shape = "decimal" //
	ShapeBoolean Shape = "boolean" // true, false, yes, no, t, f, y, n, 0, 1
	ShapeCode    Shape = "code"    // letters, digits and . _ / - ; at most 32, no space
)

// Rules is what happens to a table. The zero Rules is refused.
type Rules struct {
	Version int   `yaml:"version" json:"version"` // 1
	Basis   Basis `yaml:"basis" json:"basis"`
	// AsOf is the day against which ages are judged, YYYY-MM-DD. It is pinned,
	// so that the same file gives the same output tomorrow.
	AsOf Day `yaml:"as_of" json:"as_of"`
	// Subject is the column that says whose row it is; date-shift needs it.
	Subject string   `yaml:"subject" json:"subject,omitempty"`
	Expert  *Expert  `yaml:"expert" json:"expert,omitempty"`
	Columns []Column `yaml:"columns" json:"columns"`
	Risk    *Risk    `yaml:"risk" json:"risk,omitempty"`
}

// Expert is whose determination the rules carry out (45 CFR 164.514(b)(1)). It
// is for one recipient.
type Expert struct {
	Name      string `yaml:"name" json:"name"`
	Date      Day    `yaml:"date" json:"date"`
	Recipient string `yaml:"recipient" json:"recipient"`
	Expires   Day    `yaml:"expires" json:"expires"`
}

// Column is the rule of one column.
type Column struct {
	Name   string `yaml:"name" json:"name"` // as in the header
	Method Method `yaml:"method" json:"method"`
	// Kind says what the column holds where its name does not. It can only add:
	// what a name says is not unsaid by it.
	Kind      Kind              `yaml:"kind" json:"kind,omitempty"`
	Shape     Shape             `yaml:"shape" json:"shape,omitempty"`         // keep-if-shape
	Order     Order             `yaml:"order" json:"order,omitempty"`         // date-shift
	Domain    string            `yaml:"domain" json:"domain,omitempty"`       // code, pseudonym: columns of one domain share their codes; by default each has its own
	Hierarchy string            `yaml:"hierarchy" json:"hierarchy,omitempty"` // generalise
	Level     int               `yaml:"level" json:"level,omitempty"`         // generalise: 1 or more
	Width     *Decimal          `yaml:"width" json:"width,omitempty"`         // bin
	Origin    *Decimal          `yaml:"origin" json:"origin,omitempty"`       // bin
	Top       *Decimal          `yaml:"top" json:"top,omitempty"`             // top-bottom
	Bottom    *Decimal          `yaml:"bottom" json:"bottom,omitempty"`       // top-bottom
	Map       map[string]string `yaml:"map" json:"map,omitempty"`             // map
}

// Risk is the risk of re-identification that the output may have. A table with
// it is held in memory, and nothing leaves before the risk is known.
type Risk struct {
	Quasi             []string          `yaml:"quasi" json:"quasi"`
	Sensitive         []string          `yaml:"sensitive" json:"sensitive,omitempty"`
	K                 int               `yaml:"k" json:"k,omitempty"`
	L                 int               `yaml:"l" json:"l,omitempty"`
	MaxProsecutorRisk float64           `yaml:"max_prosecutor_risk" json:"max_prosecutor_risk,omitempty"`
	SuppressionLimit  float64           `yaml:"suppression_limit" json:"suppression_limit,omitempty"`
	Reach             Reach             `yaml:"reach" json:"reach,omitempty"`
	Hierarchies       map[string]string `yaml:"hierarchies" json:"hierarchies,omitempty"` // by column: the name of its hierarchy
}

// Reach says what may be done to reach the risk. The zero Reach does nothing:
// a table that does not reach it is refused.
type Reach string

// The ways.
const (
	RefuseAbove   Reach = ""
	SuppressRows  Reach = "suppress"
	GeneraliseAll Reach = "generalise" // and suppress
)

// goal is the goal of the search.
func (r *Risk) goal() risk.Goal {
	return risk.Goal{
		K: r.K, L: r.L, Sensitive: r.Sensitive, MaxProsecutorRisk: r.MaxProsecutorRisk,
		SuppressionLimit: r.SuppressionLimit, SuppressOnly: r.Reach == SuppressRows, Threshold: r.MaxProsecutorRisk,
	}
}

// asks says whether there is a maximum at all, or only a measurement.
func (r *Risk) asks() bool { return r.K != 0 || r.L != 0 || r.MaxProsecutorRisk != 0 }

// Day is a day, YYYY-MM-DD in YAML and JSON. The zero Day is none.
type Day struct{ time.Time }

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (d *Day) UnmarshalYAML(raw []byte) (err error) {
	d.Time, err = time.Parse(time.DateOnly, unquote(raw))
	if err != nil {
		return errors.New("not a day: write YYYY-MM-DD")
	}
	return nil
}

// MarshalYAML writes the day.
func (d Day) MarshalYAML() ([]byte, error) { return []byte(d.String()), nil }

// MarshalText writes the day.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the day, or nothing.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// UnmarshalYAML implements yaml.BytesUnmarshaler.
func (d *Decimal) UnmarshalYAML(raw []byte) error {
	n, ok := parseDecimal([]byte(unquote(raw)))
	if !ok {
		return errors.New("not a number: write digits, with at most six decimal places")
	}
	*d = n
	return nil
}

// MarshalYAML writes the number.
func (d Decimal) MarshalYAML() ([]byte, error) { return d.append(nil), nil }

func unquote(raw []byte) string {
	s := strings.TrimSpace(string(raw))
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		s = s[1 : len(s)-1]
	}
	return s
}

// The limits of a file of rules.
const (
	maxRulesFile = 1 << 20
	maxDepth     = 64
)

// ReadRules reads rules from YAML and checks them. An unknown key is an error
// with its line. No error quotes the file: a table that was given in place of
// its rules is patient data.
func ReadRules(raw []byte) (*Rules, error) {
	if len(raw) > maxRulesFile {
		return nil, problem.BadField("rules", fmt.Sprintf("the file is larger than %d bytes", maxRulesFile), "Give the file of rules, not the table")
	}
	if err := plainYAML(raw); err != nil {
		return nil, err
	}
	dec := yamldoc.New(raw)
	r := &Rules{}
	if err := dec.Decode(r); err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, problem.BadField("rules", "the file holds more than one document", "Keep one")
	}
	if err := r.Check(); err != nil {
		return nil, err
	}
	return r, nil
}

// plainYAML refuses aliases, which can make a small file enormous, and depth.
func plainYAML(raw []byte) error {
	if depth(raw) > maxDepth {
		return problem.BadField("rules", "the file is nested too deeply", "Rules are at most four deep")
	}
	file, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return unreadable(err)
	}
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil {
			continue
		}
		v := &aliases{}
		ast.Walk(v, doc.Body)
		if v.line > 0 {
			return problem.BadField(fmt.Sprintf("rules, line %d", v.line), "is an anchor, an alias, a merge or a tag", "Write the values out")
		}
	}
	return nil
}

// depth is at least how deeply the brackets of a text nest.
func depth(raw []byte) int {
	deep, most := 0, 0
	for _, b := range raw {
		switch b {
		case '[', '{':
			deep++
			most = max(most, deep)
		case ']', '}':
			deep = max(0, deep-1)
		}
	}
	run, dashes := 0, 0
	for _, b := range raw { // "- - - -" and "? ? ? ?" nest as well
		switch b {
		case '-', '?', ':':
			run++
			dashes = max(dashes, run)
		case ' ':
		default:
			run = 0
		}
	}
	return max(most, dashes)
}

type aliases struct{ line int }

// Visit implements ast.Visitor.
func (a *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.Type() {
	case ast.AliasType, ast.AnchorType, ast.MergeKeyType, ast.TagType:
		if tok := n.GetToken(); a.line == 0 && tok != nil && tok.Position != nil {
			a.line = tok.Position.Line
		}
		a.line = max(1, a.line)
		return nil
	}
	return a
}

// unreadable says where the file is wrong and in what way, without its text.
func unreadable(err error) error {
	where, what := "rules", "does not read as YAML"
	var e yaml.Error
	if errors.As(err, &e) {
		if tok := e.GetToken(); tok != nil && tok.Position != nil {
			where = fmt.Sprintf("rules, line %d", tok.Position.Line)
		}
		var unknown *yaml.UnknownFieldError
		var twice *yaml.DuplicateKeyError
		var typ *yaml.TypeError
		switch {
		case errors.As(err, &unknown):
			what = "holds a key that rules do not have"
		case errors.As(err, &twice):
			what = "holds a key that stands before"
		case errors.As(err, &typ):
			what = "holds a value of another type than its key has"
		}
	}
	return problem.BadField(where, what, "docs/deid.md shows the keys of a file of rules; days are YYYY-MM-DD")
}

// Digest is the SHA-256 of what the rules say, in hex. It does not change with
// the comments or the layout of a file; what is in a hierarchy is not in it.
func (r *Rules) Digest() string {
	b, err := json.Marshal(r)
	if err != nil {
		return "" // not reached: every field marshals
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Check says whether the rules can be carried out and satisfy their basis.
func (r *Rules) Check() error {
	if r == nil || r.Version != 1 {
		return problem.BadField("version", "is not 1", "Write version: 1")
	}
	switch r.Basis {
	case SafeHarbor, LimitedDataSet, MinimumNecessary:
	case ExpertDetermination:
		if err := r.Expert.check(); err != nil {
			return err
		}
	default:
		return cite("basis", "is not a legal basis", "Write safe-harbor, limited-data-set, expert-determination or minimum-necessary", hipaa.MustCite("P-514-a").Text)
	}
	if len(r.Columns) == 0 {
		return problem.BadField("columns", "is empty: every column would be removed", "Name the columns that may leave")
	}
	seen := map[string]bool{}
	for i := range r.Columns {
		c := &r.Columns[i]
		at := fmt.Sprintf("columns[%d]", i)
		key := nameKey(c.Name)
		if key == "" {
			return problem.BadField(at+".name", "is empty", "Write the column's name as the header has it")
		}
		if seen[key] {
			return problem.BadField(at+".name", "is named twice", "Give each column one rule")
		}
		seen[key] = true
		if err := r.column(at, c); err != nil {
			return err
		}
	}
	if r.Risk != nil {
		return r.risk()
	}
	return nil
}

func (e *Expert) check() error {
	cited := hipaa.MustCite("P-514-b-1").Text
	switch {
	case e == nil || e.Name == "" || e.Recipient == "":
		return cite("expert", "lacks the expert's name or the recipient", "Write who determined it, and for whom", cited)
	case e.Date.IsZero() || e.Expires.IsZero() || e.Expires.Before(e.Date.Time):
		return cite("expert", "lacks the day of the determination, or the day on which it expires", "Write date and expires as YYYY-MM-DD, the later one in expires", cited)
	}
	return nil
}

// parameters says which keys a method has besides name, method and kind.
var parameters = map[Method][]string{
	Remove: nil, Keep: nil, Year: nil, AgeCap: nil, ZIP3: nil, Scrub: nil,
	KeepIfShape: {"shape"},
	DateShift:   {"order"},
	Code:        {"domain"}, Pseudonym: {"domain"},
	Generalise: {"hierarchy", "level"},
	Bin:        {"width", "origin"},
	TopBottom:  {"top", "bottom"},
	Map:        {"map"},
}

func (r *Rules) column(at string, c *Column) error {
	has, ok := parameters[c.Method]
	if !ok {
		return problem.BadField(at+".method", "is not a method", "Write one of remove, keep, keep-if-shape, year, date-shift, age-cap, zip3, code, pseudonym, scrub, generalise, bin, top-bottom, map")
	}
	if !c.Kind.known() {
		return problem.BadField(at+".kind", "is not a kind of column", "Leave it out, or write one such as mrn, name or free-text")
	}
	for _, p := range []struct {
		key string
		set bool
	}{
		{"shape", c.Shape != ""}, {"order", c.Order != ""}, {"domain", c.Domain != ""},
		{"hierarchy", c.Hierarchy != ""}, {"level", c.Level != 0}, {"width", c.Width != nil}, {"origin", c.Origin != nil},
		{"top", c.Top != nil}, {"bottom", c.Bottom != nil}, {"map", c.Map != nil},
	} {
		if p.set && !slices.Contains(has, p.key) {
			return problem.BadField(at+"."+p.key, "is not for the method "+string(c.Method), "Take it out, or choose the method that it belongs to")
		}
	}
	switch c.Method {
	case KeepIfShape:
		if !slices.Contains([]Shape{ShapeInteger, ShapeDecimal, ShapeBoolean, ShapeCode}, c.Shape) {
			return problem.BadField(at+".shape", "is not a shape", "Write integer, decimal, boolean or code")
		}
	case Year:
		if r.AsOf.IsZero() {
			return cite("as_of", "is missing, but a year may show an age over 89", "Write the day against which ages are judged, as YYYY-MM-DD", hipaa.MustCite("P-514-b-2-i-C").Text)
		}
	case DateShift:
		if r.Subject == "" {
			return problem.BadField("subject", "is missing, but dates shift by patient", "Name the column that says whose row it is")
		}
		if c.Order != NoOrder && c.Order != MonthFirst && c.Order != DayFirst {
			return problem.BadField(at+".order", "is not an order", "Write month-first or day-first, or leave it out")
		}
	case Generalise:
		if c.Hierarchy == "" || c.Level < 1 {
			return problem.BadField(at+".level", "is under 1, or there is no hierarchy", "Name the hierarchy and the level to generalise to")
		}
	case Bin:
		if c.Width == nil || c.Width.Mantissa <= 0 {
			return problem.BadField(at+".width", "is not above 0", "Write how wide a bin is, such as 10")
		}
	case TopBottom:
		if c.Top == nil && c.Bottom == nil || (c.Top != nil && c.Bottom != nil && c.Top.cmp(*c.Bottom) < 0) {
			return problem.BadField(at+".top", "is missing, or under bottom", "Write top, bottom or both")
		}
	case Map:
		if len(c.Map) == 0 {
			return problem.BadField(at+".map", "is empty", "Write what each value becomes")
		}
	}
	return r.lawful(at, c)
}

// lawful holds a column's rule against the basis: what its name says, and what
// the rules say that it holds.
func (r *Rules) lawful(at string, c *Column) error {
	for _, k := range []Kind{KindOf(c.Name), c.Kind} {
		if cited, ok := r.Basis.ruling(k, c.Method, c.Top); !ok {
			return unlawful(at+".method", r.Basis, k, c.Method, cited)
		}
	}
	return nil
}

func unlawful(field string, b Basis, k Kind, m Method, cited string) *problem.Problem {
	what := fmt.Sprintf("%s is not permitted under %s", m, b)
	if k != UnknownKind {
		what = fmt.Sprintf("%s is not permitted for a column of kind %s under %s", m, k, b)
	}
	return cite(field, what, "Use "+instead(b, k)+", or another basis", cited)
}

// instead names the methods that a basis lets stand for a kind.
func instead(b Basis, k Kind) string {
	var names []string
	for _, m := range Methods {
		if _, ok := b.ruling(k, m, &Decimal{89, 0}); ok {
			names = append(names, string(m))
		}
	}
	return strings.Join(names, ", ")
}

func (r *Rules) risk() error {
	x := r.Risk
	if len(x.Quasi) == 0 {
		return problem.BadField("risk.quasi", "is empty", "Name the columns that an outsider could know of a person")
	}
	for key, names := range map[string][]string{"risk.quasi": x.Quasi, "risk.sensitive": x.Sensitive} {
		for i, name := range names {
			c := r.find(name)
			switch {
			case c == nil || c.Method == Remove:
				return problem.BadField(fmt.Sprintf("%s[%d]", key, i), "is not a column that leaves", "Name a column that has a rule other than remove")
			case slices.Index(names, name) < i:
				return problem.BadField(fmt.Sprintf("%s[%d]", key, i), "is named twice", "Name each column once")
			case key == "risk.sensitive" && slices.Contains(x.Quasi, name):
				return problem.BadField(fmt.Sprintf("%s[%d]", key, i), "is a quasi-identifier as well", "A column that outsiders know gives nothing away")
			}
		}
	}
	for name := range x.Hierarchies {
		if !slices.Contains(x.Quasi, name) {
			return problem.BadField("risk.hierarchies", "names a column that is no quasi-identifier", "Name those of risk.quasi")
		}
	}
	switch x.Reach {
	case RefuseAbove, SuppressRows, GeneraliseAll:
	default:
		return problem.BadField("risk.reach", "is not a way to reach a risk", "Write suppress or generalise, or leave it out to refuse")
	}
	if !x.asks() && x.Reach != RefuseAbove {
		return problem.BadField("risk", "asks for no risk that could be reached", "Set k, l or max_prosecutor_risk")
	}
	if x.asks() {
		if err := x.goal().Check(); err != nil {
			return err
		}
	}
	return nil
}

// find is the rule of a column. A header matches it exactly, but for case and
// the spaces around it, as no header may have two such names.
func (r *Rules) find(name string) *Column {
	key := nameKey(name)
	for i := range r.Columns {
		if nameKey(r.Columns[i].Name) == key {
			return &r.Columns[i]
		}
	}
	return nil
}

func cite(field, what, next, citation string) *problem.Problem {
	p := problem.BadField(field, what, next)
	p.Citation = citation
	return p
}

func sameName(a, b string) bool { return nameKey(a) == nameKey(b) }

func nameKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
