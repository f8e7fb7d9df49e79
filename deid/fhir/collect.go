package fhir

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/fhir/spec"
)

// Collector gathers what the resources of a patient say about who he is, as a
// dictionary for his free text: his names, addresses, telephone numbers and ids,
// those of his relatives and contacts, the practitioners and places that his
// resources name, and the days on which things happened to him.
//
// First Add the resources, then hand the Collector to a Minimiser as its Records.
// It keeps what it was told, some kilobytes for a patient, until it is dropped.
// It is for one goroutine.
type Collector struct {
	scrubber deid.Scrubber
	bases    []string
	people   map[string]*person
	shared   []fact // of practitioners, organisations and places, for everybody
	made     map[string]deid.Record
	m        Minimiser // to read JSON with
}

// fact is one thing to tell a Record.
type fact func(deid.Record)

type person struct {
	facts []fact
	seen  map[string]bool // names of others and dates, once each
}

// Limits of a Collector: a patient with more is told of the first ones, and of
// practitioners' resources that belong to nobody so many.
const (
	maxFacts  = 20_000
	maxShared = 2_000
	maxMade   = 64
)

// NewCollector makes a Collector whose Records are the scrubber's. bases are the
// source's own addresses, as for a Minimiser.
func NewCollector(s deid.Scrubber, bases ...string) *Collector {
	return &Collector{scrubber: s, bases: bases, people: map[string]*person{}, made: map[string]deid.Record{}}
}

// Add takes in a resource, which is checked first. Whose it is not known, or what
// says nothing about anybody, adds nothing. fullURL is that of its Bundle entry, or nil.
func (c *Collector) Add(raw, fullURL []byte) error {
	if err := fhir.Check(raw, fhir.Limits{Resource: DefaultMaxBytes}); err != nil {
		return err
	}
	c.m.o.Bases, c.m.raw = c.bases, raw
	c.m.about = about{fullURL: fullURL}
	defer func() { c.m.raw = nil }()
	start := space(raw, 0)
	typ, _ := c.m.identify(start)
	name, ok := deid.ResourceName(typ)
	if !ok {
		return errUnknownType()
	}
	resource := raw[start:]
	switch name {
	case "Practitioner", "Organization", "Location", "HealthcareService":
		if len(c.shared) < maxShared {
			c.shared = append(c.shared, c.identity(resource, roleOf(name))...)
			clear(c.made)
		}
		return nil
	}
	id := c.m.whose(name, start)
	if id == "" {
		return nil
	}
	p := c.people[id]
	if p == nil {
		p = &person{seen: map[string]bool{}}
		c.people[id] = p
	}
	delete(c.made, id)
	if len(p.facts) >= maxFacts {
		return nil
	}
	switch name {
	case "Patient", "RelatedPerson", "Person", "Coverage":
		p.facts = append(p.facts, c.identity(resource, roleOf(name))...)
	}
	c.mentions(p, resource, 0)
	return nil
}

func roleOf(typ string) deid.Role {
	switch typ {
	case "Patient":
		return deid.Patient
	case "RelatedPerson", "Person":
		return deid.Relative
	case "Practitioner":
		return deid.Practitioner
	}
	return deid.Other
}

// Of implements deid.Records.
func (c *Collector) Of(patientID string) (deid.Record, bool) {
	if r, ok := c.made[patientID]; ok {
		return r, true
	}
	p := c.people[patientID]
	if p == nil {
		return nil, false
	}
	r := c.scrubber.NewRecord()
	for _, f := range p.facts {
		f(r)
	}
	for _, f := range c.shared {
		f(r)
	}
	if len(c.made) >= maxMade {
		clear(c.made)
	}
	c.made[patientID] = r
	return r, true
}

// read visits the members of an object.
func (c *Collector) read(object []byte, visit func(name string, value []byte)) {
	for name, value := range fhir.Members(object) {
		visit(string(name), value)
	}
}

// words is what a JSON string says, as a copy.
func words(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	var scratch []byte
	return strings.TrimSpace(string(text(value, &scratch)))
}

