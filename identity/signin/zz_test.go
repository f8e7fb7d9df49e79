package signin

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/zitadel/oidc/v3/example/server/exampleop"
	_ "github.com/zitadel/oidc/v3/example/server/storage"
	_ "golang.org/x/oauth2"
)
