package deid

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// satisfies checks a profile against its basis: first what it says of itself,
// then its ruling on every element of every R4 type. What it checks against is
// this file's own table of what identifies, not the profile's.
func (p *Profile) satisfies() error {
	d := &p.doc
	switch d.Basis {
	case SafeHarbor:
		return first(p.safeHarbor(), p.everyElement())
	case LimitedDataSet:
		return first(p.limited(), p.everyElement())
	case ExpertDetermination:
		return first(p.determined(), p.everyElement())
	case BasisMinimum:
		if d.DataClass != hipaa.PHI {
			return unlawful("data_class", "a minimum necessary view is PHI", "Write data_class: phi", "45 CFR 160.103")
		}
		if d.Dates == byShift {
			return unlawful("dates", "dates that are shifted need an expert's determination", "Write dates: role", citeExpert)
		}
		return nil
	}
	return problem.BadField("basis", "is not a legal basis for a profile",
		`Write "safe-harbor", "limited-data-set", "expert-determination" or "minimum-necessary"`)
}

const (
	citeExpert  = "45 CFR 164.514(b)(1)"
	citeCodes   = "45 CFR 164.514(c)"
	citeHarbor  = "45 CFR 164.514(b)(2)"
	citeLimited = "45 CFR 164.514(e)(2)"
)

func unlawful(field, what, next, citation string) error {
	q := problem.BadField(field, what, next)
	q.Citation = citation
	q.NextStep += " (" + citation + ")"
	return q
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// safeHarbor is 45 CFR 164.514(b)(2) and (c), as far as switches go.
func (p *Profile) safeHarbor() error {
	d := &p.doc
	c, b, r := hipaa.MustCiteIdentifier("C"), hipaa.MustCiteIdentifier("B"), hipaa.MustCiteIdentifier("R")
	switch {
	case d.Dates == byShift:
		return unlawful("dates", "a shifted date is still an element of a date, so it is not Safe Harbor", "Write dates: year, or have an expert determine it", c)
	case d.Dates != byYear:
		return unlawful("dates", "Safe Harbor keeps the year of a date and nothing else", "Write dates: year", c)
	case d.Ages != aggregated:
		return unlawful("ages", "Safe Harbor puts all ages over 89 into one category", "Write ages: aggregate", c)
	case d.ZIP == kept:
		return unlawful("zip", "Safe Harbor keeps at most the first three digits of a ZIP code", "Write zip: prefix3 or zip: remove", b)
	case d.Codes != assigned:
		return unlawful("codes", "a code that is made from the person's own value, a keyed hash too, does not qualify; HHS said so in the preamble of 2002 (67 FR 53182)",
			"Write codes: assigned, and give the engagement random codes from the vault", citeCodes)
	case d.Identifiers != pseudonym:
		return unlawful("identifiers", "Safe Harbor lets no unique identifying number stand", "Write identifiers: pseudonym", r)
	case d.Direct != never:
		return unlawful("direct_identifiers", "Safe Harbor lets no role have direct identifiers", "Write direct_identifiers: never", citeHarbor)
	case p.Scrubs() && d.DataClass == hipaa.DeIdentified:
		return unlawful("data_class", "text that was scrubbed is not de-identified by Safe Harbor: nobody knows that every identifier was found",
			"Write data_class: phi, or remove the text", citeHarbor+"(i)")
	case d.DataClass != hipaa.DeIdentified && d.DataClass != hipaa.PHI:
		return unlawful("data_class", "is not what Safe Harbor makes", "Write data_class: de-identified, or phi", citeHarbor)
	}
	return nil
}

// limited is 45 CFR 164.514(e)(2), as far as switches go.
func (p *Profile) limited() error {
	d := &p.doc
	switch {
	case d.Dates == byRole || d.Dates == byShift:
		return unlawful("dates", "a limited data set keeps dates or cuts them", "Write dates: keep or dates: year", citeLimited)
	case d.Identifiers != pseudonym:
		return unlawful("identifiers", "the source's own ids may be medical record numbers", "Write identifiers: pseudonym", hipaa.MustCiteExclusion("vii"))
	case d.Direct != never:
		return unlawful("direct_identifiers", "a limited data set excludes them", "Write direct_identifiers: never", citeLimited)
	case p.Scrubs() && d.DataClass != hipaa.PHI:
		return unlawful("data_class", "text that was scrubbed can hold what a limited data set excludes", "Write data_class: phi, or remove the text", citeLimited)
	case d.DataClass != hipaa.LimitedDataSet && d.DataClass != hipaa.PHI:
		return unlawful("data_class", "a limited data set is still PHI and is not de-identified", "Write data_class: limited-data-set", "45 CFR 164.514(e)(1)")
	}
	return nil
}

// determined: an expert may allow much, but must have been asked. What names or
// reaches a person goes here all the same: a risk that is very small does not
// leave a telephone number.
func (p *Profile) determined() error {
	d := &p.doc
	w := &p.when
	switch {
	case d.Identifiers != pseudonym:
		return unlawful("identifiers", "the source's own ids may be medical record numbers", "Write identifiers: pseudonym", citeExpert)
	case d.Direct != never:
		return unlawful("direct_identifiers", "no risk is very small that leaves them", "Write direct_identifiers: never", citeExpert)
	case d.Dates == byRole:
		return unlawful("dates", "what happens to dates is for the expert and not for a role", "Write dates: shift, year or keep", citeExpert)
	case d.DataClass != hipaa.DeIdentified && d.DataClass != hipaa.PHI:
		return unlawful("data_class", "is not what an expert determines", "Write data_class: de-identified, or phi", citeExpert)
	case d.Template:
		return nil
	case w.Expert == "":
		return unlawful("determination.expert", "is empty: no expert has determined anything", "Write who determined that the risk is very small", citeExpert)
	case w.Recipient == "":
		return unlawful("determination.recipient", "is empty: a determination is for an anticipated recipient", "Write for whom", citeExpert+"(i)")
	case w.Method == "":
		return unlawful("determination.method", "is empty: the methods and results must be documented", "Write where the analysis is kept", citeExpert+"(ii)")
	case w.DeterminedOn.IsZero():
		return unlawful("determination.determined_on", "is empty", "Write the day, such as 2026-01-31", citeExpert)
	case w.ValidUntil.IsZero():
		return unlawful("determination.valid_until", "is empty: the law sets no length, so the determination must", "Write the last day, such as 2027-01-31", "policy")
	case w.ValidUntil.Before(w.DeterminedOn):
		return unlawful("determination.valid_until", "is before the day of the determination", "Correct the one or the other", "policy")
	}
	return nil
}

func (p *Profile) readDetermination() error {
	d := p.doc.Determination
	if d != (determination{}) && p.doc.Basis != ExpertDetermination {
		return problem.BadField("determination", "is for a profile whose basis is expert-determination", "Leave it out")
	}
	if p.doc.Template && p.doc.Basis != ExpertDetermination {
		return problem.BadField("template", "only an expert's profile is a template", "Leave it out")
	}
	p.when = Determination{Expert: strings.TrimSpace(d.Expert), Recipient: strings.TrimSpace(d.Recipient), Method: strings.TrimSpace(d.Method)}
	for _, f := range []struct {
		key, text string
		day       *time.Time
	}{{"determined_on", d.DeterminedOn, &p.when.DeterminedOn}, {"valid_until", d.ValidUntil, &p.when.ValidUntil}} {
		if f.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, f.text)
		if err != nil {
			return problem.BadField("determination."+f.key, "is not a day", "Write it as 2026-01-31, in quotes")
		}
		*f.day = day
	}
	return nil
}

