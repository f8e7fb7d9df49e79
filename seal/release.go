package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/seal/sealed"
)

// Sealed is a release in the form in which it leaves: its bytes, their digest,
// and how they are sealed to their recipient. Only a function of this package
// makes one, out of a deid.Release; the zero Sealed may not leave.
type Sealed struct {
	release deid.Release
	sealing string
	box     func() []byte // ciphertext; nil where the release leaves in clear
	digest  [32]byte
	length  int
}

// Clear leaves the bytes as they are: what protects them on their way is the
// TLS connection, to which the recipient's token is bound (RFC 8705). A release
// that was not made by deid stays the zero Sealed.
func Clear(r deid.Release) Sealed {
	if !r.Valid() {
		return Sealed{}
	}
	return Sealed{release: r, sealing: "none", digest: r.Digest(), length: r.Len()}
}

// Valid reports whether there is anything that may leave.
func (s Sealed) Valid() bool { return s.sealing != "" }

// Sealing is the audit log's word for how it is sealed.
func (s Sealed) Sealing() string { return s.sealing }

// Digest is the SHA-256 of the bytes that leave.
func (s Sealed) Digest() [32]byte { return s.digest }

// Len is how many bytes leave.
func (s Sealed) Len() int { return s.length }

// Inside is the SHA-256 and length of what the release holds, whatever leaves of
// it now. A sealed one may leave later in part: see Envelope.Seal.
func (s Sealed) Inside() (digest [32]byte, length int) { return s.release.Digest(), s.release.Len() }

// WriteTo writes the bytes. Only the gateway's one outward function calls it,
// with a receipt that covers them.
func (s Sealed) WriteTo(w io.Writer) (int64, error) {
	b := s.release.Data().Open
	if s.box != nil {
		b = s.box
	}
	n, err := w.Write(b())
	return int64(n), err
}

// To seals releases to a recipient's keys, which must be of one kind: age with
// its hybrid post-quantum recipient, age with X25519, or hpke-p256. It is safe
// for concurrent use and worth keeping: reading the keys costs 50 us.
func To(recipients ...string) (*sealed.Sealer, error) {
	list := make([]sealed.Recipient, len(recipients))
	for i, text := range recipients {
		var err error
		if list[i], err = sealed.ParseRecipient(text); err != nil {
			return nil, err
		}
	}
	return sealed.NewSealer(list...)
}

// Envelope seals the releases of one answer, one after the other, into one
// sealed body. It is for one goroutine; Close it.
type Envelope struct {
	silent
	sealer *sealed.Sealer
	body   *sealed.Body
	buffer *[]byte
	begun  time.Time

	releases int
	ended    bool
	bytes    int64
	clear    int64
	last     [32]byte  // digest of the one release, while there is only one
	sum      hash.Hash // of all that left, once there are several
}

// buffers hold ciphertext between one answer and the next: half a megabyte that
// need not be cleared by the allocator each time. What is in one left encrypted.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// NewEnvelope begins a body.
func NewEnvelope(s *sealed.Sealer, now time.Time) (*Envelope, error) {
	body, err := s.Begin(now)
	if err != nil {
		return nil, err
	}
	e := &Envelope{sealer: s, body: body, begun: now}
	e.buffer, _ = buffers.Get().(*[]byte)
	return e, nil
}

// Close gives back what the envelope took. What it sealed must not be used after.
func (e *Envelope) Close() {
	if e.buffer != nil {
		buffers.Put(e.buffer)
		e.buffer = nil
	}
}

// Sealing is the audit log's word for how the envelope seals.
func (e *Envelope) Sealing() string { return string(e.sealer.Format()) }

// MediaType is the Content-Type of the body.
func (e *Envelope) MediaType() string { return e.sealer.Format().MediaType() }

// Recipients are the ids of the keys that open the body.
func (e *Envelope) Recipients() [][32]byte { return e.sealer.Recipients() }

var errEnvelope = errors.New("seal: the envelope has ended")

// Seal adds a release and gives what leaves now. In the age formats that is every
// whole chunk of 64 KiB: up to that much of a release leaves with the next one,
// which was admitted by then, or with the last. What Seal returns is good until
// Seal is called again, or Close. A release that was not made by deid gives the
// zero Sealed.
func (e *Envelope) Seal(r deid.Release, last bool) (Sealed, error) {
	if e == nil || e.ended || e.buffer == nil {
		return Sealed{}, errEnvelope
	}
	if !r.Valid() {
		return Sealed{}, nil
	}
	e.ended = last
	box := (*e.buffer)[:0]
	need := r.Len() + len(e.body.Preamble()) + (r.Len()>>16+2)*32
	if e.releases > 0 {
		need += 1 << 16 // for what waited
	}
	if cap(box) < need {
		box = make([]byte, 0, need)
	}
	box, err := e.body.Append(box, r.Data().Open(), last)
	if err != nil {
		e.ended = true
		return Sealed{}, err
	}
	*e.buffer = box
	s := Sealed{release: r, sealing: e.Sealing(), box: func() []byte { return box }, digest: sha256.Sum256(box), length: len(box)}
	if e.releases == 0 && !last {
		e.sum = sha256.New()
	}
	if e.sum != nil {
		e.sum.Write(box)
	}
	e.releases++
	e.last = s.digest
	e.bytes += int64(len(box))
	e.clear += int64(r.Len())
	return s, nil
}

// Opening signs, before the first release leaves, what the body will be: m says
// whose it is. Where the answer is one release, its Manifest serves as opening.
func (e *Envelope) Opening(key sealed.Signer, m sealed.Manifest) (string, error) {
	m.Final = false
	return e.describe(m).Sign(key)
}

// Manifest signs what the body was. The last release must have been sealed, and
// have its outcome in the log at m.Outcome.
func (e *Envelope) Manifest(key sealed.Signer, m sealed.Manifest) (string, error) {
	if !e.ended {
		return "", errors.New("seal: a manifest of what has not ended")
	}
	sum := e.last
	if e.sum != nil {
		sum = [32]byte(e.sum.Sum(nil))
	}
	m.Final, m.SHA256, m.Bytes, m.Clear, m.Releases = true, hex.EncodeToString(sum[:]), e.bytes, e.clear, e.releases
	return e.describe(m).Sign(key)
}

func (e *Envelope) describe(m sealed.Manifest) sealed.Manifest {
	preamble := sha256.Sum256(e.body.Preamble())
	m.Format, m.Preamble, m.Created = e.sealer.Format(), hex.EncodeToString(preamble[:]), e.begun
	m.Recipients = nil
	for _, r := range e.sealer.Recipients() {
		m.Recipients = append(m.Recipients, hex.EncodeToString(r[:]))
	}
	return m
}
