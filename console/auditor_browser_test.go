package console_test

import (
	"strings"

	"github.com/sallyport/sallyport/audit/verify"
)

// auditorInBrowser is the auditor's five tasks in Chromium, signed in by a passkey: a rule
// and what answers to it, a vendor's releases in a time, a release's story, a proof that
// is checked offline and here, and the releases as CSV.
func auditorInBrowser(w *world) {
	b := w.browser(auditor)
	b.Wants("Nothing waits for you")

	b.Open(w.b.Pages + "/console/evidence")
	b.Type("#e-citation", "164.308(a)(5)(i)")
	b.Press(`form[aria-label="Search the record"] button.main`)
	b.Wants("Enforced", "checked against the regulation's text", "training")

	since, until := w.lately()
	b.Open(w.b.Pages + "/console/evidence")
	b.Type("#e-vendor", "northwind")
	b.Type("#e-since", since)
	b.Type("#e-until", until)
	b.Press(`form[aria-label="Search the record"] button.main`)
	b.Wants("What left", "2 Patient", "3 Observation")
	csv := b.Value(`fetch(document.querySelector("#releases a.csv").href).then(r => r.text())`)
	if lines := strings.Split(strings.TrimSpace(csv), "\n"); len(lines) != 3 || !strings.Contains(lines[0], "sha256") {
		w.t.Errorf("releases as CSV: %q", lines)
	}

	b.Press("#releases tbody tr:first-child td a")
	b.Await("What was taken out and changed")
	b.Wants("The story of a release", "The paper", "The seal", "The proof")
	proof := b.Value(`fetch(document.querySelector('a[href$="/proof"]').href).then(r => r.text())`)
	if proved, err := verify.Proof([]byte(proof), w.b.LogKey()); err != nil || !strings.Contains(string(proved.Entry), `"kind":"outcome"`) {
		w.t.Errorf("the proof: %v, %s", err, proved.Entry)
	}
	b.Open(w.b.Pages + "/console/log/verify")
	b.Type("#proof-text", proof)
	b.Press(`form[action="/console/log/verify"] button`)
	b.Wants("is in the log box-1", "The log has the same entry today")
	b.Errors()
}