// identity reads the elements that say who or what a resource, a contact or a
// contained resource is.
func (c *Collector) identity(object []byte, role deid.Role) (facts []fact) {
	add := func(f fact) { facts = append(facts, f) }
	gender := ""
	c.read(object, func(name string, value []byte) {
		if name == "gender" {
			gender = words(value)
		}
	})
	c.read(object, func(name string, value []byte) {
		switch name {
		case "name", "alias":
			for v := range fhir.Items(value) {
				if len(v) > 0 && v[0] == '"' { // an organisation's
					if s := words(v); s != "" {
						add(func(r deid.Record) { r.Facility(s) })
					}
					continue
				}
				facts = append(facts, c.names(v, role, gender)...)
			}
		case "address":
			for v := range fhir.Items(value) {
				facts = append(facts, c.address(v)...)
			}
		case "telecom":
			for v := range fhir.Items(value) {
				facts = append(facts, c.telecom(v)...)
			}
		case "identifier":
			for v := range fhir.Items(value) {
				facts = append(facts, c.identifier(v)...)
			}
		case "subscriberId", "dependent":
			if s := words(value); s != "" {
				add(func(r deid.Record) { r.ID(deid.HealthPlan, s) })
			}
		case "id":
			if s := words(value); len(s) > 5 {
				add(func(r deid.Record) { r.ID(deid.OtherID, s) })
			}
		case "contact":
			for v := range fhir.Items(value) {
				facts = append(facts, c.identity(v, deid.Relative)...)
			}
		case "contained":
			for v := range fhir.Items(value) {
				facts = append(facts, c.identity(v, deid.Relative)...)
			}
		case "extension":
			for v := range fhir.Items(value) {
				facts = append(facts, c.extension(v)...)
			}
		}
	})
	return facts
}

func (c *Collector) names(v []byte, role deid.Role, gender string) (facts []fact) {
	var given []string
	family, whole := "", ""
	c.read(v, func(name string, value []byte) {
		switch name {
		case "family":
			family = words(value)
		case "given":
			for g := range fhir.Items(value) {
				if s := words(g); s != "" {
					given = append(given, s)
				}
			}
		case "text":
			whole = words(value)
		}
	})
	if family != "" || len(given) > 0 {
		facts = append(facts, func(r deid.Record) { r.Name(role, given, family, gender) })
	}
	if whole != "" {
		facts = append(facts, wholeName(role, whole, gender)...)
	}
	return facts
}

// titles stand before or after a name in a text, and are no part of it.
const titles = " dr mr mrs ms miss prof professor sr jr ii iii iv md do phd rn np pa rev sir "

// wholeName splits a name that is written as one text: "Dr. Liane Kunze", "Kunze, Liane".
func wholeName(role deid.Role, s, gender string) []fact {
	if len(s) > 200 {
		return nil
	}
	last, before, comma := strings.Cut(s, ",")
	if !comma {
		last, before = "", s
	}
	var parts []string
	for _, w := range strings.Fields(before) {
		if !among(titles, strings.ToLower(strings.Trim(w, ".,()"))) {
			parts = append(parts, strings.Trim(w, ",()\""))
		}
	}
	if family := strings.TrimSpace(last); comma && family != "" && len(parts) > 0 {
		return []fact{func(r deid.Record) { r.Name(role, parts, family, gender) }}
	}
	if !comma && len(parts) > 0 {
		n := len(parts) - 1
		return []fact{func(r deid.Record) { r.Name(role, parts[:n], parts[n], gender) }}
	}
	if comma { // "Liane Kunze, MD"
		return wholeName(role, strings.TrimSpace(last), gender)
	}
	return nil
}

func (c *Collector) address(v []byte) []fact {
	var lines []string
	city, state, zip := "", "", ""
	c.read(v, func(name string, value []byte) {
		switch name {
		case "line":
			for l := range fhir.Items(value) {
				if s := words(l); s != "" {
					lines = append(lines, s)
				}
			}
		case "text":
			if s := words(value); s != "" {
				lines = append(lines, s)
			}
		case "city":
			city = words(value)
		case "state":
			state = words(value)
		case "postalCode":
			zip = words(value)
		}
	})
	return []fact{func(r deid.Record) { r.Address(lines, city, state, zip) }}
}

