package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/id"
)

// System is how this node stands: what a person on watch asks first. No secret is in it,
// and no path.
type System struct {
	Node     string    `json:"node"`
	Version  string    `json:"version"`
	At       time.Time `json:"at" doc:"The node's clock"`
	NotReady []string  `json:"not_ready" doc:"Why nothing would be released now; empty: it is ready"`
	// LogError says that the log cannot record: from then on nothing is released.
	LogError         bool           `json:"log_error,omitempty"`
	LogEntries       uint64         `json:"log_entries"`
	Indexed          uint64         `json:"indexed" doc:"How many of them the index of disclosures covers"`
	Registry         uint64         `json:"registry" doc:"The registry's version"`
	Confirmed        time.Time      `json:"confirmed" doc:"When the registry was last known to be the newest"`
	Freshness        float64        `json:"freshness_seconds" doc:"How old that may be before nothing is released"`
	Database         string         `json:"database" enum:"sqlite,postgresql"`
	CertificateEnds  time.Time      `json:"certificate_ends" doc:"When the certificate that is served now ends"`
	CertificateOwn   bool           `json:"certificate_own,omitempty" doc:"The built-in authority issues it, and renews it by itself"`
	Health           string         `json:"health" doc:"Where a collector on this machine finds /healthz, /readyz and /metrics"`
	Keys             SystemKeys     `json:"keys"`
	Sources          []SystemSource `json:"sources"`
	ScansDocuments   bool           `json:"scans_documents,omitempty" doc:"Papers are looked at for harm before they are stored"`
	NoticesWaiting   int            `json:"notices_waiting,omitempty" doc:"Mails and webhooks that wait to be sent"`
	TellsNobody      bool           `json:"tells_nobody,omitempty" doc:"No way is configured to tell people of what lapses"`
	PolicyVersion    string         `json:"policy" doc:"Digest of the policies that decide"`
	ConfigurationSHA string         `json:"configuration_sha256"`
}

// SystemKeys is how the key store stands.
type SystemKeys struct {
	Kind       string    `json:"kind" doc:"What protects the root: file, passphrase, or a key service's scheme"`
	Root       string    `json:"root" doc:"Its fingerprint"`
	Rotating   bool      `json:"rotating,omitempty" doc:"A change of the root is begun and not finished"`
	Generation int       `json:"generation" doc:"Of the key store's backups; older ones cannot be read"`
	BackedUpAt time.Time `json:"backed_up_at,omitzero" doc:"Absent: no backup of this generation"`
	Mirror     bool      `json:"mirror,omitempty" doc:"The key of the backups has a second place"`
	Away       bool      `json:"away,omitempty" doc:"The key store cannot be read now"`
	OldRoots   []OldRoot `json:"old_roots,omitempty"`
}

// SystemSource is how the gateway reaches a healthcare system.
type SystemSource struct {
	ID          id.Source `json:"id"`
	URL         string    `json:"url" doc:"FHIR base"`
	Credentials string    `json:"credentials" enum:"none,bearer,basic,mutual-tls,smart" doc:"How the gateway shows itself; never the secret"`
	Authority   bool      `json:"own_authority,omitempty" doc:"Its certificate must come from an authority that is configured for it"`
	Pins        int       `json:"pins,omitempty" doc:"So many certificates or keys are pinned, one of which it must show"`
}

func (s *server) system() {
	huma.Register(s.api, huma.Operation{OperationID: "system", Method: http.MethodGet, Path: "/v1/system", Tags: []string{"system"},
		Summary: "How this node stands: ready or not and why, log, registry, certificate, keys, sources"},
		func(ctx context.Context, _ *struct{}) (*struct{ Body System }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			return &struct{ Body System }{s.System(ctx)}, nil
		})
}
