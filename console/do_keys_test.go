package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// A program's public key is pasted or comes as a file, and is compared by its thumbprint
// before anything is done; a private key is told to be one, and nothing has it afterwards.
func TestKeysAreReadBeforeAnythingIsDone(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	public := encode("PUBLIC KEY", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	private := encode("PRIVATE KEY", der, err)
	secret := strings.Split(private, "\n")[1][:40]
	_, keys, err := registry.ReadKeySet("keys", []byte(public))
	if err != nil {
		t.Fatal(err)
	}

	w := shared(t)
	x := &walker{client: w.as(registrytest.Ada)}
	hidden := func(why string) {
		t.Helper()
		if strings.Contains(x.body, secret) {
			t.Errorf("%s: the page has the private key", why)
		}
	}
	form := func() *walker {
		x.get("/console/do/app.register?vendor="+string(hospitaltest.Vendor)+"&kind=workload").wants(http.StatusOK, `name="keys.file"`)
		return x
	}
	fields := []string{"id", "second-reader", "name", "Second reader", "owner", "lin", "reason", "for the second reader"}
	// Rubbish is told where it stands, and kept to be mended.
	form().sends("preview", append(fields, "keys", "my <key>")...).wants(http.StatusUnprocessableEntity, "Is neither JSON nor PEM", `href="#f-keys"`, `aria-describedby="f-keys-h f-keys-e"`, "my &lt;key&gt;", `value="Second reader"`)
	// A private one is not.
	form().sends("preview", append(fields, "keys", private)...).wants(http.StatusUnprocessableEntity, "Holds a private key", `href="#f-keys"`, `value="Second reader"`)
	hidden("pasted")
	form().sends("preview", append(fields[:2:2], "reason", "x", "name", private)...).wants(http.StatusUnprocessableEntity, "Holds a private key", `href="#f-name"`)
	hidden("in another field")
	form().sends("preview", append(fields[:len(fields)-2:len(fields)-2], "reason", private)...).wants(http.StatusUnprocessableEntity, "Holds a private key", `href="#f-reason"`)
	hidden("as a reason")
	form().uploads("preview", "keys.file", "app.key", private).wants(http.StatusUnprocessableEntity, "Holds a private key")
	hidden("as a file")
	x.get("/console/do/document.put").wants(http.StatusOK)
	x.uploads("preview", "content", "app.txt", private).wants(http.StatusUnprocessableEntity, "The file is a private key")
	if strings.Contains(x.body, `name="held"`) {
		t.Error("the private key waits as a document")
	}
	// The public one.
	form().uploads("preview", "keys.file", "app.pem", public).wants(http.StatusUnprocessableEntity, "thumbprint "+keys[0].Thumbprint)
	x.sends("preview", fields...).wants(http.StatusOK, "Nothing is done yet", "EC P-384 for ES384, kid as its thumbprint, thumbprint "+keys[0].Thumbprint)
	x.sends("do").wants(http.StatusOK, "Done.")
}
