package hospitaltest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/notify"
	"github.com/sallyport/sallyport/notify/notifytest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// told configures who is told of what: people at night only of what is urgent.
func told(t *testing.T, o *notifytest.Outside) (configure func(string) string, secret []byte) {
	t.Helper()
	secret = []byte("thirty-two bytes of test secret!")
	file := filepath.Join(t.TempDir(), "hook.secret")
	if err := os.WriteFile(file, []byte("whsec_"+base64.StdEncoding.EncodeToString(secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(text string) string {
		return text + fmt.Sprintf(`
connectors: {private_networks: [127.0.0.0/8], ca_file: %[1]s}
notify:
  from: sallyport@hospital.example
  smtp: {server: %[2]q, ca_file: %[1]s}
  digest_at: "07:30"
  quiet_hours: {from: "00:00", to: "23:59"}
  zone: UTC
  duties: {privacy-officer: [privacy@hospital.example]}
  webhooks: [{name: siem, url: %[3]q, secret_file: %[4]s}]
  routes:
    - {classes: [lapse, deadline, hold, access, paper], to: [privacy-officer, "hook:siem", vendor]}
`, o.CAFile, o.Mail, o.Hook, file)
	}, secret
}

// What lapses and what is done is told to people and systems, once, whatever is away
// meanwhile, and without a word that a person typed.
func TestPeopleAreTold(t *testing.T) {
	t.Parallel()
	var b *hospitaltest.Box
	outside, err := notifytest.Start(filepath.Join(t.TempDir(), "outside"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(outside.Close)
	configure, secret := told(t, outside)
	b = hospitaltest.Start(t, hospitaltest.Options{Configure: configure})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("arrived: %+v\nthe server's log:\n%s", outside.Mails(), b.Log.String())
		}
	})
	// At noon the quiet hours are far from their end, and so is the next digest.
	now := b.Clock.Now().UTC()
	b.Advance(now.Truncate(24 * time.Hour).Add(36 * time.Hour).Sub(now))
	b.Paper()
	const canary = "Jane Roe MRN 4711"
	done, err := b.People[registrytest.Grace].Act(registry.SuspendVendor{ID: hospitaltest.Vendor}, canary)
	if err != nil {
		t.Fatal(err)
	}
	b.Act(registrytest.Grace, registry.ResumeVendor{ID: hospitaltest.Vendor})

	// An act that closes something: at once, at night too, to the vendor as well.
	mail := func(to, key string) (found []notifytest.Mail) {
		for _, m := range outside.Mails() {
			if m.To == to && strings.Contains(strings.Join(m.Keys, " ")+" ", key) {
				found = append(found, m)
			}
		}
		return found
	}
	of := "act/" + string(done.Act) + " "
	eventually(t, "mail of a suspension", func() bool {
		return len(mail("privacy@hospital.example", of)) == 1 && len(mail("privacy@northwind.example", of)) == 1
	})
	ours, theirs := mail("privacy@hospital.example", of)[0], mail("privacy@northwind.example", of)[0]
	if !strings.Contains(ours.Text, "By grace") || strings.Contains(theirs.Text, "grace") {
		t.Errorf("who did it is for the organisation alone:\n%s\n%s", ours.Text, theirs.Text)
	}
	calls := func(key string) (found []notifytest.Call) {
		for _, c := range outside.Calls() {
			if strings.Contains(string(c.Body), key) {
				found = append(found, c)
			}
		}
		return found
	}
	eventually(t, "a webhook of a suspension", func() bool { return len(calls(strings.TrimSpace(of))) == 1 })
	signed(t, calls(strings.TrimSpace(of))[0], secret)

	// A date: to machines at once, to people in the digest of the next morning.
	review := "/" + string(snapshot.NounReview) + "/"
	b.Clock.Move(65 * 24 * time.Hour)
	eventually(t, "a webhook before a review is due", func() bool { return len(calls(review)) == 1 && len(calls("/30d")) > 0 })
	if got := mail("privacy@hospital.example", review); len(got) != 0 {
		t.Errorf("a person was told in quiet hours: %+v", got)
	}
	// Nobody can be reached, and the server is down itself for three weeks.
	outside.Down.Store(true)
	b.Clock.Move(24 * time.Hour)
	eventually(t, "a mailing that waits", func() bool { return strings.Contains(b.Log.String(), "a mailing was not sent, and waits") })
	eventually(t, "readiness without a mail server", func() bool { status, _ := b.Ready(); return status == http.StatusOK })
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.Clock.Move(26 * 24 * time.Hour)
	outside.Down.Store(false)
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
	// Of all the steps of the review only the newest is told.
	eventually(t, "mail of a lapse", func() bool { return len(mail("privacy@hospital.example", review)) == 1 })
	got := mail("privacy@hospital.example", review)[0]
	if joined := strings.Join(got.Keys, " "); !strings.Contains(joined, "/lapsed") || strings.Contains(joined, "/7d") || !strings.Contains(got.Text, "Data stopped") {
		t.Errorf("after a month of silence: %v\n%s", got.Keys, got.Text)
	}

	b.Restart()
	time.Sleep(1500 * time.Millisecond) // a turn and more
	seen := map[string]int{}
	for _, m := range outside.Mails() {
		for _, k := range m.Keys {
			seen[m.To+" "+k]++
		}
		if strings.Contains(m.Text+m.Subject, "Jane") || strings.Contains(m.Text+m.Subject, "4711") {
			t.Errorf("a mail has a person's words: %s", m.Text)
		}
	}
	for _, c := range outside.Calls() {
		var body struct {
			Data struct{ Notices []notify.Item }
		}
		if err := json.Unmarshal(c.Body, &body); err != nil {
			t.Fatal(err)
		}
		for _, n := range body.Data.Notices {
			seen["hook "+n.Key]++
		}
		if strings.Contains(string(c.Body), "Jane") {
			t.Errorf("a webhook has a person's words: %s", c.Body)
		}
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("%s was told %d times", key, n)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d notices: %v", len(seen), seen)
	}
	eventually(t, "metrics that show that nothing waits", func() bool {
		return strings.Contains(b.Metrics(), "sallyport_mailings_waiting 0")
	})
}

// signed verifies a webhook as its receiver would.
func signed(t *testing.T, c notifytest.Call, secret []byte) {
	t.Helper()
	id, at := c.Header.Get("webhook-id"), c.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || c.Header.Get("Idempotency-Key") != id {
		t.Fatalf("the webhook's headers are %v", c.Header)
	}
	if got, want := c.Header.Get("webhook-signature"), notify.Sign(secret, id, time.Unix(seconds, 0), c.Body); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}
