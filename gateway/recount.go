package gateway

import (
	"context"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/vault"
)

// Recount rebuilds the counters of what every grant has received from the audit
// log: distinct patients over the grant's life, bytes in the current day. It
// reads the whole log once, at start, and says Loaded at its end: until then,
// and after an error, the gateway refuses.
func Recount(ctx context.Context, log *audit.Log, usage *vault.Usage, volume *Volume) error {
	grants := map[uint64]id.Grant{} // by the index of the intent
	var waiting []string            // pseudonyms in front of their outcome
	err := log.Scan(ctx, 0, log.Size(), func(index uint64, e audit.Entry) error {
		switch {
		case e.Intent != nil:
			grants[index] = e.Intent.Grant
		case e.Patients != nil:
			waiting = append(waiting, e.Patients.Patients...)
		case e.Outcome != nil:
			o := e.Outcome
			grant := grants[o.Ticket]
			if o.Result == audit.Released {
				count(usage, grant, append(waiting, o.Patients...))
				n := o.Bytes
				if o.Sealed != nil {
					n = o.Sealed.Bytes // the cap is on what was released, not on its wrapping
				}
				volume.Load(grant, e.Time, int64(n))
			}
			waiting = nil
			if o.Final {
				delete(grants, o.Ticket)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	usage.Loaded()
	volume.Loaded()
	return nil
}

func count(usage *vault.Usage, grant id.Grant, pseudonyms []string) {
	for _, p := range pseudonyms {
		if k, ok := seal.ParsePatientKey(p); ok {
			usage.Load(grant, k)
		}
	}
}
