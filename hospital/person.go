package hospital

import (
	"fmt"
	"math"
	"strings"
	"time"
)

type person struct {
	family, given, middle, nick, maiden, prefix, suffix string
	gender                                              string
	birth                                               time.Time
	ssn, mrn, phone, mobile, fax, email, url            string
	home                                                address
}

type address struct {
	line1, line2, city, county, state, zip, area string
	lat, lon                                     float64
}

// person invents somebody.
func (g *generator) person(gender string, birth time.Time) person {
	names := femaleNames
	if gender == "male" {
		names = maleNames
	}
	n := pick(g, names)
	p := person{
		family: g.mark("FAM", pick(g, familyNames)), given: g.mark("GIV", n.full), nick: g.mark("NICK", n.nick),
		middle: g.mark("MID", pick(g, middleNames)), gender: gender, birth: birth,
		home: g.address(pick(g, towns)),
	}
	if gender == "female" {
		p.maiden = g.mark("MAIDEN", pick(g, familyNames))
	}
	area := pick(g, []string{"000", "900", "917", "938", "951", "966", "987", "999"})
	p.ssn = g.mark("SSN", fmt.Sprintf("%s-%02d-%04d", area, 1+g.rng.IntN(99), 1+g.rng.IntN(9999)))
	p.mrn = g.mark("MRN", pick(g, []string{"H", "", "MR"})+g.digits(8))
	p.phone, p.mobile, p.fax = g.phone(p.home.area), g.phone(p.home.area), g.phone(p.home.area)
	local := strings.ToLower(p.given + "." + strings.ReplaceAll(strings.ReplaceAll(p.family, " ", ""), "'", ""))
	p.email = g.mark("MAIL", local+g.digits(2)) + "@" + pick(g, []string{"example.org", "example.com", "mail.example.org"})
	p.url = "https://people.example.com/~" + g.mark("URL", local)
	return p
}

func (g *generator) phone(area string) string {
	last := fmt.Sprintf("01%02d", g.rng.IntN(100))
	form := pick(g, []string{"(%s) 555-%s", "%s-555-%s", "+1 %s 555 %s", "%s.555.%s", "+1-%s-555-%s"})
	return g.mark("TEL", fmt.Sprintf(form, area, last))
}

func (g *generator) address(t town) address {
	a := address{
		line1: g.mark("STREET", fmt.Sprintf("%d %s", 1+g.rng.IntN(2400), pick(g, streets))),
		city:  g.mark("CITY", t.city), county: g.mark("COUNTY", t.county), state: t.state, area: t.area,
		lat: math.Round((t.lat+g.between(-.03, .03))*1e6) / 1e6, lon: math.Round((t.lon+g.between(-.03, .03))*1e6) / 1e6,
	}
	if g.chance(30) {
		a.line2 = g.mark("STREET", fmt.Sprintf("Apt %d%c", 1+g.rng.IntN(30), 'A'+rune(g.rng.IntN(6))))
	}
	zip := t.zip
	if g.chance(35) {
		zip += "-" + g.digits(4)
	}
	a.zip = g.mark("ZIP", zip)
	return a
}

func (a address) fhir(use string) obj {
	lines := list{a.line1}
	if a.line2 != "" {
		lines = append(lines, a.line2)
	}
	return obj{
		"use": use, "type": "both", "line": lines, "city": a.city, "district": a.county, "state": a.state, "postalCode": a.zip, "country": "US",
		"text": a.String(),
		"extension": list{obj{
			"url": "http://hl7.org/fhir/StructureDefinition/geolocation",
			"extension": list{
				extension("latitude", "Decimal", a.lat),
				extension("longitude", "Decimal", a.lon),
			},
		}},
	}
}

func (a address) String() string {
	line := a.line1
	if a.line2 != "" {
		line += ", " + a.line2
	}
	return fmt.Sprintf("%s, %s, %s %s", line, a.city, a.state, a.zip)
}

func (p person) full() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", p.prefix, p.given, p.family))
}

func (p person) humanName(use string) obj {
	n := obj{"use": use, "family": p.family, "given": list{p.given, p.middle}, "text": p.full()}
	if p.prefix != "" {
		n["prefix"] = list{p.prefix}
	}
	if p.suffix != "" {
		n["suffix"] = list{p.suffix}
	}
	return n
}

// age is the age in whole years at a time.
func (p person) age(at time.Time) int {
	years := at.Year() - p.birth.Year()
	if at.YearDay() < p.birth.YearDay() {
		years--
	}
	return max(years, 0)
}

// title is how a note calls a person: Mrs., Mr., Baby.
func (p person) title(at time.Time) string {
	switch {
	case p.age(at) < 1:
		return "Baby"
	case p.gender == "male":
		return "Mr."
	case p.age(at) < 18:
		return "Miss"
	case p.maiden != "":
		return "Mrs."
	}
	return "Ms."
}

func (p person) pronouns() (they, them, their string) {
	if p.gender == "male" {
		return "he", "him", "his"
	}
	return "she", "her", "her"
}
