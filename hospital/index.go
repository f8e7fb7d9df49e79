package hospital

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// doc is a resource with everything that search and delivery need, worked out
// once.
type doc struct {
	Resource
	refs    []string // all references to other resources, sorted
	entries []entry
	etag    []string // header values, ready to be assigned
	lastMod []string
}

type kind byte

const (
	kToken kind = iota + 1
	kString
	kDate
	kReference
	kQuantity
)

// entry is one value that one search parameter finds in a resource.
type entry struct {
	param  string
	system string // token, quantity: its unit's system; reference identifier
	code   string // token's code, folded string, reference "Type/id", quantity's unit
	num    float64
	lo, hi int64 // date: from lo until before hi, in Unix seconds
	ident  bool  // the entry is the identifier of a reference
}

type param struct {
	kind  kind
	paths string // alternatives, separated by "|"
}

// params are the search parameters by resource type, with the elements that
// they read. Names and meanings are those of R4; a subset, chosen for what
// gateways and bulk clients ask. "*" holds for every type.
var params = map[string]map[string]param{
	"*": {
		"_lastUpdated": {kDate, "meta.lastUpdated"}, "_security": {kToken, "meta.security"},
		"_tag": {kToken, "meta.tag"}, "_profile": {kToken, "meta.profile"}, "_source": {kToken, "meta.source"},
	},
	"Account":            {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "status": {kToken, "status"}, "owner": {kReference, "owner"}, "name": {kString, "name"}, "type": {kToken, "type"}},
	"AllergyIntolerance": {"identifier": {kToken, "identifier"}, "patient": {kReference, "patient"}, "clinical-status": {kToken, "clinicalStatus"}, "verification-status": {kToken, "verificationStatus"}, "code": {kToken, "code"}, "category": {kToken, "category"}, "criticality": {kToken, "criticality"}, "type": {kToken, "type"}, "date": {kDate, "recordedDate"}, "recorder": {kReference, "recorder"}, "asserter": {kReference, "asserter"}},
	"Binary":             {},
	"Condition":          {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "code"}, "category": {kToken, "category"}, "clinical-status": {kToken, "clinicalStatus"}, "verification-status": {kToken, "verificationStatus"}, "onset-date": {kDate, "onsetDateTime|onsetPeriod"}, "recorded-date": {kDate, "recordedDate"}, "asserter": {kReference, "asserter"}},
	"Consent":            {"identifier": {kToken, "identifier"}, "patient": {kReference, "patient"}, "status": {kToken, "status"}, "scope": {kToken, "scope"}, "category": {kToken, "category"}, "date": {kDate, "dateTime"}, "organization": {kReference, "organization"}, "consentor": {kReference, "performer"}},
	"Coverage":           {"identifier": {kToken, "identifier"}, "patient": {kReference, "beneficiary"}, "beneficiary": {kReference, "beneficiary"}, "subscriber": {kReference, "subscriber"}, "payor": {kReference, "payor"}, "status": {kToken, "status"}, "type": {kToken, "type"}},
	"Device":             {"identifier": {kToken, "identifier"}, "patient": {kReference, "patient"}, "organization": {kReference, "owner"}, "status": {kToken, "status"}, "type": {kToken, "type"}, "device-name": {kString, "deviceName.name"}, "udi-di": {kString, "udiCarrier.deviceIdentifier"}},
	"DiagnosticReport":   {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "code"}, "category": {kToken, "category"}, "status": {kToken, "status"}, "date": {kDate, "effectiveDateTime|effectivePeriod"}, "issued": {kDate, "issued"}, "performer": {kReference, "performer"}, "result": {kReference, "result"}, "results-interpreter": {kReference, "resultsInterpreter"}, "conclusion": {kToken, "conclusionCode"}},
	"DocumentReference":  {"identifier": {kToken, "identifier|masterIdentifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "context.encounter"}, "type": {kToken, "type"}, "category": {kToken, "category"}, "status": {kToken, "status"}, "date": {kDate, "date"}, "period": {kDate, "context.period"}, "author": {kReference, "author"}, "custodian": {kReference, "custodian"}, "description": {kString, "description"}, "contenttype": {kToken, "content.attachment.contentType"}},
	"Encounter":          {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "status": {kToken, "status"}, "class": {kToken, "class"}, "type": {kToken, "type"}, "date": {kDate, "period"}, "participant": {kReference, "participant.individual"}, "practitioner": {kReference, "participant.individual"}, "diagnosis": {kReference, "diagnosis.condition"}, "location": {kReference, "location.location"}, "service-provider": {kReference, "serviceProvider"}, "part-of": {kReference, "partOf"}, "account": {kReference, "account"}, "reason-code": {kToken, "reasonCode"}},
	"Group":              {"identifier": {kToken, "identifier"}, "member": {kReference, "member.entity"}, "type": {kToken, "type"}, "actual": {kToken, "actual"}, "code": {kToken, "code"}, "managing-entity": {kReference, "managingEntity"}},
	"Immunization":       {"identifier": {kToken, "identifier"}, "patient": {kReference, "patient"}, "status": {kToken, "status"}, "vaccine-code": {kToken, "vaccineCode"}, "date": {kDate, "occurrenceDateTime"}, "performer": {kReference, "performer.actor"}, "location": {kReference, "location"}, "lot-number": {kString, "lotNumber"}},
	"List":               {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "code"}, "status": {kToken, "status"}, "date": {kDate, "date"}, "title": {kString, "title"}, "item": {kReference, "entry.item"}, "source": {kReference, "source"}},
	"Location":           {"identifier": {kToken, "identifier"}, "name": {kString, "name|alias"}, "status": {kToken, "status"}, "type": {kToken, "type"}, "organization": {kReference, "managingOrganization"}, "partof": {kReference, "partOf"}, "address": {kString, "address"}, "address-state": {kString, "address.state"}},
	"MedicationRequest":  {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "medicationCodeableConcept"}, "medication": {kReference, "medicationReference"}, "status": {kToken, "status"}, "intent": {kToken, "intent"}, "category": {kToken, "category"}, "authoredon": {kDate, "authoredOn"}, "requester": {kReference, "requester"}, "intended-performer": {kReference, "performer"}},
	"Observation":        {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "code"}, "combo-code": {kToken, "code|component.code"}, "component-code": {kToken, "component.code"}, "category": {kToken, "category"}, "status": {kToken, "status"}, "date": {kDate, "effectiveDateTime|effectivePeriod|effectiveInstant"}, "performer": {kReference, "performer"}, "value-quantity": {kQuantity, "valueQuantity"}, "value-string": {kString, "valueString"}, "value-concept": {kToken, "valueCodeableConcept"}, "specimen": {kReference, "specimen"}, "derived-from": {kReference, "derivedFrom"}, "has-member": {kReference, "hasMember"}, "part-of": {kReference, "partOf"}},
	"Organization":       {"identifier": {kToken, "identifier"}, "name": {kString, "name|alias"}, "active": {kToken, "active"}, "type": {kToken, "type"}, "partof": {kReference, "partOf"}, "address": {kString, "address"}, "address-state": {kString, "address.state"}},
	"Patient":            {"identifier": {kToken, "identifier"}, "name": {kString, "name"}, "family": {kString, "name.family"}, "given": {kString, "name.given"}, "birthdate": {kDate, "birthDate"}, "death-date": {kDate, "deceasedDateTime"}, "gender": {kToken, "gender"}, "active": {kToken, "active"}, "telecom": {kToken, "telecom"}, "address": {kString, "address"}, "address-city": {kString, "address.city"}, "address-state": {kString, "address.state"}, "address-postalcode": {kString, "address.postalCode"}, "language": {kToken, "communication.language"}, "general-practitioner": {kReference, "generalPractitioner"}, "organization": {kReference, "managingOrganization"}, "link": {kReference, "link.other"}},
	"Practitioner":       {"identifier": {kToken, "identifier"}, "name": {kString, "name"}, "family": {kString, "name.family"}, "given": {kString, "name.given"}, "gender": {kToken, "gender"}, "active": {kToken, "active"}, "telecom": {kToken, "telecom"}},
	"PractitionerRole":   {"identifier": {kToken, "identifier"}, "practitioner": {kReference, "practitioner"}, "organization": {kReference, "organization"}, "location": {kReference, "location"}, "role": {kToken, "code"}, "specialty": {kToken, "specialty"}, "active": {kToken, "active"}},
	"Procedure":          {"identifier": {kToken, "identifier"}, "patient": {kReference, "subject"}, "subject": {kReference, "subject"}, "encounter": {kReference, "encounter"}, "code": {kToken, "code"}, "category": {kToken, "category"}, "status": {kToken, "status"}, "date": {kDate, "performedDateTime|performedPeriod"}, "performer": {kReference, "performer.actor"}, "location": {kReference, "location"}, "part-of": {kReference, "partOf"}, "reason-reference": {kReference, "reasonReference"}},
	"RelatedPerson":      {"identifier": {kToken, "identifier"}, "patient": {kReference, "patient"}, "name": {kString, "name"}, "birthdate": {kDate, "birthDate"}, "gender": {kToken, "gender"}, "relationship": {kToken, "relationship"}, "active": {kToken, "active"}, "telecom": {kToken, "telecom"}},
}

