package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Reading a paper, and signing it, by two people of two sides, without script.
func TestAPaperIsReadAndSigned(t *testing.T) {
	t.Parallel()
	w := start(t)
	doc := registry.NewDocument("text/plain", []byte("the words of the paper"))
	w.must("ada", doc)
	w.must("ada", registry.DraftAgreement{ID: "new", Kind: snapshot.BAA, Vendor: "northwind", Terms: registrytest.Terms(), PermittedUses: registrytest.Uses(), Document: doc.Digest, EffectiveAt: w.now().Truncate(time.Second)})

	lin, grace := w.client().as("lin"), w.client().as("grace")
	lin.get("/portal").wants(http.StatusOK, "Nothing waits for you")
	lin.get("/portal/agreements/new").wants(http.StatusOK, "cannot sign it", "45 CFR 164.504(e)(2)(ii)(B)", "reg-text", "Nobody has signed yet", doc.Digest)
	lin.post("/portal/agreements/new", url.Values{"intent": {"yes"}, "consent": {"yes"}, "document": {doc.Digest}}).wants(http.StatusConflict, "has not accepted you")
	w.must("ada", registry.NameSignatory{ID: "lin", Title: "Chief Executive"})
	lin.get("/portal").wants(http.StatusOK, "Sign: Business associate agreement", "/portal/agreements/new")
	lin.get("/portal/agreements/new/document").wants(http.StatusOK, "the words of the paper")
	lin.get("/portal/agreements/new").wants(http.StatusOK, "I mean to bind them by it", "I agree to sign electronically")
	lin.post("/portal/agreements/new", url.Values{"intent": {"yes"}, "document": {doc.Digest}}).wants(http.StatusUnprocessableEntity, `href="#consent"`, `id="consent"`)
	lin.post("/portal/agreements/new", url.Values{"intent": {"yes"}, "consent": {"yes"}, "document": {strings.Repeat("00", 32)}}).wants(http.StatusBadRequest, "Read the document as it is now")
	lin.post("/portal/agreements/new", url.Values{"intent": {"yes"}, "consent": {"yes"}, "document": {doc.Digest}}).wants(http.StatusOK, "Your side has signed", "Lin Example, Chief Executive", "The other side has not yet")
	lin.get("/portal").wants(http.StatusOK, "Nothing waits for you")

	w.forward(6 * time.Minute)
	w.must("ada", registry.EndSignatory{ID: "lin"}) // what they signed stays signed
	grace.get("/portal/agreements/new").wants(http.StatusOK, "touched just now", "/step-up?next=")
	grace.post("/portal/agreements/new", url.Values{"intent": {"yes"}, "consent": {"yes"}, "document": {doc.Digest}}).wants(http.StatusForbidden, "passkey")
	grace.as("grace").post("/portal/agreements/new", url.Values{"intent": {"yes"}, "consent": {"yes"}, "document": {doc.Digest}}).wants(http.StatusOK, "Both sides have", "/console/agreements/new/signed")

	// Who is of neither side does not learn that it is there.
	c := w.client().holding(w.reportLink())
	c.get("/portal/agreements/new").wants(http.StatusNotFound, "no such page for you")
	c.get("/portal/agreements/none").wants(http.StatusNotFound, "no such page for you")
	c.get("/portal/agreements/new/document").wants(http.StatusNotFound, "no such page for you")
	if c := w.client().get("/portal/agreements/new"); c.at != "/portal/in" {
		t.Errorf("nobody is at %s", c.at)
	}
}
