package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/notify"
	"github.com/sallyport/sallyport/notify/notifytest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// told is what the trial of reminders remembers: the acts that people must hear of, and
// those that were not answered, which are repeated with their keys.
type told struct {
	s       *soak
	site    *site.Site
	outside *notifytest.Outside
	open    []todo
	acts    map[id.Act]bool
	n       int
}

// reminders kills a server between acts, notices, mailings and deliveries, and counts
// what has arrived by mail and by webhook: every act once, whatever was sent again came
// under the id that it had before.
func reminders(ctx context.Context, s *soak) (_ string, err error) {
	dir := filepath.Join(s.dir, "reminders")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if s.program == "" {
		if s.program, err = site.Build(ctx, dir); err != nil {
			return "", err
		}
	}
	pki, err := site.NewPKI(filepath.Join(dir, "pki"), s.now())
	if err != nil {
		return "", err
	}
	t := &told{s: s, acts: map[id.Act]bool{}}
	if t.site, err = site.New(ctx, site.Options{Dir: filepath.Join(dir, "site"), PKI: pki, URL: "https://127.0.0.1:1/fhir", Now: s.now}); err != nil {
		return "", err
	}
	if t.outside, err = notifytest.Start(filepath.Join(dir, "outside")); err != nil {
		return "", err
	}
	defer t.outside.Close()
	t.outside.Slow = 100 * time.Millisecond
	if err := t.configure(); err != nil {
		return "", err
	}
	p, err := t.serve(ctx)
	if err != nil {
		return "", err
	}
	if err = errors.Join(t.site.Paper(ctx), p.Stop()); err != nil {
		return "", err
	}
	kills := 0
	half := (s.rounds + 1) / 2 // a round takes twice as long as those of other trials
	for ; kills < half && ctx.Err() == nil; kills++ {
		if err := t.round(ctx); err != nil {
			return "", fmt.Errorf("round %d: %w", kills, err)
		}
	}
	if p, err = t.serve(ctx); err != nil {
		return "", err
	}
	err = errors.Join(t.repeat(ctx), t.settle(ctx), p.Stop())
	mails, calls := len(t.outside.Mails()), len(t.outside.Calls())
	again, wrong := t.count()
	return fmt.Sprintf("%d kills; %d acts that are told, each by mail and by webhook; %d mails and %d calls arrived, %d of them again under the same id",
		kills, len(t.acts), mails, calls, again), errors.Join(err, wrong, ctx.Err())
}

const soakMail = "privacy@bench.example"

func (t *told) configure() error {
	secret := filepath.Join(t.s.dir, "reminders", "hook.secret")
	if err := os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32)))), 0o600); err != nil {
		return err
	}
	text, err := os.ReadFile(t.site.Config)
	if err != nil {
		return err
	}
	text = fmt.Appendf(text, `
connectors: {private_networks: [127.0.0.0/8], ca_file: %[1]q}
notify:
  from: sallyport@bench.example
  smtp: {server: %[2]q, ca_file: %[1]q}
  webhooks: [{name: siem, url: %[3]q, secret_file: %[4]q}]
  routes: [{classes: [hold], to: [%[5]s, "hook:siem"]}]
`, t.outside.CAFile, t.outside.Mail, t.outside.Hook, secret, soakMail)
	return os.WriteFile(t.site.Config, text, 0o600)
}

func (t *told) serve(ctx context.Context) (*site.Process, error) {
	t.site.Reset()
	return t.site.Serve(ctx, "sallyport", t.s.program, "serve", "--log", "json")
}

// round acts until the kill, at any moment of telling.
func (t *told) round(ctx context.Context) error {
	p, err := t.serve(ctx)
	if err != nil {
		return fmt.Errorf("it does not start again: %w", err)
	}
	if err := t.repeat(ctx); err != nil {
		p.Kill()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t.next(ctx) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	time.Sleep(t.s.between(5*time.Millisecond, 700*time.Millisecond))
	p.Kill()
	<-done
	return nil
}

// next suspends a vendor, or resumes it: both are told.
func (t *told) next(ctx context.Context) error {
	t.n++
	var act registry.Act = registry.SuspendVendor{ID: "northwind"}
	if t.n%2 == 0 {
		act = registry.ResumeVendor{ID: "northwind"}
	}
	return t.do(ctx, todo{registrytest.Grace, act, fmt.Sprintf("told-%d", t.n)})
}

func (t *told) do(ctx context.Context, a todo) error {
	r, err := t.site.Do(ctx, a.by, a.act, "soak", a.key)
	if err != nil {
		t.open = append(t.open, a)
		return err
	}
	t.acts[r.Act] = true
	return nil
}

func (t *told) repeat(ctx context.Context) error {
	open := t.open
	t.open = nil
	for _, a := range open {
		if err := t.do(ctx, a); err != nil {
			return fmt.Errorf("an act that was under way cannot be repeated: %T: %w", a.act, err)
		}
	}
	return nil
}

// settle waits until nothing is on its way any more.
func (t *told) settle(ctx context.Context) error {
	for range 300 {
		if mails, calls := t.arrived(); len(mails) >= len(t.acts) && len(calls) >= len(t.acts) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("after 30 s something that must be told has not arrived")
}

// arrived is, for each act, the ids of the messages that told of it, by mail and by
// webhook.
func (t *told) arrived() (mails, calls map[id.Act]map[string]bool) {
	mails, calls = map[id.Act]map[string]bool{}, map[id.Act]map[string]bool{}
	add := func(to map[id.Act]map[string]bool, key, message string) {
		act, ok := strings.CutPrefix(key, "act/")
		if !ok {
			return
		}
		if to[id.Act(act)] == nil {
			to[id.Act(act)] = map[string]bool{}
		}
		to[id.Act(act)][message] = true
	}
	for _, m := range t.outside.Mails() {
		for line := range strings.SplitSeq(m.Text, "\n") {
			// The header names the first twenty; the text has all of them.
			if _, act, ok := strings.Cut(line, ", act "); ok {
				add(mails, "act/"+strings.TrimRight(act, ".\r"), m.ID)
			}
		}
	}
	for _, c := range t.outside.Calls() {
		var e struct {
			Data struct{ Notices []notify.Item }
		}
		if json.Unmarshal(c.Body, &e) != nil {
			continue // it would be missed below
		}
		for _, i := range e.Data.Notices {
			add(calls, i.Key, c.Header.Get("webhook-id"))
		}
	}
	return mails, calls
}

// count compares what was done with what arrived.
func (t *told) count() (again int, err error) {
	mails, calls := t.arrived()
	for way, got := range map[string]map[id.Act]map[string]bool{"mail": mails, "webhook": calls} {
		for act := range t.acts {
			if n := len(got[act]); n != 1 {
				err = errors.Join(err, fmt.Errorf("by %s act %s was told in %d messages", way, act, n))
			}
		}
		for act := range got {
			if !t.acts[act] {
				err = errors.Join(err, fmt.Errorf("by %s an act was told that nobody knows of: %s", way, act))
			}
		}
	}
	ids := map[string]bool{}
	for _, m := range t.outside.Mails() {
		ids["mail "+m.ID] = true
	}
	for _, c := range t.outside.Calls() {
		ids["call "+c.Header.Get("webhook-id")] = true
	}
	return len(t.outside.Mails()) + len(t.outside.Calls()) - len(ids), err
}
