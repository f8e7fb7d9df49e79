package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/people"
	"github.com/sallyport/sallyport/problem"
)

// savedSession is what `sallyport login` keeps, readable by its user alone. The
// session counts only on connections that show the certificate beside it, whose key
// was made for it: the secret alone, from a log or a backup, opens nothing.
type savedSession struct {
	Server string `json:"server"`
	People string `json:"people"`
	CA     string `json:"ca,omitempty"`
	people.CLISession
	Cert string `json:"cert"` // PEM
	Key  string `json:"key"`  // PEM
}

func sessionFile() (string, error) {
	if file := os.Getenv("SALLYPORT_SESSION"); file != "" {
		return file, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", problem.New(problem.Invalid, "There is no folder for your session", "Set SALLYPORT_SESSION to a file that only you can read").Because(err)
	}
	return filepath.Join(dir, "sallyport", "session.json"), nil
}

func readSession() (*savedSession, error) {
	file, err := sessionFile()
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.New(problem.Unknown, "You are not signed in", "Run: sallyport login; or give --cert data/people/NAME.crt")
	}
	if err != nil {
		return nil, problem.BadField("session", file+" cannot be read", "Check its permissions").Because(err)
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, problem.BadField("session", file+" can be used by others", "Sign out everywhere on your page, remove the file, and run: sallyport login")
	}
	s := new(savedSession)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, problem.BadField("session", file+" cannot be read", "Remove it and run: sallyport login").Because(err)
	}
	return s, nil
}

func (s *savedSession) write() error {
	file, err := sessionFile()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing the session: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("writing the session: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(file), "session-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing the session: %w", err)
	}
	_, err = next.Write(raw)
	err = errors.Join(err, next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("writing the session: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}

func (s *savedSession) client(now clock) (*http.Client, error) {
	key, err := keyOf(s.Key)
	if err != nil {
		return nil, err
	}
	cred, err := identity.NewCredential([]byte(s.Cert), key)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(s.CA)
	if err != nil {
		return nil, err
	}
	hc := identity.NewHTTPClient(clientTLS(cred, roots, now))
	hc.Timeout = callTimeout
	return hc, nil
}

// post sends a form to the pages for people, over the session's key, with its secret
// where it has one.
func (s *savedSession) post(ctx context.Context, now clock, path string, form url.Values, secret string) ([]byte, error) {
	hc, err := s.client(now)
	if err != nil {
		return nil, err
	}
	defer hc.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.People+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, problem.BadField("people", "is not an address", "Write https://host:port").Because(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json, "+problem.MediaType)
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, problem.New(problem.Unavailable, "The server at "+s.People+" does not answer: "+plain(err), "Check --people and --ca").Because(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		if secret != "" && resp.StatusCode == http.StatusUnauthorized {
			return nil, problem.New(problem.Unknown, "Your session is over", "Sign in again: sallyport login")
		}
		return nil, answered(resp.StatusCode, raw)
	}
	return raw, nil
}

// rootsOf are the authorities of a file; nil, the system's, without one.
func rootsOf(ca string) (*x509.CertPool, error) {
	if ca == "" {
		return nil, nil
	}
	return identity.PoolFromFiles(ca)
}

func keyOf(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, problem.BadField("session", "holds no key", "Run: sallyport login")
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, problem.BadField("session", "holds no key", "Run: sallyport login").Because(err)
	}
	return key, nil
}

// newSessionKey makes the key that a session is bound to, and a certificate that
// only carries it: nobody vouches for it, and the server asks for none.
func newSessionKey(now time.Time) (certPEM, keyPEM string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("making the session's key: %w", err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "sallyport session"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return "", "", fmt.Errorf("making the session's certificate: %w", err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", "", fmt.Errorf("writing the session's key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})), nil
}

// visit is a ceremony in the browser that ends on a port of this machine (RFC 8252,
// section 7.3).
type visit struct {
	Port      int  `help:"The port to be called back on; set it to forward it from another machine (ssh -L PORT:127.0.0.1:PORT)." placeholder:"PORT"`
	NoBrowser bool `name:"no-browser" help:"Only print the address; open it yourself, in a browser on this machine."`
}

const visitTimeout = 5 * time.Minute

// run sends the browser to address, with port and state, and waits until it is back.
func (v visit) run(ctx context.Context, address string, q url.Values) (code string, err error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(v.Port)))
	if err != nil {
		return "", problem.BadField("port", "cannot be listened on", "Choose another").Because(err)
	}
	state := randomText()
	q.Set("state", state)
	q.Set("port", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	came := make(chan string, 1)
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		got := r.URL.Query().Get("state")
		if r.URL.Path != "/" || subtle.ConstantTimeCompare([]byte(got), []byte(state)) != 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, "Done. You can close this page and go back to the command line.\n") // the browser has gone: nothing to do
		select {
		case came <- r.URL.Query().Get("code"):
		default:
		}
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // what is left are idle connections
		}
		<-served
	}()
	where := address + "?" + q.Encode()
	fmt.Fprintf(os.Stderr, "Open this in a browser on this machine:\n\n  %s\n\n", where)
	if !v.NoBrowser {
		openBrowser(where)
	}
	ctx, cancel := context.WithTimeout(ctx, visitTimeout)
	defer cancel()
	select {
	case code := <-came:
		return code, nil
	case <-ctx.Done():
		return "", problem.New(problem.Unavailable, "The browser did not come back in time", "Run the command again. On a machine without a browser, forward a port: ssh -L 8765:127.0.0.1:8765, and --port 8765")
	}
}

// openBrowser tries; the address was printed in any case.
func openBrowser(address string) {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	if path, err := exec.LookPath(name); err == nil {
		if cmd := exec.Command(path, args...); cmd.Start() == nil {
			go func() { _ = cmd.Wait() }() // the browser's own affair
		}
	}
}

func randomText() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

type loginCmd struct {
	People string `help:"The pages for people." env:"SALLYPORT_PEOPLE" default:"https://localhost:8446" placeholder:"URL"`
	Server string `help:"The API's address." env:"SALLYPORT_SERVER" default:"https://localhost:8444" placeholder:"URL"`
	CA     string `help:"The server's authority; without it the system's." env:"SALLYPORT_CA" placeholder:"FILE" type:"path" name:"ca"`
	visit
}

// Run signs in through the browser and keeps the session.
func (c *loginCmd) Run(ctx context.Context, now clock) error {
	cert, key, err := newSessionKey(now())
	if err != nil {
		return err
	}
	s := &savedSession{Server: c.Server, People: strings.TrimSuffix(c.People, "/"), CA: c.CA, Cert: cert, Key: key}
	if _, err := s.client(now); err != nil { // before the person does anything: the authority's file may be missing
		return err
	}
	verifier := randomText()
	sum := sha256.Sum256([]byte(verifier))
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	q := url.Values{"challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "client": {printable(host, 60)}}
	code, err := c.visit.run(ctx, s.People+"/cli/signin", q)
	if err != nil {
		return err
	}
	raw, err := s.post(ctx, now, "/cli/session", url.Values{"code": {code}, "verifier": {verifier}}, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &s.CLISession); err != nil || s.Secret == "" {
		return notOurs(http.StatusOK).Because(err)
	}
	if err := s.write(); err != nil {
		return err
	}
	fmt.Printf("Signed in as %s until %s, or until it is unused for too long.\n", s.Person, s.ExpiresAt.Local().Format("15:04"))
	return nil
}

// printable keeps what is printable ASCII, as much as fits.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), n)]
}

type logoutCmd struct{}

// Run ends the session and forgets it.
func (c *logoutCmd) Run(ctx context.Context, now clock) error {
	s, err := readSession()
	if err != nil {
		return err
	}
	ended := connection{Server: s.Server, now: now}.call(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(string(s.Session))+"/end", map[string]string{"reason": "signed out"}, nil)
	file, err := sessionFile()
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("forgetting the session: %w", err)
	}
	if ended != nil && problem.From(ended).Kind != problem.Unknown {
		return problem.New(problem.Unavailable, "The session is forgotten here, but the server did not end it: "+problem.From(ended).Title, "End it on your page: "+s.People).Because(ended)
	}
	fmt.Println("Signed out.")
	return nil
}

