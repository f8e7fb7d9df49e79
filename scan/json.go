package scan

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid/text"
)

// errNotJSON says that a document is none; it is then read as text.
var errNotJSON = errors.New("not JSON")

// depthMost and keysMost bound what a document can make us remember.
const (
	depthMost = 64
	keysMost  = 2048
)

// lines maps offsets of a stream to lines, while it is read.
type lines struct {
	in     io.Reader
	starts []int64 // of each line
	read   int64
}

func newLines(in io.Reader) *lines { return &lines{in: in, starts: []int64{0}} }

func (l *lines) Read(b []byte) (int, error) {
	n, err := l.in.Read(b)
	for i := 0; i < n; {
		nl := bytes.IndexByte(b[i:n], '\n')
		if nl < 0 {
			break
		}
		i += nl + 1
		l.starts = append(l.starts, l.read+int64(i))
	}
	l.read += int64(n)
	return n, err
}

// of is where an offset stands; columns are of bytes here.
func (l *lines) of(offset int64) spot {
	n := sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > offset })
	return spot{n, int(offset-l.starts[n-1]) + 1}
}

// node is an object or array that is open.
type node struct {
	array    bool
	key      string // the member that is being read
	resource string // FHIR's resourceType
	held     uint16 // identifying elements with a value, as bits of personElements
	at       spot
	first    []byte
}

// personElements are the elements of FHIR's Patient, Person, RelatedPerson and
// Practitioner that identify (R4, and 45 CFR 164.514(b)(2)(i)).
var personElements = []string{"name", "birthDate", "telecom", "address", "identifier", "photo", "contact", "deceasedDateTime"}

// document walks JSON: one document, or many in a row (NDJSON).
type document struct {
	r        *reader
	s        *sheet
	where    *lines
	stack    []node
	keys     map[string]*column
	table    *table
	notebook *notebook // nil: none
	fhir     bool
	any      bool
}

// json reads a stream of JSON values. errNotJSON: it is none, and what was
// noted on s must be thrown away.
func (r *reader) json(s *sheet, src io.Reader, book bool) error {
	d := &document{r: r, s: s, where: newLines(src), keys: map[string]*column{}, table: &table{reader: r, what: "key", reason: byKey}}
	if book {
		d.notebook = &notebook{}
	}
	dec := jsontext.NewDecoder(d.where, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		if err := d.token(dec); err != nil {
			if errors.Is(err, io.EOF) && len(d.stack) == 0 && d.any {
				break
			}
			var syntax *jsontext.SyntacticError
			if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return errNotJSON
			}
			return err
		}
	}
	if d.fhir {
		d.table.health = 8
	}
	d.table.finish(s)
	return nil
}

func (d *document) token(dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	switch kind {
	case '{', '[':
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		if len(d.stack) >= depthMost {
			return errNotJSON
		}
		d.any = true
		d.stack = append(d.stack, node{array: kind == '[', at: d.where.of(dec.InputOffset() - 1)})
		if d.notebook != nil {
			d.notebook.open(d)
		}
	case '}', ']':
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		if d.notebook != nil {
			if err := d.notebook.close(d); err != nil {
				return err
			}
		}
		d.pop()
	default:
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		off := dec.InputOffset()
		at := d.where.of(off - int64(len(raw)))
		top := d.top()
		if top == nil {
			// A number or word alone is a line of a log, not a document.
			return errNotJSON
		}
		depth, n := dec.StackIndex(dec.StackDepth())
		if depth == '{' && n%2 == 1 { // a name
			name, err := jsontext.AppendUnquote(nil, raw)
			if err != nil && len(name) == 0 {
				return nil
			}
			top.key = string(name)
			return nil
		}
		return d.scalar(raw, at)
	}
	return nil
}

func (d *document) top() *node {
	if len(d.stack) == 0 {
		return nil
	}
	return &d.stack[len(d.stack)-1]
}

// path is the keys from the outermost, without places in lists.
func (d *document) path() string {
	var b strings.Builder
	for i := range d.stack {
		if k := d.stack[i].key; k != "" && !d.stack[i].array {
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(k)
		}
	}
	return b.String()
}

