package hospital

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// generator makes one hospital. Its randomness is a PCG from the seed and
// nothing else; it has no clock.
type generator struct {
	rng    *rand.Rand
	out    *Records
	canary *canaries // nil in an ordinary hospital
	n      int

	hospital, clinic, payer string // references
	hospitalName            string
	place                   string // Location reference
	doctors                 []doctor
	patients                []string
	serial                  int
}

type doctor struct {
	person
	ref, role string // references to the Practitioner and the PractitionerRole
	title     string
}

// Generate makes a hospital with so many patients. The same seed and number
// give the same bytes. The first patient always has diabetes and a long series
// of home readings; there is always somebody over 89 and a newborn among the
// first four, and the sensitive records among the first eight.
func Generate(seed uint64, patients int) *Records { return generate(seed, patients, nil) }

func generate(seed uint64, patients int, c *canaries) *Records {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 0x5a11_9027)), out: newRecords(), canary: c}
	g.organisation()
	for i := range patients {
		g.patient(i)
	}
	g.group()
	if c != nil {
		g.out.canaries = c.found
	}
	return g.out
}

// mark returns plain, or a canary of the kind in a hospital of canaries.
func (g *generator) mark(kind, plain string) string {
	if g.canary == nil {
		return plain
	}
	return g.canary.next(kind)
}

func pick[T any](g *generator, from []T) T { return from[g.rng.IntN(len(from))] }

func (g *generator) chance(percent int) bool { return g.rng.IntN(100) < percent }

func (g *generator) between(low, high float64) float64 { return low + g.rng.Float64()*(high-low) }

func (g *generator) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + g.rng.IntN(10)))
	}
	return b.String()
}

// id makes ids of all the shapes that servers use: mostly UUIDs, some short
// numbers, some of the full 64 characters that R4 allows.
func (g *generator) id(typ string) string {
	g.n++
	if g.canary != nil {
		id := g.canary.next(strings.ToUpper(typ) + "ID")
		if g.n%7 == 0 {
			id += strings.Repeat("x", 64-len(id))
		}
		return id
	}
	switch g.n % 11 {
	case 3, 8:
		return fmt.Sprintf("%d%s", 1+g.n, g.digits(5))
	case 5:
		return fmt.Sprintf("%016x%016x%016x%016x", g.rng.Uint64(), g.rng.Uint64(), g.rng.Uint64(), g.rng.Uint64())
	}
	a, b := g.rng.Uint64(), g.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffff_ffff_ffff)
}

// add gives a resource its meta and files it. It returns the reference.
func (g *generator) add(r obj, event time.Time, labels ...obj) string {
	meta, _ := r["meta"].(obj)
	if meta == nil {
		meta = obj{}
		r["meta"] = meta
	}
	if meta["versionId"] == nil {
		meta["versionId"] = "1"
	}
	g.serial++
	if meta["lastUpdated"] == nil {
		// Filed within two days, each at its own second.
		at := event.Add(time.Duration(g.rng.IntN(48*3600)) * time.Second)
		if at.After(Today) {
			at = Today.Add(-time.Duration(g.rng.IntN(3600)) * time.Second)
		}
		meta["lastUpdated"] = instant(at)
	}
	if g.serial%5 == 0 {
		meta["source"] = g.uri("https://ehr.example.org/feed", "SRC")
	}
	if len(labels) > 0 {
		// Whatever is labelled is restricted as a whole; there is one
		// confidentiality code for each resource.
		security := list{coding(sysConf, "R", "restricted")}
		for _, l := range labels {
			if l["system"] != sysConf {
				security = append(security, l)
			}
		}
		meta["security"] = security
	}
	if g.canary != nil {
		g.canary.plant(r)
	}
	if err := g.out.put(r); err != nil {
		panic("hospital: the generator made a resource that cannot be filed: " + err.Error())
	}
	return r["resourceType"].(string) + "/" + r["id"].(string)
}