func (c *Collector) telecom(v []byte) []fact {
	system, value := "", ""
	c.read(v, func(name string, raw []byte) {
		switch name {
		case "system":
			system = words(raw)
		case "value":
			value = words(raw)
		}
	})
	switch {
	case value == "":
		return nil
	case system == "email" || strings.Contains(value, "@"):
		return []fact{func(r deid.Record) { r.Email(value) }}
	case system == "url" || system == "other":
		return []fact{func(r deid.Record) { r.ID(deid.OtherID, value) }}
	}
	return []fact{func(r deid.Record) { r.Phone(value) }}
}

// kinds are the codes of v2 table 0203 that identifiers have for a type.
var kinds = map[string]deid.IDKind{
	"MR": deid.MRN, "MRT": deid.MRN, "PI": deid.MRN, "PT": deid.MRN, "SS": deid.SSN, "SB": deid.SSN,
	"MA": deid.HealthPlan, "MC": deid.HealthPlan, "MB": deid.HealthPlan, "SN": deid.HealthPlan, "NH": deid.HealthPlan, "NIIP": deid.HealthPlan,
	"AN": deid.Account, "VN": deid.Account, "ANON": deid.Account, "BA": deid.Account,
	"DL": deid.License, "PPN": deid.License, "LN": deid.License, "DEA": deid.License, "NPI": deid.License, "MD": deid.License,
	"UDI": deid.Device, "SNO": deid.Device,
}

func (c *Collector) identifier(v []byte) []fact {
	kind, value := deid.OtherID, ""
	c.read(v, func(name string, raw []byte) {
		switch name {
		case "value":
			value = words(raw)
		case "system":
			if strings.HasSuffix(words(raw), "/us-ssn") {
				kind = deid.SSN
			}
		case "type":
			for code, k := range kinds {
				if bytes.Contains(raw, []byte(`"`+code+`"`)) && kind == deid.OtherID {
					kind = k
				}
			}
		}
	})
	if value == "" {
		return nil
	}
	return []fact{func(r deid.Record) { r.ID(kind, value) }}
}

// extension reads those that name a relative or a place.
func (c *Collector) extension(v []byte) (facts []fact) {
	link := ""
	c.read(v, func(name string, value []byte) {
		if name == "url" {
			link = words(value)
		}
	})
	c.read(v, func(name string, value []byte) {
		switch {
		case name == "valueString" && strings.HasSuffix(link, "/patient-mothersMaidenName"):
			facts = append(facts, wholeName(deid.Relative, words(value), "")...)
		case name == "valueAddress":
			facts = append(facts, c.address(value)...)
		case name == "valueHumanName":
			facts = append(facts, c.names(value, deid.Other, "")...)
		}
	})
	return facts
}

// mentions reads what any resource of the patient says on the way: the words of
// references, and days.
func (c *Collector) mentions(p *person, object []byte, depth int) {
	if depth > maxDepth || len(p.facts) >= maxFacts {
		return
	}
	display, reference, typ := "", "", ""
	for name, value := range fhir.Members(object) {
		if len(value) == 0 {
			continue
		}
		switch string(name) {
		case "display":
			display = words(value)
		case "reference":
			reference = words(value)
		case "type":
			typ = words(value)
		}
		for v := range fhir.Items(value) {
			switch {
			case len(v) > 0 && v[0] == '{':
				c.mentions(p, v, depth+1)
			case len(v) > 11 && v[0] == '"' && isDigit(v[1]):
				c.day(p, v[1:len(v)-1])
			}
		}
	}
	if display == "" || reference == "" || p.seen[display] {
		return
	}
	if typ == "" {
		typ = fhir.ParseRef(reference, c.bases...).Type
	}
	p.seen[display] = true
	switch typ {
	case "Organization", "Location", "HealthcareService":
		p.facts = append(p.facts, func(r deid.Record) { r.Facility(display) })
	case "Practitioner", "PractitionerRole":
		p.facts = append(p.facts, wholeName(deid.Practitioner, display, "")...)
	case "Patient":
		p.facts = append(p.facts, wholeName(deid.Patient, display, "")...)
	case "RelatedPerson", "Person":
		p.facts = append(p.facts, wholeName(deid.Relative, display, "")...)
	}
}

