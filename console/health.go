package console

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/api"
)

// healthPage is whether the node is well, and what stops where a part of it fails.
type healthPage struct {
	api.System
	Ready bool
	Parts []healthPart
}

// healthPart is one thing that releases stand on. What stops is docs/faults.md in short.
type healthPart struct {
	Name  string
	Now   string
	Mark  mark
	Stops string // if it fails
	Mend  string
}

// certificateSoon is when the end of the certificate is near enough to be told.
const certificateSoon = 14 * 24 * time.Hour

func (s *server) health(v *visit) (healthPage, error) {
	var p healthPage
	if err := s.read(v, "/v1/system", &p.System); err != nil {
		return p, err
	}
	p.Ready = len(p.NotReady) == 0
	p.Parts = []healthPart{s.healthLog(p.System), s.healthSnapshot(v, p.System), s.healthIndex(p.System), healthDatabase(p.System), s.healthClock(v, p.System),
		healthCertificate(v, p.System), healthKeys(v, p.System), healthTelling(p.System), healthScan(p.System)}
	return p, nil
}

var (
	healthWell = mark{"Well", "good"}
	healthLook = mark{"Look at it", "warn"}
	healthDown = mark{"Down", "bad"}
)

func (s *server) healthLog(x api.System) healthPart {
	p := healthPart{"Audit log", number(x.LogEntries) + " entries, each durable before anything leaves", healthWell,
		"Everything that must be on the record: releases, acts, tokens. Callers get 503, and nothing leaves.",
		"After a failed write the log stays closed until a restart, for nobody knows what is on the disk. Make room, and start again."}
	if x.LogError {
		p.Now, p.Mark = "It cannot record", healthDown
	}
	return p
}

func (s *server) healthSnapshot(v *visit, x api.System) healthPart {
	limit := time.Duration(x.Freshness * float64(time.Second))
	age := max(x.At.Sub(x.Confirmed), 0)
	p := healthPart{"Registry, as decisions see it", fmt.Sprintf("version %s, confirmed %s ago; the limit is %s (policy)", number(x.Registry), span(age.Round(time.Second)), span(limit)), healthWell,
		"Releases, once the limit is passed: a revocation could go unheard. Callers get 403 with the gate \"fresh\".",
		"It resumes by itself when the database answers."}
	switch {
	case age > limit:
		p.Mark = healthDown
	case age > limit/2:
		p.Mark = healthLook
	}
	return p
}

func (s *server) healthIndex(x api.System) healthPart {
	behind := x.LogEntries - min(x.Indexed, x.LogEntries)
	p := healthPart{"Index of disclosures", "it covers the whole log", healthWell,
		"No release. What these pages show of decisions and volume is as old as the index.",
		"It follows by itself. It is made from the log alone, so it can be thrown away and made again."}
	if behind > 0 {
		p.Now = number(behind) + " entries behind the log"
	}
	if behind > healthBehind {
		p.Mark = healthLook
	}
	return p
}

// healthBehind is how far the index may be behind a busy log without a word.
const healthBehind = 100_000

func healthDatabase(x api.System) healthPart {
	name := map[string]string{"sqlite": "SQLite, on this machine", "postgresql": "PostgreSQL"}[x.Database]
	p := healthPart{"Database", name, healthWell,
		"Acts at once, with 503. Releases go on from the snapshot until its limit, then refuse.",
		"It resumes by itself when the database answers. No act is done later than it was asked for."}
	if x.At.Sub(x.Confirmed).Seconds() > x.Freshness {
		p.Now, p.Mark = name+", does not answer", healthDown
	}
	return p
}

func (s *server) healthClock(v *visit, x api.System) healthPart {
	p := healthPart{"Clock", when(x.At), healthWell,
		"All releases, if it goes back by more than two seconds: dates and expiries cannot be trusted then.",
		"It resumes by itself when the clock has caught up. Keep the machine on NTP."}
	if x.Confirmed.Sub(x.At) > 2*time.Second {
		p.Now, p.Mark = when(x.At)+", behind what was seen before", healthDown
	}
	return p
}

func healthCertificate(v *visit, x api.System) healthPart {
	left := x.CertificateEnds.Sub(v.Now)
	p := healthPart{"Server certificate", fmt.Sprintf("ends %s, %s", day(x.CertificateEnds), ago(v.Now, x.CertificateEnds)), healthWell,
		"Every connection, once it has ended: nobody can reach the gateway, the API or these pages.",
		"Put a new one in the place of the files; it is taken up within a minute, without a restart."}
	if x.CertificateOwn {
		p.Mend = "The built-in authority renews it by itself. If it does not, the log says why."
	}
	switch {
	case left <= 0:
		p.Mark = healthDown
	case left < certificateSoon && !x.CertificateOwn:
		p.Mark = healthLook
	}
	return p
}

func healthKeys(v *visit, x api.System) healthPart {
	k := x.Keys
	p := healthPart{"Key store", "backed up " + ago(v.Now, k.BackedUpAt), healthWell,
		"Whatever needs a key that is not open: an engagement's first release here, new engagements. Open keys go on.",
		"Mount it; it goes on by itself. Lost keys come back from a backup: sallyport key restore-store."}
	switch {
	case k.Away:
		p.Now, p.Mark = "it cannot be read", healthDown
	case k.BackedUpAt.IsZero():
		p.Now, p.Mark = "no backup of it can be read", healthLook
	case k.Rotating:
		p.Now, p.Mark = "a change of the root is not finished", healthLook
	}
	return p
}

func healthTelling(x api.System) healthPart {
	p := healthPart{"Telling people", "nothing waits to be sent", healthWell, "Mails and webhooks wait and are tried again for five days. No release.", "By itself, once the mail server or the receiver answers."}
	switch {
	case x.TellsNobody:
		p.Now, p.Mark, p.Mend = "nobody is told of what lapses", healthLook, "Write notify: into the configuration (docs/reminders.md)."
	case x.NoticesWaiting > 0:
		p.Now = plural(x.NoticesWaiting, "mailing") + " wait"
	}
	return p
}

func healthScan(x api.System) healthPart {
	p := healthPart{"Virus scanner", "papers are looked at before they are stored", healthWell, "Documents: none is stored without an answer. Releases go on.", "By itself, once it answers."}
	if !x.ScansDocuments {
		p.Now, p.Mark, p.Mend = "none is configured", mark{"Not used", "off"}, "Write documents: into the configuration, with clamd or a command of yours."
	}
	return p
}
