package sealed

import (
	"bufio"
	"bytes"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Expect is what a reader of a body knows before it: its own keys, the
// organisation's keys, and what was said beside the body.
type Expect struct {
	Identities []Identity
	Keys       Keys
	// Opening is the signed opening of a stream (the header Sallyport-Seal), or the
	// signed manifest where all of the answer is one release or a file. Required.
	Opening string
	// Manifest gives the signed manifest when the body has been read to its end: a
	// trailer is not there before. nil where Opening is the manifest.
	Manifest func() string

	// What else must hold; each is checked where it is set.
	Decision  id.Decision // the body belongs to this decision
	Nonce     string      // the nonce of the request that this answers
	Entry     int         // it answers this entry of a batch, from 1
	NotBefore time.Time   // the body is not older: against replay where no nonce was sent
}

// The headers of HTTP that a sealed answer has; see docs/sealing.md.
const (
	OpeningHeader  = "Sallyport-Seal"     // of a stream: the signed opening
	ManifestHeader = "Sallyport-Manifest" // the signed manifest: the trailer of a stream, else a header
	NonceHeader    = "Sallyport-Nonce"    // of a request: stands in what is signed about its answer
)

// FromHeaders takes what was signed from an HTTP answer's headers; trailer is
// asked when the body has been read to its end.
func (e *Expect) FromHeaders(header map[string][]string, trailer func() map[string][]string) {
	get := func(h map[string][]string, name string) string {
		if v := h[name]; len(v) == 1 { // one that comes twice is none
			return v[0]
		}
		return ""
	}
	if opening := get(header, OpeningHeader); opening != "" {
		e.Opening = opening
		e.Manifest = func() string { return get(trailer(), ManifestHeader) }
		return
	}
	e.Opening, e.Manifest = get(header, ManifestHeader), nil
}

// Reader gives what is inside a sealed body. Every byte that Read gives has
// authenticated, and belongs to the decision that the organisation signed. Only
// io.EOF says that it was all of it, and that the manifest verified: whoever
// gets another error must not take what came for the whole.
type Reader struct {
	expect   Expect
	opening  Manifest
	manifest Manifest
	src      *counter
	plain    io.Reader
	clear    int64
	err      error
}

// counter hashes and counts what was taken from the source, and remembers
// whether it was the source that failed.
type counter struct {
	src io.Reader
	sum hash.Hash
	n   int64
	err error
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.sum.Write(p[:n])
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// The ways in which a body does not open. None quotes the body.
var (
	// ErrTampered: what follows is not what was sealed.
	ErrTampered = errors.New("the body was changed, cut off, or put together from parts of others")
	// ErrNotSigned: no key of the organisation signed it, or it is about another body.
	ErrNotSigned = errors.New("the organisation did not sign this body")
	// ErrNotMine: it is sealed to other keys.
	ErrNotMine = errors.New("it is sealed to other keys than these")
	// ErrReplayed: it is the answer to another request.
	ErrReplayed = errors.New("it answers another request")
)

func notOpened(title, next string, cause error) error {
	return problem.New(problem.Invalid, title, next).Because(cause)
}

func tampered(cause error) error {
	return notOpened("The sealed body was changed or cut off on its way", "Keep nothing of it; ask again. If it goes on, something between you and the gateway changes it", errors.Join(ErrTampered, cause))
}

func unsigned(cause error) error {
	return notOpened("The manifest does not show that the organisation sealed this body", "Keep nothing of it; check that the release keys are the organisation's, and ask again", errors.Join(ErrNotSigned, cause))
}

// Open reads and checks what comes before the first chunk.
func Open(src io.Reader, e Expect) (*Reader, error) {
	r := &Reader{expect: e, src: &counter{src: src, sum: sha256.New()}}
	var err error
	if r.opening, err = e.Keys.Verify(e.Opening); err != nil {
		return nil, unsigned(err)
	}
	o := &r.opening
	switch {
	case !o.Final && e.Manifest == nil:
		return nil, unsigned(errors.New("an opening alone, and nobody to ask for the manifest"))
	case e.Decision != "" && o.Decision != e.Decision, e.Nonce != "" && o.Nonce != e.Nonce, e.Entry != 0 && o.Entry != e.Entry,
		!e.NotBefore.IsZero() && o.Created.Before(e.NotBefore):
		return nil, notOpened("The sealed body answers another request", "Keep nothing of it; ask again", ErrReplayed)
	}
	buffered := bufio.NewReaderSize(r.src, 64<<10)
	preamble, err := readPreamble(buffered, o.Format)
	if err != nil {
		return nil, r.failed(err)
	}
	if hexOf(sha256.Sum256(preamble)) != o.Preamble {
		return nil, unsigned(errors.New("it is the opening of another body"))
	}
	if r.plain, err = unseal(preamble, buffered, o.Format, e.Identities); err != nil {
		return nil, err
	}
	return r, nil
}

// Opening is what was signed before the body.
func (r *Reader) Opening() Manifest { return r.opening }

// Manifest is the verified manifest; the zero one before Read gave io.EOF.
func (r *Reader) Manifest() Manifest { return r.manifest }

// Format implements fmt.Formatter: a reader holds what is inside.
func (*Reader) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[sealed body]")) }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.plain.Read(p)
	r.clear += int64(n)
	switch {
	case err == io.EOF:
		r.err = r.finish()
	case err != nil:
		r.err = r.failed(err)
	}
	return n, r.err
}

// failed blames the connection where it was that, and the body otherwise.
func (r *Reader) failed(err error) error {
	if r.src.err != nil {
		return problem.New(problem.Unavailable, "The sealed body broke off", "Keep nothing of it; ask again").Because(errors.Join(ErrTampered, r.src.err))
	}
	return tampered(err)
}

// finish gives io.EOF if the manifest is the one of all that was read.
func (r *Reader) finish() error {
	m := r.opening
	if r.expect.Manifest != nil {
		var err error
		if m, err = r.expect.Keys.Verify(r.expect.Manifest()); err != nil {
			return unsigned(err)
		}
	}
	switch {
	case !m.Final:
		return unsigned(errors.New("it is an opening, not a manifest"))
	case !r.opening.Final && !r.opening.opens(&m), r.opening.Final && r.opening.SHA256 != m.SHA256:
		return unsigned(errors.New("it is the manifest of another body"))
	case m.Bytes != r.src.n || m.Clear != r.clear || hexOf([32]byte(r.src.sum.Sum(nil))) != m.SHA256:
		return tampered(errors.New("the manifest is about other bytes"))
	}
	r.manifest = m
	return io.EOF
}

// maxPreamble is more than MaxRecipients need.
const maxPreamble = 32 << 10

// readPreamble reads up to the first chunk, and no further.
func readPreamble(src *bufio.Reader, f Format) ([]byte, error) {
	var out []byte
	line := func() (string, error) {
		from := len(out)
		for len(out) < maxPreamble {
			c, err := src.ReadByte()
			if err != nil {
				return "", unexpected(err)
			}
			if out = append(out, c); c == '\n' {
				return string(out[from:]), nil
			}
		}
		return "", errors.New("its head is too long")
	}
	if f == HPKE {
		for range 3 {
			if _, err := line(); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	// Lines of an age header are stanzas and their bodies in base64, up to the one
	// with the MAC.
	for {
		text, err := line()
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(text, "---") {
			break
		}
	}
	nonce := make([]byte, ageNonce)
	if _, err := io.ReadFull(src, nonce); err != nil {
		return nil, unexpected(err)
	}
	return append(out, nonce...), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unseal finds the identity that opens, and gives the plaintext chunk by chunk.
func unseal(preamble []byte, src *bufio.Reader, f Format, identities []Identity) (io.Reader, error) {
	mine := notOpened("The sealed body is for other keys than the ones that were given", "Give the private key whose public half the device has on record as its recipient", ErrNotMine)
	if f == HPKE {
		return openHPKE(preamble, src, identities, mine)
	}
	if fips140.Enforced() {
		return nil, ErrFIPS
	}
	var list []age.Identity
	for _, i := range identities {
		if i.age != nil {
			list = append(list, i.age)
		}
	}
	if len(list) == 0 {
		return nil, mine
	}
	// The opening says that the organisation made this preamble; the library opens it.
	plain, err := age.Decrypt(io.MultiReader(bytes.NewReader(preamble), src), list...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, mine
	case err != nil:
		return nil, tampered(errors.New("its header does not authenticate"))
	}
	return plain, nil
}

func openHPKE(preamble []byte, src *bufio.Reader, identities []Identity, mine error) (io.Reader, error) {
	lines := strings.SplitAfter(string(preamble), "\n")
	if len(lines) != 4 || lines[0] != hpkeMagic {
		return nil, tampered(errors.New("its head is not of this format"))
	}
	enc, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimSuffix(lines[2], "\n"))
	if err != nil {
		return nil, tampered(errors.New("its head is not of this format"))
	}
	for _, i := range identities {
		if i.hpke == nil || hpkeInfo(i.recipient.ID()) != lines[0]+lines[1] {
			continue
		}
		ctx, err := hpke.NewRecipient(enc, i.hpke, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(lines[0]+lines[1]))
		if err != nil {
			return nil, tampered(errors.New("its encapsulated key is not one"))
		}
		return &hpkeReader{src: src, ctx: ctx}, nil
	}
	return nil, mine
}

// hpkeReader opens frames one after the other.
type hpkeReader struct {
	src    *bufio.Reader
	ctx    *hpke.Recipient
	box    [chunkSize + tagSize]byte
	unread []byte
	last   bool
	err    error
}

// Read implements io.Reader.
func (h *hpkeReader) Read(p []byte) (int, error) {
	for len(h.unread) == 0 {
		if h.err != nil {
			return 0, h.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		h.err = h.frame()
	}
	n := copy(p, h.unread)
	h.unread = h.unread[n:]
	return n, nil
}

// frame opens the next frame, or says that there is none.
func (h *hpkeReader) frame() error {
	if h.last {
		if _, err := h.src.ReadByte(); err == nil {
			return errors.New("something follows the last frame")
		} else if err != io.EOF {
			return err
		}
		return io.EOF
	}
	var head [4]byte
	if _, err := io.ReadFull(h.src, head[:]); err != nil {
		return unexpected(err)
	}
	word := binary.BigEndian.Uint32(head[:])
	n := int(word &^ lastFrame)
	h.last = word&lastFrame != 0
	if n < tagSize || n > len(h.box) || n == tagSize && !h.last {
		return errors.New("a frame of a length that is not one")
	}
	if _, err := io.ReadFull(h.src, h.box[:n]); err != nil {
		return unexpected(err)
	}
	plain, err := h.ctx.Open(head[:], h.box[:n])
	if err != nil {
		return errors.New("a frame does not authenticate")
	}
	h.unread = plain
	return nil
}
