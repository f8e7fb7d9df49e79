package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// At is the view as it was at t: with every act done by then.
func (r *Registry) At(ctx context.Context, t time.Time) (*snapshot.View, error) {
	seq, err := r.o.Store.SeqAt(ctx, t)
	if err != nil {
		return nil, unavailable("The registry's database does not answer", err)
	}
	return r.atVersion(ctx, seq, t)
}

// AtVersion is the view after the act with this number: the one that a decision
// names.
func (r *Registry) AtVersion(ctx context.Context, version uint64) (*snapshot.View, error) {
	if version > r.view.Load().Version() {
		return nil, badField("version", fmt.Sprintf("%d is not reached yet", version), "Use the version that a decision names")
	}
	return r.atVersion(ctx, version, time.Time{})
}

func (r *Registry) atVersion(ctx context.Context, seq uint64, t time.Time) (*snapshot.View, error) {
	// What stands now is at hand; anything else is read from the database, whole.
	if v := r.view.Load(); v.Version() == seq && !t.IsZero() {
		return v.Confirm(t), nil
	}
	records, err := r.o.Store.Load(ctx, seq)
	if err != nil {
		return nil, unavailable("The registry's database does not answer", err)
	}
	var index uint64
	if seq > 0 {
		entries, err := r.o.Store.Since(ctx, seq-1, 1)
		if err != nil {
			return nil, unavailable("The registry's database does not answer", err)
		}
		if len(entries) == 1 {
			index = entries[0].LogIndex
			if t.IsZero() {
				t = entries[0].At
			}
		}
	}
	return r.build(records, seq, index, t), nil
}

// VersionAt is the registry's version at t: the number of the last act done by then.
func (r *Registry) VersionAt(ctx context.Context, t time.Time) (uint64, error) {
	seq, err := r.o.Store.SeqAt(ctx, t)
	if err != nil {
		return 0, unavailable("The registry's database does not answer", err)
	}
	return seq, nil
}

// Acts reads, in order, up to limit acts after version that are in a log.
func (r *Registry) Acts(ctx context.Context, version uint64, limit int) ([]Entry, error) {
	return readActs(r.o.Store.Since(ctx, version, limit))
}

// Told reads the same acts without the records that they changed: for who tells what was
// done, and for many acts in a fraction of the time.
func (r *Registry) Told(ctx context.Context, version uint64, limit int) ([]Entry, error) {
	return readActs(r.o.Store.Told(ctx, version, limit))
}

func readActs(entries []Entry, err error) ([]Entry, error) {
	if err != nil {
		return nil, unavailable("The registry's database does not answer", err)
	}
	return entries, nil
}

// Act reads an act by its id, once it is in a log.
func (r *Registry) Act(ctx context.Context, act id.Act) (Entry, error) {
	e, ok, err := r.o.Store.ByID(ctx, act)
	switch {
	case err != nil:
		return Entry{}, unavailable("The registry's database does not answer", err)
	case !ok || !e.Logged():
		return Entry{}, problem.New(problem.NotFound, "There is no such act", "List them: sallyport acts --done")
	}
	return e, nil
}

// DocumentsOf counts the documents that are sealed under an engagement's key.
func (r *Registry) DocumentsOf(ctx context.Context, engagement id.Engagement) (int, error) {
	n, err := r.o.Store.DocumentsOf(ctx, engagement)
	if err != nil {
		return 0, unavailable("The registry's database does not answer", err)
	}
	return n, nil
}

// Document reads a stored paper, after comparing it with its digest.
func (r *Registry) Document(ctx context.Context, digest string) (Document, error) {
	if err := sha256Hex("sha256", digest); err != nil {
		return Document{}, err
	}
	d, ok, err := r.o.Store.Document(ctx, digest)
	var p *problem.Problem
	switch {
	case errors.As(err, &p): // its key was destroyed
		return Document{}, p
	case err != nil:
		return Document{}, unavailable("The document cannot be read", err)
	case !ok:
		return Document{}, problem.New(problem.NotFound, "No document with this digest is stored", "Check the digest; the acts document.put say what was stored")
	case digestOf(d.Content) != digest:
		return Document{}, problem.New(problem.Internal, "The stored document does not have its digest: it was altered", "Restore it from a backup, and look into the cause")
	}
	return d, nil
}