// key is the name of the value that is being read: of the nearest object.
func (d *document) key() string {
	for i := len(d.stack) - 1; i >= 0; i-- {
		if !d.stack[i].array {
			return d.stack[i].key
		}
	}
	return ""
}

func (d *document) scalar(raw jsontext.Value, at spot) error {
	v := []byte(raw)
	isString := raw.Kind() == '"'
	if isString {
		plain, err := jsontext.AppendUnquote(nil, raw)
		if err != nil && len(plain) == 0 {
			return nil
		}
		v = plain
		at.column++
	} else if raw.Kind() != '0' {
		return nil
	}
	if d.notebook != nil {
		return d.notebook.take(d, v, at)
	}
	key := d.key()
	if isString && key == "resourceType" && len(v) < 40 {
		if top := d.top(); !top.array {
			top.resource = string(v)
			d.fhir = d.fhir || resources[string(v)]
		}
		return nil
	}
	inResource := d.mark(key, v)
	if d.fhir && isString && key == "display" {
		d.subject(v, at)
	}
	if isString && len(v) >= 12 {
		if err := d.long(v, key, at); err != nil {
			return err
		}
	}
	if !inResource {
		path := d.path()
		c := d.keys[path]
		if c == nil && len(d.keys) < keysMost {
			c = d.table.add([]byte(key), "key", d.s)
			if len(d.stack) > 1 && c.labelled && (c.words == "name" || len(c.words) <= 6) {
				d.parent(c)
			}
			d.keys[path] = c
		}
		if c != nil {
			d.table.value(c, v, at)
		}
	}
	return nil
}

// subject notes the name that a reference to the patient displays.
func (d *document) subject(v []byte, at spot) {
	if len(d.stack) < 2 {
		return
	}
	switch d.stack[len(d.stack)-2].key {
	case "subject", "patient", "beneficiary", "for", "individual":
		if likelyName(v) == 1 && d.r.isName(v) {
			d.s.note("fhir subject", text.Name.String(), "display of a reference to the patient", byKey, .75, at, v)
		}
	}
}

// parent lets the object's own name help: {"patient": {"name": ...}}.
func (d *document) parent(c *column) {
	for i := len(d.stack) - 2; i >= 0; i-- {
		if n := d.stack[i]; !n.array {
			var buf [8]string
			for _, w := range split(buf[:0], []byte(n.key)) {
				if w == "patient" || w == "patients" || w == "subject" || w == "member" || w == "insured" {
					c.weight = max(c.weight, .5)
				}
			}
			return
		}
	}
}

// long reads prose in a string, and prose that was put into base64.
func (d *document) long(v []byte, key string, at spot) error {
	health := min(d.table.health, 3)
	switch inner := d.inner(); {
	case resources[inner]:
		health = 5
	case resourceName([]byte(inner)):
		health = 0
	case inner != "":
		health = noNotes
	}
	if wordy(v) {
		if bytes.HasPrefix(v, []byte("<div")) {
			v = plainHTML(v)
		}
		return d.r.inside(d.s, v, d.placeOf(key), at, health)
	}
	if len(v) >= 64 && len(v)%4 == 0 && bytes.IndexByte(v, ' ') < 0 {
		probe, err := base64.StdEncoding.DecodeString(string(v[:64]))
		if err != nil || bytes.IndexByte(probe, 0) >= 0 || !printable(probe) {
			return nil
		}
		plain, err := base64.StdEncoding.DecodeString(string(v))
		if err != nil || !utf8.Valid(plain) || !wordy(plain) {
			return nil
		}
		return d.r.inside(d.s, plain, d.placeOf(key)+", base64", at, health)
	}
	return nil
}

