package msconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/problem"
)

// Method is what a rule does to the elements that its path selects.
type Method uint8

// The methods. The zero Method is none.
const (
	_ Method = iota
	Redact
	Keep
	DateShift
	CryptoHash
	Encrypt
	Substitute
	Perturb
	Generalize
)

var methodNames = [...]string{"", "redact", "keep", "dateShift", "cryptoHash", "encrypt", "substitute", "perturb", "generalize"}

// String is the method's name in a configuration.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return ""
}

// Scope is what shares one date shift.
type Scope uint8

// The scopes. A resource in a Bundle shifts with the Bundle.
const (
	ByResource Scope = iota
	ByFile
	ByFolder
)

// Config is a configuration that was read and found executable. It cannot be
// changed.
type Config struct {
	digest [sha256.Size]byte
	rules  []rule
	params parameters
	skip   bool // processingErrors: skip
	notes  []Difference

	byType, byName map[string]int // what rules look up, numbered from 0
	lookUps        int
	ruleSets       map[string][]int // by resource type; "": any other
}

// index prepares what the run asks for again and again.
func (c *Config) index() {
	c.byType, c.byName, c.ruleSets = map[string]int{}, map[string]int{}, map[string][]int{"": nil}
	number := func(m map[string]int, s string) {
		if _, ok := m[s]; !ok && s != "" {
			m[s] = c.lookUps
			c.lookUps++
		}
	}
	for _, r := range c.rules {
		number(c.byType, r.byType)
		number(c.byName, r.byName)
		if !r.general() {
			c.ruleSets[r.resource] = nil
		}
	}
	for typ := range c.ruleSets {
		for i, r := range c.rules {
			if r.general() || r.resource == typ {
				c.ruleSets[typ] = append(c.ruleSets[typ], i)
			}
		}
	}
}

// general says whether the rule is for every type of resource.
func (r *rule) general() bool {
	return r.resource == "" || r.resource == "Resource" || r.resource == "DomainResource"
}

// rulesFor gives the rules for a type, in order.
func (c *Config) rulesFor(typ string) []int {
	if rules, ok := c.ruleSets[typ]; ok {
		return rules
	}
	return c.ruleSets[""]
}

// rule is one entry of fhirPathRules.
type rule struct {
	path     string
	resource string // the type that the path begins with; "" is every type
	method   Method
	x        expr // nil where one of the three below says it

	whole  bool   // the path is a type alone: the resource itself
	byType string // nodesByType('...') or nodesByName('...'), looked up
	byName string
	then   expr     // what follows the look-up; nil: nothing
	names  []string // x or then, where it is plain names one below the other

	replaceWith  *string // substitute; nil is null
	span         float64 // perturb
	inProportion bool
	roundTo      int
	cases        []generalization // generalize
	keepOthers   bool
}

type generalization struct{ when, then expr }

type parameters struct {
	dateShiftKey, cryptoHashKey, encryptKey string
	scope                                   Scope
	fixedOffset                             *int
	partialAges, partialDates, partialZips  bool
	restrictedZips                          []string
}

// Digest is the SHA-256 of the configuration as it was given.
func (c *Config) Digest() [sha256.Size]byte { return c.digest }

// Rules is how many rules there are.
func (c *Config) Rules() int { return len(c.rules) }

// String shows nothing of the configuration, which holds keys.
func (c *Config) String() string { return "configuration " + hex.EncodeToString(c.digest[:6]) }

// GoString is String.
func (c *Config) GoString() string { return c.String() }

const citeMethod = "docs/FHIR-anonymization.md of Tools for Health Data Anonymization"

func bad(field, title, next string) error {
	p := problem.BadField(field, title, next)
	p.Citation = citeMethod
	return p
}

// maxConfig bounds a configuration, in bytes.
const maxConfig = 4 << 20

