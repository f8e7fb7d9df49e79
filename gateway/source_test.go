package gateway_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/fhirapi"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
)

func TestSourceConfigurationIsChecked(t *testing.T) {
	for name, c := range map[string]gateway.SourceConfig{
		"no id":               {BaseURL: "https://ehr.example/fhir"},
		"http":                {ID: "ehr", BaseURL: "http://ehr.example/fhir"},
		"no host":             {ID: "ehr", BaseURL: "https:///fhir"},
		"a user in it":        {ID: "ehr", BaseURL: "https://a:b@ehr.example/fhir"},
		"a query":             {ID: "ehr", BaseURL: "https://ehr.example/fhir?x=1"},
		"a fragment":          {ID: "ehr", BaseURL: "https://ehr.example/fhir#x"},
		"another scheme":      {ID: "ehr", BaseURL: "ftp://ehr.example/fhir"},
		"two ways to show up": {ID: "ehr", BaseURL: "https://ehr.example/fhir", Bearer: "x", Username: "y"},
	} {
		if _, err := gateway.NewSource(c); err == nil || !strings.Contains(err.Error(), "sources.") {
			t.Errorf("%s: got %v, want a problem that names the field", name, err)
		}
	}
	if _, err := gateway.NewSource(gateway.SourceConfig{ID: "ehr", BaseURL: "http://127.0.0.1:8080/fhir/"}); err != nil {
		t.Errorf("http on loopback: %v", err)
	}
}

// Each way to show credentials to a source works, over TLS with a pinned
// authority, and without them the source's refusal is not the caller's.
func TestSourceCredentials(t *testing.T) {
	records := gatewaytest.Small()
	key, err := identity.NewKey(384)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		auth hospital.Auth
		set  func(*gateway.SourceConfig, *httptest.Server)
		want int
	}{
		"bearer":       {hospital.Auth{Bearer: "tok"}, func(s *gateway.SourceConfig, _ *httptest.Server) { s.Bearer = "tok" }, 200},
		"basic":        {hospital.Auth{User: "u", Password: "p"}, func(s *gateway.SourceConfig, _ *httptest.Server) { s.Username, s.Password = "u", "p" }, 200},
		"wrong bearer": {hospital.Auth{Bearer: "tok"}, func(s *gateway.SourceConfig, _ *httptest.Server) { s.Bearer = "no" }, 502},
		"unpinned":     {hospital.Auth{}, func(s *gateway.SourceConfig, _ *httptest.Server) { s.RootCAs = x509.NewCertPool() }, 502},
		"smart": {hospital.Auth{Backend: map[string]crypto.PublicKey{"gw": key.Public()}}, func(s *gateway.SourceConfig, up *httptest.Server) {
			hc := up.Client()
			client, err := identity.NewClient(identity.ClientConfig{ClientID: "gw", Key: key, TokenURL: up.URL + "/fhir/auth/token",
				Resource: up.URL + "/fhir", Scope: "system/*.rs", HTTP: hc, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			s.SMART = client
		}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			up := httptest.NewTLSServer(hospital.NewServer(records, hospital.Options{Auth: c.auth}))
			defer up.Close()
			w := gatewaytest.New(t, fhirapi.New("test", ""), gatewaytest.Options{Records: records, Source: func(s *gateway.SourceConfig) {
				s.BaseURL = up.URL + "/fhir"
				s.RootCAs = up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				c.set(s, up)
			}})
			r := w.Get("/Patient/" + w.Code(records.IDs("Patient")[0]))
			if r.Status != c.want {
				t.Errorf("got %d, want %d: %s\n%s", r.Status, c.want, r.Body, w.Logs())
			}
		})
	}
	t.Run("mutual TLS", func(t *testing.T) {
		up := httptest.NewUnstartedServer(hospital.NewServer(records, hospital.Options{Auth: hospital.Auth{Certificate: true}}))
		var config gateway.SourceConfig
		w := gatewaytest.New(t, fhirapi.New("test", ""), gatewaytest.Options{Records: records, Upstream: http.NotFoundHandler()})
		cert := w.Device.TLS() // any certificate of an authority that the source trusts
		up.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: w.Authority.Pool(), MaxVersion: tls.VersionTLS12}
		up.StartTLS()
		defer up.Close()
		w = gatewaytest.New(t, fhirapi.New("test", ""), gatewaytest.Options{Records: records, Source: func(s *gateway.SourceConfig) {
			s.BaseURL = up.URL + "/fhir"
			s.RootCAs = up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			s.Certificate = &cert
			config = *s
		}})
		r := w.Get("/Patient/" + w.Code(records.IDs("Patient")[0]))
		if r.Status != 200 || config.ID != gatetest.Source {
			t.Errorf("got %d: %s", r.Status, r.Body)
		}
		if !strings.Contains(w.Logs(), "TLS 1.2") {
			t.Error("nobody was told that the source speaks TLS 1.2")
		}
	})
}

// A token endpoint that takes the question and says nothing is not waited for longer
// than the source itself.
func TestASlowTokenEndpoint(t *testing.T) {
	hold := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-hold
	}))
	defer up.Close()
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // whoever waits for this waits for the endpoint
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, up.URL, strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	tr := gateway.TokenTransport(gateway.SourceConfig{ID: "ehr", HeaderTimeout: 50 * time.Millisecond})
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	var slow net.Error
	if ctx.Err() != nil || !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("got %v, want a timeout of the transport's own", err)
	}
}

// Without the vault nothing leaves.
func TestWithoutTheVault(t *testing.T) {
	w := gatewaytest.New(t, fhirapi.New("test", ""), gatewaytest.Options{})
	path := "/Patient/" + w.Code(w.Records.IDs("Patient")[0])
	if r := w.Get(path); r.Status != 200 {
		t.Fatalf("got %d", r.Status)
	}
	w.Vault.Close()
	if r := w.Get(path); r.Status == 200 {
		t.Errorf("got %d: %s", r.Status, r.Body)
	}
}

func TestVolumeTurnsWithTheDay(t *testing.T) {
	var v gateway.Volume
	now := time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)
	if v.Reserve("g", now, 1, 10) {
		t.Error("reserved before the counters were loaded")
	}
	v.Load("g", now.Add(-48*time.Hour), 100)
	v.Load("g", now, 4)
	v.Loaded()
	if !v.Reserve("g", now, 6, 10) || v.Reserve("g", now, 1, 10) || v.Reserve("g", now, -5, 10) {
		t.Error("the day's limit does not hold")
	}
	if n, ok := v.Today("g", now.Add(time.Second)); n != 0 || !ok {
		t.Errorf("on the next day: got %d, %t", n, ok)
	}
	if n, _ := v.Today("g", now); n != 0 {
		// The clock went back: the newest day goes on counting.
		t.Errorf("got %d", n)
	}
	if !v.Reserve("g", now, 10, 10) || v.Reserve("g", now.Add(time.Second), 1, 10) {
		t.Error("a clock that goes back opens a second day")
	}
}
