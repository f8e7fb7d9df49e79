package hospital

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// canaryPrefix begins every canary string but dates and coordinates. The rest
// is a kind, a number and a Q, so that no canary is a part of another.
const canaryPrefix = "ZZCANARY"

var (
	canaryString = regexp.MustCompile(canaryPrefix + `[A-Z]+[0-9]+Q`)
	fullDate     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$`)
)

// Canary is one string that must not be found where its element is hidden.
type Canary struct {
	Value    string // unique to what it identifies; the same value may sit in more than one element
	Kind     string // "FAM", "DATE", "PATIENTID", "TEXT" ...
	Resource string // "Patient/ZZCANARYPATIENTID12Q"
	Path     string // "Patient.name[0].family"; "DocumentReference.content[0].attachment.data" for one inside base64
	Encoded  bool   // it sits inside base64 there
}

// Base64 is the three forms that Value has inside base64, one for each way in
// which it can fall on the groups of three bytes. What depends on the bytes
// before and after it is cut off.
func (c Canary) Base64() [3]string {
	var out [3]string
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + c.Value
		full := base64.StdEncoding.EncodeToString([]byte(padded))
		from := []int{0, 2, 3}[shift]       // characters that hold bits of what goes before
		to := len(padded) / 3 * 4           // whole groups
		to += []int{0, 1, 2}[len(padded)%3] // characters of the last group that hold only its bits
		out[shift] = full[from:min(to, len(full))]
	}
	return out
}

// GenerateCanaries makes a hospital like Generate's in which every element that
// could identify somebody holds a canary: names, addresses, identifiers,
// telecom, ids, free text of every kind, narrative, titles, attachments and
// Binary data, contained resources, extensions, coordinates and all full dates.
// What is left alone is a closed list of elements that hold codes (keptMembers):
// an element that nobody thought of gets a canary.
//
// Dates are moved back to days that no other element has, and none is after
// Today, so that the clock of a log is never taken for one. Five patients keep
// dates of the last years; with dozens they drift further into the past.
func GenerateCanaries(seed uint64, patients int) *Records {
	return generate(seed, patients, &canaries{days: map[string]bool{}, number: map[string]int{}})
}

// Canaries lists where each canary sits, in order of creation. It is empty for
// an ordinary hospital.
func (r *Records) Canaries() []Canary { return slices.Clone(r.canaries) }

type canaries struct {
	number map[string]int
	days   map[string]bool
	found  []Canary
	places int
}

func (c *canaries) next(kind string) string {
	c.number[kind]++
	return fmt.Sprintf("%s%s%dQ", canaryPrefix, kind, c.number[kind])
}

// keptMembers hold codes, units and structure: nothing that a person wrote.
var keptMembers = map[string]bool{
	"resourceType": true, "system": true, "code": true, "status": true, "docStatus": true, "use": true,
	"unit": true, "contentType": true, "versionId": true, "gender": true, "mode": true, "intent": true,
	"type": true, "criticality": true, "severity": true, "category": true, "valueCode": true, "country": true,
	"state": true, "profile": true, "language": true, "issuer": true, "url": true,
}

// sourced members get their canary where they are made, so that the narrative
// and the notes can speak of the same person.
var sourcedMembers = map[string]bool{
	"id": true, "reference": true, "family": true, "given": true, "value": true, "line": true, "city": true,
	"district": true, "postalCode": true, "serialNumber": true, "deviceIdentifier": true, "lotNumber": true,
	"subscriberId": true, "source": true,
}

// plant puts canaries into a finished tree, and notes where they are.
func (c *canaries) plant(r obj) {
	typ, id := r["resourceType"].(string), r["id"].(string)
	c.object(typ+"/"+id, typ, r)
}

func (c *canaries) object(resource, path string, o obj) {
	keys := slices.Sorted(maps.Keys(o))
	if i := slices.Index(keys, "end"); i >= 0 && slices.Contains(keys, "start") {
		c.period(resource, path, o)
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == "start" || k == "end" })
	}
	coding := o["code"] != nil && o["system"] != nil
	for _, k := range keys {
		if k == "display" && coding {
			continue // the words of the code system
		}
		o[k] = c.value(resource, path+"."+k, k, o[k])
	}
	if url, ok := o["url"].(string); ok && o["contentType"] != nil {
		c.list(resource, path+".url", url, false) // an attachment's
	}
}

func (c *canaries) value(resource, path, key string, v any) any {
	switch v := v.(type) {
	case obj:
		c.object(resource, path, v)
	case list:
		for i := range v {
			v[i] = c.value(resource, fmt.Sprintf("%s[%d]", path, i), key, v[i])
		}
	case string:
		return c.text(resource, path, key, v)
	case float64:
		switch key {
		case "longitude", "latitude", "valueDecimal":
			c.places++
			n := fmt.Sprintf("%.3f%06d", v, 710000+c.places)
			c.found = append(c.found, Canary{Value: n, Kind: "PLACE", Resource: resource, Path: path})
			return json.Number(n)
		}
	}
	return v
}

func (c *canaries) text(resource, path, key, s string) string {
	switch {
	case keptMembers[key]:
		return s
	case fullDate.MatchString(s):
		return c.date(resource, path, s, "")
	case key == "data":
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			panic("hospital: " + path + " is not base64")
		}
		text := string(b) + c.next("ATTACHED") + "\n"
		c.list(resource, path, text, true)
		return base64.StdEncoding.EncodeToString([]byte(text))
	case key == "div":
		s = strings.TrimSuffix(s, "</div>") + "<p>" + c.next("NARRATIVE") + "</p></div>"
	case sourcedMembers[key] && (canaryString.MatchString(s) || key == "reference" && strings.HasPrefix(s, "#") || path[strings.LastIndex(path, ".")+1:] == "id" && strings.Contains(path, ".contained[")):
	case sourcedMembers[key] && key != "value":
		panic("hospital: " + path + " holds no canary: " + s)
	case strings.HasPrefix(s, "http") || strings.HasPrefix(s, "urn:"):
		s += "/" + c.next("URI")
	default:
		s += " " + c.next("TEXT")
	}
	c.list(resource, path, s, false)
	return s
}

func (c *canaries) list(resource, path, s string, encoded bool) {
	seen := map[string]bool{}
	for _, v := range canaryString.FindAllString(s, -1) {
		if seen[v] {
			continue
		}
		seen[v] = true
		kind := strings.TrimRight(strings.TrimPrefix(v, canaryPrefix), "0123456789Q")
		c.found = append(c.found, Canary{Value: v, Kind: kind, Resource: resource, Path: path, Encoded: encoded})
	}
}

func (c *canaries) period(resource, path string, o obj) {
	end, _ := o["end"].(string)
	start, _ := o["start"].(string)
	end = c.date(resource, path+".end", end, "")
	o["end"], o["start"] = end, c.date(resource, path+".start", start, end[:10])
}

// date moves s back to the nearest day that is before limit, if there is one,
// and that no other element has.
func (c *canaries) date(resource, path, s, limit string) string {
	t, err := time.Parse("2006-01-02", s[:10])
	if err != nil {
		panic("hospital: " + path + " is not a date")
	}
	if t.After(Today) {
		t = Today
	}
	for range 40_000 {
		d := t.Format("2006-01-02")
		if !c.days[d] && (limit == "" || d < limit) {
			c.days[d] = true
			c.found = append(c.found, Canary{Value: d, Kind: "DATE", Resource: resource, Path: path})
			return d + s[10:]
		}
		t = t.AddDate(0, 0, -1)
	}
	panic("hospital: there are no days left for canaries; ask for fewer patients")
}
