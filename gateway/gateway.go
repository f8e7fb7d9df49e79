// Package gateway is the one way out for patient data.
//
// exchange.go tells the whole story in one function. Each step takes a value
// that only the step before it can make:
//
//	identity.Caller -> policy.Permit -> audit.Ticket -> phi.Data -> deid.Release -> seal.Sealed -> audit.Receipt -> bytes
//
// A Protocol (gateway/fhirapi) reads questions and turns a source's answers into
// releases. It can neither decide, nor record, nor write to a caller: a protocol
// that forgets to look at a resource's patients gets no release admitted,
// because the Desk counts what it was shown.
//
// The gateway decides from a snapshot alone and fails closed: without its log,
// its vault, its counters or a fresh snapshot nothing leaves.
package gateway

import (
	"encoding/hex"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// Views is where the gateway gets its picture of the registry.
type Views interface {
	// View is the newest view; nil before there is one. It must be cheap: it is
	// asked several times for each release.
	View() *snapshot.View
	// Changed is closed when a view is published after the call. Whoever waits
	// calls Changed first and View second, so that no publication is missed.
	Changed() <-chan struct{}
}

// Config is what the gateway works with; all of it but the limits.
type Config struct {
	Views    Views
	Verifier *identity.Verifier
	Policy   *policy.Engine
	Log      *audit.Log
	Keys     *seal.Keyring
	Vault    *vault.Vault
	Usage    *vault.Usage
	Volume   *Volume
	Sources  []*Source
	// Profiles are the site's own de-identification profiles, beside the built-in
	// ones. Text looks through free text where one lets it stand; nil: none does.
	Profiles []*deid.Profile
	Text     *text.Engine
	Public   string // the address of this gateway, "https://gw.example.org"
	Logger   *slog.Logger
	// Unknown hears of each request whose caller was turned away as unknown; may be nil.
	Unknown func(*http.Request)
	Metrics prometheus.Registerer
	Now     func() time.Time
	// CohortLife is how long the members of a Group or a search at a source are
	// taken for granted (0: one minute). A revoked grant stops at once; a patient
	// who leaves a Group is gone after this.
	CohortLife time.Duration
}

// Gateway is the way out. It is safe for concurrent use.
type Gateway struct {
	Config
	sources map[id.Source]*Source
	policy  audit.Digest // of the policies
	metrics *metrics
	cohorts cohorts

	mu     sync.RWMutex
	sights map[sightKey]*sight

	sealers sealers
	signer  atomic.Pointer[signer]

	counted atomic.Bool // the counters are loaded
}

// New checks the configuration and makes a gateway.
func New(c Config) (*Gateway, error) {
	if c.Views == nil || c.Verifier == nil || c.Policy == nil || c.Log == nil || c.Keys == nil || c.Vault == nil ||
		c.Usage == nil || c.Volume == nil || c.Public == "" || c.Logger == nil || c.Metrics == nil || c.Now == nil {
		return nil, problem.New(problem.Internal, "The gateway lacks one of its parts", "Pass every field of gateway.Config")
	}
	g := &Gateway{Config: c, sources: map[id.Source]*Source{}, sights: map[sightKey]*sight{}}
	if g.CohortLife <= 0 {
		g.CohortLife = time.Minute
	}
	for _, s := range c.Sources {
		if s == nil || g.sources[s.id] != nil {
			return nil, problem.BadField("sources", "two sources have one name, or one is missing", "Give each source a name of its own")
		}
		g.sources[s.id] = s
	}
	n, err := hex.Decode(g.policy[:], []byte(c.Policy.Version()))
	if err != nil || n != len(g.policy) {
		return nil, problem.New(problem.Internal, "The policy engine has no version", "Load the policies")
	}
	g.metrics, err = newMetrics(c.Metrics)
	return g, err
}

// Close ends the connections to the sources that are kept for the next request.
func (g *Gateway) Close() {
	for _, s := range g.sources {
		s.conns.close()
	}
}
