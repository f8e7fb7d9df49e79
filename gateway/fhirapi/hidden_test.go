package fhirapi

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
	"github.com/sallyport/sallyport/vault"
)

// part2 is a label that the grants here do not name.
const part2 = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}]},`

func clinicRole(r *snapshot.Role) {
	all := []string{"read", "vread", "search-type", "everything"}
	r.Resources["Encounter"] = snapshot.ResourceScope{Interactions: all, Elements: []string{"status", "class", "subject", "serviceProvider"}}
	r.Resources["Organization"] = snapshot.ResourceScope{Interactions: all, Elements: []string{"type", "active"}}
}

func clinic(id string) string {
	return fmt.Sprintf(`{"resourceType":"Organization","id":%q,"active":true}`, id)
}

func visit(id, patient, org, meta string) string {
	return fmt.Sprintf(`{"resourceType":"Encounter","id":%q,%s"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"serviceProvider":{"reference":"Organization/%s"},"subject":{"reference":"Patient/%s"}}`, id, meta, org, patient)
}

// What came only because of a record that is left out is left out too: the clinic
// names the visit.
func TestNothingComesInPlaceOfTheHidden(t *testing.T) {
	p := hospital.Generate(3, 3).IDs("Patient")
	records := custom(t, clinic("secret"), visit("labelled", p[0], "secret", part2), clinic("plain"), visit("open", p[0], "plain", ""),
		observation("hidden", p[0], `"encounter":{"reference":"Encounter/other"},`+part2), visit("other", p[0], "plain", ""))
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: clinicRole, Grant: func(g *snapshot.Grant) { g.Labels = nil }})
	code := w.Code(p[0])
	ask := func(query string) string {
		t.Helper()
		r := w.Get(query)
		if r.Status != 200 && r.Status != 404 {
			t.Fatalf("%s: got %d: %s", query, r.Status, r.Body)
		}
		return string(r.Body)
	}
	visits := "/Encounter?patient=" + code + "&_include=Encounter:service-provider"
	everything := "/Patient/" + code + "/$everything?_type=Patient,Encounter,Organization"
	for _, query := range []string{visits, visits + "&_count=1", everything} {
		body := ask(query)
		if strings.Contains(body, w.Code("secret")) {
			t.Errorf("%s: the clinic of a labelled visit came", query)
		}
		if !strings.Contains(body, w.Code("plain")) && !strings.Contains(query, "_count") {
			t.Errorf("%s: the clinic of an open visit did not come", query)
		}
	}
	if body := ask("/Observation?code=99999-1&_include=Observation:encounter"); strings.Contains(body, w.Code("other")) {
		t.Error("the visit of a labelled observation came")
	}
	if body := ask("/Encounter?_id=" + w.Code("open") + "&_revinclude=Observation:encounter"); strings.Contains(body, w.Code("hidden")) {
		t.Error("a labelled observation came")
	}
	if err := w.Vault.SetHold(t.Context(), gatetest.Source, p[0], vault.Restriction, "act-1"); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{visits, everything} {
		if body := ask(query); strings.Contains(body, `"Organization"`) {
			t.Errorf("%s: a clinic of a patient on hold came", query)
		}
	}
	if r := w.Get(everything); r.Status != 404 {
		t.Errorf("everything of a patient on hold: got %d, want 404", r.Status)
	}
}

// The clinics of all pages come, with whichever page the source sends them.
func TestEverythingBringsWhatItRefersTo(t *testing.T) {
	p := hospital.Generate(3, 3).IDs("Patient")
	records := custom(t, clinic("plain"), visit("open", p[0], "plain", ""))
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: clinicRole})
	r := w.Get("/Patient/" + w.Code(p[0]) + "/$everything?_type=Patient,Encounter,Organization&_count=2")
	for range 100 {
		if r.Status != 200 {
			t.Fatalf("got %d: %s", r.Status, r.Body)
		}
		if strings.Contains(string(r.Body), `"id":"`+w.Code("plain")+`"`) {
			return
		}
		next := link(t, r, "next")
		if next == "" {
			break
		}
		r = w.DoAs(w.Client, next)
	}
	t.Error("the clinic did not come on any page")
}

// What is not in the view is not counted, and who is counted is recorded.
func TestCountsAreReleases(t *testing.T) {
	p := hospital.Generate(3, 3).IDs("Patient")
	records := custom(t, observation("early", p[0], ""))
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: func(r *snapshot.Role) {
		r.Since = time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	}})
	for _, how := range []string{"_summary=count", "_count=0", "_total=accurate"} {
		if r := w.Get("/Observation?code=99999-1&" + how); r.Status != 200 || r.JSON(t)["total"] != 0.0 {
			t.Errorf("%s counts outside the date window: %d %s", how, r.Status, r.Body)
		}
	}
	w = gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records})
	r := w.Get("/Observation?code=99999-1&_summary=count")
	if r.JSON(t)["total"] != 1.0 {
		t.Errorf("got %s", r.Body)
	}
	e := w.Decision(r)
	if o := e[len(e)-1].Outcome; o == nil || len(o.Patients) != 1 {
		t.Errorf("the record of a count does not say whom it tells about: %+v", o)
	}
	w.EditGrant(func(g *snapshot.Grant) { g.MaxPatients = 1 })
	if r := w.Get("/Patient?_summary=count"); r.Status != 403 {
		t.Errorf("a count past the cap: got %d", r.Status)
	}
}

