// Package server assembles the product: it reads the configuration, opens what
// keeps and what decides, and runs the listeners.
//
// The order of opening is the order of trust: keys, log, registry, policy,
// vault, usage, identity, gateway, API. If one does not open, nothing listens.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// Options are what the program gives beside the configuration.
type Options struct {
	Now     func() time.Time
	Logger  *slog.Logger
	Version string
	// Listeners replace those of the configuration, for tests and the demo.
	Listeners *Listeners
}

// Listeners are open sockets for the addresses. People may be nil: no pages.
type Listeners struct{ Gateway, API, Health, People net.Listener }

// Server is everything, opened but not yet listening.
type Server struct {
	config       *Config
	o            Options
	record       *record
	engine       *policy.Engine
	vault        *vault.Vault
	cert         *identity.ServerCertificate
	clients      *x509.CertPool
	authority    *identity.Authority
	verifier     *identity.Verifier
	domains      *identity.TrustDomains // nil: none is configured
	replays      *identity.Replays
	keys         *identity.KeyFetcher
	signals      *signals
	knocks       *knocks
	upstreams    []*gateway.Source
	gateway      http.Handler
	closeGateway func()
	api          http.Handler
	people       http.Handler     // nil: no pages
	consent      http.Handler     // a person lets a program act for them: among the pages
	console      *console.Console // nil: no pages
	sessions     *signin.Sessions
	teller       *teller
	metrics      *prometheus.Registry
	ready        atomic.Bool
	// of carryOut alone: what is done
	destroyed map[id.Engagement]bool
	rotated   map[id.Engagement]seal.Rotation
}

const (
	certificateEvery = time.Minute
	vaultEvery       = 2 * time.Second
	bundleEvery      = 10 * time.Second
	shutdownGrace    = 10 * time.Second
	headerTimeout    = 10 * time.Second
	idleTimeout      = 2 * time.Minute
	answerTimeout    = 40 * time.Minute // of the API: an export, or custody's list of patients, may take half an hour
	maxHeader        = 32 << 10
	clockSkew        = 2 * time.Second // as the gate "fresh" allows
)

// Open opens all parts in order, and closes what it opened if one fails.
func Open(ctx context.Context, c *Config, o Options) (_ *Server, err error) {
	if o.Now == nil || o.Logger == nil {
		return nil, errors.New("server: a clock and a logger are required")
	}
	s := &Server{config: c, o: o, metrics: prometheus.NewRegistry()}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.record, err = openRecord(ctx, c, o.Now, o.Logger); err != nil {
		return nil, err
	}
	if s.record.disclosures, err = disclosure.Open(c.Data(disclosureDir), s.record.log, disclosure.Options{Now: o.Now, Logger: o.Logger}); err != nil {
		return nil, fmt.Errorf("opening the index of disclosures: %w", err)
	}
	var site fs.FS
	if c.PolicyDir != "" {
		dir := c.path(c.PolicyDir)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, problem.BadField("policy_dir", dir+" is not a folder", "Make it, or leave the key out")
		}
		site = os.DirFS(dir)
	}
	if s.engine, err = policy.New(gate.All, site); err != nil {
		return nil, err
	}
	if s.vault, err = openVault(ctx, c, s.record.keys); err != nil {
		return nil, err
	}
	// What was ordered while this node was down is done before anything can leave.
	s.destroyed, s.rotated = map[id.Engagement]bool{}, map[id.Engagement]seal.Rotation{}
	if err := s.carryOut(ctx); err != nil {
		o.Logger.ErrorContext(ctx, "the keys are not as they should be", "err", err)
	}
	s.warnOfBackups(ctx)
	if err := s.identities(); err != nil {
		return nil, err
	}
	s.knocks = newKnocks(s)
	if err := s.openPeople(); err != nil {
		return nil, err
	}
	if err := s.openGateway(ctx); err != nil {
		return nil, err
	}
	if s.teller, err = s.openTeller(); err != nil {
		return nil, err
	}
	s.api, err = s.withCustody(api.New(api.Config{People: s.config.PeopleURL,
		Organisation: c.Organisation, Version: o.Version, Registry: s.record.registry, Acts: s.record.acts, Policy: s.engine,
		Log: s.record.log, LogVerifier: s.record.verifier, Node: c.Node, Keys: keyStore{s}, Badges: badges{s}, Identity: s.verifier, Sessions: s.sessions,
		Disclosures: s.record.disclosures, Gateway: c.PublicURL, Anchor: s.cert.Anchor, Rulings: newRulings(c.profiles).Of, Shows: showsOf(c.profiles), View: viewOf(c.profiles), System: s.system, Now: o.Now, Logger: o.Logger,
	}))
	if err != nil {
		return nil, err
	}
	s.api = s.knocks.people(s.api)
	if s.people != nil {
		s.people = s.knocks.people(s.people)
	}
	debug.FreeOSMemory() // what reading profiles, policies and registry left behind
	o.Logger.InfoContext(ctx, "opened", "node", c.Node, "config_sha256", c.Digest(), "policy", s.engine.Version(),
		"registry_version", s.record.registry.View().Version(), "log_entries", s.record.log.Size())
	return s, nil
}

