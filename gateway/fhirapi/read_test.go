package fhirapi

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
)

func TestReadGoesThroughBothDoors(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	patient := w.Records.IDs("Patient")[0]
	r := w.Get("/Patient/" + w.Code(patient))
	if r.Status != 200 || r.Err != nil {
		t.Fatalf("got %d, %v: %s\n%s", r.Status, r.Err, r.Body, w.Logs())
	}
	m := r.JSON(t)
	if got, want := m["id"], w.Code(patient); got != want {
		t.Errorf("id: got %v, want the code %v", got, want)
	}
	if m["name"] != nil || m["gender"] == nil {
		t.Errorf("got name %v and gender %v, want only what the role shows", m["name"], m["gender"])
	}
	if bytes.Contains(r.Body, []byte(patient)) {
		t.Error("the source's id left")
	}
	entries := w.Decision(r)
	if len(entries) != 2 || entries[0].Intent == nil || entries[1].Outcome == nil {
		t.Fatalf("got %d entries, want an intent and an outcome", len(entries))
	}
	o := entries[1].Outcome
	if o.Digest != audit.Digest(sha256.Sum256(r.Body)) || o.Bytes != uint64(len(r.Body)) || !o.Final || o.PatientCount != 1 {
		t.Errorf("the outcome does not tell what left: %+v", o)
	}
	if got, want := fmt.Sprint(o.Shown), fmt.Sprint([]audit.TypeShown{{Type: "Patient", Bits: marks("Patient", m)}}); got != want {
		t.Errorf("shown: got %s, want %s in %s", got, want, r.Body)
	}
}

// marks are the elements of the box's role that resources of a type have, as the log
// writes them.
func marks(typ string, resources ...map[string]any) string {
	bits := uint64(0)
	for i, path := range slices.Sorted(slices.Values(gatewaytest.Role()[typ].Elements)) {
		stem, choice := strings.CutSuffix(path, "[x]")
		for _, m := range resources {
			for name, v := range m {
				masked := strings.Contains(fmt.Sprint(v), "data-absent-reason")
				if name = strings.TrimPrefix(name, "_"); !masked && (name == path || choice && strings.HasPrefix(name, stem)) {
					bits |= 1 << i
				}
			}
		}
	}
	return strconv.FormatUint(bits, 16)
}

func TestSearchGoesThroughBothDoors(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	patient := w.Records.IDs("Patient")[0]
	r := w.Get("/Observation?patient=" + w.Code(patient) + "&_count=5")
	if r.Status != 200 || r.Err != nil {
		t.Fatalf("got %d, %v: %s\n%s", r.Status, r.Err, r.Body, w.Logs())
	}
	m := r.JSON(t)
	entries, _ := m["entry"].([]any)
	if len(entries) == 0 || m["total"] != nil {
		t.Errorf("got %d entries and total %v", len(entries), m["total"])
	}
	var resources []map[string]any
	for _, e := range entries {
		resources = append(resources, e.(map[string]any)["resource"].(map[string]any))
	}
	log := w.Decision(r)
	if o := log[len(log)-1].Outcome; o == nil || len(o.Shown) != 1 || o.Shown[0].Type != "Observation" || o.Shown[0].Bits != marks("Observation", resources...) || o.Shown[0].Bits == "0" {
		t.Errorf("shown: got %+v, want %s", o, marks("Observation", resources...))
	}
	if bytes.Contains(r.Body, []byte(patient)) {
		t.Error("the source's id left")
	}
	if r.Header.Get("Content-Length") == "" {
		t.Error("a small answer is not one release with its length")
	}
}
