// Package kms opens a key at a key service by its URL, as a root of the keyring:
//
//	awskms:///arn:aws:kms:...?region=us-east-1   AWS KMS; credentials as the AWS SDK finds them
//	hashivault://KEY?engine=transit              Vault Transit; VAULT_ADDR, and VAULT_TOKEN or VAULT_TOKEN_FILE
//	gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K   in a build with -tags gcpkms
//	azurekeyvault://VAULT.vault.azure.net/keys/KEY            in a build with -tags azurekeyvault
//
// URLs are those of gocloud.dev/secrets, and so are the clients of the clouds. The
// client of Vault is ours: gocloud's asks without the caller's deadline and panics
// on an answer of another form, and it brings a large module under another licence.
//
// A URL holds no secret: one with a password, or with a parameter that is not
// known, is refused.
package kms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/secrets"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// Options are what a service is opened with beside its URL.
type Options struct {
	// Getenv is asked for addresses and tokens; os.Getenv.
	Getenv func(string) string
	// HTTP asks the service; nil is a client with deadlines and bounds of its own.
	HTTP *http.Client
}

// maxAnswer bounds what a service may answer, in bytes; a wrapped root key has a
// few hundred.
const maxAnswer = 1 << 20

// callTimeout bounds one request.
const callTimeout = 10 * time.Second

// opener opens one scheme.
type opener func(ctx context.Context, u *url.URL, o Options) (seal.KeyService, error)

// schemes is what is in the build. The rows of GCP and Azure say which build tag
// brings them, where it was not given.
var schemes = map[string]opener{
	"awskms":        openAWS,
	"hashivault":    openVault,
	"gcpkms":        openGCP,
	"azurekeyvault": openAzure,
}

// Known reports whether text is a URL of a scheme that Open knows.
func Known(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	_, known := schemes[scheme]
	return ok && known
}

// Open prepares the key that the URL names. It asks no one yet.
func Open(ctx context.Context, text string, o Options) (seal.KeyService, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, problem.BadField("root_key", "is not a URL", "Write one such as hashivault://phi-root or awskms:///ARN?region=REGION") // the cause quotes it
	}
	open, ok := schemes[u.Scheme]
	if !ok {
		return nil, problem.BadField("root_key", "is of a key service that is not known", "Use file, passphrase, or a URL that begins with awskms://, hashivault://, gcpkms:// or azurekeyvault://")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, problem.BadField("root_key", "holds a user or a fragment", "Leave it out: credentials come from the environment, never from the URL")
	}
	if o.Getenv == nil {
		return nil, errors.New("kms: Getenv is required")
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: callTimeout, Transport: bounded{http.DefaultTransport}}
	}
	return open(ctx, u, o)
}

// bounded cuts answers that are too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}

// keeper is a key of gocloud's.
type keeper struct {
	*secrets.Keeper
	state func(context.Context) (seal.ServiceState, error)
}

// State implements seal.KeyService.
func (k keeper) State(ctx context.Context) (seal.ServiceState, error) {
	if k.state == nil {
		return seal.ServiceState{State: seal.StateUnknown}, nil
	}
	return k.state(ctx)
}

// missing says which build tag brings a service.
func missing(scheme, tag string) opener {
	return func(context.Context, *url.URL, Options) (seal.KeyService, error) {
		return nil, problem.New(problem.Unsupported, scheme+":// is not in this build of the program",
			fmt.Sprintf("Use a build that was made with: go build -tags %s ./cmd/sallyport", tag))
	}
}

// onlyParameters refuses a parameter that a service does not know.
func onlyParameters(u *url.URL, known ...string) error {
	for name := range u.Query() {
		if !slices.Contains(known, name) {
			return problem.BadField("root_key", "has a parameter that is not known", "Known are: "+strings.Join(known, ", "))
		}
	}
	return nil
}