func (c *Collector) day(p *person, s []byte) {
	if len(s) < 10 || p.seen[string(s[:10])] {
		return
	}
	if precision, ok := spec.DatePrecision(string(s)); !ok || precision < spec.Day {
		return
	}
	p.seen[string(s[:10])] = true
	y, _ := strconv.Atoi(string(s[:4]))
	mo, _ := strconv.Atoi(string(s[5:7]))
	d, _ := strconv.Atoi(string(s[8:10]))
	p.facts = append(p.facts, func(r deid.Record) { r.Date(y, mo, d) })
}

// Index are Targets from resources that were added: it knows them by their
// identifiers. It is for one goroutine, and read-only once it is used.
type Index struct {
	ids map[string]string
	max int
}

// NewIndex makes an Index of at most so many identifiers.
func NewIndex(max int) *Index { return &Index{ids: map[string]string{}, max: max} }

// Add takes in a resource; of one that is damaged, what can be read. Of two with
// one identifier none is found.
func (x *Index) Add(raw []byte) {
	id, typ := "", ""
	var identifiers []byte
	for name, value := range fhir.Members(raw) {
		switch string(name) {
		case "resourceType":
			typ = words(value)
		case "id":
			id = words(value)
		case "identifier":
			identifiers = value
		}
	}
	if !spec.IsResource(typ) || !spec.ValidID(id) {
		return
	}
	for v := range fhir.Items(identifiers) {
		system, value := "", ""
		for name, s := range fhir.Members(v) {
			switch string(name) {
			case "system":
				system = words(s)
			case "value":
				value = words(s)
			}
		}
		key := typ + "?" + system + "|" + value
		old, ok := x.ids[key]
		switch {
		case value == "":
		case ok && old != id:
			x.ids[key] = "" // two of them
		case !ok && len(x.ids) < x.max:
			x.ids[key] = id
		}
	}
}

// ID implements Targets for queries of the form identifier=system|value.
func (x *Index) ID(typ, query string) (string, bool) {
	token, ok := strings.CutPrefix(query, "identifier=")
	if !ok || strings.Contains(token, "&") {
		return "", false
	}
	if strings.Contains(token, "%") {
		plain, err := url.QueryUnescape(token)
		if err != nil {
			return "", false
		}
		token = plain
	}
	id := x.ids[typ+"?"+token]
	return id, id != ""
}

var errOther = errors.New("another resource stands in the place of the Patient")

// AddPatient takes in what was said to be the Patient with this id, and nothing that is
// not.
func (c *Collector) AddPatient(raw []byte, id string) error {
	var f fhir.Facts
	if err := fhir.Check(raw, fhir.Limits{Resource: DefaultMaxBytes}); err != nil {
		return err
	}
	raw = bytes.TrimSpace(raw)
	if err := f.Inspect(raw); err != nil {
		return err
	}
	if f.Type != "Patient" || f.ID != id {
		return errOther
	}
	return c.Add(raw, nil)
}

// AddAll takes in a resource, or those of a Bundle; next is the Bundle's link to
// its next page, if it has one. The link is the source's and can hold patient data.
func (c *Collector) AddAll(raw []byte) (next string, err error) {
	r := fhir.NewReader(bytes.NewReader(raw), fhir.Limits{Resource: DefaultMaxBytes})
	for {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		switch {
		case err != nil:
		case item.Part == fhir.Field && item.Name == "link":
			link, _ := fhir.LinkTo(item.Raw.Open(), "next")
			next = string(link.Open())
		case item.Resource.Len() > 0:
			err = c.Add(item.Resource.Open(), nil)
		}
		if err != nil {
			return "", err
		}
	}
}
