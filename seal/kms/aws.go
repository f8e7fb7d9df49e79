package kms

import (
	"context"
	"errors"
	"net/url"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskmsapi "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	gcaws "gocloud.dev/aws"
	"gocloud.dev/secrets/awskms"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// openAWS opens awskms:///ARN?region=... or awskms://alias/NAME?region=... The
// encryption context says what is encrypted, so that what this program wrapped is
// told from other uses of the key in CloudTrail.
func openAWS(ctx context.Context, u *url.URL, o Options) (seal.KeyService, error) {
	if err := onlyParameters(u, "region", "endpoint", "profile", "fips", "dualstack", "role", "anonymous"); err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(path.Join(u.Host, u.Path), "/")
	if name == "" || name == "." {
		return nil, problem.BadField("root_key", "names no key", "Write awskms:///ARN?region=REGION or awskms://alias/NAME?region=REGION")
	}
	// What AWS decrypts comes back as it is inside TLS: the root key.
	if e := u.Query().Get("endpoint"); e != "" {
		at, err := url.Parse(e)
		if err != nil || at.Host == "" || at.User != nil || at.Scheme != "https" && !(at.Scheme == "http" && local(at.Hostname())) {
			return nil, problem.BadField("root_key", "has an endpoint that is not an https address", "Write endpoint=https://..., or leave it out")
		}
	}
	cfg, err := gcaws.V2ConfigFromURLParams(ctx, u.Query())
	if err != nil {
		return nil, problem.BadField("root_key", "is not a key of AWS KMS that can be opened", "Check its parameters, such as region").Because(err)
	}
	cfg.HTTPClient = o.HTTP
	client := awskmsapi.NewFromConfig(cfg)
	k := awskms.OpenKeeper(client, name, &awskms.KeeperOptions{EncryptionContext: map[string]string{"sallyport": "root"}})
	return keeper{k, func(ctx context.Context) (seal.ServiceState, error) { return awsState(ctx, client, name) }}, nil
}

// awsState reads DescribeKey: AWS keeps a key for 7 to 30 days after its deletion
// was ordered.
func awsState(ctx context.Context, client *awskmsapi.Client, name string) (seal.ServiceState, error) {
	out, err := client.DescribeKey(ctx, &awskmsapi.DescribeKeyInput{KeyId: aws.String(name)})
	var gone *types.NotFoundException
	switch {
	case errors.As(err, &gone):
		return seal.ServiceState{State: seal.StateDestroyed}, nil
	case err != nil:
		return seal.ServiceState{}, err
	case out.KeyMetadata == nil:
		return seal.ServiceState{}, errors.New("the service says nothing about the key")
	}
	s := seal.ServiceState{State: seal.StateUnknown}
	switch out.KeyMetadata.KeyState {
	case types.KeyStateEnabled:
		s.State = seal.StateEnabled
	case types.KeyStateDisabled:
		s.State = seal.StateDisabled
	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		s.State = seal.StatePending
		if out.KeyMetadata.DeletionDate != nil {
			s.DestroyedAt = out.KeyMetadata.DeletionDate.UTC()
		}
	}
	return s, nil
}