func lookup(typ, name string) (param, bool) {
	if p, ok := params[typ][name]; ok {
		return p, true
	}
	p, ok := params["*"][name]
	return p, ok
}

// finish works out what the tree says for search.
func (d *doc) finish(tree obj) {
	d.etag = []string{`W/"` + d.Version + `"`}
	d.lastMod = []string{d.LastUpdated.UTC().Format(http.TimeFormat)}
	for _, set := range []map[string]param{params["*"], params[d.Type]} {
		for name, p := range set {
			for path := range strings.SplitSeq(p.paths, "|") {
				d.read(name, p.kind, tree, path)
			}
		}
	}
	slices.SortStableFunc(d.entries, func(a, b entry) int { return strings.Compare(a.param, b.param) })
	gather(tree, &d.refs)
	slices.Sort(d.refs)
	d.refs = slices.Compact(d.refs)
}

// gather finds every literal reference in a tree.
func gather(v any, out *[]string) {
	switch v := v.(type) {
	case obj:
		if s, ok := v["reference"].(string); ok && !strings.HasPrefix(s, "#") {
			*out = append(*out, s)
		}
		for _, m := range v {
			gather(m, out)
		}
	case list:
		for _, m := range v {
			gather(m, out)
		}
	}
}

func (d *doc) read(name string, k kind, v any, path string) {
	switch v := v.(type) {
	case list:
		for _, m := range v {
			d.read(name, k, m, path)
		}
		return
	case obj:
		if path != "" {
			head, rest, _ := strings.Cut(path, ".")
			if m, ok := v[head]; ok {
				d.read(name, k, m, rest)
			}
			return
		}
	}
	if path == "" && v != nil {
		d.index(name, k, v)
	}
}

