package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

func recordScreens() []screen {
	return []screen{
		on("acts", "What was done", "GET /console/acts", ours, (*server).actList),
		on("act", "", "GET /console/acts/{id}", ours, (*server).actShown),
		{Pattern: "GET /console/acts/{id}/proof", For: ours, show: func(s *server, v *visit) (any, error) { return nil, s.actProof(v) }},
	}
}

// undoes are the acts that take another back, with the fields that both know.
var undoes = map[registry.Kind]registry.Kind{
	"vendor.suspend": "vendor.resume", "vendor.resume": "vendor.suspend", "agreement.suspend": "agreement.resume", "agreement.resume": "agreement.suspend",
	"person.suspend": "person.resume", "person.resume": "person.suspend", "hold.place": "hold.lift", "request.make": "request.withdraw", "link.issue": "link.revoke",
	"questionnaire.send": "questionnaire.withdraw", "person.name-signatory": "person.end-signatory", "offboarding.legal-hold": "offboarding.lift-legal-hold",
	"incident.close": "incident.reopen", "training.record": "training.revoke", "certification.record": "certification.revoke", "determination.record": "determination.revoke",
	"workload.attest": "workload.revoke", "key.request-destruction": "key.withdraw-destruction", "engagement.propose": "engagement.end",
}

// undoOf is the way to take an act back; empty: there is none, or the visitor may not.
func (f Frame) undoOf(e registry.Entry) string {
	counter, ok := undoes[e.Kind]
	if !ok {
		return ""
	}
	if link := f.May(string(counter), "id", e.Subject.ID); link != nil {
		return link.Href
	}
	return ""
}

// told is what the visitor has just done, when the address says so: done=ACT, an act of
// their own; and where it is taken back.
func told(v *visit) (done, undo string) {
	key := id.Act(v.URL.Query().Get("done"))
	if key == "" || id.Check(key) != nil {
		return "", ""
	}
	e, err := v.s.Registry.Act(v.Context(), key)
	if err != nil || e.Actor != v.Person.ID {
		return "", ""
	}
	if spec, ok := registry.Lookup(e.Kind); ok {
		done = summaryFor(v.ours(), spec)
		if label := refOfSubject(v.View, e.Subject).Label; label != "" && label != string(e.ID) {
			done += ": " + label
		}
	}
	f := Frame{Person: v.Person, Ours: v.ours(), Path: with(v.URL), v: v}
	return done, f.undoOf(e)
}

// actPage is one act, as the record has it.
type actPage struct {
	Entry   registry.Entry
	Summary string
	Fields  []enteredRow
	Undo    string
	Changed []recordLink
}

type recordLink struct{ Noun, Label, Href string }

func (s *server) actShown(v *visit) (actPage, error) {
	e, err := s.Registry.Act(v.Context(), id.Act(v.PathValue("id")))
	if err != nil {
		return actPage{}, err
	}
	p := actPage{Entry: e, Summary: string(e.Kind), Undo: s.frame(v).undoOf(e)}
	if spec, ok := registry.Lookup(e.Kind); ok {
		p.Summary, p.Fields = spec.Summary, entered(v.View, spec, e.Body)
	}
	v.call(p.Summary)
	v.under("What was done", "/console/acts")
	return p, nil
}

// actProof is the file by which anybody can check, without us, that the act is in the log.
func (s *server) actProof(v *visit) error {
	e, err := s.Registry.Act(v.Context(), id.Act(v.PathValue("id")))
	if err != nil {
		return err
	}
	if e.LogNode != s.Node {
		return notFound()
	}
	return s.pass(v, "/v1/log/proofs/"+strconv.FormatUint(e.LogIndex, 10), "act-"+string(e.ID)+".proof.txt")
}

// actsPage is what was done, the newest first. The acts are read from the newest back, as
// far as a page takes; how far that was is said.
type actsPage struct {
	Kinds, Nouns []option
	Actor, ID    string
	From, Until  string
	SignIns      bool // they are listed, too
	Rows         []registry.Entry
	Looked       int
	Older, Newer string
	CSV          string
	Total        uint64
	End          bool
}

// Says is what an act of a kind does, in words.
func (actsPage) Says(kind registry.Kind) string { return saysOf(kind) }

// saysOf is what an act of a kind does, in words.
func saysOf(kind registry.Kind) string {
	if spec, ok := registry.Lookup(kind); ok {
		return spec.Summary
	}
	return words(string(kind))
}

const (
	actsChunk  = 500
	actsLooked = 5000   // acts that a page reads at most
	actsInFile = 100000 // and a file
)

