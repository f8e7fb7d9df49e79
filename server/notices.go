package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/notify"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/reminder"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// teller tells people what is due and what was done, and does what the registry's own
// clock must. Every step is in the database before the next: what to tell, in which
// mailing, by which node, with what end. So a node may die between any two, and another,
// or itself, goes on: nothing is lost, and what may be sent twice has one id.
type teller struct {
	s       *Server
	config  *Notify
	zone    *time.Location
	mail    notify.Sender // nil: no mail
	hooks   map[string]*notify.Webhook
	written map[string]bool // keys with targets that this process has written down
	now     map[string]bool // keys of dates that are due, by the last look
	looked  time.Time
	took    time.Duration // by the last look
	sure    time.Time     // no node wrote down before it what this one's last look could not see
	version uint64        // that was looked at
	told    uint64        // whose acts are notices
	waiting prometheus.Gauge
	failed  prometheus.Gauge
	oldest  prometheus.Gauge
	sent    *prometheus.CounterVec
}

const (
	tellEvery = time.Second
	lookEvery = 5 * time.Minute // dates pass without an act
	// restAfterLook is how many times as long as the last look took the next one waits.
	restAfterLook = 50
	mailLease     = 2 * time.Minute // longer than any way takes to send
	giveUpAfter   = 5 * 24 * time.Hour
	firstPause    = 30 * time.Second
	longPause     = time.Hour
	perMailing    = 200
	perTurn       = 50  // mailings
	actsAtOnce    = 500 // turned into notices
)

func (s *Server) openTeller() (*teller, error) {
	t := &teller{s: s, config: s.config.Notify, written: map[string]bool{}, now: map[string]bool{}, hooks: map[string]*notify.Webhook{}}
	t.waiting = prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_mailings_waiting", Help: "Mailings that are not sent yet."})
	t.failed = prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_mailings_failed", Help: "Mailings that were given up."})
	t.oldest = prometheus.NewGauge(prometheus.GaugeOpts{Name: "sallyport_mailings_oldest_seconds", Help: "How long the oldest mailing has waited."})
	t.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_mailings_total", Help: "Attempts to send, by outcome."}, []string{"outcome"})
	s.metrics.MustRegister(t.waiting, t.failed, t.oldest, t.sent)
	c := t.config
	if c == nil {
		return t, nil
	}
	var err error
	if t.zone, err = time.LoadLocation(c.Zone); err != nil {
		return nil, problem.BadField("notify.zone", "is not a time zone of this machine", "Write an IANA name such as America/New_York").Because(err)
	}
	if c.SMTP != nil {
		if t.mail, err = s.openMail(c); err != nil {
			return nil, err
		}
	}
	client, err := s.outward()
	if err != nil {
		return nil, err
	}
	for i, w := range c.Webhooks {
		at := fmt.Sprintf("notify.webhooks[%d]", i)
		h := &notify.Webhook{URL: w.URL, Chat: w.Chat, Client: client, Now: s.o.Now}
		if w.URLFile != "" {
			if h.URL, err = readSecret(at+".url_file", s.config.path(w.URLFile)); err != nil {
				return nil, err
			}
			if !isHook(h.URL) {
				return nil, problem.BadField(at+".url_file", "does not hold an https address", "Write https://host/path into it")
			}
		}
		if w.SecretFile != "" {
			text, err := readSecret(at+".secret_file", s.config.path(w.SecretFile))
			if err != nil {
				return nil, err
			}
			if h.Secret, err = notify.ParseSecret(text); err != nil {
				return nil, problem.BadField(at+".secret_file", "does not hold a webhook's secret", "Write whsec_ and base64 of 24 to 64 random bytes").Because(err)
			}
		}
		t.hooks[w.Name] = h
	}
	return t, nil
}

func (s *Server) openMail(c *Notify) (notify.Sender, error) {
	o := notify.MailConfig{Server: c.SMTP.Server, Implicit: c.SMTP.TLS == "implicit", Username: c.SMTP.Username, From: c.From, Now: s.o.Now}
	var err error
	if c.SMTP.PasswordFile != "" {
		if o.Password, err = readSecret("notify.smtp.password_file", s.config.path(c.SMTP.PasswordFile)); err != nil {
			return nil, err
		}
	}
	if c.SMTP.CAFile != "" {
		if o.Roots, err = identity.PoolFromFiles(s.config.path(c.SMTP.CAFile)); err != nil {
			return nil, err
		}
	}
	if u, err := url.Parse(s.config.PublicURL); err == nil {
		o.Host = u.Hostname()
	}
	return notify.NewMail(o)
}

