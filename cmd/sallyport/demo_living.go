package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/living"
)

// up is what a demo that stays up tells, as JSON: where to look, and as whom.
type up struct {
	Console string     `json:"console"`
	ComeIn  string     `json:"come_in"` // the page on which a browser becomes one of the people
	Dir     string     `json:"dir"`
	CA      string     `json:"ca"` // a file
	API     string     `json:"api"`
	Gateway string     `json:"gateway"`
	People  []upPerson `json:"people"`
	Look    []upLook   `json:"look"`
	Seconds float64    `json:"seconds"`
}

type upPerson struct {
	ID   id.Person `json:"id"`
	Name string    `json:"name"`
	What string    `json:"what"`
}

type upLook struct {
	Title string    `json:"title"`
	URL   string    `json:"url"`
	Says  string    `json:"says"`
	As    id.Person `json:"as"`
}

// stay makes an organisation with seven months behind it, opens the console on it, and
// stays up until ctx ends.
func (c *demoCmd) stay(ctx context.Context, t *teller, dir string, now clock) (err error) {
	began := time.Now()
	logFile, err := os.Create(filepath.Join(dir, "sallyport.log"))
	if err != nil {
		return fmt.Errorf("making the log file: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	if !t.json {
		fmt.Fprintf(t.out, "\n%s\n", titleStyle.Render("Mercy Valley Health (synthetic), three outside AI vendors, and their last seven months"))
	}
	t.say("They happen now, in seconds: real acts, real requests, a clock that runs ahead.")
	bar := &bar{}
	if !t.json && isTerminal(os.Stdout) {
		bar.out = os.Stdout
	}
	o, err := living.Start(ctx, living.Options{Dir: dir, Patients: c.Patients, Quick: c.Quick, Now: now, Logger: slog.New(slog.NewTextHandler(logFile, nil)), Version: version,
		Ports: living.Ports{Gateway: 8443, API: 8444, Health: 8445, People: 8446}, Progress: bar.seen})
	bar.stop()
	if ctx.Err() != nil {
		return nil // it was ended while it began
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Stop()) }()
	p, err := openPicker(o, 8447)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := c.comeIn(t, o, p, time.Since(began)); err != nil {
		return err
	}
	if c.Open && !t.json {
		openBrowser(p.address)
	}
	if err := o.Work(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// comeIn says where to look, and as whom.
func (c *demoCmd) comeIn(t *teller, o *living.Organisation, p *picker, took time.Duration) error {
	u := up{Console: o.Pages + "/console", ComeIn: p.address, Dir: o.Dir, CA: o.CA, API: o.API, Gateway: o.Gateway, Seconds: took.Seconds()}
	var names []string
	for _, key := range living.Cast {
		x := o.People[key]
		u.People = append(u.People, upPerson{x.ID, x.Name, x.What})
		names = append(names, x.Name)
	}
	for _, l := range living.Looks {
		u.Look = append(u.Look, upLook{l.Title, o.Pages + l.Path, l.Says, l.As})
	}
	if t.json {
		return json.NewEncoder(t.out).Encode(u)
	}
	t.say("%d acts and %d entries of the log, in %.1f s. Everything is written into %s, and nothing outside it.", o.Server.View().Version(), o.Server.View().LogIndex()+1, took.Seconds(), o.Dir)
	fmt.Fprintf(t.out, "\n%s\n", titleStyle.Render("Open it in a browser"))
	t.say("%s", goodStyle.Render(u.ComeIn))
	t.say("Choose there who you are: %s.", strings.Join(names, ", "))
	t.say("The console itself is %s", u.Console)
	t.say("")
	t.say("Your browser will warn you, and is right: the certificate is of an authority that this demo has just made.")
	t.say("Its SHA-256 fingerprint is %s.", p.fingerprint)
	t.say("Compare it and go on (Advanced, Proceed); or trust, for as long as you look, %s", o.CA)
	fmt.Fprintf(t.out, "\n%s\n", titleStyle.Render("What to look at"))
	for _, l := range u.Look {
		t.say("%-32s %s", l.Title, l.URL)
		t.say("%-32s %s", "", dimStyle.Render(fmt.Sprintf("As %s: %s", o.People[l.As].Name, l.Says)))
	}
	fmt.Fprintf(t.out, "\n%s\n", titleStyle.Render("Or by commands"))
	t.say("export SALLYPORT_SERVER=%s SALLYPORT_CERT=%s", strings.Replace(o.API, "localhost", "127.0.0.1", 1), o.People["ada"].Cert)
	t.say("sallyport forecast --days 30; sallyport incident clocks shared-folder; sallyport acts --done")
	t.say("The two doors in ten steps, told here: sallyport demo --once")
	t.say("")
	t.say("The programs go on asking. Ctrl-C ends the demo.")
	return nil
}

// bar shows on a terminal how far a past has come; without out it shows nothing.
type bar struct {
	out  io.Writer
	last time.Time
	what string
}

func (b *bar) seen(done, total int, what string) {
	if what != "" {
		b.what = what
	}
	if now := time.Now(); b.out != nil && (now.Sub(b.last) > 100*time.Millisecond || done == total) {
		const width = 24
		n := width * done / total
		b.last = now
		fmt.Fprintf(b.out, "\r\x1b[K   [%s%s] %3d %%  %s", strings.Repeat("#", n), strings.Repeat(".", width-n), 100*done/total, clip(b.what, 60))
	}
}

func (b *bar) stop() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