func (g *generator) organisation() {
	at := Today.AddDate(-9, 0, 0)
	home := g.address(towns[g.rng.IntN(10)])
	g.hospitalName = g.mark("ORG", home.city+" General Hospital")
	org := func(name, kind, text string) string {
		return g.add(obj{
			"resourceType": "Organization", "id": g.id("Organization"), "active": true, "name": name,
			"identifier": list{obj{"system": "http://hl7.org/fhir/sid/us-npi", "value": g.mark("NPI", "9"+g.digits(9))}},
			"type":       list{obj{"coding": list{coding(hl7+"organization-type", kind, text)}}},
			"telecom":    list{obj{"system": "phone", "value": g.phone("555"), "use": "work"}},
			"address":    list{home.fhir("work")},
		}, at)
	}
	g.hospital = org(g.hospitalName, "prov", "Healthcare Provider")
	g.clinic = org(g.mark("ORG", home.city+" Family Clinic"), "prov", "Healthcare Provider")
	g.payer = org(g.mark("ORG", "Evergreen Mutual Health Plan"), "ins", "Insurance Company")

	g.place = g.add(obj{
		"resourceType": "Location", "id": g.id("Location"), "status": "active", "mode": "instance",
		"name": g.mark("LOC", "Ward 4 East"), "address": home.fhir("work"),
		"telecom":              list{obj{"system": "phone", "value": g.phone("555")}},
		"position":             obj{"longitude": home.lon, "latitude": home.lat},
		"managingOrganization": ref(g.hospital, ""),
		"physicalType":         obj{"coding": list{coding(hl7+"location-physical-type", "wa", "Ward")}},
	}, at)

	for i := range specialties {
		s := specialties[i]
		d := doctor{person: g.person(pick(g, []string{"female", "male"}), Today.AddDate(-30-g.rng.IntN(35), -g.rng.IntN(12), 0)), title: s.title}
		d.prefix, d.suffix = "Dr.", "MD"
		d.ref = g.add(obj{
			"resourceType": "Practitioner", "id": g.id("Practitioner"), "active": true,
			"identifier": list{
				obj{"system": "http://hl7.org/fhir/sid/us-npi", "value": g.mark("NPI", "9"+g.digits(9))},
				obj{"type": obj{"coding": list{coding(hl7+"v2-0203", "MD", "Medical License number")}},
					"system": "https://licences.example.org/" + strings.ToLower(d.home.state), "value": g.mark("LIC", "MD"+g.digits(6))},
			},
			"name":    list{d.humanName("official")},
			"telecom": list{obj{"system": "phone", "value": d.phone, "use": "work"}, obj{"system": "email", "value": d.email, "use": "work"}},
			"gender":  d.gender,
			"qualification": list{obj{
				"code":   obj{"coding": list{coding(hl7+"v2-0360", "MD", "Doctor of Medicine")}},
				"period": obj{"start": day(d.birth.AddDate(27, 0, 0))},
				"issuer": ref(g.hospital, g.hospitalName),
			}},
		}, at)
		d.role = g.add(obj{
			"resourceType": "PractitionerRole", "id": g.id("PractitionerRole"), "active": true,
			"practitioner": ref(d.ref, d.full()), "organization": ref(g.hospital, ""), "location": list{ref(g.place, "")},
			"code":      list{obj{"coding": list{coding(hl7+"practitioner-role", "doctor", "Doctor")}}},
			"specialty": list{obj{"coding": list{coding("http://nucc.org/provider-taxonomy", s.code, s.text)}}},
			"telecom":   list{obj{"system": "phone", "value": g.phone(d.home.area), "use": "work"}},
		}, at)
		g.doctors = append(g.doctors, d)
	}
}

// group makes the cohort: the first patient and about half of the others.
func (g *generator) group() {
	var members list
	for i, p := range g.patients {
		if i == 0 || g.chance(50) {
			members = append(members, obj{"entity": ref(p, ""), "period": obj{"start": day(Today.AddDate(-1, 0, -i%300))}, "inactive": false})
		}
	}
	id := g.id("Group")
	g.out.cohort = id
	group := obj{
		"resourceType": "Group", "id": id, "type": "person", "actual": true, "active": true,
		"identifier":     list{obj{"system": "https://hospital.example.org/cohorts", "value": g.mark("COHORT", "COHORT-2026-01")}},
		"name":           g.mark("GROUPNAME", "Readmission study, first cohort"),
		"code":           obj{"text": "Patients of a quality programme"},
		"quantity":       len(members),
		"managingEntity": ref(g.hospital, g.hospitalName),
	}
	if members != nil {
		group["member"] = members
	}
	g.add(group, Today.AddDate(0, -1, 0))
}

// The small parts of FHIR.

func coding(system, code, display string) obj {
	c := obj{"code": code}
	if system != "" {
		c["system"] = system
	}
	if display != "" {
		c["display"] = display
	}
	return c
}

func concept(system, code, text string) obj {
	c := obj{"text": text}
	if code != "" {
		c["coding"] = list{coding(system, code, text)}
	}
	return c
}

func ref(to, display string) obj {
	r := obj{"reference": to}
	if display != "" {
		r["display"] = display
	}
	return r
}

func quantity(v float64, unit, ucum string) obj {
	return obj{"value": v, "unit": unit, "system": sysUCUM, "code": ucum}
}

func extension(url, kind string, value any) obj { return obj{"url": url, "value" + kind: value} }

func day(t time.Time) string      { return t.Format("2006-01-02") }
func dateTime(t time.Time) string { return t.Format("2006-01-02T15:04:05-07:00") }
func instant(t time.Time) string  { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func narrative(parts ...string) obj {
	return obj{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml">` + strings.Join(parts, "") + "</div>"}
}

// esc escapes text for a narrative.
var esc = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace

func (g *generator) uri(base, kind string) string {
	if g.canary == nil {
		return fmt.Sprintf("%s/%s", base, g.digits(6))
	}
	return base + "/" + g.canary.next(kind)
}
