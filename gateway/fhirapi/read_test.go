package fhirapi

import (
	"bytes"
	"crypto/sha256"
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
	if bytes.Contains(r.Body, []byte(patient)) {
		t.Error("the source's id left")
	}
	if r.Header.Get("Content-Length") == "" {
		t.Error("a small answer is not one release with its length")
	}
}
