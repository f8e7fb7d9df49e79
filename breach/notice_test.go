package breach

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// scene and incident are complete: no draft from them has a gap but those that only the
// Secretary's form asks for.
func complete() (*snapshot.Incident, Scene) {
	day := func(d int) time.Time { return time.Date(2026, 3, d, 12, 0, 0, 0, time.UTC) }
	in := &snapshot.Incident{ID: "i1", Title: "Public notebook", Vendor: "northwind", OccurredAt: day(1), DiscoveredAt: day(3), ReportedAt: day(4), DiscoveredBy: snapshot.VendorParty, Agent: snapshot.No,
		OpenedBy: "ada", OpenedAt: day(4), Affected: counted(600, "US-MA", 501), Telling: snapshot.Telling{
			WhatHappened: "A notebook with report texts was public for two days.", Types: []string{"your name", "your diagnoses"},
			Steps: "Check the statements of your insurer.", Doing: "We took the notebook down and we scan for others.",
			Contact: snapshot.Contact{Phone: "800-555-0100", Email: "privacy@mercy.example"}}}
	in.Affected.Radius = strings.Repeat("0a", 32)
	return in, Scene{Organisation: "Mercy Valley Health", Vendor: "Northwind AI", VendorContact: "privacy@northwind.example", Region: "US-MA", Zone: time.UTC, Now: day(20)}
}

// Each draft has every element that its rule demands, with the words of the incident;
// and where a fact is missing a gap that both the draft and the list show.
func TestEveryDraftHasItsRequiredContent(t *testing.T) {
	letter := map[string]string{"what-happened": "was public for two days", "date-of-breach": "March 1, 2026", "date-of-discovery": "March 4, 2026",
		"types": "your diagnoses", "steps": "statements of your insurer", "doing": "took the notebook down", "contact": "800-555-0100"}
	plus := func(m map[string]string, more map[string]string) map[string]string {
		out := map[string]string{}
		for _, x := range []map[string]string{m, more} {
			for k, v := range x {
				out[k] = v
			}
		}
		return out
	}
	for to, c := range map[snapshot.NoticeTo]struct {
		citation string
		want     map[string]string // element: words of it in the draft
		gaps     []string          // elements that are gaps even so
	}{
		snapshot.ToIndividuals: {"45 CFR 164.404(c)", plus(letter, map[string]string{"plain-language": "We are sorry"}), nil},
		snapshot.ToMedia:       {"45 CFR 164.406", plus(letter, map[string]string{"reach": "501 people who live in US-MA"}), nil},
		snapshot.ToSecretary: {"45 CFR 164.408(b)", map[string]string{"kind": "500 or more", "covered-entity": "Mercy Valley Health", "entity-contact": "privacy@mercy.example", "business-associate": "Northwind AI",
			"associate-contact": "privacy@northwind.example", "date-of-breach": "March 1, 2026", "date-of-discovery": "March 4, 2026", "individuals": "600", "types": "your diagnoses", "what-happened": "public for two days",
			"doing": "took the notebook down"},
			[]string{"type-of-breach", "location", "safeguards", "notice-individuals", "notice-substitute", "notice-media", "attestation"}},
		snapshot.ToCoveredEntity: {"45 CFR 164.410(c)", plus(letter, map[string]string{"individuals": strings.Repeat("0a", 32), "contact": "privacy@northwind.example"}), nil},
	} {
		in, s := complete()
		n, err := Draft(to, in, s)
		if err != nil {
			t.Fatal(err)
		}
		text := paper.Text(n.Document)
		var keys []string
		for _, e := range n.Elements {
			keys = append(keys, e.Key)
			want, known := c.want[e.Key]
			gap := slices.Contains(c.gaps, e.Key)
			if !known && !gap || (e.Gap != "") != gap || !strings.HasPrefix(e.Citation.Text, c.citation) || e.Citation.Verified == "" || !strings.Contains(text, want) {
				t.Errorf("to %s: %+v; want %q in\n%s", to, e, want, text)
			}
		}
		if len(keys) != len(c.want)+len(c.gaps) {
			t.Errorf("to %s: elements %v", to, keys)
		}
		if len(n.Missing()) != strings.Count(text, Gap) {
			t.Errorf("to %s: %d gaps listed, %d shown", to, len(n.Missing()), strings.Count(text, Gap))
		}
		for _, draw := range []func(paper.Document) ([]byte, error){func(d paper.Document) ([]byte, error) { return paper.PDF(d) }, paper.DOCX} {
			if raw, err := draw(n.Document); err != nil || len(raw) < 1000 {
				t.Errorf("to %s: drawn: %d bytes, %v", to, len(raw), err)
			}
		}
		if md := Markdown(n.Document); !strings.HasPrefix(md, "# ") || strings.Count(md, "\n") < 10 {
			t.Errorf("to %s: got %q", to, md)
		}
		// With nothing known, every element but those about the two parties is a gap.
		bare := &snapshot.Incident{ID: "i", Vendor: "northwind", DiscoveredAt: in.DiscoveredAt, ReportedAt: in.ReportedAt}
		s.VendorContact = ""
		b, err := Draft(to, bare, s)
		if err != nil {
			t.Fatal(err)
		}
		text = paper.Text(b.Document)
		for _, e := range b.Elements {
			open := !slices.Contains([]string{"date-of-discovery", "plain-language", "kind", "covered-entity", "business-associate"}, e.Key)
			if (e.Gap != "") != open {
				t.Errorf("to %s with nothing known: %s is %q", to, e.Key, e.Gap)
			}
		}
		if strings.Count(text, Gap) != len(b.Missing()) || len(b.Missing()) == 0 {
			t.Errorf("to %s: %d gaps listed, %d shown", to, len(b.Missing()), strings.Count(text, Gap))
		}
	}
}

