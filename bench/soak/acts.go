package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// acted is an act that its client saw answered.
type acted struct {
	act   id.Act
	index uint64
}

// whole checks that no act is half done: database, outbox and log hold the same
// acts in the same order, what was answered is among them, and the records are
// what the acts made of them. logged is every act entry of the log, in order.
func whole(ctx context.Context, st *store.Store, logged []audit.Entry, answered []acted) error {
	head, err := st.Head(ctx)
	if err != nil {
		return err
	}
	outbox, err := st.Outbox(ctx)
	if err != nil {
		return err
	}
	if len(outbox) != 0 || head.Seq != head.Logged {
		return fmt.Errorf("the outbox still holds %d acts after the start", len(outbox))
	}
	rows := map[id.Act]registry.Entry{}
	made := table{}
	next := 0
	for seq := uint64(0); seq < head.Seq; {
		entries, err := st.Since(ctx, seq, 1000)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return fmt.Errorf("the database lacks the acts after %d of %d", seq, head.Seq)
		}
		for _, e := range entries {
			if e.Seq != seq+1 {
				return fmt.Errorf("act %d follows act %d in the database", e.Seq, seq)
			}
			seq = e.Seq
			if next >= len(logged) {
				return fmt.Errorf("act %s (%d) is in the database and not in the log", e.ID, e.Seq)
			}
			if err := same(e, logged[next]); err != nil {
				return err
			}
			next++
			rows[e.ID] = e
			for _, r := range e.Changed {
				if err := made.put(r); err != nil {
					return err
				}
			}
		}
	}
	if next != len(logged) {
		return fmt.Errorf("act %s is in the log and not in the database", logged[next].Act.Act)
	}
	for _, a := range answered {
		e, ok := rows[a.act]
		if !ok {
			return fmt.Errorf("act %s was answered and is gone", a.act)
		}
		if e.LogIndex != a.index {
			return fmt.Errorf("act %s was answered with log index %d and has %d", a.act, a.index, e.LogIndex)
		}
	}
	return sameRecords(ctx, st, head.Seq, made)
}

// same compares an act's row with its log entry.
func same(e registry.Entry, l audit.Entry) error {
	switch {
	case l.Act == nil || l.Act.Act != e.ID:
		return fmt.Errorf("act %s (%d) is not where its order puts it in the log", e.ID, e.Seq)
	case l.Index != e.LogIndex:
		return fmt.Errorf("act %s is at log index %d and its row says %d", e.ID, l.Index, e.LogIndex)
	case l.Act.Kind != string(e.Kind) || l.Act.Registry != e.Seq || hex.EncodeToString(l.Act.Digest[:]) != e.Digest:
		return fmt.Errorf("act %s differs between its row and its log entry", e.ID)
	}
	return nil
}

// table is the records by noun and id, each as JSON.
type table map[string]string

func (t table) put(r snapshot.Record) error {
	raw, err := json.Marshal(r)
	t[string(r.Noun())+" "+r.Key()] = string(raw)
	return err
}

// sameRecords compares what the tables of records hold with what the acts made.
func sameRecords(ctx context.Context, st *store.Store, seq uint64, made table) error {
	records, err := st.Load(ctx, seq)
	if err != nil {
		return err
	}
	stands := table{}
	for _, r := range records {
		if err := stands.put(r); err != nil {
			return err
		}
	}
	for key, row := range made {
		if stands[key] != row {
			return fmt.Errorf("the record %s in the database is not what the acts made of it", key)
		}
	}
	if len(stands) != len(made) {
		return fmt.Errorf("the database holds %d records and the acts made %d", len(stands), len(made))
	}
	return nil
}
