package alert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/alert"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

const canary = "Zebulon Quartermain"

type door struct {
	t   *testing.T
	reg *registry.Registry
	now time.Time
	log bytes.Buffer
	h   *alert.Receiver
}

func open(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "r.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return d.now }
	if d.reg, err = registry.Open(t.Context(), registry.Options{Store: st, Log: &registrytest.Log{}, Engine: engine, Node: "node-1", Settings: registrytest.Settings(), Clock: clock}); err != nil {
		t.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: d.now}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), d.reg, steps); err != nil {
		t.Fatal(err)
	}
	for name, vendor := range map[id.Connector]id.Vendor{"siem": "northwind", "ours": ""} {
		d.do("ada", registry.RegisterConnector{ID: name, Vendor: vendor, Kind: snapshot.AlertSender, Name: "SIEM", Token256: string(registrytest.Key("token-" + string(name)))})
		d.do("grace", registry.ApproveConnector{ID: name})
	}
	d.do("ada", registry.RegisterConnector{ID: "new", Vendor: "northwind", Kind: snapshot.AlertSender, Name: "SIEM", Token256: string(registrytest.Key("token-new"))})
	d.do("ada", registry.RegisterConnector{ID: "dir", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Directory", Token256: string(registrytest.Key("token-dir"))})
	d.do("grace", registry.ApproveConnector{ID: "dir"})
	if d.h, err = alert.New(alert.Config{Registry: d.reg, Now: clock, Log: slog.New(slog.NewJSONHandler(&d.log, nil))}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *door) do(by id.Person, a registry.Act) {
	d.t.Helper()
	if _, err := d.reg.Do(context.Background(), registry.Actor{Person: by}, a, registry.Meta{Reason: "test"}); err != nil {
		d.t.Fatalf("%T: %v", a, err)
	}
}

func (d *door) post(token, body string) (int, alert.Receipt, string) {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/incidents", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	var out alert.Receipt
	_ = json.Unmarshal(w.Body.Bytes(), &out) // a problem is none
	return w.Code, out, w.Body.String()
}

// A system's report is an incident, once, with the time when the organisation was told.
func TestASystemReportsOnce(t *testing.T) {
	d := open(t)
	body := `{"reference": "SOC-1", "title": "Notebook of ` + canary + `", "discovered_at": "2026-06-01T09:00:00Z", "about": [{"noun": "app", "id": "triage"}], "individuals": 3}`
	d.do("grace", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldIncident})
	status, first, text := d.post("token-siem", body)
	if status != http.StatusCreated || first.Incident == "" || !first.ReportedAt.Equal(d.now) || first.Repeated {
		t.Fatalf("got %d %s", status, text)
	}
	in, ok := d.reg.View().Incidents.Get(id.Incident(first.Incident))
	if !ok || in.Vendor != "northwind" || in.DiscoveredBy != snapshot.VendorParty || in.Estimate != 3 || in.OpenedBy != "connector.siem" || !in.DiscoveredAt.Equal(d.now.Add(-3*time.Hour)) {
		t.Errorf("got %+v", in)
	}
	d.now = d.now.Add(time.Hour)
	if status, again, text := d.post("token-siem", body); status != http.StatusOK || again.Incident != first.Incident || !again.Repeated || !again.ReportedAt.Equal(first.ReportedAt) {
		t.Errorf("sent again: got %d %s", status, text)
	}
	if status, _, _ := d.post("token-siem", strings.Replace(body, "Notebook", "Laptop", 1)); status != http.StatusConflict {
		t.Errorf("another report under its reference: got %d", status)
	}
	status, own, text := d.post("token-ours", `{"reference": "SOC-1", "title": "Egress", "vendor": "northwind"}`)
	in, _ = d.reg.View().Incidents.Get(id.Incident(own.Incident))
	if status != http.StatusCreated || in == nil || in.DiscoveredBy != snapshot.Organisation {
		t.Errorf("ours: got %d %s, %+v", status, text, in)
	}
	if strings.Contains(d.log.String(), canary) {
		t.Error("the title is in the log")
	}
}

func TestWhatIsNoReport(t *testing.T) {
	d := open(t)
	good := `{"reference": "1", "title": "x"}`
	for _, c := range []struct {
		what, token, body string
		status            int
	}{
		{"no token", "", good, http.StatusUnauthorized},
		{"a stranger", "token-other", good, http.StatusUnauthorized},
		{"nobody approved it", "token-new", good, http.StatusUnauthorized},
		{"a directory's token", "token-dir", good, http.StatusUnauthorized},
		{"no object", "token-siem", `[]`, http.StatusBadRequest},
		{"an unknown name", "token-siem", `{"reference": "1", "title": "x", "` + canary + `": 1}`, http.StatusBadRequest},
		{"a name twice", "token-siem", `{"reference": "1", "reference": "2", "title": "x"}`, http.StatusBadRequest},
		{"two objects", "token-siem", good + good, http.StatusBadRequest},
		{"no reference", "token-siem", `{"title": "x"}`, http.StatusBadRequest},
		{"no title", "token-siem", `{"reference": "1"}`, http.StatusBadRequest},
		{"another vendor", "token-siem", `{"reference": "1", "title": "x", "vendor": "southwind"}`, http.StatusBadRequest},
		{"what is not the vendor's", "token-siem", `{"reference": "1", "title": "x", "about": [{"noun": "person", "id": "ada"}]}`, http.StatusBadRequest},
		{"discovered tomorrow", "token-siem", `{"reference": "1", "title": "x", "discovered_at": "2027-01-01T00:00:00Z"}`, http.StatusBadRequest},
		{"too long", "token-siem", `{"reference": "1", "title": "` + strings.Repeat("x", 70<<10) + `"}`, http.StatusRequestEntityTooLarge},
		{"a vendor that is not there", "token-ours", `{"reference": "1", "title": "x", "vendor": "southwind"}`, http.StatusForbidden},
	} {
		if status, _, body := d.post(c.token, c.body); status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.what, status, body, c.status)
		}
	}
	if n := d.reg.View().Incidents.Len(); n != 0 {
		t.Errorf("%d incidents", n)
	}
	if strings.Contains(d.log.String(), canary) {
		t.Error("a sender's words are in the log")
	}
	r := httptest.NewRequest(http.MethodGet, "/incidents", nil)
	r.Header.Set("Authorization", "Bearer token-siem")
	w := httptest.NewRecorder()
	if d.h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", w.Code)
	}
}

