package console_test

import (
	"testing"

	"github.com/sallyport/sallyport/id"
)

// visit is somebody without a certificate of the organisation's, a vendor's person for
// instance, signed in by a passkey.
func (w *world) visit(person id.Person) *client {
	w.t.Helper()
	v := w.b.Visit(person)
	return &client{Client: v.Client, w: w}
}

// signedIn is a world with the vendor's engineer before it.
func signedIn(t *testing.T) (*world, *client) {
	t.Helper()
	w := start(t)
	return w, w.visit("lin")
}
