package breach

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

// Drafted is the notices that Draft writes.
var Drafted = []snapshot.NoticeTo{snapshot.ToIndividuals, snapshot.ToMedia, snapshot.ToSecretary, snapshot.ToCoveredEntity}

// Scene is what a draft stands on, besides the incident.
type Scene struct {
	Organisation string
	Vendor       string // the vendor's name, where one is involved
	// VendorContact is the vendor's own address.
	VendorContact string
	Region        string // media: for which State ("US-MA")
	Zone          *time.Location
	Now           time.Time
}

// NoticeElement is something that a notice must hold, by the rule.
type NoticeElement struct {
	Key      string         `json:"key"` // "what-happened"
	What     string         `json:"what"`
	Citation hipaa.Citation `json:"citation"`
	// Gap says what is not known yet; empty: the draft has it. A gap stands in the draft
	// as a line to fill in.
	Gap string `json:"gap,omitempty"`
}

// Notice is a draft. A person reads it before anybody gets it.
type Notice struct {
	To       snapshot.NoticeTo `json:"to"`
	Document paper.Document    `json:"-"`
	Elements []NoticeElement   `json:"elements"`
	// Fields are those of the mail merge that differ by recipient, as the letter names
	// them: «Recipient_name».
	Fields []string `json:"fields,omitempty"`
}

// Missing lists what the draft lacks.
func (n Notice) Missing() []NoticeElement {
	return slices.DeleteFunc(slices.Clone(n.Elements), func(e NoticeElement) bool { return e.Gap == "" })
}

// MergeFields are the columns of a mail merge to individuals. Who they are is a release
// of its own, and is put together with the letter outside of this product.
var MergeFields = []string{"Recipient_name", "Address_line_1", "Address_line_2", "City", "State", "Postal_code"}

// field is how a merge field stands in a letter.
func field(name string) string { return "«" + name + "»" }

// Gap begins a line of a draft that somebody must fill in.
const Gap = "[TO BE WRITTEN: "

// Draft writes a notice in plain language, with what the rule demands of it: to the
// individuals (45 CFR 164.404(c)), to the media (164.406(c)), to the Secretary (the
// fields of the Secretary's form, as a worksheet), or by the business associate to the
// covered entity (164.410(c)). What is not known stands in it as a gap, and in Missing.
func Draft(to snapshot.NoticeTo, in *snapshot.Incident, s Scene) (Notice, error) {
	if s.Zone == nil || s.Now.IsZero() || s.Organisation == "" {
		return Notice{}, problem.New(problem.Internal, "The draft lacks the organisation, its time zone or the time", "Pass all three")
	}
	d := &draft{in: in, s: s, n: Notice{To: to, Document: paper.Document{Issuer: s.Organisation, Date: s.Now, Foot: "Draft. A person reads it before it is sent."}}}
	switch to {
	case snapshot.ToIndividuals:
		d.individuals()
	case snapshot.ToMedia:
		if s.Region == "" {
			return Notice{}, problem.BadField("region", "is missing", "Name the State or jurisdiction whose media are told, such as US-MA")
		}
		d.media()
	case snapshot.ToSecretary:
		d.secretary()
	case snapshot.ToCoveredEntity:
		if s.Vendor == "" {
			return Notice{}, problem.BadField("to", "is the covered entity, and no business associate is involved", "Amend the incident's vendor, or draft another notice")
		}
		d.coveredEntity()
	default:
		return Notice{}, problem.BadField("to", fmt.Sprintf("nothing is drafted to %q", string(to)), "Use individuals, media, secretary or covered-entity")
	}
	return d.n, nil
}

type draft struct {
	in *snapshot.Incident
	s  Scene
	n  Notice
}

func (d *draft) put(bs ...paper.Block) { d.n.Document.Body = append(d.n.Document.Body, bs...) }

func (d *draft) heading(text string) { d.put(paper.Heading{Level: 1, Text: text}) }

func (d *draft) say(text string) { d.put(paper.Paragraph{Text: text}) }

// element says something that the rule demands, or leaves a gap.
func (d *draft) element(key, what, control, text, gap string) {
	e := NoticeElement{Key: key, What: what, Citation: hipaa.MustCite(control)}
	if strings.TrimSpace(text) == "" {
		e.Gap = gap
		text = Gap + gap + "]"
	}
	d.n.Elements = append(d.n.Elements, e)
	d.say(text)
}

func (d *draft) day(t time.Time) string { return t.In(d.s.Zone).Format("January 2, 2006") }

// happened is element (A): what happened, with both dates where they are known.
func (d *draft) happened(control string) {
	d.element("what-happened", "A brief description of what happened", control, d.in.Telling.WhatHappened, "what happened, in two or three plain sentences")
	when := ""
	if !d.in.OccurredAt.IsZero() {
		when = "It happened on " + d.day(d.in.OccurredAt) + "."
	}
	d.element("date-of-breach", "The date of the breach, if known", control, when, "the date on which it happened, or that nobody knows it")
	found, _ := Discovery(d.in)
	d.element("date-of-discovery", "The date of the discovery of the breach, if known", control, "We discovered it on "+d.day(found)+".", "")
}

