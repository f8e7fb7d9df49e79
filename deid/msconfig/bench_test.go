package msconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

// benchRules are of the size and mix that a Safe Harbor configuration has; with
// the tool's own at hand, those run too.
func benchConfigs(b *testing.B) map[string][]byte {
	// Noise in proportion to a negative number is an error, and Synthea has some.
	configs := map[string][]byte{"ours": []byte(strings.Replace(fuzzRules, "proportional", "fixed", 1))}
	if dir := os.Getenv(checkoutVar); dir != "" {
		configs["published"] = read1(b, filepath.Join(checkout(b), "Microsoft.Health.Fhir.Anonymizer.R4.CommandLineTool", "configuration-sample.json"))
	}
	return configs
}

// BenchmarkResource runs configurations on bundles and on bulk files, beside
// encoding/json decoding and encoding the same.
func BenchmarkResource(b *testing.B) {
	for _, folder := range []string{"synthea-r4-smart", "synthea-bulk-10"} {
		var lines [][]byte
		size := 0
		files, _ := filepath.Glob(filepath.Join(need.DataFile(b, folder), "*json"))
		for _, file := range files {
			for _, raw := range bytes.Split(oneResource(read1(b, file), file), []byte("\n")) {
				if bytes.Contains(raw, []byte(`"resourceType"`)) && size < 8<<20 {
					lines = append(lines, raw)
					size += len(raw)
				}
			}
		}
		for name, config := range benchConfigs(b) {
			cfg, err := Read(config)
			if err != nil {
				b.Fatal(err)
			}
			a, err := New(cfg, Options{AsOf: asOf, Rand: zeros{}})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(folder+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				var ours, peer time.Duration
				var out []byte
				for b.Loop() {
					start := time.Now()
					for _, raw := range lines {
						if out, _, err = a.Resource(out[:0], raw); err != nil {
							b.Fatal(err)
						}
					}
					ours += time.Since(start)
					start = time.Now()
					for _, raw := range lines {
						var v any
						if err := json.Unmarshal(raw, &v); err != nil {
							b.Fatal(err)
						}
						if _, err := json.Marshal(v); err != nil {
							b.Fatal(err)
						}
					}
					peer += time.Since(start)
				}
				mb := float64(size) * float64(b.N) / 1e6
				b.ReportMetric(mb/ours.Seconds(), "MB/s")
				b.ReportMetric(mb/peer.Seconds(), "encoding/json-MB/s")
				b.ReportMetric(peer.Seconds()/ours.Seconds(), "x-encoding/json")
			})
		}
	}
}

func BenchmarkDifferences(b *testing.B) {
	cfg, err := Read([]byte(fuzzRules))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cfg.Differences()
	}
}
