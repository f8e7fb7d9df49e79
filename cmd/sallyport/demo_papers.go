package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/snapshot"
)

// forecast is step 6: every paper has an end, and each end stops data by itself.
func (d *demo) forecast(ctx context.Context) error {
	d.begin(6, "What stops in the next year, if nobody acts")
	w := d.world
	var out api.Forecast
	if err := w.people["grace"].call(ctx, http.MethodGet, "/v1/forecast?days=365", nil, &out); err != nil {
		return err
	}
	ok := d.must(len(out.Stops) > 0, "what stops within a year is told beforehand")
	for i, s := range out.Stops {
		if i == 6 {
			d.say("  and %d more: sallyport forecast --days 365", len(out.Stops)-i)
			break
		}
		d.say("  %s  %s", badStyle.Render(s.At.UTC().Format("2006-01-02")), s.Message)
		d.say("              %s", dimStyle.Render(s.Next))
	}
	d.fact("stops", len(out.Stops))
	d.say("No job switches anything off: the decision reads the paper. Mail, webhooks and a calendar file remind people before.")
	return d.end(ok)
}

// goodbye is step 8: whom it reached, and the parting.
func (d *demo) goodbye(ctx context.Context) error {
	d.begin(8, "Whom it reached; and goodbye: everything of the vendor dies in one act")
	w := d.world
	var radius disclosure.Radius
	if err := w.people["grace"].call(ctx, http.MethodGet, "/v1/disclosures/radius?vendor=northwind", nil, &radius); err != nil {
		return err
	}
	ok := d.must(radius.Patients > 0 && radius.Releases > 0, "the log alone says how many patients were disclosed")
	d.say("From the log alone: distinct patients %d, releases %d, %.1f MB. Codes, not names: the list is a release of its own, to the privacy officer.", radius.Patients, radius.Releases, float64(radius.Bytes)/(1<<20))
	d.fact("patients", radius.Patients)
	d.fact("releases", radius.Releases)

	due := w.now().UTC().AddDate(0, 0, 30).Format(time.RFC3339)
	if _, err := w.act(ctx, "ada", "offboarding.begin", "the agreement was terminated", map[string]any{"id": "goodbye", "vendor": "northwind", "cause": "material-breach", "due_at": due}); err != nil {
		return err
	}
	var grant snapshot.Grant
	if err := w.people["grace"].call(ctx, http.MethodGet, "/v1/grants/triage-grant", nil, &grant); err != nil {
		return err
	}
	ok = d.must(grant.State == snapshot.Ended, "the grant has ended") && ok
	status, _, err := w.ask(ctx, question)
	if err != nil {
		return err
	}
	ok = d.must(status == http.StatusUnauthorized, "to the gateway, the vendor is a stranger") && ok
	d.say("Ada begins the parting. Grant, token, machine, program, people, links: ended. The vendor's next request: %s", badStyle.Render(fmt.Sprint(status)))

	if err := w.people["grace"].call(ctx, http.MethodPost, "/v1/offboardings/goodbye/inventory", map[string]any{"reason": "what must come back"}, nil); err != nil {
		return err
	}
	var check api.Checked
	if err := w.people["grace"].call(ctx, http.MethodPost, "/v1/offboardings/goodbye/check", map[string]any{"reason": "was anything tried?"}, &check); err != nil {
		return err
	}
	ok = d.must(check.Tried > 0, "the attempt after the end is found in the log") && ok
	d.say("The dead-man check finds it in the log: tried %d time(s) since.", check.Tried)
	var left api.Remaining
	if err := w.people["grace"].call(ctx, http.MethodGet, "/v1/offboardings/goodbye/left", nil, &left); err != nil {
		return err
	}
	d.say("Left until the certificate of destruction is complete: %d things. The next: %s", len(left.Left), left.Left[0].What)
	var pdf []byte
	if err := w.people["grace"].call(ctx, http.MethodGet, "/v1/offboardings/goodbye/certificate?format=pdf", nil, &pdf); err != nil {
		return err
	}
	file := filepath.Join(w.dir, "certificate-draft.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	ok = d.must(len(pdf) > 4 && string(pdf[:4]) == "%PDF", "the certificate is a PDF") && ok
	d.say("Its draft: %s", file)
	return d.end(ok)
}
