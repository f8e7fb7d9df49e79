package server

import (
	"crypto/x509"
	"errors"
	"net/http"

	"github.com/sallyport/sallyport/alert"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/scim"
	"github.com/sallyport/sallyport/ssf"
)

// Where the vendors' directories and senders of events speak: on the gateway's
// listener, since they are outside, but without client certificates, which services
// in a cloud do not have. A directory has its bearer token; an event is signed.
const (
	scimPath  = "/scim/v2"
	ssfPath   = "/ssf/events"
	alertPath = "/incidents"
	eventFile = "events-seen"
)

// signals are the doors for what the vendors' own systems tell.
type signals struct {
	directory http.Handler
	events    http.Handler
	alerts    http.Handler // reports of incidents
	replays   *identity.Replays
}

func (s *Server) openSignals() (_ *signals, err error) {
	x := new(signals)
	if x.directory, err = scim.New(scim.Config{Base: s.config.PublicURL + scimPath, Registry: s.record.registry, Now: s.o.Now, Log: s.o.Logger}); err != nil {
		return nil, err
	}
	if x.alerts, err = alert.New(alert.Config{Registry: s.record.registry, Now: s.o.Now, Log: s.o.Logger}); err != nil {
		return nil, err
	}
	client, err := s.outward()
	if err != nil {
		return nil, err
	}
	if x.replays, err = identity.OpenReplays(s.config.Data(eventFile), s.o.Now()); err != nil {
		return nil, err
	}
	x.events, err = ssf.New(ssf.Config{Registry: s.record.registry, Replays: x.replays, Keys: ssf.NewMetadata(client, s.o.Now), Now: s.o.Now, Log: s.o.Logger})
	if err != nil {
		return nil, errors.Join(err, x.replays.Close())
	}
	return x, nil
}

// outward is the client for addresses that a vendor had a say in.
func (s *Server) outward() (*http.Client, error) {
	var roots *x509.CertPool
	if file := s.config.Connectors.CAFile; file != "" {
		var err error
		if roots, err = identity.PoolFromFiles(s.config.path(file)); err != nil {
			return nil, err
		}
	}
	return identity.NewOutwardClient(identity.OutwardOptions{Roots: roots, Networks: s.config.Connectors.PrivateNetworks}), nil
}
