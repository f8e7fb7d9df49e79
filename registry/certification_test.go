package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// pdf is a file as a vendor sends it.
func pdf(name string) []byte { return []byte("%PDF-1.7\n" + name + "\n") }

// sent2 is the report that follows the demo's.
var sent2 = registry.RecordCertification{Vendor: "northwind", Type: "SOC2_T2", PeriodStart: noon.AddDate(0, -7, 0), PeriodEnd: noon.AddDate(0, -1, 0), ExpiresAt: noon.AddDate(0, 11, 0),
	Particulars: registrytest.SOC2()}.With("application/pdf", pdf("the second report"))

// A vendor's contact sends the next report. It counts for nothing, and the old one goes on
// counting, until one of the organisation's people has verified it.
func TestAVendorSendsItsNextReport(t *testing.T) {
	w := demoWorld(t)
	counts := func(key id.Certification) bool {
		c, ok := w.view.Certifications.Get(key)
		return ok && diligence.Judge(c, w.view, w.now).Counts
	}
	w.must("lin", sent2)
	next := id.Certification(w.last)
	c, ok := w.view.Certifications.Get(next)
	if !ok || c.RecordedBy != "lin" || !c.RecordedAt.Equal(w.now) || !w.view.SentByVendor(c) || !c.Waits(w.now) || c.Document != sent2.Document {
		t.Fatalf("on record is %+v", c)
	}
	if counts(next) || !counts("northwind-soc2") {
		t.Error("what nobody verified counts, or ends what counts")
	}
	verify := registry.VerifyCertification{ID: next, How: "report-read", Against: "sections 1 to 4"}
	if err := w.do("lin", verify); problem.From(err).Kind != problem.Refused {
		t.Errorf("the vendor verifies it itself: got %v", err)
	}
	w.must("grace", verify)
	if !counts(next) {
		t.Error("verified, and it does not count")
	}
	if err := w.do("lin", registry.RevokeCertification{ID: next}); problem.From(err).Kind != problem.Refused {
		t.Errorf("the vendor takes back what was verified: got %v", err)
	}
}

