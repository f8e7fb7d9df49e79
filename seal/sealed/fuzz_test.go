package sealed_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/seal/sealed"
)

// Whatever comes in a body's place, what is handed on is the beginning of what
// was sealed, and only the body itself is final.
func FuzzOpen(f *testing.F) {
	want := random(9, chunk+300)
	type one struct {
		e *end
		a answer
	}
	var all []one
	for i, format := range formats {
		e := newEnd(f, format)
		a := e.seal(f, "one", want[:chunk/2], want[chunk/2:])
		all = append(all, one{e, a})
		f.Add(byte(i), a.body, uint32(0), byte(0))
		f.Add(byte(i), a.body[:len(a.body)/2], uint32(40), byte(1))
		f.Add(byte(i), []byte("age-encryption.org/v1\n-> X25519 a\nb\n--- c\n0123456789abcdef"), uint32(0), byte(0))
		f.Add(byte(i), []byte("sallyport/hpke-p256/v1\na\nb\n\x80\x00\x00\x10"), uint32(0), byte(0))
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte, at uint32, mask byte) {
		x := all[int(which)%len(all)]
		// The fuzzer's own bytes, and the true body with one of its bytes changed.
		own := bytes.Clone(x.a.body)
		own[int(at)%len(own)] ^= mask
		for _, b := range [][]byte{body, own} {
			got, err := open(b, x.e.expect(x.a))
			if !bytes.HasPrefix(want, got) {
				t.Fatal("other bytes were handed on than were sealed")
			}
			if err == nil && (!bytes.Equal(b, x.a.body) || !bytes.Equal(got, want)) {
				t.Fatal("another body is final")
			}
		}
	})
}

// What is not signed does not verify, in no form; and keys that were read can be
// written again.
func FuzzVerify(f *testing.F) {
	e := newEnd(f, sealed.HPKE)
	a := e.seal(f, "one", []byte("hello"))
	file, err := sealed.ManifestFile(a.manifest)
	if err != nil {
		f.Fatal(err)
	}
	true1, err := e.keys.Verify(a.manifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.manifest)
	f.Add(a.opening)
	f.Add(string(file))
	f.Add("..")
	f.Add(`{"payload":"","protected":"","signature":""}`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := e.keys.Verify(text)
		if err == nil && m.Preamble != true1.Preamble {
			t.Fatalf("verifies: %q", text)
		}
		if _, err := (sealed.Keys{}).Verify(text); err == nil {
			t.Fatal("verifies without keys")
		}
		_, _ = sealed.ManifestFile(text)
	})
}

// Keys as text: what is taken is taken again as it is written, and no error
// quotes what was read.
func FuzzKeys(f *testing.F) {
	for _, format := range formats {
		k, err := sealed.NewIdentity(format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(k.Secret()))
		f.Add(k.Recipient().String())
	}
	set, err := sealed.MarshalKeys(&newSigner(f).key.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(set))
	f.Fuzz(func(t *testing.T, text string) {
		list, err := sealed.ParseIdentities([]byte(text))
		if err != nil && len(text) > 40 && strings.Contains(err.Error(), text[10:30]) {
			t.Fatal("the error quotes a private key")
		}
		for _, k := range list {
			again, err := sealed.ParseIdentities(k.Secret())
			if err != nil || again[0].Recipient().String() != k.Recipient().String() {
				t.Fatalf("an identity does not come back: %v", err)
			}
		}
		if r, err := sealed.ParseRecipient(text); err == nil {
			s, err := sealed.NewSealer(r)
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.Begin(now)
			if err != nil {
				return // a key of small order
			}
			if _, err := b.Append(nil, []byte("x"), true); err != nil {
				t.Fatal(err)
			}
		}
		if keys, err := sealed.ParseKeys([]byte(text)); err == nil && len(keys.IDs()) == 0 {
			t.Fatal("a set without keys was taken")
		}
	})
}
