package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
)

// sealing is what sealed releases cost: the same questions of the same process,
// under an engagement that demands none, age or hpke-p256 in turns. The client
// reads what comes and does not open it: that is the vendor's machine.
func sealing(ctx context.Context, b *bench) (err error) {
	pq, err := sealed.NewIdentity(sealed.Age)
	if err != nil {
		return err
	}
	p256, err := sealed.NewIdentity(sealed.HPKE)
	if err != nil {
		return err
	}
	b.sealTo = []string{pq.Recipient().String(), p256.Recipient().String()}
	defer func() { b.sealTo = nil }()
	w, err := b.open(ctx, "sealing", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	ours, err := b.sallyportPeer(w)
	if err != nil {
		return err
	}
	modes := []struct {
		name string
		mode snapshot.Sealing
	}{{"in clear, inside TLS", ""}, {"sealed: age, ML-KEM-768 and X25519", snapshot.SealAge}, {"sealed: hpke-p256", snapshot.SealHPKE}}
	rounds := b.scale(4, 1)
	for i, s := range sizes {
		if len(b.sizeset) > 0 && !slices.Contains(b.sizeset, s.short) {
			continue
		}
		const clients = 16
		seen := map[string]*seenAt{}
		for round := range rounds {
			for turn := range modes {
				m := modes[(turn+round)%len(modes)] // nobody is always first
				if err := w.site.Seal(ctx, m.mode); err != nil {
					return err
				}
				p := ours
				p.name = m.name
				if err := b.measure(ctx, p, i, clients, seen); err != nil {
					return fmt.Errorf("%s, %s: %w", m.name, s.name, err)
				}
			}
		}
		column := fmt.Sprintf("%s, %d clients", s.name, clients)
		t := Table{Name: "Sealing, " + column, Columns: []string{"req/s", "x clear", "p50 ms", "p99 ms", "doorway CPU ms", "bytes"},
			Notes: []string{"One process, one engagement, which is amended between the runs. The client does not open what it gets."}}
		clear := seen[modes[0].name]
		for _, m := range modes {
			at := seen[m.name]
			t.Rows = append(t.Rows, Row{m.name, []float64{median(at.rate), ratio(at.rate, clear.rate), median(at.p50), median(at.p99), median(at.cpu), float64(at.bytes)}})
			if m.mode != "" && s.short == "500KB" {
				b.report.atMost(column+", "+m.name+": throughput that sealing costs", 100*(1-ratio(at.rate, clear.rate)), 15, " %")
			}
		}
		b.report.table(t)
	}
	return nil
}