// An alarm that rings on and on is slowed down, and heard again later.
func TestAnAlarmThatRingsOnAndOn(t *testing.T) {
	d := open(t)
	status := 0
	for n := 0; status != http.StatusTooManyRequests && n < 100; n++ {
		status, _, _ = d.post("token-siem", `{`)
	}
	if status != http.StatusTooManyRequests {
		t.Fatalf("got %d", status)
	}
	if status, _, _ := d.post("token-ours", `{`); status != http.StatusBadRequest {
		t.Errorf("another system: got %d", status)
	}
	d.now = d.now.Add(time.Minute)
	if status, _, _ := d.post("token-siem", `{"reference": "1", "title": "x"}`); status != http.StatusCreated {
		t.Errorf("a minute later: got %d", status)
	}
}

// FuzzRead: whatever is sent is a report with a reference, or a problem.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"reference":"1","title":"x"}`, `{}`, `[]`, `{"reference":"\u0000"}`, `{"reference":"1","about":[{"noun":"app","id":"a"}],"occurred_at":"2026-03-01T10:00:00Z"}`, `{"reference":"1"}{}`, `{"individuals":1e9}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := alert.Read(io.LimitReader(bytes.NewReader(raw), 1<<16))
		if err == nil && (strings.TrimSpace(in.Reference) == "" || len(in.Reference) > 100 || strings.ContainsAny(in.Reference, "\x00\n")) {
			t.Errorf("%q is read as %+v", raw, in)
		}
	})
}