// run tells until ctx ends.
func (t *teller) run(ctx context.Context) {
	if t.config == nil {
		t.s.o.Logger.InfoContext(ctx, "nobody is told of what lapses: notify is not configured")
	}
	if t.config != nil {
		// Where nobody was told of anything before, acts are told from here on: those, too,
		// that are done before the first turn.
		if _, err := t.s.record.store.NoticePosition(ctx, t.s.record.registry.View().Version()); err != nil {
			t.s.o.Logger.WarnContext(ctx, "notices wait", "err", err)
		}
		if err := t.s.record.store.ReleaseMailings(ctx, t.s.config.Node); err != nil {
			t.s.o.Logger.WarnContext(ctx, "what was being sent waits for its lease to end", "err", err)
		}
	}
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		if err := t.turn(ctx); err != nil && ctx.Err() == nil {
			t.s.o.Logger.WarnContext(ctx, "notices wait", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn does once what there is to do.
func (t *teller) turn(ctx context.Context) error {
	now, v := t.s.o.Now().UTC(), t.s.record.registry.View()
	// Of a view that is not confirmed nothing is said: the clock may have jumped, or the
	// database be away.
	if age := now.Sub(v.Confirmed()); age > v.Settings.SnapshotFreshness || age < -clockSkew {
		return nil
	}
	if t.config != nil {
		if err := t.acts(ctx, v, now); err != nil {
			return err
		}
	}
	if t.due(v, now) {
		t.chores(ctx, v, now)
		t.attempts(ctx, v, now)
		v = t.s.record.registry.View()
		if t.config != nil {
			if err := t.dates(ctx, v, now); err != nil {
				return err
			}
		}
		t.looked, t.version, t.took = now, v.Version(), t.s.o.Now().Sub(now)
	}
	if t.config == nil {
		return nil
	}
	if err := t.bundle(ctx, now); err != nil {
		return err
	}
	// One way that does not answer keeps only itself waiting.
	return errors.Join(t.send(ctx, hookPrefix), t.send(ctx, mailPrefix), t.measure(ctx, now))
}

// due says whether to look at dates again: in time, and soon after an act, but where a
// look takes long, not so often that the machine does little else. Reports of machines
// are acts, too, and never cease.
func (t *teller) due(v *snapshot.View, now time.Time) bool {
	moved := now.Sub(t.looked)
	return moved > lookEvery || moved < 0 || v.Version() != t.version && moved > max(2*tellEvery, restAfterLook*t.took)
}

// acts turns what was done into notices, once among all nodes.
func (t *teller) acts(ctx context.Context, v *snapshot.View, now time.Time) error {
	for t.told != v.Version() {
		from, err := t.s.record.store.NoticePosition(ctx, v.Version())
		if err != nil {
			return err
		}
		if from >= v.Version() {
			t.told = v.Version()
			return nil
		}
		entries, err := t.s.record.registry.Acts(ctx, from, actsAtOnce)
		if err != nil || len(entries) == 0 {
			return err
		}
		var out []store.Notice
		for _, e := range entries {
			if n, ok := reminder.OfAct(v, reminder.Act{ID: e.ID, Kind: string(e.Kind), Subject: e.Subject, Actor: e.Actor, RequestedBy: e.RequestedBy, At: e.At}); ok {
				out = append(out, t.addressed(v, n, now)...)
			}
		}
		if _, err := t.s.record.store.NoteActs(ctx, from, entries[len(entries)-1].Seq, out); err != nil {
			return err
		}
	}
	return nil
}

// dates writes down what is due by now.
func (t *teller) dates(ctx context.Context, v *snapshot.View, now time.Time) error {
	due := reminder.Due(t.s.engine, v, now)
	t.sure = now.Add(-v.Settings.SnapshotFreshness - clockSkew)
	t.now = make(map[string]bool, len(due))
	var out []store.Notice
	for _, n := range due {
		t.now[n.Key] = true
		for _, x := range t.addressed(v, n, now) {
			if !t.written[x.Key+"\n"+x.Target] {
				out = append(out, x)
			}
		}
	}
	for chunk := range slices.Chunk(out, 500) {
		if _, err := t.s.record.store.AddNotices(ctx, chunk); err != nil {
			return err
		}
		for _, x := range chunk {
			t.written[x.Key+"\n"+x.Target] = true
		}
	}
	return nil
}

// chores does what the registry's clock has to write down. A chore that cannot be done
// is none: another did it, or its time has not come after all.
func (t *teller) chores(ctx context.Context, v *snapshot.View, now time.Time) {
	clock := registry.Actor{Clock: true}
	for _, c := range reminder.Chores(v, now) {
		spec, ok := registry.Lookup(registry.Kind(c.Kind))
		if !ok || !slices.Contains(spec.Admits, registry.Clock) {
			continue
		}
		fields, err := json.Marshal(map[string]string{"id": c.ID})
		if err != nil {
			continue // a string marshals
		}
		a, err := registry.Decode(spec.Name, fields)
		if err != nil {
			t.s.o.Logger.ErrorContext(ctx, "the clock's act cannot be made", "act", c.Kind, "id", c.ID, "err", err)
			continue
		}
		m := registry.Meta{Reason: "its time has come", IdempotencyKey: idempotency(c.Key)}
		if t.s.record.registry.May(clock, a, m) != nil {
			continue
		}
		// May again, for somebody may have come first.
		if _, err := t.s.record.registry.Do(ctx, clock, a, m); err != nil && ctx.Err() == nil && t.s.record.registry.May(clock, a, m) == nil {
			t.s.o.Logger.WarnContext(ctx, "the clock's act is not done yet", "act", c.Kind, "id", c.ID, "err", err)
		}
	}
}

// idempotency shortens a key to what an act takes.
func idempotency(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// addressed is a notice for each who is told of it.
func (t *teller) addressed(v *snapshot.View, n reminder.Notice, now time.Time) []store.Notice {
	to := map[string]bool{} // target: the vendor's
	for _, r := range t.config.Routes {
		if !slices.Contains(r.Classes, n.Class) {
			continue
		}
		for _, name := range r.To {
			switch {
			case name == toVendor:
				if x, ok := v.Vendors.Get(n.Vendor); ok && n.ForVendor && isAddress(x.Contact) {
					if _, ours := to[mailPrefix+x.Contact]; !ours {
						to[mailPrefix+x.Contact] = true
					}
				}
			case strings.HasPrefix(name, hookPrefix):
				to[name] = false
			case isAddress(name):
				to[mailPrefix+name] = false
			default:
				for _, a := range t.config.Duties[registry.Duty(name)] {
					to[mailPrefix+a] = false
				}
			}
		}
	}
	var out []store.Notice
	for _, target := range slices.Sorted(maps.Keys(to)) {
		item := notify.Item{Key: n.Key, Class: string(n.Class), Step: n.Step, Urgent: n.Urgent, At: n.At, Noun: string(n.Subject.Noun), ID: n.Subject.ID,
			Vendor: string(n.Vendor), Title: n.Title, Text: n.Text}
		item.Text += aside(n, to[target], t.s.config.PeopleURL)
		body, err := json.Marshal(item)
		if err != nil {
			continue // strings and times marshal
		}
		out = append(out, store.Notice{Key: n.Key, Target: target, Urgent: n.Urgent, Body: body, Created: now})
	}
	return out
}

// aside is what a notice says besides, to the organisation who did it, and to the vendor on
// which page of its own it is mended. people is the address of people's pages.
func aside(n reminder.Notice, vendor bool, people string) string {
	switch {
	case !vendor && n.By != "":
		return "\n" + n.By
	case vendor && n.Page != "" && people != "":
		return "\nOn your page: " + people + n.Page
	}
	return ""
}

// ceased says whether what a notice is about has been mended. Another node may have
// written it down from papers, or at a time, that this one has not looked at yet: then
// its word counts until this one has looked at what the other saw. What is dropped is
// dropped for good.
func (t *teller) ceased(n store.Notice) bool {
	if !reminder.FromDate(n.Key) || t.now[n.Key] {
		return false
	}
	return t.written[n.Key+"\n"+n.Target] || n.Created.Before(t.sure)
}

// bundle makes mailings of what may be told by now: machines hear at once, people at
// their digest's time and outside quiet hours, of what is urgent always.
func (t *teller) bundle(ctx context.Context, now time.Time) error {
	loose, err := t.s.record.store.LooseNotices(ctx, 5000)
	if err != nil {
		return err
	}
	groups := map[string][]string{}
	for _, n := range loose {
		switch {
		case t.ceased(n):
			if err := t.s.record.store.DropNotice(ctx, n.Key, n.Target); err != nil {
				return err
			}
		case t.ready(n, now):
			group := n.Target + "\n"
			if !n.Urgent {
				group += "later"
			}
			groups[group] = append(groups[group], n.Key)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		target, _, _ := strings.Cut(group, "\n")
		for keys := range slices.Chunk(groups[group], perMailing) {
			sum := sha256.Sum256([]byte(target + "\n" + strings.Join(keys, "\n")))
			if _, err := t.s.record.store.Bundle(ctx, hex.EncodeToString(sum[:16]), target, keys, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready says whether an addressee may be told now.
func (t *teller) ready(n store.Notice, now time.Time) bool {
	hook, isHook := t.hooks[strings.TrimPrefix(n.Target, hookPrefix)]
	machine := strings.HasPrefix(n.Target, hookPrefix) && isHook && !hook.Chat
	switch {
	case n.Urgent, machine:
		return true
	case t.config.DigestAt != "" && strings.HasPrefix(n.Target, mailPrefix):
		return !now.Before(digestAfter(n.Created, t.config.DigestAt, t.zone))
	case t.config.QuietHours != nil:
		return !quiet(now, *t.config.QuietHours, t.zone)
	}
	return true
}

// digestAfter is the first time of a daily digest at or after a moment. On a day whose
// clocks skip that time it is an hour later, as time.Date has it.
func digestAfter(at time.Time, digest string, zone *time.Location) time.Time {
	minutes, _ := clockTime(digest) // it was checked when the file was read
	local := at.In(zone)
	next := time.Date(local.Year(), local.Month(), local.Day(), 0, minutes, 0, 0, zone)
	if next.Before(at) {
		next = time.Date(local.Year(), local.Month(), local.Day()+1, 0, minutes, 0, 0, zone)
	}
	return next
}

// quiet says whether a moment is in quiet hours, by the clock on the wall.
func quiet(at time.Time, h Hours, zone *time.Location) bool {
	from, _ := clockTime(h.From) // they were checked when the file was read
	to, _ := clockTime(h.To)
	local := at.In(zone)
	m := local.Hour()*60 + local.Minute()
	if from < to {
		return from <= m && m < to
	}
	return m >= from || m < to
}

// send sends what is due by one way, one mailing after the other, until the way fails.
func (t *teller) send(ctx context.Context, way string) error {
	node := t.s.config.Node
	for range perTurn {
		now := t.s.o.Now().UTC()
		m, err := t.s.record.store.ClaimMailing(ctx, node, way, now, mailLease)
		if err != nil || m == nil {
			return err
		}
		msg := notify.Message{ID: m.ID, Organisation: t.s.config.Organisation, At: now}
		for _, n := range m.Notices {
			var item notify.Item
			if err := json.Unmarshal(n.Body, &item); err != nil {
				return fmt.Errorf("notice %s: %w", n.Key, err)
			}
			if !t.ceased(n) {
				msg.Items = append(msg.Items, item)
			}
		}
		settle := func(as store.Settlement, next time.Time) error {
			t.sent.WithLabelValues(string(as)).Inc()
			return t.s.record.store.Settle(context.WithoutCancel(ctx), m.ID, node, as, now, next)
		}
		if len(msg.Items) == 0 {
			if err := settle(store.Dropped, now); err != nil {
				return err
			}
			continue
		}
		err = t.sendTo(ctx, m.Target, msg)
		switch {
		case err == nil:
			err = settle(store.Sent, now)
		case now.Sub(m.Created) > giveUpAfter:
			t.s.o.Logger.ErrorContext(ctx, "a mailing was given up", "mailing", m.ID, "notices", len(m.Notices), "attempts", m.Attempts, "err", err)
			err = settle(store.GivenUp, now)
		default:
			t.s.o.Logger.WarnContext(ctx, "a mailing was not sent, and waits", "mailing", m.ID, "notices", len(m.Notices), "attempts", m.Attempts, "err", err)
			return settle(store.Again, now.Add(pause(m.Attempts)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pause is how long after so many attempts the next one comes.
func pause(attempts int) time.Duration {
	return min(firstPause<<min(max(attempts-1, 0), 16), longPause)
}

func (t *teller) sendTo(ctx context.Context, target string, m notify.Message) error {
	if to, ok := strings.CutPrefix(target, mailPrefix); ok {
		if t.mail == nil {
			return errors.New("there is no mail server in the configuration any longer")
		}
		return t.mail.Send(ctx, to, m)
	}
	name := strings.TrimPrefix(target, hookPrefix)
	h, ok := t.hooks[name]
	if !ok {
		return fmt.Errorf("there is no webhook %q in the configuration any longer", name)
	}
	return h.Send(ctx, name, m)
}

func (t *teller) measure(ctx context.Context, now time.Time) error {
	waiting, failed, since, err := t.s.record.store.Waiting(ctx)
	if err != nil {
		return err
	}
	t.waiting.Set(float64(waiting))
	t.failed.Set(float64(failed))
	age := 0.0
	if !since.IsZero() {
		age = max(now.Sub(since), 0).Seconds()
	}
	t.oldest.Set(age)
	return nil
}