// identities prepares who may speak: the authorities, the server's certificate
// and the keys of access tokens.
func (s *Server) identities() error {
	c, now := s.config, s.o.Now()
	authority, err := identity.OpenAuthority(c.Data(authorityDir))
	if err != nil {
		return err
	}
	s.authority, s.clients = authority, authority.Pool()
	if c.Certificates.ClientCAFile != "" {
		raw, err := os.ReadFile(c.path(c.Certificates.ClientCAFile))
		if err != nil || !s.clients.AppendCertsFromPEM(raw) {
			return problem.BadField("certificates.client_ca_file", "holds no certificate", "Name a PEM file").Because(err)
		}
	}
	if c.Certificates.CertFile != "" {
		s.cert, err = identity.ServerCertificateFiles(c.path(c.Certificates.CertFile), c.path(c.Certificates.KeyFile), now)
	} else {
		s.cert, err = authority.ServerCertificate(c.Certificates.Names, now)
	}
	if err != nil {
		return err
	}
	key, err := identity.ReadKey(c.Data(tokenKeyFile))
	if err != nil {
		return err
	}
	tokens, err := identity.NewTokens(c.PublicURL, c.PublicURL, key)
	if err != nil {
		return err
	}
	if s.verifier, err = identity.NewVerifier(s.clients, tokens, s.o.Now, 0); err != nil {
		return err
	}
	if s.domains, err = s.trustDomains(); err != nil {
		return err
	}
	s.verifier.TrustSPIFFE(s.domains)
	return nil
}

// Run serves until ctx ends, then lets requests under way finish for a while,
// and closes everything. It is called once.
func (s *Server) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	l, err := s.listeners()
	if err != nil {
		return err
	}
	tlsConfig := s.TLS()
	quiet := slog.NewLogLogger(s.o.Logger.With("from", "http").Handler(), slog.LevelDebug) // TLS handshakes of strangers
	gatewayServer := &http.Server{Handler: s.caught(s.gateway), TLSConfig: tlsConfig, ConnContext: s.verifier.ConnContext,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet, DisableGeneralOptionsHandler: true}
	apiServer := &http.Server{Handler: s.caught(s.api), TLSConfig: tlsConfig.Clone(), ConnContext: s.verifier.ConnContext,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: time.Minute, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet, DisableGeneralOptionsHandler: true}
	peopleServer := &http.Server{Handler: s.caught(s.people), TLSConfig: tlsConfig.Clone(), ConnContext: s.verifier.ConnContext,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet, DisableGeneralOptionsHandler: true}
	healthServer := &http.Server{Handler: s.health(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, MaxHeaderBytes: maxHeader, ErrorLog: quiet, DisableGeneralOptionsHandler: true}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { s.record.registry.Run(ctx); return nil })
	group.Go(func() error { s.record.disclosures.Run(ctx); return nil })
	group.Go(func() error { s.cert.Watch(ctx, certificateEvery, s.o.Now, s.o.Logger); return nil })
	group.Go(func() error { s.watchVault(ctx); return nil })
	if s.domains != nil {
		group.Go(func() error { s.domains.Watch(ctx, bundleEvery, s.o.Logger); return nil })
	}
	group.Go(func() error { s.watchKeys(ctx); return nil })
	group.Go(func() error { s.keys.Run(ctx); return nil })
	group.Go(func() error { s.teller.run(ctx); return nil })
	serve := func(srv *http.Server, l net.Listener, secure bool) {
		group.Go(func() error {
			var err error
			if secure {
				err = srv.ServeTLS(l, "", "")
			} else {
				err = srv.Serve(l)
			}
			if errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return fmt.Errorf("serving %s: %w", l.Addr(), err)
		})
		group.Go(func() error {
			<-ctx.Done()
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
			defer cancel()
			if err := srv.Shutdown(grace); err != nil {
				return srv.Close() // cuts what is under way; the log says incomplete
			}
			return nil
		})
	}
	serve(gatewayServer, l.Gateway, true)
	serve(apiServer, l.API, true)
	serve(healthServer, l.Health, false)
	if l.People != nil && s.people != nil {
		peopleServer.RegisterOnShutdown(s.console.Stop)
		group.Go(func() error { s.console.Run(ctx); return nil })
		serve(peopleServer, l.People, true)
		s.o.Logger.InfoContext(ctx, "listening for people", "people", l.People.Addr().String(), "url", s.config.PeopleURL)
	}
	s.ready.Store(true)
	s.o.Logger.InfoContext(ctx, "listening", "gateway", l.Gateway.Addr().String(), "api", l.API.Addr().String(), "health", l.Health.Addr().String())
	return group.Wait()
}

