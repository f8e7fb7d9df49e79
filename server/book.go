package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// book writes to the registry what the endpoints for tokens must have remembered
// by every node: each is an act, by the device or in the session that it came
// from.
type book struct{ r *registry.Registry }

func (b book) do(ctx context.Context, by registry.Actor, a registry.Act, why string) error {
	_, err := b.r.Do(ctx, by, a, registry.Meta{Reason: why})
	return err
}

// RevokeToken implements identity.Book.
func (b book) RevokeToken(ctx context.Context, by id.Device, app id.App, token string, until time.Time) error {
	return b.do(ctx, registry.Actor{Device: by}, registry.RevokeToken{ID: app, Token: token, Until: until}, "The application revoked its token")
}

// Authorize implements identity.Book.
func (b book) Authorize(ctx context.Context, person id.Person, session id.Session, a snapshot.Authorization) error {
	return b.do(ctx, registry.Actor{Person: person, Session: session}, registry.AuthorizeApp{ID: session, Authorization: a.ID, App: a.App, Grant: a.Grant,
		Scope: a.Scope, Redirect: a.Redirect, Challenge: a.Challenge, Device: a.Device, Online: a.Online}, "The person allowed the application to act for them")
}

// Redeem implements identity.Book.
func (b book) Redeem(ctx context.Context, by id.Device, session id.Session, a id.Authorization, jkt string) error {
	return b.do(ctx, registry.Actor{Device: by}, registry.RedeemCode{ID: session, Authorization: a, KeyThumbprint: jkt}, "The application brought its code")
}

// Refresh implements identity.Book.
func (b book) Refresh(ctx context.Context, by id.Device, session id.Session, a id.Authorization, generation int) error {
	return b.do(ctx, registry.Actor{Device: by}, registry.RefreshAuthorization{ID: session, Authorization: a, Generation: generation}, "The application brought its refresh token")
}

// EndAuthorization implements identity.Book.
func (b book) EndAuthorization(ctx context.Context, by id.Device, session id.Session, a id.Authorization, why identity.Reason) error {
	act, words := registry.RevokeAuthorization{ID: session, Authorization: a, Cause: registry.EndRevoked}, "The application revoked its refresh token"
	switch why {
	case identity.CodeReused:
		act.Cause, words = registry.EndCodeReused, "An authorization code came a second time"
	case identity.RefreshReused:
		act.Cause, words = registry.EndRefreshReused, "A refresh token came a second time"
	}
	return b.do(ctx, registry.Actor{Device: by}, act, words)
}

// OfferKeys brings what a key server publishes, as its connector.
func (b book) OfferKeys(ctx context.Context, connector id.Connector, app id.App, keys json.RawMessage) error {
	return b.do(ctx, registry.Actor{Connector: connector}, registry.OfferAppKeys{ID: app, Keys: keys}, "The key server publishes other keys")
}

// Register implements identity.Registrar.
func (b book) Register(ctx context.Context, by id.Connector, a snapshot.App) error {
	return b.do(ctx, registry.Actor{Connector: by}, registry.RegisterApp{ID: a.ID, Vendor: a.Vendor, Name: a.Name, Kind: a.Kind, Keys: a.Keys, Owner: a.Owner,
		Redirects: a.Redirects, KeysFrom: a.KeysFrom}, "A client registered by its certificate (UDAP)")
}

// Rotate implements identity.Registrar.
func (b book) Rotate(ctx context.Context, by id.Connector, app id.App, keys []byte) error {
	return b.do(ctx, registry.Actor{Connector: by}, registry.RotateAppKeys{ID: app, Keys: keys}, "The client registered with another key (UDAP)")
}

// Cancel implements identity.Registrar.
func (b book) Cancel(ctx context.Context, by id.Connector, app id.App) error {
	return b.do(ctx, registry.Actor{Connector: by}, registry.RevokeApp{ID: app}, "The client cancelled its registration (UDAP)")
}
