//go:build gcpkms

package kms

import (
	"context"
	"net/url"
	"path"

	"gocloud.dev/gcp"
	"gocloud.dev/secrets/gcpkms"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// openGCP opens gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K, with the
// application's default credentials. Google's state of a key is not asked for.
func openGCP(ctx context.Context, u *url.URL, _ Options) (seal.KeyService, error) {
	if err := onlyParameters(u); err != nil {
		return nil, err
	}
	creds, err := gcp.DefaultCredentials(ctx)
	if err != nil {
		return nil, problem.BadField("root_key", "Google's credentials cannot be found", "Set GOOGLE_APPLICATION_CREDENTIALS, or run where the machine has an account").Because(err)
	}
	client, _, err := gcpkms.Dial(ctx, creds.TokenSource)
	if err != nil {
		return nil, problem.BadField("root_key", "Google Cloud KMS cannot be reached", "Check the network and the credentials").Because(err)
	}
	return keeper{gcpkms.OpenKeeper(client, path.Join(u.Host, u.Path), nil), nil}, nil
}