// TLS is how the doors speak TLS: with the certificate that they share, by the server's
// clock. A page that is served beside them, on the same host, shows it too.
func (s *Server) TLS() *tls.Config {
	hint := s.clients
	if s.domains != nil {
		// The authorities of workloads change while the server runs; without a hint a
		// client shows the certificate that it has.
		hint = nil
	}
	tlsConfig := identity.ServerTLS(s.cert, hint)
	tlsConfig.Time = s.o.Now
	get := tlsConfig.GetCertificate
	tlsConfig.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		// A machine that slept past the certificate's end renews it before it shows it,
		// and not at the next tick.
		if now := s.o.Now(); !now.Before(s.cert.NotAfter()) {
			if err := s.cert.Refresh(now); err != nil {
				return nil, fmt.Errorf("renewing the server's certificate: %w", err)
			}
		}
		return get(hello)
	}
	return tlsConfig
}

func (s *Server) listeners() (*Listeners, error) {
	if s.o.Listeners != nil {
		return s.o.Listeners, nil
	}
	l := new(Listeners)
	for _, x := range []struct {
		field, addr string
		into        *net.Listener
	}{
		{"listen.gateway", s.config.Listen.Gateway, &l.Gateway},
		{"listen.api", s.config.Listen.API, &l.API},
		{"listen.health", s.config.Listen.Health, &l.Health},
		{"listen.people", s.config.Listen.People, &l.People},
	} {
		if x.addr == "" {
			continue // the pages for people, which need not be
		}
		var err error
		if *x.into, err = net.Listen("tcp", x.addr); err != nil {
			for _, open := range []net.Listener{l.Gateway, l.API, l.Health} {
				if open != nil {
					_ = open.Close() // the start has failed already
				}
			}
			return nil, problem.BadField(x.field, "cannot listen on "+x.addr, "Free the port or choose another").Because(err)
		}
	}
	return l, nil
}

// watchVault follows what other processes change in the vault. A vault that
// cannot be read keeps what it knows; the gateway refuses what it must look up.
func (s *Server) watchVault(ctx context.Context) {
	tick := time.NewTicker(vaultEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.vault.Reload(ctx); err != nil && ctx.Err() == nil {
				s.o.Logger.ErrorContext(ctx, "the vault cannot be read", "err", err)
			}
		}
	}
}

// health answers a local collector. Not ready means that no byte would leave.
func (s *Server) health() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := s.notReady(); len(why) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, strings.Join(why, "\n"))
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return problem.Routes(mux, "Use /healthz, /readyz or /metrics", func(w http.ResponseWriter, _ *http.Request, p *problem.Problem) { p.Write(w) })
}

func (s *Server) notReady() (why []string) {
	if !s.ready.Load() {
		why = append(why, "starting")
	}
	if err := s.record.log.Err(); err != nil {
		why = append(why, "the audit log cannot be written, or the clock is behind it: nothing is released")
	}
	v := s.record.registry.View()
	switch age := s.o.Now().Sub(v.Confirmed()); {
	case age > v.Settings.SnapshotFreshness:
		why = append(why, "the registry has not been confirmed for too long: nothing is released")
	case age < -clockSkew:
		why = append(why, "the clock went back: nothing is released until it has caught up")
	}
	return why
}

// View is the registry as decisions see it now.
func (s *Server) View() *snapshot.View { return s.record.registry.View() }

// Refresh asks the registry's database at once what Run asks every few seconds: after
// the clock was moved, the view is confirmed by it.
func (s *Server) Refresh(ctx context.Context) error { return s.record.registry.Refresh(ctx) }

// Close closes a server that was opened and is not run.
func (s *Server) Close() error { return s.close() }

func (s *Server) close() error {
	s.ready.Store(false)
	var errs []error
	if s.closeGateway != nil {
		s.closeGateway()
	}
	if s.replays != nil {
		errs = append(errs, s.replays.Close())
	}
	if s.signals != nil {
		errs = append(errs, s.signals.replays.Close())
	}
	if s.vault != nil {
		errs = append(errs, s.vault.Close())
	}
	if s.record != nil {
		errs = append(errs, s.record.close())
	}
	return errors.Join(errs...)
}