// everyElement checks the ruling on every element of every R4 type that is not
// below one that goes.
func (p *Profile) everyElement() error {
	var err error
	everyElement(func(e Element) bool {
		a := p.Rule(e)
		if err == nil {
			err = p.lawful(e, a)
		}
		return err == nil && a != Remove && a != Direct
	})
	if err != nil {
		return err
	}
	return p.extensions(p.doc.Extensions, "extensions.")
}

// speaking are elements of a string or URI type that belong to a code, a number
// or a form, and to nobody: they may be kept.
var speaking = []string{
	"Coding.system", "Coding.version", "Coding.display", "Quantity.system", "Quantity.unit", "SampledData.data",
	"Questionnaire.item.linkId", "Questionnaire.item.enableWhen.question",
	"QuestionnaireResponse.item.linkId", "QuestionnaireResponse.questionnaire",
	"Meta.profile", "Reference.type", "Extension.url", "Parameters.parameter.name",
}

// whose are types that are a person's identity, with the identifiers that they
// hold: Safe Harbor's letter and the limited data set's number.
var whose = map[string][2]string{
	"HumanName":    {"A", "i"},
	"Address":      {"B", "ii"},
	"ContactPoint": {"D", "iii"},
	"Identifier":   {"H", "vii"},
	"Signature":    {"P", "xv"},
}