type stepUpCmd struct{ visit }

// Run has the person touch a passkey for this command line's session. The session begins
// and ends it itself, by its secret and its key; the browser only carries the code.
func (c *stepUpCmd) Run(ctx context.Context, now clock) error {
	s, err := readSession()
	if err != nil {
		return err
	}
	verifier := randomText()
	sum := sha256.Sum256([]byte(verifier))
	raw, err := s.post(ctx, now, "/cli/step-up/begin", url.Values{"challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}, s.Secret)
	if err != nil {
		return err
	}
	var began people.CLIStepUp
	if err := json.Unmarshal(raw, &began); err != nil || began.Ticket == "" {
		return notOurs(http.StatusOK).Because(err)
	}
	code, err := c.visit.run(ctx, s.People+"/cli/step-up", url.Values{"ticket": {began.Ticket}})
	if err != nil {
		return err
	}
	if _, err := s.post(ctx, now, "/cli/step-up/end", url.Values{"code": {code}, "verifier": {verifier}}, s.Secret); err != nil {
		return err
	}
	fmt.Println("Confirmed. You can decide for the next minutes.")
	return nil
}

// inviteCmd invites a person: the code is made and shown here, once, and only its
// digest leaves this machine.
type inviteCmd struct {
	ID     string `arg:"" help:"The person's id."`
	Reason string `short:"m" help:"Why, in a sentence; never patient data." required:""`
	For    string `help:"How long the code can be used: up to 7d." default:"3d" placeholder:"TIME"`
	Key    string `name:"idempotency-key" hidden:""`
	JSON   bool   `name:"json" help:"Print JSON."`
	connection
}

// Run does the act and prints the code.
func (c *inviteCmd) Run(ctx context.Context) error {
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	until, err := parseTime("for", c.For, c.now())
	if err != nil {
		return err
	}
	act := map[string]any{"code_sha256": code256, "expires_at": until}
	if err := c.call(ctx, http.MethodPost, "/v1/persons/"+url.PathEscape(c.ID)+"/invite", map[string]any{"reason": c.Reason, "act": act}, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]string{"person": c.ID, "code": code, "expires_at": until})
	}
	fmt.Printf("Hand this code to %s, and to nobody else. It works once, on the page /enroll, until %s:\n\n    %s\n\n"+
		"A third person then compares the passkey's fingerprint with %s and approves: sallyport person approve %s passkeys=...\n", c.ID, until, code, c.ID, c.ID)
	return nil
}