func (s *server) actList(v *visit) (actsPage, error) {
	v.call("What was done")
	q := v.URL.Query()
	p := actsPage{Actor: strings.TrimSpace(q.Get("actor")), ID: strings.TrimSpace(q.Get("id")), From: q.Get("from"), Until: q.Get("until"), Total: v.View.Version()}
	for _, spec := range registry.Acts {
		p.Kinds = append(p.Kinds, option{Value: string(spec.Name), Label: string(spec.Name), Chosen: q.Get("kind") == string(spec.Name)})
	}
	slices.SortFunc(p.Kinds, func(a, b option) int { return strings.Compare(a.Value, b.Value) })
	for _, n := range snapshot.Nouns {
		p.Nouns = append(p.Nouns, option{Value: string(n), Label: words(string(n)), Chosen: q.Get("noun") == string(n)})
	}
	from, until, err := period(p.From, p.Until)
	if err != nil {
		return p, err
	}
	// Everybody signs in every day: that would hide what was done.
	p.SignIns = q.Get("sign-ins") != ""
	quiet := !p.SignIns && q.Get("kind") == "" && q.Get("noun") == "" && p.ID == ""
	keep := func(e registry.Entry) bool {
		return (!quiet || e.Kind != "session.start") && (q.Get("kind") == "" || string(e.Kind) == q.Get("kind")) && (p.Actor == "" || string(e.Actor) == p.Actor) &&
			(q.Get("noun") == "" || string(e.Subject.Noun) == q.Get("noun")) && (p.ID == "" || e.Subject.ID == p.ID) &&
			(from.IsZero() || !e.At.Before(from)) && (until.IsZero() || e.At.Before(until))
	}
	before := v.View.Version() + 1
	if n, err := strconv.ParseUint(q.Get("before"), 10, 64); err == nil && n < before {
		before = n
		p.Newer = with(v.URL, "before", "")
	}
	most, looked := perPage, actsLooked
	file := q.Get("format") == "csv"
	if file {
		most, looked = actsInFile, actsInFile
	}
	for before > 1 && len(p.Rows) < most && p.Looked < looked {
		low := uint64(0)
		if before > actsChunk {
			low = before - 1 - actsChunk
		}
		entries, err := s.Registry.Told(v.Context(), low, int(before-1-low))
		if err != nil {
			return p, err
		}
		next := low + 1
		for i := len(entries) - 1; i >= 0; i-- {
			p.Looked++
			if keep(entries[i]) {
				p.Rows = append(p.Rows, entries[i])
			}
			if len(p.Rows) == most {
				next = entries[i].Seq
				break
			}
		}
		if len(entries) > 0 && !from.IsZero() && entries[0].At.Before(from) {
			next = min(next, 1)
		}
		before = next
	}
	p.End = before <= 1
	if !p.End {
		p.Older = with(v.URL, "before", strconv.FormatUint(before, 10))
	}
	p.CSV = with(v.URL, "format", "csv", "before", "")
	if file {
		v.instead(func(w http.ResponseWriter) error { return actsCSV(w, p.Rows) })
	}
	return p, nil
}

// period reads days, both within it.
func period(from, until string) (a, b time.Time, err error) {
	var errs []error
	read := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading a day: %w", err))
		}
		return t
	}
	a, b = read(from), read(until)
	if !b.IsZero() {
		b = b.AddDate(0, 0, 1)
	}
	if len(errs) > 0 {
		return a, b, badDay(errors.Join(errs...))
	}
	return a, b, nil
}

func actsCSV(w http.ResponseWriter, rows []registry.Entry) error {
	names := []string{"version", "act", "at", "kind", "noun", "subject", "actor", "requested_by", "reason", "log", "log_index"}
	columns := make([]sheet.Column, len(names))
	for i, n := range names {
		columns[i] = sheet.Column{Name: n, Text: true}
	}
	out := make([]map[string]json.RawMessage, len(rows))
	for i, e := range rows {
		out[i] = map[string]json.RawMessage{}
		for j, text := range []string{strconv.FormatUint(e.Seq, 10), string(e.ID), iso(e.At), string(e.Kind), string(e.Subject.Noun), e.Subject.ID, string(e.Actor), string(e.RequestedBy), e.Reason, e.LogNode, strconv.FormatUint(e.LogIndex, 10)} {
			raw, err := json.Marshal(text)
			if err != nil {
				return err
			}
			out[i][names[j]] = raw
		}
	}
	asFile(w, "text/csv; charset=utf-8", "acts.csv")
	return sheet.Write(w, columns, out)
}

func badDay(err error) error {
	return problem.BadField("from", "is not a day", "Write a day such as 2026-01-31").Because(err)
}
