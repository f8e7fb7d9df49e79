package server

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/api"
)

// waitingLimit is how long the database is asked how much waits to be told.
const waitingLimit = 2 * time.Second

// system is how this node stands, without a secret and without a path.
func (s *Server) system(ctx context.Context) api.System {
	v := s.View()
	covered, size := s.record.disclosures.Standing()
	out := api.System{Node: s.config.Node, Version: s.o.Version, At: s.o.Now().UTC(), NotReady: s.notReady(), LogError: s.record.log.Err() != nil, LogEntries: size, Indexed: covered,
		Registry: v.Version(), Confirmed: v.Confirmed().UTC(), Freshness: v.Settings.SnapshotFreshness.Seconds(), Database: "sqlite",
		CertificateEnds: s.cert.NotAfter().UTC(), CertificateOwn: s.config.Certificates.CertFile == "", Health: s.config.Listen.Health,
		TellsNobody: s.config.Notify == nil, PolicyVersion: s.engine.Version(), ConfigurationSHA: s.config.Digest()}
	if out.NotReady == nil {
		out.NotReady = []string{}
	}
	if s.config.Database != "" {
		out.Database = "postgresql"
	}
	scan, _ := s.config.Documents.scanner()
	out.ScansDocuments = scan != nil
	ask, cancel := context.WithTimeout(ctx, waitingLimit)
	if waiting, _, _, err := s.record.store.Waiting(ask); err == nil { // a database that is away shows in NotReady
		out.NoticesWaiting = waiting
	}
	cancel()
	keys := s.record.keys
	out.Keys = api.SystemKeys{Kind: keys.RootKind(), Root: keys.RootID(), Rotating: keys.Rotating(), Mirror: s.config.GenerationMirror != "", OldRoots: keyStore{s}.OldRoots(ctx)}
	if b, err := keys.Backups(); err == nil {
		out.Keys.Generation, out.Keys.BackedUpAt = b.Generation, b.BackedUpAt
	} else {
		out.Keys.Away = true
	}
	out.Sources = make([]api.SystemSource, 0, len(s.config.Sources))
	for _, src := range s.config.Sources {
		out.Sources = append(out.Sources, api.SystemSource{ID: src.ID, URL: src.URL, Credentials: src.Credentials.kind(), Authority: src.CAFile != "", Pins: len(src.PinSHA256)})
	}
	return out
}

// kind is how the gateway shows itself to a source.
func (c Credentials) kind() string {
	switch {
	case c.BearerFile != "":
		return "bearer"
	case c.Basic != nil:
		return "basic"
	case c.MutualTLS != nil:
		return "mutual-tls"
	case c.SMART != nil:
		return "smart"
	}
	return "none"
}