func printable(v []byte) bool {
	for _, c := range v {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// placeOf names where prose stood, by words of ours: a key is the file's own.
func (d *document) placeOf(key string) string {
	if inner := d.inner(); resourceName([]byte(inner)) {
		return "text in " + inner
	}
	if l, ok := d.r.rules.labels.of([]byte(key)); ok {
		return "text of key " + l.words
	}
	switch key {
	case "content", "text", "note", "notes", "message", "prompt", "input", "output", "body", "comment", "description", "completion", "data", "value", "div":
		return "text of key " + key
	}
	return "text of a key"
}

// resources are those of FHIR R4 that are about a patient (its compartment, and
// what carries it). true: their texts are read as notes. A report names no
// others: they are the file's own words. Definitions (StructureDefinition,
// ValueSet) speak of patients in general, and are read as any JSON.
var resources = map[string]bool{
	"Patient": true, "Person": true, "RelatedPerson": true, "Observation": true, "Condition": true, "Encounter": true, "EpisodeOfCare": true, "Procedure": true,
	"MedicationRequest": true, "MedicationStatement": true, "MedicationAdministration": true, "MedicationDispense": true, "Immunization": true, "AllergyIntolerance": true,
	"AdverseEvent": true, "ClinicalImpression": true, "DetectedIssue": true, "DiagnosticReport": true, "DocumentReference": true, "DocumentManifest": true, "Media": true,
	"CarePlan": true, "CareTeam": true, "Claim": true, "ClaimResponse": true, "Coverage": true, "ExplanationOfBenefit": true, "Composition": true, "Binary": true,
	"ServiceRequest": true, "DeviceRequest": true, "NutritionOrder": true, "VisionPrescription": true, "RequestGroup": true, "Specimen": true, "ImagingStudy": true,
	"Communication": true, "CommunicationRequest": true, "QuestionnaireResponse": true, "Appointment": true, "Goal": true, "Consent": true, "Flag": true,
	"RiskAssessment": true, "FamilyMemberHistory": true, "ReferralRequest": true, "Account": true, "Task": true,
	"Bundle": false, "List": false, "Practitioner": false, "Organization": false, "Location": false, "Device": false, "Provenance": false, "Parameters": false,
}

func resourceName(v []byte) bool {
	_, ok := resources[string(v)]
	return ok
}

// inner is the resource that is being read, "" for none.
func (d *document) inner() string {
	for i := len(d.stack) - 1; i >= 0; i-- {
		if d.stack[i].resource != "" {
			return d.stack[i].resource
		}
	}
	return ""
}

// mark tells the open resources that an element has a value. It says whether
// the value belongs to a FHIR resource, which is noted as a whole.
func (d *document) mark(key string, v []byte) bool {
	inside := false
	for i := len(d.stack) - 1; i >= 0; i-- {
		n := &d.stack[i]
		if n.array {
			continue
		}
		inside = inside || n.resource != ""
		if i+8 < len(d.stack) { // no element that identifies lies deeper
			continue
		}
		bit := elementBit(n.key)
		if bit == 0 || len(v) < 2 {
			continue
		}
		switch key {
		case "use", "system", "code", "type", "url", "unit", "rank", "display", "reference", "contentType", "country", "state", "gender", "extension", "assigner", "relationship", "start", "end", "period":
			continue // says what kind of name or number it is
		}
		if len(n.first) == 0 {
			n.first = bytes.Clone(v[:min(len(v), 64)])
		}
		n.held |= bit
	}
	return inside
}

func elementBit(key string) uint16 {
	for i, e := range personElements {
		if e == key {
			return 1 << i
		}
	}
	return 0
}

func (d *document) pop() {
	n := d.top()
	if n == nil {
		return
	}
	if n.held != 0 && !n.array {
		switch n.resource {
		case "Patient", "Person", "RelatedPerson":
			d.person(n)
		}
	}
	d.stack = d.stack[:len(d.stack)-1]
}

// person notes a resource about somebody.
func (d *document) person(n *node) {
	var held []string
	for i, e := range personElements {
		if n.held&(1<<i) != 0 {
			held = append(held, e)
		}
	}
	confidence := .95
	if len(held) == 1 {
		confidence = .7
		if held[0] == "identifier" {
			confidence = .5 // a code of an engagement is an identifier too
		}
	}
	if nobody[lower(firstComponent(n.first))] {
		confidence -= .3
	}
	d.s.note("fhir "+n.resource, Record, n.resource, "a FHIR "+n.resource+" with "+strings.Join(held, ", "), confidence, n.at, n.first)
}
