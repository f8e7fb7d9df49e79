package hospitaltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// LogKey is the log's public key, read from the file that init writes for
// auditors.
func (b *Box) LogKey() note.Verifier {
	b.t.Helper()
	text, err := os.ReadFile(b.Data("log.pub"))
	if err != nil {
		b.t.Fatal(err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	return key
}

// coverLimit is how long an entry may wait for its signed checkpoint here; it
// is under a second on a quiet machine.
const coverLimit = time.Minute

// Verify checks the log offline, from files and public key alone, once every
// entry is under a signed checkpoint.
func (b *Box) Verify() verify.Report {
	b.t.Helper()
	key := b.LogKey()
	for until := time.Now().Add(coverLimit); ; time.Sleep(50 * time.Millisecond) {
		report, err := verify.Log(os.DirFS(b.Data("audit")), key)
		if err != nil {
			b.t.Fatalf("the log does not verify: %v", err)
		}
		if report.Uncovered == 0 {
			return report
		}
		if time.Now().After(until) {
			b.t.Fatalf("after %s %d entries are under no checkpoint", coverLimit, report.Uncovered)
		}
	}
}

// Proved asks the API for the proof of an entry, checks it offline, and gives
// the entry.
func (b *Box) Proved(index uint64) audit.Entry {
	b.t.Helper()
	var got Answer
	for until := time.Now().Add(coverLimit); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if got, err = b.People[registrytest.Grace].Do(http.MethodGet, fmt.Sprintf("/v1/log/proofs/%d", index), nil); err != nil {
			b.t.Fatal(err)
		}
		if got.Status == http.StatusOK || time.Now().After(until) {
			break
		}
	}
	if got.Status != http.StatusOK {
		b.t.Fatalf("the proof of entry %d: %s", index, got)
	}
	proved, err := verify.Proof(got.Body, b.LogKey())
	if err != nil {
		b.t.Fatalf("the proof of entry %d does not verify: %v", index, err)
	}
	if proved.Index != index {
		b.t.Fatalf("the proof of entry %d is of entry %d", index, proved.Index)
	}
	e, err := audit.Decode(index, proved.Entry)
	if err != nil {
		b.t.Fatalf("entry %d: %v", index, err)
	}
	return e
}

// Recorded is an act as the API lists it.
type Recorded struct {
	Version  uint64        `json:"version"`
	Act      id.Act        `json:"act"`
	Kind     registry.Kind `json:"kind"`
	Log      string        `json:"log"`
	LogIndex uint64        `json:"log_index"`
}

// Acts lists every act through the API.
func (b *Box) Acts() []Recorded {
	b.t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/acts?limit=1000", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	var page struct {
		Items []Recorded `json:"items"`
	}
	if err := json.Unmarshal(got.Body, &page); err != nil || got.Status != http.StatusOK {
		b.t.Fatalf("listing the acts: %s", got)
	}
	return page.Items
}
