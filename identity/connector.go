package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/snapshot"
)

// maxBearer bounds a connector's bearer token.
const maxBearer = 1024

// Reasons for which a connector is not known, for the owner's log alone.
var (
	errNoToken      = errors.New("token-absent")
	errBadToken     = errors.New("token-malformed")
	errUnknownToken = errors.New("token-unknown")
	errNotApproved  = errors.New("connector-not-approved")
	errHeld         = errors.New("connector-on-hold")
	errVendorEnded  = errors.New("vendor-ended")
)

// BearerConnector finds the connector of the kind whose bearer token (RFC 6750,
// section 2.1) the request has. Every digest is compared, in constant time, so that how
// long it takes tells nothing. With an error, whose text is a reason for the log, the
// connector is the one whose token it is, if any; answer WriteUnknown.
func BearerConnector(h http.Header, v *snapshot.View, kind snapshot.ConnectorKind) (*snapshot.Connector, error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return nil, errNoToken
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxBearer || strings.ContainsAny(token, " ,") {
		return nil, errBadToken
	}
	sum := sha256.Sum256([]byte(token))
	digest := []byte(hex.EncodeToString(sum[:]))
	var found *snapshot.Connector
	for _, c := range v.Connectors.All() {
		if c.Kind == kind && subtle.ConstantTimeCompare([]byte(c.Token256), digest) == 1 {
			found = c
		}
	}
	if found == nil {
		return nil, errUnknownToken
	}
	if found.State != snapshot.Approved || found.ApprovedBy == "" || found.ApprovedBy == found.RequestedBy {
		return found, errNotApproved
	}
	if _, ok := v.ConnectorInForce(found.ID); !ok {
		return found, errHeld
	}
	// A vendor that is suspended or on hold still tells us who has left, and what
	// happened.
	if found.Vendor != "" {
		if vendor, ok := v.Vendors.Get(found.Vendor); !ok || vendor.State == snapshot.Ended {
			return found, errVendorEnded
		}
	}
	return found, nil
}
