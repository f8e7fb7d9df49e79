package server

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/vault"
)

// recount reads back from the log what each grant has had: distinct patients
// over its life, bytes today. Until it has, the volume gate refuses.
func recount(ctx context.Context, log *audit.Log, usage *vault.Usage, volume *gateway.Volume) error {
	grants := map[id.Decision]id.Grant{} // of intents whose last outcome is to come
	load := func(d id.Decision, patients []string) error {
		keys := make([]seal.PatientKey, len(patients))
		for i, p := range patients {
			var ok bool
			if keys[i], ok = seal.ParsePatientKey(p); !ok {
				return fmt.Errorf("decision %s has a patient pseudonym that is none", d)
			}
		}
		usage.Load(grants[d], keys...)
		return nil
	}
	err := log.Scan(ctx, 0, log.Size(), func(_ uint64, e audit.Entry) error {
		switch {
		case e.Intent != nil:
			grants[e.Intent.Decision] = e.Intent.Grant
		case e.Patients != nil:
			return load(e.Patients.Decision, e.Patients.Patients)
		case e.Outcome != nil:
			d := e.Outcome.Decision
			if e.Outcome.Result == audit.Released {
				if err := load(d, e.Outcome.Patients); err != nil {
					return err
				}
				volume.Load(grants[d], e.Time, int64(e.Outcome.Bytes))
			}
			if e.Outcome.Final {
				delete(grants, d)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("counting what has left: %w", err)
	}
	usage.Loaded()
	volume.Loaded()
	return nil
}
