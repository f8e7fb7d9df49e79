//go:build azurekeyvault

package kms

import (
	"context"
	"net/url"

	"gocloud.dev/secrets/azurekeyvault"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// openAzure opens azurekeyvault://VAULT.vault.azure.net/keys/KEY, with Azure's
// default credential. Azure's state of a key is not asked for.
func openAzure(ctx context.Context, u *url.URL, _ Options) (seal.KeyService, error) {
	if err := onlyParameters(u, "algorithm"); err != nil {
		return nil, err
	}
	k, err := (&azurekeyvault.URLOpener{}).OpenKeeperURL(ctx, u)
	if err != nil {
		return nil, problem.BadField("root_key", "is not a key of Azure Key Vault that can be opened", "Check the URL and Azure's credentials in the environment").Because(err)
	}
	return keeper{k, nil}, nil
}