// identifies says which identifier an element can hold, if it were kept.
func identifies(e Element) (letter, roman string) {
	owner, _, _ := strings.Cut(e.Path, ".")
	if w, ok := whose[owner]; ok {
		return w[0], w[1]
	}
	if w, ok := whose[e.Type]; ok {
		return w[0], w[1]
	}
	switch {
	case strings.HasSuffix(e.Path, ".photo"), e.Type == "base64Binary":
		return "Q", "xvi"
	case strings.HasPrefix(e.Path, "Device.") || strings.Contains(e.Path, ".udi") || strings.Contains(e.Path, "erialNumber"):
		return "M", "xii"
	case strings.HasSuffix(e.Path, "network.address"):
		return "O", "xiv"
	case strings.HasPrefix(e.Path, "Location.position"):
		return "B", "ii"
	}
	switch e.Type {
	case "date", "dateTime", "instant", "time":
		return "C", ""
	case "uri", "url", "canonical", "oid", "uuid":
		return "N", "xiii"
	case "id":
		return "H", "vii"
	}
	return "R", "i"
}

// lawful says whether the basis lets the action stand for the element.
func (p *Profile) lawful(e Element, a Action) error {
	if p.allows(e, a) {
		return nil
	}
	letter, roman := identifies(e)
	citation := citeExpert
	switch {
	case p.doc.Basis == SafeHarbor:
		citation = hipaa.MustCiteIdentifier(letter)
	case p.doc.Basis == LimitedDataSet && roman != "":
		citation = hipaa.MustCiteExclusion(roman)
	case p.doc.Basis == LimitedDataSet:
		citation = citeLimited
	}
	return unlawful(p.said(e), "the ruling "+quote(a.String())+" would let stand what "+string(p.doc.Basis)+" takes out ("+e.Path+", a "+e.Type+")",
		"Write remove, or leave it to the profile that this one extends", citation)
}

// said is the key of the file that rules on the element.
func (p *Profile) said(e Element) string {
	for _, key := range []string{e.Path + ":" + e.Type, e.Path} {
		if _, ok := p.paths[key]; ok {
			return "elements." + key
		}
	}
	return "types." + e.Type
}

func (p *Profile) allows(e Element, a Action) bool {
	owner, last, _ := cutLast(e.Path)
	identity := whose[owner] != [2]string{} || strings.HasSuffix(e.Path, ".photo") || strings.HasPrefix(e.Path, "Location.position")
	harbor, d := p.doc.Basis == SafeHarbor, &p.doc
	switch a {
	case Remove:
		return true
	case Direct:
		return d.Direct == never // and so it is removed
	case Walk, Extend:
		return !isPrimitive(e.Type)
	case Keep:
		switch {
		case !isPrimitive(e.Type):
			return true // as walk
		case strings.HasPrefix(e.Path, "Location.position"):
			return false
		case slices.Contains(speaking, e.Path):
			return true
		case owner == "Address" && last == "city":
			return !harbor
		}
		switch e.Type {
		case "boolean", "integer", "unsignedInt", "positiveInt", "decimal", "code":
			return true
		}
		return false
	case Date, YearOnly:
		return e.Type == "date" || e.Type == "dateTime"
	case Clock:
		return e.Type == "instant" || e.Type == "time"
	case Pseudonym:
		return e.Type == "id"
	case Refer:
		return e.Path == "Reference.reference"
	case FreeText:
		return !identity && (e.Type == "string" || e.Type == "markdown")
	case XHTML:
		return e.Type == "xhtml"
	case FileData:
		return e.Path == "Attachment.data" || e.Path == "Binary.data"
	case ZIPCode:
		return e.Path == "Address.postalCode"
	case StateName:
		return e.Path == "Address.state"
	case CountryName:
		return e.Path == "Address.country"
	case Display:
		return e.Path == "Coding.display"
	case Canonical:
		return e.Type == "canonical"
	}
	return false // IfNamed: a role could have what its basis takes out
}

// placed are extensions that say where on earth, or who, by a number or a name.
var placed = map[string][2]string{
	"http://hl7.org/fhir/StructureDefinition/geolocation":               {"B", "ii"},
	"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName": {"A", "i"},
	"http://hl7.org/fhir/StructureDefinition/patient-congregation":      {"A", "i"},
	"http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-streetName":  {"B", "ii"},
}

// extensions checks that no named extension says where or who; the values of the
// others are ruled on by their types.
func (p *Profile) extensions(list []Extension, field string) error {
	for i := range list {
		e := &list[i]
		w, is := placed[e.URL]
		if !is || e.Removed != "" {
			continue
		}
		citation := citeExpert
		switch p.doc.Basis {
		case SafeHarbor:
			citation = hipaa.MustCiteIdentifier(w[0])
		case LimitedDataSet:
			citation = hipaa.MustCiteExclusion(w[1])
		}
		return unlawful(field+e.URL, "this extension says where or who", "Leave it out", citation)
	}
	return nil
}
