package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Order is what has the keys of an engagement destroyed: an act of the registry
// that two approved.
type Order struct {
	Act id.Act    // the approval that completed it
	At  time.Time // when it was done
	// Under counts what the caller knows to be sealed under the keys, by kind, for
	// the statement.
	Under map[string]int
}

// Destruction is what became of an order; destroyed/<id>.json.
type Destruction struct {
	Version    int           `json:"version"`
	Engagement id.Engagement `json:"engagement"`
	Act        id.Act        `json:"act"`
	OrderedAt  time.Time     `json:"ordered_at"`
	// DoneAt is when the keys and the generation key were gone. Zero: not yet, and
	// Pending says why.
	DoneAt     time.Time `json:"done_at,omitzero"`
	Pending    []string  `json:"pending,omitempty"`
	Generation int       `json:"generation,omitempty"` // of the key store since
	// Under counts what was sealed under the keys, as far as it was known.
	Under   map[string]int `json:"under,omitempty"`
	HadKeys bool           `json:"had_keys"` // false: no key was ever made
	Media   string         `json:"media"`    // what the disk may keep
}

// Done reports whether nothing is pending.
func (d *Destruction) Done() bool { return d != nil && !d.DoneAt.IsZero() }

// refusal is the error of whoever asks for the keys.
func (d *Destruction) refusal() error {
	p := problem.New(problem.Refused, fmt.Sprintf("the keys of engagement %q were destroyed", string(d.Engagement)),
		"Nothing can bring them back. Begin a new engagement; its codes will be others")
	p.Citation = "45 CFR 164.504(e)(2)(ii)(J)"
	return p.Because(errDestroyed)
}

var errDestroyed = errors.New("seal: the keys were destroyed")

// IsDestroyed reports whether an error says that the keys of an engagement were
// destroyed.
func IsDestroyed(err error) bool { return errors.Is(err, errDestroyed) }

// Destruction says what became of an order to destroy an engagement's keys; nil:
// there was none.
func (k *Keyring) Destruction(engagement id.Engagement) (*Destruction, error) {
	if err := id.Check(engagement); err != nil {
		return nil, fmt.Errorf("destruction: %w", err)
	}
	return k.tombstone(engagement)
}

