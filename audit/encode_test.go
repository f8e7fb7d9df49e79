package audit

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
)

func BenchmarkEncodeIntent(b *testing.B) {
	in := fullIntent()
	l := &Log{origin: "hospital.example/node1", now: time.Now}
	b.ReportAllocs()
	for b.Loop() {
		e := getEncoder()
		e.intent(l.origin, &in)
		if e.err != nil {
			b.Fatal(e.err)
		}
		stamp(e.b, l.now())
		encoders.Put(e)
	}
}

func fullIntent() Intent {
	return Intent{
		Decision: id.New[id.Decision](time.Now()), Vendor: "northwind-ai", Engagement: "readmissions", App: "nw-batch",
		Device: "nw-worker-1", Person: "jordan", Grant: "grant-1", Role: "cardiology-read", Agent: Workload,
		Direction: Out, Destination: "nw-batch", Source: "epic-east", Action: "read", Resource: "Observation",
		Purpose: "operations", DataClass: "phi", Profile: "minimum-necessary", ProfileDigest: sha256.Sum256([]byte("a")),
		Policy: sha256.Sum256([]byte("b")), Snapshot: 17, SnapshotIndex: 3, Clauses: []string{"BAA-M01", "BAA-M02"},
		DerivesFrom: []id.Release{"release-1"},
		Transport:   Transport{"1.3", "X25519MLKEM768", sha256.Sum256([]byte("c")), "mtls", "none"},
	}
}
