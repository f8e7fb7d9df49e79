package server

import (
	"net/http"

	"github.com/sallyport/sallyport/scim"
)

// scimPath is where the vendors' directories speak: on the gateway's listener,
// since they are outside, but by a bearer token, since services in a cloud have no
// client certificates.
const scimPath = "/scim/v2"

// openDirectory makes the door for the vendors' directories.
func (s *Server) openDirectory() (http.Handler, error) {
	return scim.New(scim.Config{Base: s.config.PublicURL + scimPath, Registry: s.record.registry, Now: s.o.Now, Log: s.o.Logger})
}
