package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// siv is AES-SIV (RFC 5297) with one string of associated data.
//
// Keys are Tink's, and Tink's own AES-SIV is the oracle in the tests. It is not
// on the path itself because it schedules a key and allocates 1.1 kB on every
// call, and every reference of every released resource passes through here.
// This one schedules its keys once, remembers what the associated data adds to
// S2V, and allocates nothing: a whole code takes half of what Tink's SIV takes.
type siv struct {
	mac    cipher.Block // K1, for S2V
	ctr    cipher.Block // K2, for CTR
	k1, k2 [aes.BlockSize]byte
	zero   [aes.BlockSize]byte // CMAC(<zero>)
	pool   sync.Pool
}

// sivAD is what associated data adds to S2V: dbl(CMAC(<zero>)) xor CMAC(AD).
type sivAD [aes.BlockSize]byte

// sivScratch is heap space for one call: a cipher.Block is an interface, so
// what it works on would escape on every call.
type sivScratch struct {
	x, tag, counter [aes.BlockSize]byte
	buf             [codeBytes]byte
	text            [codeLen]byte
}

var errSIV = errors.New("does not open under this key")

// newSIV takes K1 and K2 in one: 32 or 64 bytes (RFC 5297 section 2.2).
func newSIV(key []byte) (*siv, error) {
	if len(key) != 32 && len(key) != 64 {
		return nil, fmt.Errorf("an AES-SIV key is 32 or 64 bytes, not %d", len(key))
	}
	s := &siv{pool: sync.Pool{New: func() any { return new(sivScratch) }}}
	var err error
	if s.mac, err = aes.NewCipher(key[:len(key)/2]); err != nil {
		return nil, err
	}
	if s.ctr, err = aes.NewCipher(key[len(key)/2:]); err != nil {
		return nil, err
	}
	// The subkeys of CMAC (RFC 4493 section 2.3).
	s.mac.Encrypt(s.k1[:], s.k1[:])
	dbl(&s.k1)
	s.k2 = s.k1
	dbl(&s.k2)
	w := s.scratch()
	defer s.done(w)
	s.cmac(w, s.zero[:], nil)
	s.zero = w.tag
	return s, nil
}

func (s *siv) scratch() *sivScratch { return s.pool.Get().(*sivScratch) }

// done wipes what was worked on before another call finds it.
func (s *siv) done(w *sivScratch) {
	*w = sivScratch{}
	s.pool.Put(w)
}

// bind computes what ad adds.
func (s *siv) bind(ad []byte) sivAD {
	w := s.scratch()
	defer s.done(w)
	s.cmac(w, ad, nil)
	d := s.zero
	dbl(&d)
	subtle.XORBytes(d[:], d[:], w.tag[:])
	return sivAD(d)
}

// cmac leaves CMAC(msg) in w.tag (RFC 4493 section 2.4). With end, the last 16
// bytes of msg, which is at least that long, are taken as xored with end: the
// xorend of RFC 5297 section 2.1, without a copy of msg.
func (s *siv) cmac(w *sivScratch, msg []byte, end *[aes.BlockSize]byte) {
	const n = aes.BlockSize
	w.x = [n]byte{}
	fold := len(msg) - n // where end begins
	for at := 0; ; at += n {
		rest := len(msg) - at
		size := min(rest, n)
		subtle.XORBytes(w.x[:size], w.x[:size], msg[at:at+size])
		if end != nil && at+size > fold {
			from := max(at, fold)
			subtle.XORBytes(w.x[from-at:size], w.x[from-at:size], end[from-fold:])
		}
		if rest > n {
			s.mac.Encrypt(w.x[:], w.x[:])
			continue
		}
		if rest == n {
			subtle.XORBytes(w.x[:], w.x[:], s.k1[:])
		} else {
			w.x[size] ^= 0x80
			subtle.XORBytes(w.x[:], w.x[:], s.k2[:])
		}
		s.mac.Encrypt(w.tag[:], w.x[:])
		return
	}
}

// s2v leaves S2V(AD, msg) in w.tag (RFC 5297 section 2.4).
func (s *siv) s2v(w *sivScratch, ad *sivAD, msg []byte) {
	if len(msg) >= aes.BlockSize {
		d := [aes.BlockSize]byte(*ad)
		s.cmac(w, msg, &d)
		return
	}
	// One block, so CMAC is one encryption of it.
	d := [aes.BlockSize]byte(*ad)
	dbl(&d)
	subtle.XORBytes(d[:len(msg)], d[:len(msg)], msg)
	d[len(msg)] ^= 0x80
	subtle.XORBytes(w.x[:], d[:], s.k1[:])
	s.mac.Encrypt(w.tag[:], w.x[:])
}

// xor applies the key stream that begins at w.tag (RFC 5297 section 2.5) to
// text, in place.
func (s *siv) xor(w *sivScratch, text []byte) {
	counter := w.tag
	counter[8] &= 0x7f
	counter[12] &= 0x7f
	hi, lo := binary.BigEndian.Uint64(counter[:8]), binary.BigEndian.Uint64(counter[8:])
	for len(text) > 0 {
		binary.BigEndian.PutUint64(w.counter[:8], hi)
		binary.BigEndian.PutUint64(w.counter[8:], lo)
		s.ctr.Encrypt(w.x[:], w.counter[:])
		n := subtle.XORBytes(text, text, w.x[:])
		text = text[n:]
		if lo++; lo == 0 {
			hi++
		}
	}
}

// seal turns box, whose first 16 bytes are free, into tag and ciphertext.
func (s *siv) seal(w *sivScratch, ad *sivAD, box []byte) {
	s.s2v(w, ad, box[aes.BlockSize:])
	copy(box, w.tag[:])
	s.xor(w, box[aes.BlockSize:])
}

// open turns tag and ciphertext in box back, in place. On an error box holds
// nothing that was sealed.
func (s *siv) open(w *sivScratch, ad *sivAD, box []byte) error {
	if len(box) < aes.BlockSize {
		return errSIV
	}
	w.tag = [aes.BlockSize]byte(box)
	s.xor(w, box[aes.BlockSize:])
	s.s2v(w, ad, box[aes.BlockSize:])
	if subtle.ConstantTimeCompare(box[:aes.BlockSize], w.tag[:]) != 1 {
		clear(box)
		return errSIV
	}
	return nil
}

// dbl multiplies by x in GF(2^128) (RFC 5297 section 2.3), in constant time.
func dbl(b *[aes.BlockSize]byte) {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	carry := hi >> 63
	hi = hi<<1 | lo>>63
	lo = lo<<1 ^ carry*0x87
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
}
