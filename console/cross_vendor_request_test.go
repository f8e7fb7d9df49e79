package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// oneRequest asks for every request of the first vendor as the second's person: each is as
// one that was never made. The first vendor's own person reads them.
func (x *rivals) oneRequest(t *testing.T) {
	got, err := x.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/disclosures?newest=true&kind=permitted&kind=refused&limit=50", nil)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []struct {
			Decision string `json:"decision"`
			Vendor   string `json:"vendor"`
		} `json:"items"`
	}
	if err := json.Unmarshal(got.Body, &list); err != nil {
		t.Fatal(err)
	}
	lin := &client{Client: x.lin.Client, w: x.world}
	n := 0
	for _, d := range list.Items {
		if d.Vendor != string(hospitaltest.Vendor) {
			continue
		}
		n++
		ask := func(key string) string {
			return rivalBare(x.ask(rivalTry{method: http.MethodGet, path: "/console/my/activity/" + key, key: key}), key)
		}
		theirs, none := ask(d.Decision), ask(rivalNobody(d.Decision))
		if theirs != none || !strings.HasPrefix(theirs, "404 ") {
			t.Errorf("another firm's request shows that it is there:\n%s", rivalDifference(theirs, none))
		}
		lin.get("/console/my/activity/"+d.Decision).wants(http.StatusOK, d.Decision, "The conditions, in their order")
	}
	if n < 4 {
		t.Errorf("the first vendor made %d requests", n)
	}
}
