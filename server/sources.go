package server

import (
	"net/http"
	"time"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// sources makes the gateway's upstreams, and reads their secrets once.
func (s *Server) sources() ([]*gateway.Source, error) {
	var out []*gateway.Source
	for _, src := range s.config.Sources {
		g, err := s.source(src)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func (s *Server) source(src Source) (*gateway.Source, error) {
	field := "sources." + string(src.ID)
	c := gateway.SourceConfig{ID: src.ID, BaseURL: src.URL, Pins: src.PinSHA256, Logger: s.o.Logger}
	var err error
	if src.CAFile != "" {
		if c.RootCAs, err = identity.PoolFromFiles(s.config.path(src.CAFile)); err != nil {
			return nil, err
		}
	}
	switch cr := src.Credentials; {
	case cr.BearerFile != "":
		c.Bearer, err = readSecret(field+".credentials.bearer_file", s.config.path(cr.BearerFile))
	case cr.Basic != nil:
		c.Username = cr.Basic.Username
		c.Password, err = readSecret(field+".credentials.basic.password_file", s.config.path(cr.Basic.PasswordFile))
	case cr.MutualTLS != nil:
		var cred *identity.Credential
		if cred, err = identity.ReadCredential(s.config.path(cr.MutualTLS.CertFile), s.config.path(cr.MutualTLS.KeyFile)); err == nil {
			pair := cred.TLS()
			c.Certificate = &pair
		}
	case cr.SMART != nil:
		c.SMART, err = s.smart(src, c)
	}
	if err != nil {
		return nil, err
	}
	return gateway.NewSource(c)
}

// smart is the gateway as a backend services client of a source.
func (s *Server) smart(src Source, c gateway.SourceConfig) (*identity.Client, error) {
	key, err := identity.ReadKey(s.config.path(src.Credentials.SMART.KeyFile))
	if err != nil {
		return nil, problem.BadField("sources."+string(src.ID)+".credentials.smart.key_file", "cannot be used", "Name a private key in PEM, P-384 or P-256, readable by its owner only").Because(err)
	}
	cr := src.Credentials.SMART
	return identity.NewClient(identity.ClientConfig{ClientID: cr.ClientID, Key: key, KeyID: cr.KeyID, TokenURL: cr.TokenURL,
		Resource: src.URL, Scope: cr.Scope, Now: s.o.Now,
		HTTP: &http.Client{Timeout: 30 * time.Second, Transport: gateway.TokenTransport(c)}})
}