// Read reads a configuration for FHIR R4. It refuses what the tool would refuse,
// and besides that whatever it cannot run exactly: an unknown key, a custom
// method, a FHIRPath expression outside the supported part. The error names the
// rule and the place. Comments, a byte order mark and trailing commas are allowed,
// because the tool's reader and its published samples have them.
func Read(raw []byte) (*Config, error) {
	if len(raw) > maxConfig {
		return nil, bad("configuration", "it is larger than 4 MiB", "Give the configuration file itself")
	}
	c := &Config{digest: sha256.Sum256(raw)}
	clean := relax(bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF")))
	top, err := members(clean)
	if err != nil {
		return nil, bad("configuration", "it is not a JSON object: "+err.Error(), "Mend the JSON; a name may stand once in an object")
	}
	given := false
	for _, m := range top {
		switch known(m.name, "fhirVersion", "processingErrors", "processingError", "fhirPathRules", "parameters") {
		case "fhirVersion":
			s, ok := stringOrNull(m.raw)
			if !ok || s != "" && !strings.EqualFold(s, "R4") {
				return nil, bad("fhirVersion", "only R4 is supported", `Write "R4", or convert the configuration`)
			}
		case "processingErrors":
			if c.skip, err = readErrors(m.raw); err != nil {
				return nil, err
			}
		case "processingError":
			c.notes = append(c.notes, Difference{Kind: Ignored, Rule: -1, Path: "processingError",
				Message: `the tool's documentation shows this key, and the tool ignores it: "processingErrors" counts`})
		case "fhirPathRules":
			given = true
			if c.rules, err = readRules(m.raw); err != nil {
				return nil, err
			}
		case "parameters":
			if err := c.params.read(m.raw); err != nil {
				return nil, err
			}
		default:
			return nil, bad(m.name, "there is no such key", "Known are fhirVersion, processingErrors, fhirPathRules, parameters")
		}
	}
	if !given {
		return nil, bad("fhirPathRules", "it is missing", "List the rules; a configuration without any changes nothing")
	}
	c.index()
	return c, nil
}

func readErrors(raw jsontext.Value) (skip bool, err error) {
	s, ok := stringOrNull(raw)
	switch {
	case ok && strings.EqualFold(s, "raise"):
		return false, nil
	case ok && strings.EqualFold(s, "skip"):
		return true, nil
	case ok && (strings.EqualFold(s, "keep") || strings.EqualFold(s, "ignore")):
		return false, bad("processingErrors", "to go on with a value that could not be processed releases it: that is fail-open, and no version of the tool that this was made for has it", `Write "raise" or "skip"`)
	}
	return false, bad("processingErrors", "it is neither raise nor skip", `Write "raise" or "skip"`)
}

// Documented forms of a look-up; everything else is FHIRPath.
var (
	typeRule = regexp.MustCompile(`^nodesByType\(['|"]([A-Za-z0-9]+)['|"]\)(?:\.([A-Za-z0-9]+))?$`)
	nameRule = regexp.MustCompile(`^nodesByName\(['|"]([A-Za-z0-9]+)['|"]\)(?:\.([A-Za-z0-9]+))?$`)
	// startType is the resource type that a path begins with.
	startType = regexp.MustCompile(`^([A-Z][a-zA-Z]*)?\.?(.*)$`)
)

func readRules(raw jsontext.Value) ([]rule, error) {
	list, err := elements(raw)
	if err != nil {
		return nil, bad("fhirPathRules", "it is not a list", "List the rules")
	}
	rules := make([]rule, len(list))
	for i, r := range list {
		if err := rules[i].read(r, "fhirPathRules["+strconv.Itoa(i)+"]"); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func (r *rule) read(raw jsontext.Value, at string) error {
	ms, err := members(raw)
	if err != nil {
		return bad(at, "it is not an object", "Write {\"path\": ..., \"method\": ...}")
	}
	has := map[string]jsontext.Value{}
	for _, m := range ms {
		switch m.name {
		case "path", "method", "replaceWith", "span", "rangeType", "roundTo", "cases", "otherValues":
			has[m.name] = m.raw
		default:
			return bad(at+"."+m.name, "there is no such key in a rule", "Known are path, method, replaceWith, span, rangeType, roundTo, cases, otherValues")
		}
	}
	var ok bool
	if r.path, ok = stringOrNull(has["path"]); !ok || r.path == "" {
		return bad(at+".path", "it is missing", "Write the FHIRPath of the elements")
	}
	method, ok := stringOrNull(has["method"])
	for i, name := range methodNames {
		if ok && name != "" && strings.EqualFold(name, method) {
			r.method = Method(i)
		}
	}
	if r.method == 0 {
		return bad(at+".method", "it is none of the tool's methods", "Known are "+strings.Join(methodNames[1:], ", ")+"; custom methods are code, and cannot be imported")
	}
	if err := r.compile(); err != nil {
		return bad(at+".path", err.Error(), "Write it in the supported part of FHIRPath: see the package documentation")
	}
	switch r.method {
	case Substitute:
		return r.readSubstitute(has, at)
	case Perturb:
		return r.readPerturb(has, at)
	case Generalize:
		return r.readGeneralize(has, at)
	}
	return nil
}

// compile takes the path apart as the tool does: the type in front decides for
// which resources the rule is, and the rest is evaluated on the resource.
func (r *rule) compile() error {
	if m := typeRule.FindStringSubmatch(r.path); m != nil {
		r.byType = m[1]
		return r.compileThen(m[2])
	}
	if m := nameRule.FindStringSubmatch(r.path); m != nil {
		r.byName = m[1]
		return r.compileThen(m[2])
	}
	if _, err := parseExpr(r.path); err != nil {
		return err
	}
	m := startType.FindStringSubmatch(r.path)
	if m == nil {
		return errors.New("a path cannot have line breaks")
	}
	r.resource = m[1]
	if r.resource == r.path {
		r.whole = true
		return nil
	}
	rest, offset := m[2], len(r.path)-len(m[2])
	if rest == "" {
		rest, offset = r.path, 0
	}
	x, err := parseExpr(rest)
	if err != nil {
		var se *syntaxError
		if errors.As(err, &se) {
			se.at += offset
		}
		return err
	}
	r.x = x
	r.names = plainNames(x)
	return nil
}

func (r *rule) compileThen(name string) (err error) {
	if name != "" {
		r.then, err = parseExpr(name)
		r.names = plainNames(r.then)
	}
	return err
}

// plainNames gives the names of a path that is nothing but names of elements, and
// nil for any other.
func plainNames(x expr) []string {
	c, ok := x.(child)
	if !ok || c.name[0] < 'a' || c.name[0] > 'z' {
		return nil
	}
	if _, top := c.x.(this); top {
		return []string{c.name}
	}
	names := plainNames(c.x)
	if names == nil {
		return nil
	}
	return append(names, c.name)
}

func (r *rule) readSubstitute(has map[string]jsontext.Value, at string) error {
	raw, ok := has["replaceWith"]
	if !ok {
		return bad(at+".replaceWith", "it is missing", "Write what to put in place of the element")
	}
	switch s, isString := stringOrNull(raw); {
	case raw.Kind() == 'n':
	case isString:
		r.replaceWith = &s
	case raw.Kind() == 't':
		r.replaceWith = new("True")
	case raw.Kind() == 'f':
		r.replaceWith = new("False")
	case raw.Kind() == '0' && bytes.ContainsAny(raw, ".eE"):
		// The tool reads it as a double and writes that.
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e15) {
			return bad(at+".replaceWith", "the number is out of range", "Write it in quotes")
		}
		r.replaceWith = new(strconv.FormatFloat(f, 'f', -1, 64))
	default:
		r.replaceWith = new(string(raw))
	}
	return nil
}

func (r *rule) readPerturb(has map[string]jsontext.Value, at string) error {
	r.roundTo = 2
	if raw, ok := has["roundTo"]; ok {
		n, err := strconv.Atoi(scalarText(raw))
		if err != nil || n < 0 || n > maxScale {
			return bad(at+".roundTo", "it is not a whole number from 0 to 28", "Write how many digits after the point to keep")
		}
		r.roundTo = n
	}
	span, err := strconv.ParseFloat(scalarText(has["span"]), 64)
	if err != nil || !(span >= 0) || span > 1e18 {
		return bad(at+".span", "it is not a number from 0 up", "Write the width of the range that noise is taken from")
	}
	r.span = span
	if raw, ok := has["rangeType"]; ok {
		switch s := scalarText(raw); {
		case strings.EqualFold(s, "proportional"):
			r.inProportion = true
		case !strings.EqualFold(s, "fixed"):
			return bad(at+".rangeType", "it is neither fixed nor proportional", `Write "fixed" or "proportional"`)
		}
	}
	return nil
}

func (r *rule) readGeneralize(has map[string]jsontext.Value, at string) error {
	raw, ok := has["cases"]
	if s, isString := stringOrNull(raw); ok && isString && raw.Kind() == '"' {
		raw = relax([]byte(s)) // the tool parses the text of it again, whatever it was
	}
	cases, err := members(raw)
	if !ok || err != nil {
		return bad(at+".cases", "it is not an object", `Write {"condition": "value", ...}, both FHIRPath`)
	}
	for i, m := range cases {
		var g generalization
		if g.when, err = parseExpr(m.name); err != nil {
			return bad(fmt.Sprintf("%s.cases[%d]", at, i), "the condition: "+err.Error(), "Write it in the supported part of FHIRPath")
		}
		then := scalarText(m.raw)
		switch m.raw.Kind() {
		case 't', 'f': // the tool's text of a boolean, which is the name of an element
			then = strings.ToUpper(then[:1]) + then[1:]
		}
		if g.then, err = parseExpr(then); err != nil {
			return bad(fmt.Sprintf("%s.cases[%d]", at, i), "the value: "+err.Error(), "Write it in the supported part of FHIRPath")
		}
		r.cases = append(r.cases, g)
	}
	if raw, ok := has["otherValues"]; ok {
		switch s := scalarText(raw); {
		case strings.EqualFold(s, "keep"):
			r.keepOthers = true
		case !strings.EqualFold(s, "redact"):
			return bad(at+".otherValues", "it is neither redact nor keep", `Write "redact" or "keep"`)
		}
	}
	return nil
}

func (p *parameters) read(raw jsontext.Value) error {
	if raw.Kind() == 'n' {
		return nil
	}
	ms, err := members(raw)
	if err != nil {
		return bad("parameters", "it is not an object", "Write {...}")
	}
	for _, m := range ms {
		name := known(m.name, "dateShiftKey", "dateShiftScope", "dateShiftFixedOffsetInDays", "cryptoHashKey", "encryptKey",
			"enablePartialAgesForRedact", "enablePartialDatesForRedact", "enablePartialZipCodesForRedact",
			"restrictedZipCodeTabulationAreas", "customSettings")
		ok := true
		switch name {
		case "dateShiftKey":
			p.dateShiftKey, ok = stringOrNull(m.raw)
		case "cryptoHashKey":
			p.cryptoHashKey, ok = stringOrNull(m.raw)
		case "encryptKey":
			p.encryptKey, ok = stringOrNull(m.raw)
			if n := len(p.encryptKey); ok && n != 0 && n != 16 && n != 24 && n != 32 {
				return bad("parameters.encryptKey", "it is not 128, 192 or 256 bits long", "Give 16, 24 or 32 bytes")
			}
		case "dateShiftScope":
			p.scope, ok = readScope(m.raw)
		case "dateShiftFixedOffsetInDays":
			if m.raw.Kind() != 'n' {
				n, err := strconv.ParseInt(scalarText(m.raw), 10, 32)
				p.fixedOffset, ok = new(int(n)), err == nil
			}
		case "enablePartialAgesForRedact":
			p.partialAges, ok = readBool(m.raw)
		case "enablePartialDatesForRedact":
			p.partialDates, ok = readBool(m.raw)
		case "enablePartialZipCodesForRedact":
			p.partialZips, ok = readBool(m.raw)
		case "restrictedZipCodeTabulationAreas":
			p.restrictedZips, ok = readStrings(m.raw)
		case "customSettings": // for custom methods, which are refused
		default:
			return bad("parameters."+m.name, "there is no such key", "See the parameters in the tool's documentation")
		}
		if !ok {
			return bad("parameters."+name, "it does not have the right type", "See the parameters in the tool's documentation")
		}
	}
	return nil
}

func readScope(raw jsontext.Value) (Scope, bool) {
	s, ok := stringOrNull(raw)
	if !ok || raw.Kind() == 'n' {
		return 0, false
	}
	switch strings.ToLower(s) {
	case "resource":
		return ByResource, true
	case "file":
		return ByFile, true
	case "folder":
		return ByFolder, true
	}
	return 0, false
}

func readBool(raw jsontext.Value) (value, ok bool) {
	s := strings.ToLower(scalarText(raw))
	return s == "true", s == "true" || s == "false"
}

func readStrings(raw jsontext.Value) ([]string, bool) {
	if raw.Kind() == 'n' {
		return nil, true
	}
	list, err := elements(raw)
	if err != nil {
		return nil, false
	}
	var out []string
	for _, v := range list {
		if v.Kind() != '"' {
			return nil, false
		}
		s, _ := stringOrNull(v)
		out = append(out, s)
	}
	return out, true
}

// known gives the name as documented. Case does not matter outside of rules, as
// in the tool.
func known(name string, names ...string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}
