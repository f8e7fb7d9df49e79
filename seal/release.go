package seal

import (
	"io"

	"github.com/sallyport/sallyport/deid"
)

// Sealed is a release in the form in which it leaves: its bytes, their digest,
// and how they are sealed to their recipient. Only a function of this package
// makes one, out of a deid.Release; the zero Sealed may not leave.
type Sealed struct {
	release deid.Release
	sealing string
}

// Clear leaves the bytes as they are: what protects them on their way is the
// TLS connection, to which the recipient's token is bound (RFC 8705). A release
// that was not made by deid stays the zero Sealed.
func Clear(r deid.Release) Sealed {
	if !r.Valid() {
		return Sealed{}
	}
	return Sealed{release: r, sealing: "none"}
}

// Valid reports whether there is anything that may leave.
func (s Sealed) Valid() bool { return s.sealing != "" }

// Sealing is the audit log's word for how it is sealed.
func (s Sealed) Sealing() string { return s.sealing }

// Digest is the SHA-256 of the bytes that leave.
func (s Sealed) Digest() [32]byte { return s.release.Digest() }

// Len is how many bytes leave.
func (s Sealed) Len() int { return s.release.Len() }

// WriteTo writes the bytes. Only the gateway's one outward function calls it,
// with a receipt that covers them.
func (s Sealed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.release.Data().Open())
	return int64(n), err
}
