package console

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// drafts keeps what somebody typed while they touch their passkey, and the file of an act
// while the act is looked at: in memory alone, for minutes, for the session that typed it,
// and a few for each person.
type drafts struct {
	mu    sync.Mutex
	now   func() time.Time
	all   map[string]draft
	files map[string]heldFile
	bytes int // of the files
}

type draft struct {
	session id.Session
	person  id.Person
	form    doForm
	until   time.Time
}

type heldFile struct {
	session id.Session
	person  id.Person
	file    *upload
}

const (
	draftLife  = 15 * time.Minute
	draftsEach = 8 // of one person, in all their sessions
	draftsAll  = 2000
	maxDraft   = 256 << 10 // bytes of what was typed
	filesEach  = 2         // likewise
	filesAll   = 256 << 20 // bytes of everybody's
)

func newDrafts(now func() time.Time) *drafts {
	return &drafts{now: now, all: map[string]draft{}, files: map[string]heldFile{}}
}

// run forgets what is old until ctx ends, and then everything: a file does not stay in
// memory because nobody comes any more.
func (d *drafts) run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.sweep(time.Time{})
			return
		case <-tick.C:
			d.sweep(d.now())
		}
	}
}

// sweep forgets what has reached its time; the zero time: everything.
func (d *drafts) sweep(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, x := range d.all {
		if now.IsZero() || !now.Before(x.until) {
			delete(d.all, key)
		}
	}
	for key, x := range d.files {
		if now.IsZero() || !now.Before(x.file.until) {
			d.forget(key)
		}
	}
}

// forget lets go of a file; the caller holds mu.
func (d *drafts) forget(key string) {
	if x, ok := d.files[key]; ok {
		d.bytes -= len(x.file.Content)
		delete(d.files, key)
	}
}

// hold keeps the file of an act until it is done, given up or old, and gives the key under
// which the same session finds it. A person's oldest makes room for their next.
func (d *drafts) hold(v *visit, file *upload) (string, error) {
	d.sweep(v.Now)
	d.mu.Lock()
	defer d.mu.Unlock()
	var mine []string
	for key, x := range d.files {
		if x.person == v.Person.ID {
			mine = append(mine, key)
		}
	}
	if len(mine) >= filesEach {
		d.forget(slices.MinFunc(mine, func(a, b string) int { return d.files[a].file.until.Compare(d.files[b].file.until) }))
	}
	if d.bytes+len(file.Content) > filesAll {
		return "", problem.New(problem.Unavailable, "Too many files wait to be looked at", "Try again in some minutes")
	}
	key := rand.Text()
	file.until = v.Now.Add(draftLife)
	d.files[key] = heldFile{v.Session.ID, v.Person.ID, file}
	d.bytes += len(file.Content)
	return key, nil
}

// heldFor finds the file again, for the session that sent it.
func (d *drafts) heldFor(key string, v *visit) (*upload, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.files[key]
	if !ok || x.session != v.Session.ID || !v.Now.Before(x.file.until) {
		return nil, false
	}
	return x.file, true
}

// drop lets go of a file of the session.
func (d *drafts) drop(key string, v *visit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[key].session == v.Session.ID {
		d.forget(key)
	}
}

// keep gives the key under which the same session finds the form again.
func (d *drafts) keep(v *visit, f doForm) (string, error) {
	size := len(f.reason)
	for name, texts := range f.typed {
		size += len(name) + len(strings.Join(texts, ""))
	}
	if size > maxDraft {
		return "", problem.New(problem.TooLarge, "The form is too large to be kept while you touch your passkey", "Touch it first, then fill in the form")
	}
	f.errs, f.file = nil, nil // the file waits by itself
	d.sweep(v.Now)
	d.mu.Lock()
	defer d.mu.Unlock()
	var mine []string
	for key, x := range d.all {
		if x.person == v.Person.ID {
			mine = append(mine, key)
		}
	}
	if len(mine) >= draftsEach {
		oldest := slices.MinFunc(mine, func(a, b string) int { return d.all[a].until.Compare(d.all[b].until) })
		delete(d.all, oldest)
	}
	if len(d.all) >= draftsAll {
		return "", problem.New(problem.Unavailable, "Too many forms wait for a passkey", "Touch it first, then fill in the form")
	}
	key := rand.Text()
	d.all[key] = draft{v.Session.ID, v.Person.ID, f, v.Now.Add(draftLife)}
	return key, nil
}

// take finds a form again, for the session that typed it. It stays until it is old, so
// that the page can be loaded twice.
func (d *drafts) take(key string, v *visit, kind registry.Kind) (doForm, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.all[key]
	if !ok || x.session != v.Session.ID || x.form.spec.Name != kind || !v.Now.Before(x.until) {
		return doForm{}, false
	}
	f := x.form
	typed := f.typed
	f.typed = map[string][]string{}
	for name, texts := range typed {
		f.typed[name] = slices.Clone(texts)
	}
	return f, true
}