func (k *Keyring) tombstone(engagement id.Engagement) (*Destruction, error) {
	path := k.file(destroyedDir, engagement)
	d := new(Destruction)
	_, err := readWhole(path, func() error { *d = Destruction{}; return readJSON(path, d) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.Version != 1 || d.Engagement != engagement {
		return nil, errDamaged(path, fmt.Errorf("version %d", d.Version))
	}
	return d, nil
}

// Destroy destroys the keys of an engagement, for good, and says what it did. It
// may be called again, by any process that shares the key store: what is done is
// left, what is pending is tried again.
//
// The order is this: it is noted that the keys are destroyed, and from there on
// nobody gets them; the file is overwritten and removed; the generation key is
// replaced, here and in the mirror, so that no backup of the key store from before
// can be read. Overwriting does what the file system lets it do (Destruction.Media);
// what the destruction rests on is that the keys were in this one file and in
// backups under a generation key that is gone. Copies of the folder that were made
// in another way open under the root of their time: rotate the root and destroy
// the old one where there may be such copies.
//
// now is the time when it is done. The owner's key is not touched.
func (k *Keyring) Destroy(engagement id.Engagement, o Order, now func() time.Time) (*Destruction, error) {
	if err := id.Check(engagement); err != nil {
		return nil, fmt.Errorf("destroy engagement key: %w", err)
	}
	if err := id.Check(o.Act); err != nil {
		return nil, fmt.Errorf("destroy engagement key: by which act: %w", err)
	}
	k.making.Lock()
	defer k.making.Unlock()
	// Whatever the disk says, this process has done with them.
	k.mu.Lock()
	if k.ordered == nil {
		k.ordered = map[id.Engagement]bool{}
	}
	k.ordered[engagement] = true
	k.mu.Unlock()
	if e := k.held(engagement); e != nil {
		k.forget(e)
	}
	if d, err := k.tombstone(engagement); err != nil {
		return nil, err
	} else if d.Done() && !k.left(engagement) {
		return d, nil
	}
	unlock, err := k.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	d, err := k.tombstone(engagement)
	if err != nil {
		return nil, err
	}
	if d == nil {
		d = &Destruction{Version: 1, Engagement: engagement, Act: o.Act, OrderedAt: o.At.UTC(), Under: o.Under,
			HadKeys: k.left(engagement), Media: media(k.dir), Pending: []string{"begun and not finished"}}
		if err := writeJSON(k.file(destroyedDir, engagement), d); err != nil {
			return nil, fmt.Errorf("destroy engagement key: %w", err)
		}
	}
	if !d.Done() || k.left(engagement) {
		d, err = k.destroy(d, now)
	}
	return d, err
}

// left reports whether the engagement's file is there.
func (k *Keyring) left(engagement id.Engagement) bool {
	_, err := look(k.file(engagementsDir, engagement))
	return !errors.Is(err, fs.ErrNotExist)
}

// destroy does what the tombstone says, and writes down how far it came. Both
// locks are held.
func (k *Keyring) destroy(d *Destruction, now func() time.Time) (*Destruction, error) {
	next := *d
	next.Pending, next.DoneAt = nil, time.Time{}
	if err := shred(k.file(engagementsDir, d.Engagement)); err != nil {
		next.Pending = append(next.Pending, "the key's file could not be overwritten and removed")
	}
	// Half-written copies of any key: whoever has the lock knows that no writer is at work.
	for _, dir := range []string{k.dir, filepath.Join(k.dir, engagementsDir)} {
		if err := sweep(dir, true); err != nil {
			next.Pending = append(next.Pending, "what an interrupted write left could not be removed")
		}
	}
	if pending := k.nextGeneration(&next); pending != "" {
		next.Pending = append(next.Pending, pending)
	}
	if len(next.Pending) == 0 {
		next.DoneAt = now().UTC()
	} else if slices.Equal(next.Pending, d.Pending) {
		return d, nil
	}
	if err := replaceJSON(k.file(destroyedDir, d.Engagement), next); err != nil {
		return d, fmt.Errorf("destroy engagement key: %w", err)
	}
	return &next, nil
}

// nextGeneration replaces the generation key, once for each destruction, and says
// why it could not.
func (k *Keyring) nextGeneration(d *Destruction) (pending string) {
	g, err := k.generation()
	if err != nil {
		return "the generation key could not be read"
	}
	if g == nil {
		if k.mirror == "" {
			return "" // there never was a backup
		}
		if _, err := look(filepath.Join(k.mirror, generationFile)); errors.Is(err, fs.ErrNotExist) && k.mirrorThere() == nil && sweep(k.mirror, true) == nil {
			return ""
		}
		return "the key store has no generation key, and its mirror may have one: bring generation.json back from there, then it is replaced"
	}
	if d.Generation == 0 || g.doc.Number < d.Generation {
		g = newGeneration(g.doc.Number + 1)
		// Here it goes at once; the mirror's follows when it is there.
		if err := k.putGenerationIn(g, k.dir); err != nil {
			return "the generation key could not be replaced"
		}
		d.Generation = g.doc.Number
	}
	if k.mirror == "" {
		return ""
	}
	if err := k.mirrorThere(); err != nil {
		return "the mirror " + k.mirror + " is away, and holds the generation key with which backups from before can be read"
	}
	// What an interrupted write left there is the generation key under another name.
	if err := sweep(k.mirror, true); err != nil {
		return "what an interrupted write left in the mirror " + k.mirror + " could not be removed: backups from before can be read with it"
	}
	if err := k.putGenerationIn(g, k.mirror); err != nil {
		return "the generation key in the mirror " + k.mirror + " could not be replaced: backups from before can be read with it"
	}
	return ""
}