func (d *draft) types(control string) {
	d.element("types", "The types of unsecured PHI that were involved", control, strings.Join(d.in.Telling.Types, "; "), `the kinds of information, such as "your name; your diagnoses"`)
}

func (d *draft) steps(control string) {
	d.element("steps", "Steps that individuals should take to protect themselves", control, d.in.Telling.Steps, "what people should do to protect themselves")
}

func (d *draft) doing(control string) {
	d.element("doing", "What is done to investigate, to mitigate harm, and to protect against further breaches", control, d.in.Telling.Doing, "what you do to find out more, to limit harm, and to keep it from happening again")
}

func (d *draft) contact(control string) {
	c := d.in.Telling.Contact
	var ways []string
	for _, w := range []struct{ label, value string }{{"Call us free of charge", c.Phone}, {"Write to us by e-mail", c.Email}, {"Read more at", c.Website}, {"Write to us at", c.Postal}} {
		if w.value != "" {
			ways = append(ways, w.label+": "+w.value+".")
		}
	}
	d.element("contact", "How to ask: a toll-free number, an e-mail address, a Web site, or a postal address", control, strings.Join(ways, " "), "a toll-free number, an e-mail address, a Web site or a postal address")
}

func (d *draft) individuals() {
	d.n.Fields = slices.Clone(MergeFields)
	d.n.Document.Title = "Notice about your health information"
	d.put(paper.Paragraph{Text: field("Recipient_name") + "\n" + field("Address_line_1") + "\n" + field("Address_line_2") + "\n" + field("City") + ", " + field("State") + " " + field("Postal_code")})
	d.say("Dear " + field("Recipient_name") + ",")
	d.say("We write because some of your health information was involved in an incident. This letter tells you what happened, what we do about it, and what you can do.")
	const c = "B-404-c-1"
	d.heading("What happened")
	d.happened(c)
	d.heading("What information was involved")
	d.types(c)
	d.heading("What you can do")
	d.steps(c)
	d.heading("What we are doing")
	d.doing(c)
	d.heading("How to reach us")
	d.contact(c)
	d.say("We are sorry that this happened.")
	d.put(paper.SignatureLine{Party: d.s.Organisation})
	d.n.Elements = append(d.n.Elements, NoticeElement{Key: "plain-language", What: "Written in plain language: a person must read it", Citation: hipaa.MustCite("B-404-c-2")})
}

func (d *draft) media() {
	d.n.Document.Title = d.s.Organisation + " informs the public about a breach of health information"
	d.n.Document.Subtitle = "For prominent media that serve " + d.s.Region
	const c = "B-406"
	reach := ""
	if n := d.in.Affected.ByState[d.s.Region]; n > 0 {
		reach = fmt.Sprintf("%s tells the public about an incident that involved health information of about %d people who live in %s.", d.s.Organisation, n, d.s.Region)
	}
	d.element("reach", "Residents of the State or jurisdiction", c, reach, "how many residents of "+d.s.Region+" are affected")
	d.heading("What happened")
	d.happened(c)
	d.heading("What information was involved")
	d.types(c)
	d.heading("What people can do")
	d.steps(c)
	d.heading("What we are doing")
	d.doing(c)
	d.heading("How to reach us")
	d.contact(c)
}

