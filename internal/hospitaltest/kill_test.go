package hospitaltest_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// The real program is killed while it releases and acts, twice, and starts again
// each time: every answer that left has its outcome in the log, every act that
// was confirmed is in the registry and in the log, none is there twice, and the
// log verifies. bench/soak does this two hundred times.
func TestKilledAndStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{Program: need.Program(t)})
	b.Paper()
	var released, acted atomic.Uint64
	for round := range 2 {
		var wg sync.WaitGroup
		begun := released.Load()
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					got, err := b.Client.Ask(http.MethodGet, question, "", "")
					if err == nil && got.Cut == nil && got.Status == http.StatusOK {
						released.Add(1)
					}
				}
			})
		}
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// A training of the vendor's engineer again and again: an act that changes no decision.
				now := time.Now().UTC().Truncate(time.Second)
				if _, err := b.People[registrytest.Grace].Act(registry.RecordTraining{Person: registrytest.Lin, Course: "elective", Version: "1",
					Score: 1, Passed: true, CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0)}, "a course besides"); err == nil {
					acted.Add(1)
				}
			}
		})
		eventually(t, "a hundred releases", func() bool { return released.Load() >= begun+100 })
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		close(stop)
		wg.Wait()
		if err := b.Run(); err != nil {
			t.Fatalf("round %d: after the kill it does not start: %v\n%s", round, err, b.Log)
		}
		report := b.Verify()
		if report.Outcomes < released.Load() {
			t.Errorf("round %d: %d answers arrived whole, the log has %d outcomes", round, released.Load(), report.Outcomes)
		}
		acts := b.Acts()
		if report.Acts != uint64(len(acts)) {
			t.Errorf("round %d: the log has %d acts, the registry %d", round, report.Acts, len(acts))
		}
		confirmed := uint64(0)
		for _, a := range acts {
			if a.Kind == "training.record" {
				confirmed++
			}
		}
		if confirmed < acted.Load()+1 { // and the one of the papers
			t.Errorf("round %d: %d courses were confirmed, the registry has %d", round, acted.Load()+1, confirmed)
		}
		served(t, b)
	}
	if acted.Load() == 0 {
		t.Error("no act was done between the kills, so this shows nothing about acts")
	}
	b.Act(registrytest.Grace, registry.PlaceHold{On: snapshot.Subject{Noun: snapshot.NounGrant, ID: string(hospitaltest.Grant)}, Cause: snapshot.HoldIncident})
	if got := b.Get(question); got.Status != http.StatusForbidden {
		t.Errorf("after the hold: got %s", got)
	}
}