func TestWhatCannotBeDrafted(t *testing.T) {
	in, s := complete()
	for what, c := range map[string]struct {
		to     snapshot.NoticeTo
		change func(*Scene)
	}{
		"to nobody": {"", nil}, "to the press": {"press", nil}, "to a State": {snapshot.ToState, nil},
		"media of nowhere":   {snapshot.ToMedia, func(s *Scene) { s.Region = "" }},
		"by no vendor":       {snapshot.ToCoveredEntity, func(s *Scene) { s.Vendor = "" }},
		"without a zone":     {snapshot.ToIndividuals, func(s *Scene) { s.Zone = nil }},
		"of no organisation": {snapshot.ToIndividuals, func(s *Scene) { s.Organisation = "" }},
	} {
		s := s
		if c.change != nil {
			c.change(&s)
		}
		if _, err := Draft(c.to, in, s); err == nil {
			t.Errorf("%s: drafted", what)
		}
	}
}

// Our own words to individuals are short sentences (164.404(c)(2)).
func TestTheLetterIsInPlainLanguage(t *testing.T) {
	in, s := complete()
	in.Telling = snapshot.Telling{}
	n, err := Draft(snapshot.ToIndividuals, in, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range n.Document.Body {
		p, ok := b.(paper.Paragraph)
		if !ok || strings.HasPrefix(p.Text, Gap) || strings.Contains(p.Text, "«") {
			continue
		}
		for _, sentence := range strings.Split(p.Text, ". ") {
			if words := strings.Fields(sentence); len(words) > 22 {
				t.Errorf("%d words: %q", len(words), sentence)
			}
			for _, hard := range []string{"PHI", "pursuant", "unsecured", "covered entity", "164."} {
				if strings.Contains(sentence, hard) {
					t.Errorf("%q says %q", sentence, hard)
				}
			}
		}
	}
}

func TestTheMailMergeNamesNobody(t *testing.T) {
	in, s := complete()
	in.Telling.Steps, in.Telling.Doing, in.Telling.Contact.Phone = "=HYPERLINK(1)", "-2+3", "+1 800 555 0100"
	text, err := MergeCSV(in, s)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		t.Fatalf("got %d rows, %v", len(rows), err)
	}
	for i, name := range rows[0] {
		if recipient := slices.Contains(MergeFields, name); recipient != (rows[1][i] == "") && name != "Website" && name != "Postal_address" {
			t.Errorf("%s is %q", name, rows[1][i])
		}
		if rows[1][i] != "" && strings.ContainsAny(rows[1][i][:1], "=+-@\t\r") {
			t.Errorf("%s computes: %q", name, rows[1][i])
		}
	}
	letter, err := Draft(snapshot.ToIndividuals, in, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range letter.Fields {
		if !strings.Contains(paper.Text(letter.Document), "«"+f+"»") || !slices.Contains(rows[0], f) {
			t.Errorf("the field %s is not in letter and data", f)
		}
	}
}

func TestAClosedIncidentReadsAsAStory(t *testing.T) {
	in, s := complete()
	in.Assessment = &snapshot.BreachAssessment{Unsecured: snapshot.Answered{Yes: true, Why: "plain text"}, Factors: answers(false, Factors()), AssessedBy: "grace", AssessedAt: in.ReportedAt}
	in.Notices = []snapshot.Notice{{To: snapshot.ToIndividuals, At: in.ReportedAt.AddDate(0, 0, 10), Count: 600}, {To: snapshot.ToMedia, Region: "US-MA", At: in.ReportedAt.AddDate(0, 0, 10)}}
	in.Corrections = []snapshot.Correction{{What: "Scan | repositories", Owner: "lin", DueAt: in.ReportedAt.AddDate(0, 0, 9), DoneAt: in.ReportedAt.AddDate(0, 0, 8)}}
	in.Sanctions = []snapshot.Sanction{{On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lin"}, What: "warned", At: in.ReportedAt}}
	in.ClosedBy, in.ClosedAt, in.Lessons = "grace", in.ReportedAt.AddDate(0, 0, 12), "Scan before publishing."
	in.Explained = map[string]string{"B-408-b": "given on paper"}
	events := []Event{{At: in.OpenedAt, Kind: "incident.open", By: "ada", Reason: "Lin called", Log: "node-1", Index: 41}, {At: in.ClosedAt, Kind: "incident.close", By: "grace", Reason: "done", Log: "node-1", Index: 77}}
	d := Story(in, events, hours24, s, func(p id.Person) string { return "<" + string(p) + ">" })
	text := paper.Text(d)
	for _, want := range []string{"Closed on 16 March 2026", "<ada> opened the incident.", "Lin called", "node-1 41", "Yes (assessed)", "Individuals affected: 600", "to media of US-MA", "done 2026-03-14",
		"Sanction on person lin", "Left open: B-408-b. given on paper", "Scan before publishing.", "Northwind AI", "contract baa; BAA-R20", "45 CFR 164.404(b) [reg-text]", "done late"} {
		if !strings.Contains(text, want) {
			t.Errorf("the story does not say %q:\n%s", want, text)
		}
	}
	if md := Markdown(d); !strings.Contains(md, `Scan \| repositories`) || !strings.Contains(md, `\<ada\>`) || !strings.Contains(md, "## The clocks") {
		t.Errorf("got\n%s", md)
	}
	if raw, err := paper.PDF(d); err != nil || len(raw) < 1000 {
		t.Errorf("PDF: %d bytes, %v", len(raw), err)
	}
}

// FuzzMarkdown: people's words never become markup of their own.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"a|b", "# x", "[x](javascript:y)", "<script>", "``", "\\", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		head := []string{"h"}
		md := Markdown(paper.Document{Title: "t", Body: []paper.Block{paper.Table{Head: head, Rows: [][]string{{s}}}}})
		lines := strings.Split(strings.TrimRight(md, "\n"), "\n")
		last := lines[len(lines)-1]
		free := 0
		for i := range len(last) {
			n := 0
			for j := i - 1; j >= 0 && last[j] == '\\'; j-- {
				n++
			}
			if last[i] == '|' && n%2 == 0 {
				free++
			}
			if (last[i] == '<' || last[i] == '[') && n%2 == 0 {
				t.Errorf("%q is markup in %q", last[i], last)
			}
		}
		if free != 2 || len(lines) != 5 {
			t.Errorf("%q makes %d borders, %d lines: %q", s, free, len(lines), md)
		}
	})
}
