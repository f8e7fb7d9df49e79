package agent

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
)

// Who is let in to the local endpoint.
func TestOnlyLocalProgramsOfTheSameUserAreLetIn(t *testing.T) {
	const host = "127.0.0.1:8090"
	request := func(change func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/fhir/Patient", nil)
		r = r.WithContext(context.WithValue(r.Context(), connOwner{}, 1000))
		change(r)
		return r
	}
	owner := func(uid int) func(*http.Request) {
		return func(r *http.Request) { *r = *r.WithContext(context.WithValue(r.Context(), connOwner{}, uid)) }
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		secret string
		want   problem.Kind // empty: let in
	}{
		{"a program", func(*http.Request) {}, "", ""},
		{"by the name localhost", func(r *http.Request) { r.Host = "LocalHost:8090" }, "", ""},
		{"by a rebound name", func(r *http.Request) { r.Host = "evil.example:8090" }, "", problem.Refused},
		{"by another port", func(r *http.Request) { r.Host = "127.0.0.1:80" }, "", problem.Refused},
		{"without a name", func(r *http.Request) { r.Host = "" }, "", problem.Refused},
		{"a page of another origin", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, "", problem.Refused},
		{"a page of its own origin", func(r *http.Request) { r.Header.Set("Origin", "http://"+host) }, "", problem.Refused},
		{"a page, asking for no answer", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, "", problem.Refused},
		{"Node's fetch", func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") }, "", ""},
		{"another user", owner(1001), "", problem.Refused},
		{"root", owner(0), "", ""},
		{"an unknown user", func(r *http.Request) { *r = *r.WithContext(t.Context()) }, "", problem.Refused},
		{"without the secret", func(*http.Request) {}, "s3cret", problem.Unknown},
		{"with another secret", func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cre") }, "s3cret", problem.Unknown},
		{"with the secret", func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cret") }, "s3cret", ""},
		{"with the secret as a password", func(r *http.Request) { r.SetBasicAuth("anybody", "s3cret") }, "s3cret", ""},
	} {
		g := &guard{hosts: []string{host, "localhost:8090"}, uid: 1000, secret: tc.secret}
		p := g.check(request(tc.change))
		if tc.want == "" && p != nil || tc.want != "" && (p == nil || p.Kind != tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, p, tc.want)
		}
		if p != nil && strings.Contains(p.Error(), "s3cret") {
			t.Errorf("%s: the answer tells the secret", tc.name)
		}
	}
}

// The kernel knows whose each end of a real connection is.
func TestTheKernelSaysWhoseAConnectionIs(t *testing.T) {
	if ownerOf == nil {
		t.Skip("this system does not say")
	}
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, "localhost:0")
		if err != nil {
			t.Logf("no %s on loopback here: %v", network, err)
			continue
		}
		defer l.Close()
		client, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		ctx := connContext(t.Context(), server)
		if uid, ok := ctx.Value(connOwner{}).(int); !ok || uid != os.Getuid() {
			t.Errorf("%s: got user %d, %v, want %d", network, uid, ok, os.Getuid())
		}
	}
	// Another user who asks and closes at once cannot read the answer, and must not
	// be taken for root either, so that the question is asked in the user's name.
	l, err := net.Listen("tcp4", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if uid, ok := ownerOf(server.RemoteAddr(), server.LocalAddr()); ok {
		t.Errorf("a connection that its client has closed is user %d's", uid)
	}
	nobody := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	if uid, ok := ownerOf(nobody, nobody); ok {
		t.Errorf("a connection that is not there is user %d's", uid)
	}
}

func FuzzKernelTable(f *testing.F) {
	f.Add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   0: 0100007F:1F9A 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 1 1\n")
	f.Add("")
	a := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8090}
	b := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}
	f.Fuzz(func(t *testing.T, table string) {
		if _, ok := findSocket(strings.NewReader(table), a, b); ok && !strings.Contains(table, "0100007F:1F9A") {
			t.Error("found what is not there")
		}
	})
}

// A refusal stays a valid OperationOutcome, and tells the command.
func TestARefusalTellsWhatToDo(t *testing.T) {
	raw := []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"forbidden","details":{"text":"The conditions of this release are not met"},"diagnostics":"Decision 01"},` +
		`{"severity":"error","code":"forbidden","details":{"coding":[{"system":"urn:sallyport:gate","code":"device"}],"text":"The device's approval has run out"},"diagnostics":"x"},` +
		`{"severity":"error","code":"forbidden","details":{"coding":[{"system":"urn:sallyport:gate","code":"agreement"}],"text":"The BAA is terminated"},"diagnostics":"y"}]}`)
	w := whose{device: "lin-laptop", owner: "lin", app: "lin-app"}
	out, o := w.explainOutcome(raw)
	var back outcome
	if err := json.Unmarshal(out, &back); err != nil || back.ResourceType != "OperationOutcome" || len(back.Issue) != 4 {
		t.Fatalf("got %s, %v", out, err)
	}
	last := back.Issue[3]
	if last.Severity != "information" || last.Code != "informational" || !strings.Contains(last.Diagnostics, "sallyport device approve lin-laptop trusted_until=90d") ||
		!strings.Contains(last.Diagnostics, "sallyport agent status") {
		t.Errorf("the advice is %+v", last)
	}
	if got := o.summary(403); got != "Refused. device: The device's approval has run out; agreement: The BAA is terminated." {
		t.Errorf("the line is %q", got)
	}
	for _, same := range []string{``, `{}`, `[]`, `{"resourceType":"Patient"}`, `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}`} {
		if out, _ := w.explainOutcome([]byte(same)); string(out) != same {
			t.Errorf("%s became %s", same, out)
		}
	}
}

func FuzzOutcome(f *testing.F) {
	f.Add([]byte(`{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"system":"urn:sallyport:gate","code":"device"}]}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, o := whose{}.explainOutcome(raw)
		if len(o.gates()) > 0 && !json.Valid(out) {
			t.Errorf("%q became %q, which is no JSON", raw, out)
		}
	})
}

func TestTheAgentsOwnProblemsAreFHIRToFHIRClients(t *testing.T) {
	for _, tc := range []struct{ path, accept, kind string }{
		{"/fhir/Patient", "application/fhir+json", "application/fhir+json"},
		{"/fhir", "", "application/fhir+json"},
		{"/fhir/Patient", "application/problem+json", "application/problem+json"},
		{"/llm/v1/chat/completions", "*/*", "application/problem+json"},
	} {
		r := httptest.NewRequest(http.MethodGet, tc.path, nil)
		r.Header.Set("Accept", tc.accept)
		w := httptest.NewRecorder()
		writeProblem(w, r, problem.New(problem.Unavailable, "The server does not answer", "Wait"))
		resp := w.Result()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 503 || resp.Header.Get("Content-Type") != tc.kind || !json.Valid(body) || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s, %s: got %d %s %s", tc.path, tc.accept, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
}
