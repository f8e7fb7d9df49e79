package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	_ "embed" // the page
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/living"
)

// picker is the demo's own page, beside the product and no part of it: whoever opens it
// chooses which of the synthetic people to be. This process holds the passkeys of those
// people, touches the one that was chosen at the product's own door, and hands the
// session's cookie to the browser; cookies do not tell ports of one host apart. Nothing
// of the product leads here: it is made by `sallyport demo` alone, on loopback, and its
// address has a secret in it, for machines with more than one user.
type picker struct {
	address     string
	fingerprint string // SHA-256 of the certificate that browsers will ask about

	org   *living.Organisation
	path  string
	host  string
	page  *template.Template
	srv   *http.Server
	ended chan error
}

//go:embed demo/pick.html
var pickPage string

// openPicker serves the page on loopback; a taken port is replaced by any other.
func openPicker(o *living.Organisation, port int) (*picker, error) {
	l, err := loopbackListen(port)
	if err != nil {
		return nil, fmt.Errorf("listening for the demo's page: %w", err)
	}
	p := &picker{org: o, path: "/" + strings.ToLower(rand.Text()[:12]) + "/", host: fmt.Sprintf("localhost:%d", portOf(l)), ended: make(chan error, 1)}
	p.address = "https://" + p.host + p.path
	if p.page, err = template.New("pick").Parse(pickPage); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the demo's page: %w", err), l.Close())
	}
	config := o.TLS()
	cert, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p.fingerprint = fingerprint(cert.Certificate[0])
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.path+"{$}", p.show)
	mux.HandleFunc("GET "+p.path+"style.css", p.style)
	mux.HandleFunc("POST "+p.path+"as/{person}", p.become)
	p.srv = &http.Server{Handler: p.guarded(http.NewCrossOriginProtection().Handler(mux)), TLSConfig: config, ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go func() {
		err := p.srv.ServeTLS(l, "", "")
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		p.ended <- err
	}()
	return p, nil
}

func (p *picker) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // the demo's own is over
	defer cancel()
	if p.srv.Shutdown(ctx) != nil {
		_ = p.srv.Close() // whoever still waits for an answer gets none
	}
	return <-p.ended
}

// guarded answers loopback's own name alone: another name that leads here is somebody
// else's page (DNS rebinding).
func (p *picker) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || !net.ParseIP(host).IsLoopback() || r.Host != p.host {
			http.Error(w, "This page is for this machine alone.", http.StatusForbidden)
			return
		}
		h := w.Header()
		// A form's answer leads to the pages: that is another origin (CSP Level 3, 6.4.2).
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+p.org.Pages)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (p *picker) show(w http.ResponseWriter, _ *http.Request) {
	type person struct {
		ID         id.Person
		Name, What string
	}
	type look struct {
		living.Look
		Who string
	}
	data := struct {
		Organisation, Path, Console, Fingerprint, CA string
		People                                       []person
		Looks                                        []look
	}{Organisation: living.Name, Path: p.path, Console: p.org.Pages + "/console", Fingerprint: p.fingerprint, CA: p.org.CA}
	for _, key := range living.Cast {
		x := p.org.People[key]
		data.People = append(data.People, person{x.ID, x.Name, x.What})
	}
	for _, l := range living.Looks {
		data.Looks = append(data.Looks, look{l, p.org.People[l.As].Name})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.page.Execute(w, data) // the browser has gone: nothing to do
}

//go:embed demo/pick.css
var pickStyle []byte

func (p *picker) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(pickStyle) // the same
}

// become signs the browser in as one of the people, and leads to the console.
func (p *picker) become(w http.ResponseWriter, r *http.Request) {
	person := id.Person(r.PathValue("person"))
	if !slices.Contains(living.Cast, person) {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	secret, err := p.org.SignIn(ctx, person)
	if err != nil {
		http.Error(w, "The sign-in did not work: "+err.Error(), http.StatusInternalServerError)
		return
	}
	signin.SetCookie(w, secret, p.org.Clock.Now().Add(p.org.Config.Policy.SessionLife))
	to := "/console"
	if next := r.PostFormValue("next"); slices.ContainsFunc(living.Looks, func(l living.Look) bool { return l.Path == next }) {
		to = next
	}
	http.Redirect(w, r, p.org.Pages+to, http.StatusSeeOther)
}

// fingerprint is how browsers show a certificate's digest.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
