package agent

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sallyport/sallyport/identity"
)

// A server that does not answer a renewal keeps only the renewal waiting: requests ask the
// agent as whom they go, and must not hang for as long.
func TestARenewalThatHangsHoldsUpNobody(t *testing.T) {
	asked, done := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	now := time.Now()
	authority, err := identity.CreateAuthority(t.TempDir(), "test", now)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := authority.IssueClient(identity.DeviceSubject("d"), 24*time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{o: Options{Now: func() time.Time { return now.Add(20 * time.Hour) }}, config: config{Device: "d", App: "app"}}
	a.link.Store(&link{cred: cred, http: srv.Client(), origin: srv.URL})
	renewed := make(chan error, 1)
	go func() {
		_, err := a.RenewIfDue(t.Context())
		renewed <- err
	}()
	<-asked
	told := make(chan string, 1)
	go func() { told <- a.App() }()
	select {
	case app := <-told:
		if app != "app" {
			t.Errorf("got %q, want app", app)
		}
	case <-time.After(time.Minute):
		t.Error("a request waits for the renewal")
	}
	close(done)
	if err := <-renewed; err == nil {
		t.Error("an empty answer renewed the certificate")
	}
}
