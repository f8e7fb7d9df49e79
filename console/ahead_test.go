package console

import (
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The access reviews of one campaign are one date for each vendor; other dates stay apart,
// and so do reviews that are due at another time.
func TestReviewsOfOneMomentAreOneDate(t *testing.T) {
	at := time.Date(2026, 12, 5, 13, 0, 0, 0, time.UTC)
	review := func(at time.Time, vendor id.Vendor, grant id.Grant, work id.Engagement) forecast.Stop {
		return forecast.Stop{At: at, Kind: forecast.Stops, Gate: "review", Code: "overdue", Vendor: vendor, Subject: snapshot.Subject{Noun: snapshot.NounReview, ID: string(grant) + "-r"}, Grants: []id.Grant{grant}, Engagements: []id.Engagement{work}}
	}
	ends := forecast.Stop{At: at, Kind: forecast.Stops, Gate: "grant", Code: "ended", Vendor: "northwind", Subject: snapshot.Subject{Noun: snapshot.NounGrant, ID: "b"}, Grants: []id.Grant{"b"}}
	got := together([]forecast.Stop{review(at, "northwind", "b", "two"), ends, review(at, "northwind", "a", "one"), review(at, "lumen", "c", "three"), review(at.Add(time.Hour), "northwind", "a", "one"), review(at, "northwind", "d", "one")})
	var grants [][]id.Grant
	for _, x := range got {
		grants = append(grants, x.Grants)
	}
	want := [][]id.Grant{{"a", "b", "d"}, {"b"}, {"c"}, {"a"}}
	if !slices.EqualFunc(grants, want, slices.Equal[[]id.Grant]) {
		t.Errorf("got %v, want %v", grants, want)
	}
	if want := []id.Engagement{"one", "two"}; !slices.Equal(got[0].Engagements, want) {
		t.Errorf("got %v, want %v", got[0].Engagements, want)
	}
}