// A run of records that may not be seen is not felt by pages of one.
func TestSmallPagesDoNotCountTheHidden(t *testing.T) {
	p := hospital.Generate(3, 3).IDs("Patient")
	var hidden []string
	for i := range 40 {
		hidden = append(hidden, observation(fmt.Sprintf("hidden-%d", i), p[0], part2))
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: custom(t, hidden...), Grant: func(g *snapshot.Grant) { g.Labels = nil }})
	r := w.Get("/Observation?code=99999-1&_count=1")
	if r.Status != 200 || link(t, r, "next") != "" || len(entries(t, r)) != 0 {
		t.Errorf("got %d: %s", r.Status, r.Body)
	}
}

// A batch waits for its last answer. What ended meanwhile does not leave with it.
func TestBatchIsDecidedAgain(t *testing.T) {
	var w *gatewaytest.World
	base := hospital.Generate(3, 3)
	p := base.IDs("Patient")
	hs := hospital.NewServer(base, hospital.Options{})
	up := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, p[1]) {
			w.TerminateBAA()
		}
		hs.ServeHTTP(rw, r)
	})
	w = gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: base, Upstream: up})
	body := `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/` + w.Code(p[0]) + `"}},{"request":{"method":"GET","url":"Patient/` + w.Code(p[1]) + `"}}]}`
	r := w.Do("POST", "", []byte(body), "Content-Type", "application/fhir+json")
	if strings.Contains(string(r.Body), `"gender"`) {
		t.Errorf("left after the BAA ended: %s", r.Body)
	}
}

// A caller on HTTP/2 who opens no window makes even a small answer wait (RFC 9113,
// section 5.2). What ended meanwhile does not leave when it opens.
func TestNoWindowNoDelay(t *testing.T) {
	base := hospital.Generate(3, 3)
	p := base.IDs("Patient")
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: base})
	tok, err := w.Tokens.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := identity.ClientTLS(w.Device, w.Authority.Pool())
	cfg.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", strings.Split(strings.TrimPrefix(w.URL, "https://"), "/")[0], cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	frame := func(typ, flags byte, stream uint32, payload []byte) {
		n := len(payload)
		h := []byte{byte(n >> 16), byte(n >> 8), byte(n), typ, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}
		if _, err := c.Write(append(h, payload...)); err != nil {
			t.Log(err)
		}
	}
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	frame(4, 0, 0, []byte{0, 4, 0, 0, 0, 0}) // SETTINGS_INITIAL_WINDOW_SIZE 0
	enc := func(kv ...string) []byte {
		var b bytes.Buffer
		for i := 0; i < len(kv); i += 2 {
			b.WriteByte(0) // literal without indexing, new name
			for _, s := range kv[i : i+2] {
				n := len(s)
				if n < 127 {
					b.WriteByte(byte(n))
				} else {
					b.WriteByte(127)
					n -= 127
					for n >= 128 {
						b.WriteByte(byte(n%128 + 128))
						n /= 128
					}
					b.WriteByte(byte(n))
				}
				b.WriteString(s)
			}
		}
		return b.Bytes()
	}
	path := "/fhir/" + string(gatetest.Source) + "/Patient/" + w.Code(p[0])
	frame(1, 5, 1, enc(":method", "GET", ":scheme", "https", ":authority", "127.0.0.1", ":path", path, "authorization", "Bearer "+tok))
	got := ""
	revoked := false
	c.SetReadDeadline(time.Now().Add(time.Minute))
	ended := func(err error) {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the gateway neither gave an answer nor ended it")
		}
		t.Logf("end: %v", err)
	}
loop:
	for {
		var h [9]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			ended(err)
			break
		}
		payload := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			ended(err)
			break
		}
		switch h[3] {
		case 4:
			if h[4]&1 == 0 {
				frame(4, 1, 0, nil)
			}
		case 1:
			if !revoked {
				revoked = true
				w.TerminateBAA()
				gatewaytest.Eventually(t, "a log that says who refused it", func() bool {
					return slices.ContainsFunc(w.Entries(), func(e audit.Entry) bool { return e.Refusal != nil })
				})
				frame(8, 0, 1, []byte{0, 16, 0, 0})
			}
		case 0:
			got += string(payload)
			if h[4]&1 != 0 {
				break loop
			}
		case 3, 7:
			t.Logf("reset or goaway %x", payload)
			break loop
		}
	}
	if !revoked {
		t.Error("no answer began")
	}
	if strings.Contains(got, "gender") {
		t.Errorf("left after the BAA ended: %s", got)
	}
}
