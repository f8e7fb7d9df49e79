package snapshot

import (
	"testing"
	"time"
)

// Each record of a vendor's says so, whatever stands between.
func TestWhoseARecordIs(t *testing.T) {
	e := (&View{}).Edit()
	for _, r := range []Record{
		&Vendor{ID: "v"}, &Engagement{ID: "e", Vendor: "v"}, &Grant{ID: "g", Engagement: "e"}, &Review{ID: "r", Grant: "g"},
		&Person{ID: "p", Vendor: "v"}, &Training{ID: "t", Person: "p"}, &Attempt{ID: "a", Person: "p"}, &Device{ID: "d", Vendor: "v"},
		&Attestation{ID: "w", Device: "d"}, &Determination{ID: "x", Engagement: "e"}, &Connector{ID: "c", Vendor: "v"},
		&Hold{ID: "h", On: Subject{NounConnector, "c"}}, &Hold{ID: "itself", On: Subject{NounHold, "itself"}}, &Incident{ID: "i", Vendor: "v"}, &Role{ID: "o"},
	} {
		e.Put(r)
	}
	v := e.Publish(1, 1, time.Unix(0, 0))
	for _, s := range []Subject{{NounVendor, "v"}, {NounEngagement, "e"}, {NounKey, "e"}, {NounGrant, "g"}, {NounReview, "r"}, {NounPerson, "p"}, {NounTraining, "t"},
		{NounAttempt, "a"}, {NounDevice, "d"}, {NounPosture, "d"}, {NounAttestation, "w"}, {NounDetermination, "x"}, {NounConnector, "c"}, {NounHold, "h"}, {NounIncident, "i"}} {
		if got := v.VendorOf(s); got != "v" {
			t.Errorf("%s %s: got %q, want v", s.Noun, s.ID, got)
		}
	}
	for _, s := range []Subject{{}, {NounRole, "o"}, {NounHold, "itself"}, {NounGrant, "none"}} {
		if got := v.VendorOf(s); got != "" {
			t.Errorf("%s %s: got %q, want nobody", s.Noun, s.ID, got)
		}
	}
}