func (d *doc) index(name string, k kind, v any) {
	add := func(e entry) { e.param = name; d.entries = append(d.entries, e) }
	o, _ := v.(obj)
	s, _ := v.(string)
	switch k {
	case kToken:
		switch {
		case o == nil:
			if b, ok := v.(bool); ok {
				s = strconv.FormatBool(b)
			}
			add(entry{code: s})
		case o["coding"] != nil:
			for _, c := range asList(o["coding"]) {
				if c, ok := c.(obj); ok {
					add(entry{system: str(c["system"]), code: str(c["code"])})
				}
			}
		case o["value"] != nil:
			add(entry{system: str(o["system"]), code: str(o["value"])})
		default:
			add(entry{system: str(o["system"]), code: str(o["code"])})
		}
	case kString:
		if o == nil {
			add(entry{code: fold(s)})
			return
		}
		for key, m := range o { // a HumanName or an Address
			if key == "use" || key == "type" || key == "period" || key == "extension" {
				continue
			}
			for _, item := range asList(m) {
				if t, ok := item.(string); ok {
					add(entry{code: fold(t)})
				}
			}
		}
	case kReference:
		if t := str(o["reference"]); t != "" {
			add(entry{code: t})
		}
		if id, ok := o["identifier"].(obj); ok {
			add(entry{system: str(id["system"]), code: str(id["value"]), ident: true})
		}
	case kDate:
		if o != nil {
			e := entry{lo: -1 << 62, hi: 1 << 62}
			if lo, _, ok := dateRange(str(o["start"])); ok {
				e.lo = lo
			}
			if _, hi, ok := dateRange(str(o["end"])); ok {
				e.hi = hi
			}
			add(e)
		} else if lo, hi, ok := dateRange(s); ok {
			add(entry{lo: lo, hi: hi})
		}
	case kQuantity:
		if n, ok := o["value"].(float64); ok {
			add(entry{num: n, system: str(o["system"]), code: str(o["code"])})
		}
	}
}

// values are the entries of one parameter.
func (d *doc) values(name string) []entry {
	from, _ := slices.BinarySearchFunc(d.entries, name, func(e entry, n string) int { return strings.Compare(e.param, n) })
	to := from
	for to < len(d.entries) && d.entries[to].param == name {
		to++
	}
	return d.entries[from:to]
}

func str(v any) string { s, _ := v.(string); return s }

func asList(v any) list {
	if l, ok := v.(list); ok {
		return l
	}
	return list{v}
}

// fold makes strings equal that differ in case, punctuation or the commonest
// accents (R4 3.1.1.4.9).
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) }), " ")
}

// dateRange is the span that a FHIR date of any precision stands for, in Unix
// seconds; a date without a zone is read as UTC.
func dateRange(s string) (lo, hi int64, ok bool) {
	type form struct {
		layout string
		end    func(time.Time) time.Time
	}
	for _, f := range []form{
		{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
		{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
		{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
		{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
		{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
		{time.RFC3339, func(t time.Time) time.Time { return t.Add(time.Second) }},
	} {
		if t, err := time.Parse(f.layout, s); err == nil {
			return t.Unix(), f.end(t).Unix(), true
		}
	}
	return 0, 0, false
}