// secretary is a worksheet for the form on the Secretary's Web site: its fields as they
// are known from general knowledge of it, not read from the form today.
func (d *draft) secretary() {
	d.n.Document.Title = "Worksheet: notice to the Secretary of Health and Human Services"
	d.n.Document.Subtitle = "The notice itself is given on the Secretary's Web site"
	control := "B-408-b"
	size := "500 or more individuals"
	if !d.in.Affected.CountedAt.IsZero() && d.in.Affected.Individuals < secretaryFrom {
		control, size = "B-408-c", "Fewer than 500 individuals"
	}
	d.put(paper.Note{Text: "The fields below are from general knowledge of the form (" + string(hipaa.Recall) + "). Compare them with the form before you rely on them."})
	var rows [][2]string
	add := func(key, name, value, gap string) {
		e := NoticeElement{Key: key, What: name, Citation: hipaa.MustCite(control)}
		if value == "" && gap != "" {
			e.Gap = gap
			value = Gap + gap + "]"
		}
		d.n.Elements = append(d.n.Elements, e)
		rows = append(rows, [2]string{name, value})
	}
	day := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return d.day(t)
	}
	add("kind", "Kind of notice", size, "")
	add("covered-entity", "Covered entity", d.s.Organisation, "")
	add("entity-contact", "Contact of the covered entity", first(d.in.Telling.Contact.Email, d.in.Telling.Contact.Phone, d.in.Telling.Contact.Postal), "name, telephone, e-mail and address of the contact")
	if d.s.Vendor != "" {
		add("business-associate", "Did it happen at a business associate", "Yes: "+d.s.Vendor, "")
		add("associate-contact", "Contact of the business associate", d.s.VendorContact, "address and contact of the business associate")
	} else {
		add("business-associate", "Did it happen at a business associate", "No", "")
	}
	add("date-of-breach", "Date of the breach", day(d.in.OccurredAt), "the first and the last day of the breach")
	found, _ := Discovery(d.in)
	add("date-of-discovery", "Date of discovery", day(found), "")
	count := ""
	if !d.in.Affected.CountedAt.IsZero() {
		count = fmt.Sprint(d.in.Affected.Individuals)
	}
	add("individuals", "Approximate number of individuals affected", count, "the number of individuals")
	add("type-of-breach", "Type of breach", "", "one or more of: hacking or IT incident; improper disposal; loss; theft; unauthorized access or disclosure")
	add("location", "Location of the information", "", "one or more of: desktop computer; electronic medical record; e-mail; laptop; network server; other portable device; paper or films; other")
	add("types", "Types of PHI", strings.Join(d.in.Telling.Types, "; "), "clinical, demographic, financial, or other")
	add("what-happened", "Brief description", d.in.Telling.WhatHappened, "what happened")
	add("safeguards", "Safeguards in place before the breach", "", "one or more of: none; Privacy Rule; Security Rule administrative, physical, technical")
	for _, n := range []struct {
		key, name string
		to        snapshot.NoticeTo
	}{{"notice-individuals", "Individual notice given on", snapshot.ToIndividuals}, {"notice-substitute", "Substitute notice given on", snapshot.ToSubstitute}, {"notice-media", "Media notice given on", snapshot.ToMedia}} {
		add(n.key, n.name, d.given(n.to), "the date, or that it was not required")
	}
	add("doing", "Actions taken in response", d.in.Telling.Doing, "what was done")
	add("attestation", "Attestation", "", "name of who attests that what is said is accurate, and the date")
	d.put(paper.Facts{Rows: rows})
}

func (d *draft) given(to snapshot.NoticeTo) string {
	var days []string
	for _, n := range d.in.Notices {
		if day := d.day(n.At); n.To == to && !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	return strings.Join(days, "; ")
}

func (d *draft) coveredEntity() {
	d.n.Document.Issuer = d.s.Vendor
	d.n.Document.Title = "Notice of a breach by a business associate"
	d.n.Document.Subtitle = "To " + d.s.Organisation
	d.heading("Who is affected")
	who := ""
	if !d.in.Affected.CountedAt.IsZero() {
		who = fmt.Sprintf("%d individuals. ", d.in.Affected.Individuals)
		if d.in.Affected.Radius != "" {
			who += "They are identified by the list whose SHA-256 is " + d.in.Affected.Radius + ". It is handed over as a release of its own, never in this letter."
		} else {
			who = "" // a number identifies nobody
		}
	}
	d.element("individuals", "Identification of each individual, to the extent possible", "B-410-c-1", who, "which list identifies the individuals, by its digest: never the names themselves in this letter")
	const c = "B-410-c-2"
	d.heading("What happened")
	d.happened(c)
	d.heading("What information was involved")
	d.types(c)
	d.heading("What people can do")
	d.steps(c)
	d.heading("What we are doing")
	d.doing(c)
	d.heading("Whom to ask")
	ask := d.s.VendorContact
	if ask != "" {
		ask = "Write to " + ask + "."
	}
	d.element("contact", "Whom the covered entity can ask", c, ask, "an address of the business associate")
	d.say("More follows as it becomes known.")
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// phoneInLetter begins with a bracket where the number begins with a plus: a spreadsheet
// would work it out, and an apostrophe before it would stand in the letter.
func phoneInLetter(number string) string {
	rest, ok := strings.CutPrefix(number, "+")
	if !ok {
		return number
	}
	code := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	return "(+" + code + ")" + rest[len(code):]
}

// MergeCSV is the head of the data of a mail merge, and one row with what is the same
// for every recipient. The recipients' own columns are empty: who they are is a release
// of its own.
func MergeCSV(in *snapshot.Incident, s Scene) (string, error) {
	shared := map[string]string{
		"Organisation": s.Organisation, "Letter_date": s.Now.In(s.Zone).Format("January 2, 2006"), "What_happened": in.Telling.WhatHappened,
		"Information_involved": strings.Join(in.Telling.Types, "; "), "What_you_can_do": in.Telling.Steps, "What_we_are_doing": in.Telling.Doing,
		"Toll_free_number": phoneInLetter(in.Telling.Contact.Phone), "Email": in.Telling.Contact.Email, "Website": in.Telling.Contact.Website, "Postal_address": in.Telling.Contact.Postal,
	}
	head, row := slices.Clone(MergeFields), make([]string, len(MergeFields))
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		head, row = append(head, name), append(row, sheet.Text(shared[name]))
	}
	var out strings.Builder
	w := csv.NewWriter(&out)
	w.UseCRLF = true // RFC 4180
	if err := w.WriteAll([][]string{head, row}); err != nil {
		return "", fmt.Errorf("writing the fields: %w", err)
	}
	return out.String(), nil
}