// What a vendor's people cannot send, and what they are told of others by trying: nothing.
func TestWhatAVendorCannotSend(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.ProposeVendor{ID: "lumen", Name: "Lumen"})
	w.must("ada", registry.ProposePerson{ID: "mia", Vendor: "lumen", Name: "Mia", Classification: "business-associate", Basis: "b", Region: "US"})
	w.must("ada", registry.RecordCertification{ID: "lumen-r2", Vendor: "lumen", Type: "HITRUST_R2", IssuedAt: noon.AddDate(0, -1, 0), ExpiresAt: noon.AddDate(1, 0, 0),
		Particulars: snapshot.Particulars{Standard: "v11.3", Scope: []string{"all"}}})
	change := func(f func(*registry.RecordCertification)) registry.RecordCertification { return with(sent2, f) }
	addon := func(below id.Certification) registry.RecordCertification {
		return registry.RecordCertification{Vendor: "northwind", Type: "HITRUST_AI", IssuedAt: noon.AddDate(0, -1, 0), ExpiresAt: noon.AddDate(1, 0, 0),
			Particulars: snapshot.Particulars{Underlying: below}}.With("application/pdf", pdf("an add-on"))
	}
	for _, c := range []struct {
		what  string
		act   registry.RecordCertification
		field string
	}{
		{"under an id of its choice", change(func(a *registry.RecordCertification) { a.ID = "northwind-soc2" }), "id"},
		{"under an id that is free", change(func(a *registry.RecordCertification) { a.ID = "free" }), "id"},
		{"without a file", change(func(a *registry.RecordCertification) { a.MediaType, a.Size, a.Content, a.Document = "", 0, nil, "" }), "content"},
		{"a paper that is stored already", change(func(a *registry.RecordCertification) {
			a.MediaType, a.Size, a.Content, a.Document = "", 0, nil, registry.NewDocument("text/plain", registrytest.Paper).Digest
		}), "content"},
		{"another digest", change(func(a *registry.RecordCertification) { a.Document = strings.Repeat("0", 64) }), "document_sha256"},
		{"a page", sent2.With("text/html", []byte("<html>")), "media_type"},
		{"a PDF that acts", sent2.With("application/pdf", []byte("%PDF-1.7 /JavaScript")), "content"},
		{"too long", sent2.With("application/pdf", append(pdf("x"), make([]byte, registry.MaxDocument)...)), "content"},
		{"with its own fingerprint", change(func(a *registry.RecordCertification) { a.Fingerprint = make([]uint32, diligence.FingerprintSize) }), "fingerprint"},
		{"with a bridge letter", change(func(a *registry.RecordCertification) { a.Bridge = &snapshot.BridgeLetter{} }), "bridge"},
		{"with an exception that it accepts for us", change(func(a *registry.RecordCertification) {
			a.Exceptions = []snapshot.AuditException{{What: "leavers kept access", Accepted: "fine"}}
		}), "exceptions[0].accepted"},
		{"leaving out another vendor", change(func(a *registry.RecordCertification) {
			a.Subservice, a.CarveOuts = snapshot.CarveOut, []id.Vendor{"lumen"}
		}), "carve_outs[0]"},
		{"leaving out nobody who is known", change(func(a *registry.RecordCertification) {
			a.Subservice, a.CarveOuts = snapshot.CarveOut, []id.Vendor{"lumem"}
		}), "carve_outs[0]"},
		{"on another vendor's", addon("lumen-r2"), "underlying"},
		{"on what is not there", addon("lumen-r3"), "underlying"},
		{"of another vendor's person", registry.RecordCertification{Vendor: "northwind", Type: "TRAINING", ExpiresAt: noon.AddDate(0, 6, 0),
			Particulars: snapshot.Particulars{Person: "mia", CourseVersion: "1", AsOf: noon.AddDate(0, -1, 0), Score: 1}}.With("application/pdf", pdf("a course")), "person"},
		{"a seal", change(func(a *registry.RecordCertification) { a.Type = "HIPAA_SEAL" }), "type"},
		{"a summary", change(func(a *registry.RecordCertification) { a.Type = "SOC3" }), "type"},
		{"one that is over", change(func(a *registry.RecordCertification) { a.ExpiresAt = noon.AddDate(0, 0, -1) }), "expires_at"},
		{"beyond what its type can count", change(func(a *registry.RecordCertification) { a.ExpiresAt = noon.AddDate(3, 0, 0) }), "expires_at"},
		{"without what its type must say", change(func(a *registry.RecordCertification) { a.Opinion = "" }), "opinion"},
	} {
		if p := problem.From(w.do("lin", c.act)); p.Kind != problem.Invalid || p.Field != c.field || p.NextStep == "" {
			t.Errorf("%s: got %s %s %q, want %s to be wrong", c.what, p.Kind, p.Field, p.Title, c.field)
		}
	}
	// Of another vendor's record it is told what it is told of none.
	telling := func(a registry.RecordCertification, name string) string {
		p := problem.From(w.do("lin", a))
		return strings.ReplaceAll(p.Title+p.NextStep, name, "NAME")
	}
	if a, b := telling(addon("lumen-r2"), "lumen-r2"), telling(addon("lumen-r9"), "lumen-r9"); a != b {
		t.Errorf("a record that is there and one that is not:\n%s\n%s", a, b)
	}
	for _, a := range []registry.Act{change(func(a *registry.RecordCertification) { a.Vendor = "lumen" }), change(func(a *registry.RecordCertification) { a.Vendor = "nobody" }),
		change(func(a *registry.RecordCertification) { a.Vendor = "" }), registry.RevokeCertification{ID: "lumen-r2"}, registry.RevokeCertification{ID: "northwind-soc2"}, registry.RevokeCertification{ID: "none"}} {
		if err := w.do("lin", a); !refusedBy(err, "known-person") {
			t.Errorf("%+v: got %v", a, err)
		}
	}
}

