package hospital

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// note writes a progress note or a discharge summary the way people dictate
// them: the patient under four names, dates in as many formats as there are
// habits, and identifiers where nobody would look for them.
func (g *generator) note(c *chart, v *visit, n int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	they, them, their := c.pronouns()
	age, title := c.age(v.at), c.title(v.at)
	agePhrase := fmt.Sprintf("%d-year-old", age)
	switch {
	case age < 1:
		agePhrase = fmt.Sprintf("%d day old", max(1, int(v.at.Sub(c.birth).Hours()/24)))
	case g.chance(30):
		agePhrase = fmt.Sprintf("%d y/o", age)
	case age >= 90 && g.chance(50):
		agePhrase = fmt.Sprintf("%dyo", age)
	}
	sexWord := map[string]string{"female": "woman", "male": "man"}[c.gender]
	if age < 18 {
		sexWord = map[string]string{"female": "girl", "male": "boy"}[c.gender]
	}
	kind := "PROGRESS NOTE"
	if v.inpatient {
		kind = "DISCHARGE SUMMARY"
	}
	line("%s - %s", strings.ToUpper(g.hospitalName), kind)
	line("Patient: %s, %s %s     MRN: %s", strings.ToUpper(c.family), c.given, initial(c.middle), c.mrn)
	line("DOB: %s   SSN: %s   Acct #: %s", c.birth.Format("01/02/2006"), c.ssn, c.account)
	line("Visit: %s   Date of service: %s", v.number, v.at.Format("2006-01-02"))
	line("Attending: %s, %s (%s)", v.doctor.full(), v.doctor.suffix, v.doctor.title)
	line("Address: %s   Tel: %s   Fax: %s", c.home, c.phone, c.fax)
	line("")
	line("CHIEF COMPLAINT")
	line("%s", c.disorders[0].icdText)
	line("")
	line("HISTORY OF PRESENT ILLNESS")
	line("%s %s is %s %s %s: %s.", title, c.family, article(agePhrase), agePhrase, sexWord, c.disorders[0].history)
	for _, d := range c.disorders[1:] {
		line("Also: %s.", d.history)
	}
	line("%s, who goes by \"%s\", came with %s %s, %s, on %s.", c.given, c.nick, their, c.kinRelation.text, c.kin.full(), v.at.Format("January 2, 2006"))
	if n > 0 {
		line("Last seen %s; called the clinic on %s and left %s cell number, %s.", v.at.AddDate(0, -3, -4).Format("1/2/06"), v.at.AddDate(0, 0, -6).Format("2 Jan 2006"), their, c.mobile)
	}
	if age >= 18 {
		works := "works at"
		if age >= 67 {
			works = "is retired from"
		}
		line("%s %s %s and can be written to at %s; %s keeps a page at %s.", capital(they), works, g.mark("EMPLOYER", pick(g, employers)), c.email, they, c.url)
	}
	if c.maiden != "" && age >= 18 {
		line("Older records are under %s maiden name, %s %s.", their, c.given, c.maiden)
	}
	line("")
	line("FAMILY HISTORY")
	line("%s (%s, now %d) has high blood pressure. Father died at age %d.", c.kin.given, c.kinRelation.text, c.kin.age(v.at), 61+g.rng.IntN(36))
	line("")
	line("OBJECTIVE")
	for _, f := range v.found {
		line("- %s", f)
	}
	if c.serialNo != "" && v.inpatient {
		line("Implant: S/N %s, see the device card.", c.serialNo)
	}
	line("Portal upload from %d.%d.%d.%d at %s.", 192, 0, 2, 1+g.rng.IntN(250), v.at.Format("01-02-2006 15:04"))
	line("")
	line("MEDICATIONS")
	for _, d := range c.disorders {
		for _, drug := range d.drugs {
			line("- %s. %s.", drug.text, drug.sig)
		}
	}
	line("")
	line("ASSESSMENT AND PLAN")
	for i, d := range c.disorders {
		line("%d. %s (%s). %s", i+1, d.icdText, d.icd, d.plan)
	}
	line("Follow up in the week of %s. %s to call %s with results at %s.", ordinalDate(v.until.AddDate(0, 3, 0)), v.doctor.full(), them, c.phone)
	line("Copy to Dr. %s, member id %s, and to the portal: https://portal.example.org/p/%s", c.doctor.family, c.member, c.mrn)
	line("")
	line("Electronically signed by %s %s %s, %s", v.doctor.given, initial(v.doctor.middle), v.doctor.family, v.until.Format("02-Jan-2006 15:04"))
	line("cc: %s <%s>", c.kin.full(), c.kin.email)
	return b.String()
}

// sessionNote is a psychotherapy note: kept apart from the rest of the record
// (45 CFR 164.501), and labelled so.
func (g *generator) sessionNote(c *chart, v *visit) string {
	they, _, their := c.pronouns()
	return fmt.Sprintf(`PSYCHOTHERAPY NOTE - KEEP SEPARATE
%s %s (%s), session of %s with %s.
%s spoke at length about %s %s, %s, and about the year at %s. Dreams of the house in %s.
Impression: grief, less anger than on %s. PHQ-9 discussed. No thoughts of self-harm.
Next session %s. Call %s only on %s.
`, c.title(v.at), c.family, c.nick, v.at.Format("Jan. 2, 2006"), v.doctor.full(),
		capital(they), their, c.kinRelation.text, c.kin.given, g.mark("EMPLOYER", pick(g, employers)), c.home.city,
		v.at.AddDate(0, 0, -7).Format("1/2"), v.at.AddDate(0, 0, 7).Format("01/02/06"), c.given, c.mobile)
}

func (g *generator) report(c *chart, v *visit, conclusion string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "LABORATORY REPORT\nName: %s^%s^%s   MRN %s\nCollected %s   Reported %s\nOrdering: %s\n\n",
		c.family, c.given, initial(c.middle), c.mrn, v.at.Format("20060102"), v.until.Format("01/02/2006 15:04"), v.doctor.full())
	for _, f := range v.found {
		fmt.Fprintf(&b, "%s\n", f)
	}
	fmt.Fprintf(&b, "\n%s\n", conclusion)
	return b.String()
}

func initial(s string) string {
	if strings.HasPrefix(s, canaryPrefix) {
		return s // one letter of a canary would not be found
	}
	return s[:1] + "."
}

// ordinalDate writes "Friday, July 24th, 2026".
func ordinalDate(t time.Time) string {
	suffix := "th"
	if d := t.Day(); d/10 != 1 {
		switch d % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return t.Format("Monday, January 2") + suffix + t.Format(", 2006")
}

func article(number string) string {
	if number[0] == '8' || strings.HasPrefix(number, "11") || strings.HasPrefix(number, "18") {
		return "an"
	}
	return "a"
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
