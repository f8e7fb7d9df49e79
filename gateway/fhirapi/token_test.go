package fhirapi

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/snapshot"
)

// revoke ends the token, as an act of the registry would.
func revoke(w *gatewaytest.World, token string) {
	var claims struct {
		ID string `json:"jti"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		w.T.Fatalf("the token cannot be read: %v", err)
	}
	w.Edit(func(e *snapshot.Edit) {
		app, _ := e.View().Apps.Get(gatetest.App)
		a := *app
		a.Revoked = append(slices.Clone(a.Revoked), snapshot.RevokedToken{ID: claims.ID, Until: time.Now().Add(time.Hour)})
		e.Put(&a)
	})
}

// A revoked token stops what is under way with it, is recorded as the cause, and
// leaves another token of the application alone.
func TestARevokedTokenStopsAStream(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	code := w.Code(w.Records.IDs("Patient")[0])
	w.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 64 << 20, Rate: 300_000})
	resp, err := w.Client.Get(w.URL + "/Observation?patient=" + code)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	token, err := w.Tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoke(w, token)
	began := time.Now()
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Error("the answer came to its end")
	}
	t.Logf("cut after %v", time.Since(began))
	decision := resp.Header.Get("Sallyport-Decision")
	recorded := func() bool {
		incomplete, refused := false, false
		for _, e := range w.Entries() {
			if string(e.Decision()) != decision {
				continue
			}
			incomplete = incomplete || e.Outcome != nil && e.Outcome.Result == audit.Incomplete
			refused = refused || e.Refusal != nil && slices.ContainsFunc(e.Refusal.Failing, func(f audit.Failing) bool {
				return f.Gate == "token" && f.Reason == string(identity.TokenRevoked)
			})
		}
		return incomplete && refused
	}
	gatewaytest.Eventually(t, "a log that says that it was cut off, and why", recorded)
	w.Hospital.Misbehave(hospital.Fault{})
	if r := w.Get("/Patient/" + code); r.Status != http.StatusUnauthorized {
		t.Errorf("with the same token: %d", r.Status)
	}
	if r := w.Get("/Patient/" + code); r.Status != http.StatusOK {
		t.Errorf("with another token: %d %s", r.Status, r.Body)
	}
}

// A program that proves itself is served, and the record says how.
func TestProofsAreRecorded(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	key, err := identity.NewKey(256)
	if err != nil {
		t.Fatal(err)
	}
	prover, err := identity.NewProver(key)
	if err != nil {
		t.Fatal(err)
	}
	hc := w.Proving(prover)
	r := w.DoAs(hc, w.URL+"/Patient/"+w.Code(w.Records.IDs("Patient")[0]))
	if r.Status != http.StatusOK {
		t.Fatalf("got %d %s", r.Status, r.Body)
	}
	for _, e := range w.Decision(r) {
		if e.Intent != nil && e.Intent.Transport.Binding != "mtls+dpop" {
			t.Errorf("recorded as %q", e.Intent.Transport.Binding)
		}
	}
}