// No more waits than somebody can look at, and no more comes in a day.
func TestAVendorCannotFlood(t *testing.T) {
	w := demoWorld(t)
	send := func(n int) (id.Certification, error) {
		err := w.do("lin", sent2.With("application/pdf", pdf(fmt.Sprint(n))))
		return id.Certification(w.last), err
	}
	full := func(err error, what string) {
		t.Helper()
		if p := problem.From(err); p.Kind != problem.Conflict || p.Field != "content" || !strings.Contains(p.Title, what) {
			t.Fatalf("got %v, want a conflict: %s", err, what)
		}
	}
	var last id.Certification
	for n := range registry.MaxWaiting {
		var err error
		if last, err = send(n); err != nil {
			t.Fatal(err)
		}
	}
	_, err := send(registry.MaxWaiting - 1)
	full(err, "on record already")
	_, err = send(99)
	full(err, "wait to be verified")
	for n := range registry.MaxWaiting { // taken back and sent again, it is still what was sent in a day
		w.must("lin", registry.RevokeCertification{ID: last})
		if last, err = send(100 + n); err != nil {
			t.Fatal(err)
		}
	}
	w.must("lin", registry.RevokeCertification{ID: last})
	_, err = send(200)
	full(err, "since yesterday")
	w.now = w.now.Add(24 * time.Hour)
	if _, err = send(200); err != nil {
		t.Error(err)
	}
	w.must("ada", with(sent2, func(a *registry.RecordCertification) { a.ID = "ours" })) // nobody of ours waits for that
}

// What is not accepted says why, and whoever sent it takes back what was a mistake.
func TestAReportThatIsNotAccepted(t *testing.T) {
	w := demoWorld(t)
	w.must("lin", sent2)
	one := id.Certification(w.last)
	if p := problem.From(w.do("grace", registry.RevokeCertification{ID: one})); p.Kind != problem.Invalid || p.Field != "why" {
		t.Errorf("without a word to the vendor: got %+v", p)
	}
	w.must("grace", registry.RevokeCertification{ID: one, Why: " It is of another service. "})
	if c, _ := w.view.Certifications.Get(one); c.RevokedBy != "grace" || c.RevokedWhy != "It is of another service." {
		t.Errorf("on record is %+v", c)
	}
	if err := w.do("grace", registry.VerifyCertification{ID: one, How: "report-read", Against: "all"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("what was not accepted is verified: got %v", err)
	}
	w.must("lin", sent2) // the same file, since the first is over
	two := id.Certification(w.last)
	w.must("lin", registry.RevokeCertification{ID: two})
	if c, _ := w.view.Certifications.Get(two); c.RevokedBy != "lin" || c.Waits(w.now) {
		t.Errorf("on record is %+v", c)
	}
	w.must("ada", registry.RevokeCertification{ID: "northwind-soc2"}) // what the organisation recorded needs none
}

// Whatever a vendor's person sends and takes back: no door opens or closes by it, and
// nothing that was there has changed but what they sent themselves.
func TestNothingThatAVendorSendsOpensAGate(t *testing.T) {
	e, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	begin := openWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		w := *begin
		if rapid.Bool().Draw(r, "closed") { // the door is closed for want of the very report
			w.must("grace", registry.RevokeCertification{ID: "northwind-soc2"})
		}
		known := []id.Certification{"northwind-soc2", "none"}
		for range rapid.IntRange(1, 6).Draw(r, "acts") {
			var a registry.Act = registry.RevokeCertification{ID: rapid.SampledFrom(known).Draw(r, "which")}
			if rapid.Bool().Draw(r, "sends") {
				a = with(sent2, func(a *registry.RecordCertification) {
					a.ID = id.Certification(rapid.SampledFrom([]string{"", "", "", "northwind-soc2", "mine"}).Draw(r, "id"))
					a.Vendor = id.Vendor(rapid.SampledFrom([]string{"northwind", "northwind", "other"}).Draw(r, "vendor"))
					a.Opinion = rapid.SampledFrom(snapshot.Opinions).Draw(r, "opinion")
					a.ExpiresAt = noon.AddDate(0, rapid.IntRange(-1, 13).Draw(r, "months"), 0)
				}).With("application/pdf", pdf(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "file")))
			}
			before := w.view
			err := w.do("lin", a)
			if err == nil && !slices.Contains(known, id.Certification(w.last)) {
				known = append(known, id.Certification(w.last))
			}
			if d := registry.Difference(e, before, w.view, func(*snapshot.Grant) bool { return true }, w.now, 10); len(d.Stops)+len(d.Starts) > 0 || d.Asked == 0 {
				r.Fatalf("%+v (%v): %+v", a, err, d)
			}
			for key, old := range before.Certifications.All() {
				c, ok := w.view.Certifications.Get(key)
				if !ok || c != old && (old.RecordedBy != "lin" || !old.VerifiedAt.IsZero()) {
					r.Fatalf("%+v has changed %+v to %+v", a, old, c)
				}
			}
		}
	})
}
