package console

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// drafts keeps what somebody typed while they touch their passkey: in memory alone, for
// minutes, for the session that typed it, and a few for each.
type drafts struct {
	mu  sync.Mutex
	all map[string]draft
}

type draft struct {
	session id.Session
	form    doForm
	until   time.Time
}

const (
	draftLife  = 15 * time.Minute
	draftsEach = 8
	draftsAll  = 2000
	maxDraft   = 256 << 10 // bytes of what was typed
)

func newDrafts() *drafts { return &drafts{all: map[string]draft{}} }

// keep gives the key under which the same session finds the form again.
func (d *drafts) keep(v *visit, f doForm) (string, error) {
	size := len(f.reason)
	for name, texts := range f.typed {
		size += len(name) + len(strings.Join(texts, ""))
	}
	if size > maxDraft {
		return "", problem.New(problem.TooLarge, "The form is too large to be kept while you touch your passkey", "Touch it first, then fill in the form")
	}
	f.errs, f.file = nil, nil
	d.mu.Lock()
	defer d.mu.Unlock()
	var mine []string
	for key, x := range d.all {
		if !v.Now.Before(x.until) {
			delete(d.all, key)
		} else if x.session == v.Session.ID {
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
	d.all[key] = draft{v.Session.ID, f, v.Now.Add(draftLife)}
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
