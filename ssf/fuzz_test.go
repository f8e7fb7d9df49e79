package ssf

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// still is a registry with one vendor's people and another's, in which nothing is
// done.
type still struct{ v *snapshot.View }

func (s still) View() *snapshot.View { return s.v }
func (still) Do(context.Context, registry.Actor, registry.Act, registry.Meta) (registry.Result, error) {
	return registry.Result{}, errors.New("fuzzed: nothing is done")
}

type noKeys struct{}

func (noKeys) Keys(context.Context, string, bool) ([]byte, error) { return nil, errors.New("none") }

func fuzzView() *snapshot.View {
	e := (&snapshot.View{}).Edit()
	ok := snapshot.Approval{State: snapshot.Approved, RequestedBy: "a", ApprovedBy: "b"}
	for _, v := range []id.Vendor{"own", "other"} {
		login, person := id.Connector("login-"+v), id.Person("p-"+v)
		e.Put(&snapshot.Connector{ID: login, Vendor: v, Kind: snapshot.OIDCProvider, Issuer: "https://" + string(v) + ".example", Approval: ok})
		e.Put(&snapshot.Person{ID: person, Vendor: v, Login: snapshot.Login{Connector: login, Subject: "s"},
			Directory: snapshot.Directory{UserName: "x@y.example", ExternalID: "e"}, Approval: ok})
		e.Put(&snapshot.Device{ID: id.Device("d-" + v), Vendor: v, Owner: person, Approval: ok})
		e.Put(&snapshot.Session{ID: id.Session("x-" + v), Person: person, Vendor: v, ExpiresAt: time.Unix(1<<40, 0)})
	}
	e.Put(&snapshot.Connector{ID: "events", Vendor: "own", Kind: snapshot.SSFSender, Issuer: "https://own.example", Audience: "us", Approval: ok})
	e.Put(&snapshot.Vendor{ID: "own", Approval: ok})
	return e.Publish(1, 0, time.Unix(0, 0))
}

// Whatever a subject says, it means nobody and nothing of another vendor.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{`{"format":"iss_sub","iss":"https://own.example","sub":"s"}`, `{"format":"opaque","id":"p-other"}`, `{"format":"email","email":"x@y.example"}`,
		`{"format":"aliases","identifiers":[{"format":"opaque","id":"e"},{"format":"account","uri":"acct:x@y.example"}]}`,
		`{"format":"complex","user":{"format":"opaque","id":"s"},"device":{"format":"opaque","id":"d-other"},"session":{"format":"opaque","id":"x-other"}}`, `{"user":{"id":1}}`, `[]`, `null`} {
		f.Add([]byte(s))
	}
	v := fuzzView()
	c := &snapshot.Connector{ID: "c", Vendor: "own", Kind: snapshot.SSFSender}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := subjects(v, c, jsontext.Value(raw))
		for _, p := range got.persons {
			if p.Vendor != "own" {
				t.Errorf("%s means another vendor's person", raw)
			}
		}
		for _, d := range got.devices {
			if d.Vendor != "own" {
				t.Errorf("%s means another vendor's device", raw)
			}
		}
		for _, s := range got.sessions {
			if s.Vendor != "own" {
				t.Errorf("%s means another vendor's session", raw)
			}
		}
	})
}

// No text is a token without a key; none brings the receiver down.
func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6InNlY2V2ZW50K2p3dCJ9.eyJpc3MiOiJodHRwczovL293bi5leGFtcGxlIn0.AAAA")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	x := &Receiver{c: Config{Registry: still{fuzzView()}, Keys: noKeys{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := x.verify(t.Context(), raw); err == nil {
			t.Errorf("%q was taken", raw)
		}
	})
}

// An event that cannot be read as harmless is not.
func FuzzEvent(f *testing.F) {
	f.Add(`{"change_type":"create"}`)
	f.Add(`{"change_type":"Create","current_status":"compliant ","current_level":"low","change_direction":""}`)
	f.Fuzz(func(t *testing.T, body string) {
		var d details
		if err := jsonv2.Unmarshal([]byte(body), &d); err != nil {
			return
		}
		for kind, harmless := range map[string]bool{caep + "credential-change": d.Change == "create", caep + "assurance-level-change": d.Direction == "increase",
			caep + "risk-level-change": d.Level == "LOW" || d.Level == "MEDIUM"} {
			if got := effectOf(kind, d); (got == ignore) != harmless {
				t.Errorf("%s %s: got %s", kind, body, got)
			}
		}
		if got := effectOf(caep+"device-compliance-change", d); (got == lift) != (d.Status == "compliant") {
			t.Errorf("%s: got %s", body, got)
		}
	})
}
