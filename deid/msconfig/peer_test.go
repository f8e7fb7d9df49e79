package msconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

// checkoutVar names a checkout of github.com/microsoft/Tools-for-Health-Data-Anonymization,
// which is not part of the product. Its functional tests are pairs of an input
// and what the tool made of it: the tool's own word on its semantics.
const checkoutVar = "SALLYPORT_MICROSOFT_ANONYMIZER"

func checkout(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(checkoutVar)
	if dir == "" {
		t.Skip(checkoutVar + " is not set to a checkout of the tool")
	}
	return filepath.Join(dir, "FHIR", "src")
}

func read1(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
}

// asOf is a day on which the samples' people are as old as their targets suppose.
var asOf = time.Date(2025, 9, 5, 0, 0, 0, 0, time.UTC)

// zeros is randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTheToolsOwnTargets(t *testing.T) {
	src := checkout(t)
	shared := filepath.Join(src, "Microsoft.Health.Fhir.Anonymizer.Shared.FunctionalTests")
	r4 := filepath.Join(src, "Microsoft.Health.Fhir.Anonymizer.R4.FunctionalTests")
	tests := []struct{ config, input, want string }{
		{"common-config", "patient-basic", "patient-basic-target"},
		{"redact-all-config", "patient-basic", "patient-redact-all-target"},
		{"common-config", "patient-special-content", "patient-special-content-target"},
		{"common-config", "patient-null-date", "patient-null-date-target"},
		{"common-no-partial-config", "patient-no-partial", "patient-no-partial-target"},
		{"substitute-primitive", "patient-substitute-primitive", "patient-substitute-primitive-target"},
		{"substitute-complex", "patient-substitute-complex", "patient-substitute-complex-target"},
		{"substitute-conflict-rules", "patient-substitute-conflict-rules", "patient-substitute-conflict-rules-target"},
		{"substitute-multiple", "patient-substitute-multiple", "patient-substitute-multiple-target"},
		{"substitute-multiple-2", "patient-substitute-multiple-2", "patient-substitute-multiple-2-target"},
		{"generalize-patient-config", "patient-generalize", "patient-generalize-target"},
		{"configuration-skip-processing-error", "patient-basic", "patient-empty"},
		{"configuration-skip-processing-error", "contained-basic", "condition-empty"},
		{"configuration-skip-processing-error", "bundle-basic", "bundle-empty"},
		{"common-config", "contained-basic", "contained-basic-target"},
		{"common-config", "bundle-basic", "bundle-basic-target"},
		{"common-config", "bundle-without-entry-resource", "bundle-without-entry-resource-target"},
		{"common-config", "contained-in-bundle", "contained-in-bundle-target"},
		{"redact-all-config", "contained-basic", "contained-redact-all-target"},
		{"redact-all-config", "bundle-basic", "bundle-redact-all-target"},
		{"redact-all-config", "contained-in-bundle", "contained-in-bundle-redact-all-target"},
		{"substitute-multiple", "contained-substitute", "contained-substitute-target"},
		{"substitute-multiple", "bundle-substitute", "bundle-substitute-target"},
		{"r4-configuration-sample", "R4OnlyResource/OrganizationAffiliation", "R4OnlyResource/OrganizationAffiliation-target"},
		{"r4-configuration-sample", "R4OnlyResource/MedicinalProduct", "R4OnlyResource/MedicinalProduct-target"},
		{"r4-configuration-sample", "R4OnlyResource/ServiceRequest", "R4OnlyResource/ServiceRequest-target"},
		{"r4-configuration-sample", "R4OnlyResource/Claim-R4", "R4OnlyResource/Claim-R4-target"},
		{"r4-configuration-sample", "R4OnlyResource/Account-R4", "R4OnlyResource/Account-R4-target"},
		{"r4-configuration-sample", "R4OnlyResource/Contract-R4", "R4OnlyResource/Contract-R4-target"},
	}
	for _, tt := range tests {
		t.Run(tt.config+"/"+tt.input, func(t *testing.T) {
			config := filepath.Join(shared, "Configurations", tt.config+".json")
			if tt.config == "r4-configuration-sample" {
				config = filepath.Join(r4, tt.config+".json")
			}
			cfg, err := Read(read1(t, config))
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(cfg, Options{AsOf: asOf, Rand: zeros{}})
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := a.Resource(nil, read1(t, filepath.Join(shared, "TestResources", tt.input+".json")))
			if err != nil {
				t.Fatal(err)
			}
			want := read1(t, filepath.Join(shared, "TestResources", tt.want+".json"))
			if g, w := canonical(t, got), canonical(t, want); !reflect.DeepEqual(g, w) {
				gj, _ := json.MarshalIndent(g, "", " ")
				wj, _ := json.MarshalIndent(w, "", " ")
				t.Errorf("got %s\nwant %s", gj, wj)
			}
		})
	}
}

// canonical is the JSON value with its numbers as text.
func canonical(t testing.TB, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestPublishedSamples runs the configurations that Microsoft publishes on the
// sample data. A resource may be refused only where the reason is one that the
// tool has as well.
func TestPublishedSamples(t *testing.T) {
	src := checkout(t)
	configs, err := filepath.Glob(filepath.Join(src, "Microsoft.Health.Fhir.Anonymizer.R4.CommandLineTool", "configuration-sample*.json"))
	if err != nil || len(configs) == 0 {
		t.Fatalf("the checkout has no samples (%v)", err)
	}
	var files []string
	for _, folder := range []string{"fhir-r4-examples", "synthea-r4-smart", "synthea-bulk-10"} {
		more, _ := filepath.Glob(filepath.Join(need.DataFile(t, folder), "*json"))
		files = append(files, more...)
	}
	more, _ := filepath.Glob(filepath.Join(filepath.Dir(src), "samples", "fhir-r4-files", "*.json"))
	files = append(files, more...)
	for _, config := range configs {
		t.Run(filepath.Base(config), func(t *testing.T) {
			cfg, err := Read(read1(t, config))
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(cfg, Options{AsOf: asOf, Rand: zeros{}})
			if err != nil {
				t.Fatal(err)
			}
			var total Counts
			resources, size := 0, 0
			for _, file := range files {
				for _, raw := range bytes.Split(oneResource(read1(t, file), file), []byte("\n")) {
					if len(bytes.TrimSpace(raw)) == 0 || !bytes.Contains(raw, []byte(`"resourceType"`)) {
						continue
					}
					out, n, err := a.Resource(nil, raw)
					if err != nil {
						t.Errorf("%s: %v", filepath.Base(file), err)
						continue
					}
					if !json.Valid(out) {
						t.Errorf("%s: the output is not JSON", filepath.Base(file))
					}
					resources++
					size += len(raw)
					total.Add(n)
				}
			}
			t.Logf("%d resources, %d bytes: %+v", resources, size, total)
		})
	}
}

// oneResource leaves NDJSON as it is, and makes of a JSON file one line.
func oneResource(raw []byte, name string) []byte {
	if strings.HasSuffix(name, ".ndjson") {
		return raw
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
