package registry

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Verify compares the database with the audit log: the digest in each act's
// entry with the act and the records that it left, and the present rows with
// the last of those. logged gives an act's entry in this node's log; acts in
// other nodes' logs are compared with their own row only. It returns how many
// acts were found in the log, or what was altered.
func (r *Registry) Verify(ctx context.Context, logged func(context.Context, id.Act) (audit.ActEntry, error)) (inLog uint64, err error) {
	head, err := r.o.Store.Head(ctx)
	if err != nil {
		return 0, unavailable("The registry's database does not answer", err)
	}
	altered := func(format string, args ...any) error {
		return problem.New(problem.Conflict, fmt.Sprintf(format, args...), "The database was altered beside the acts: restore it from a backup, and look into the cause")
	}
	last := (&snapshot.View{}).Edit()
	for seq := uint64(0); seq < head.Logged; {
		entries, err := r.o.Store.Since(ctx, seq, 500)
		if err != nil {
			return inLog, unavailable("The registry's database does not answer", err)
		}
		if len(entries) == 0 || entries[0].Seq != seq+1 {
			return inLog, altered("Act %d is missing", seq+1)
		}
		for i := range entries {
			e := &entries[i]
			if e.Seq != seq+1 {
				return inLog, altered("Act %d is missing", seq+1)
			}
			seq = e.Seq
			if err := e.check(); err != nil {
				return inLog, altered("Act %d (%s) or what it changed does not have its digest", e.Seq, e.ID)
			}
			for _, rec := range e.Changed {
				last.Put(rec)
			}
			if e.LogNode != r.o.Node {
				continue
			}
			want, err := e.auditEntry()
			if err != nil {
				return inLog, err
			}
			got, err := logged(ctx, e.ID)
			if err != nil {
				return inLog, fmt.Errorf("act %s in the log: %w", e.ID, err)
			}
			if got != want {
				return inLog, altered("Act %d (%s) is not as the audit log has it", e.Seq, e.ID)
			}
			inLog++
		}
	}
	if head.Seq != head.Logged {
		return inLog, nil // the present rows are ahead of the log; they are compared when they are in it
	}
	rows, err := r.o.Store.Load(ctx, head.Seq)
	if err != nil {
		return inLog, unavailable("The registry's database does not answer", err)
	}
	view := last.View()
	n := 0
	for _, row := range rows {
		rec, ok := find(view, snapshot.Subject{Noun: row.Noun(), ID: row.Key()})
		if !ok || !sameRecord(rec, row) {
			return inLog, altered("The row of %s %q is not as its last act left it", row.Noun(), row.Key())
		}
		n++
	}
	if n != len(last.Changed()) {
		return inLog, altered("%d rows are missing", len(last.Changed())-n)
	}
	return inLog, nil
}

func sameRecord(a, b snapshot.Record) bool {
	x, y := members(a), members(b)
	if len(x) != len(y) {
		return false
	}
	for k, v := range x {
		if y[k] != v {
			return false
		}
	}
	return true
}
