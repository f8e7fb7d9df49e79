package seal

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encrypt is seal as RFC 5297 spells it.
func (s *siv) encrypt(plain, ad []byte) []byte {
	w := s.scratch()
	defer s.done(w)
	bound := s.bind(ad)
	box := append(make([]byte, 16), plain...)
	s.seal(w, &bound, box)
	return box
}

func (s *siv) decrypt(box, ad []byte) ([]byte, error) {
	w := s.scratch()
	defer s.done(w)
	bound := s.bind(ad)
	box = bytes.Clone(box)
	if err := s.open(w, &bound, box); err != nil {
		return nil, err
	}
	return box[16:], nil
}

// RFC 5297 appendix A.1: deterministic authenticated encryption.
func TestSIVVectorOfTheRFC(t *testing.T) {
	s, err := newSIV(unhex(t, "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"))
	if err != nil {
		t.Fatal(err)
	}
	ad := unhex(t, "101112131415161718191a1b1c1d1e1f2021222324252627")
	plain := unhex(t, "112233445566778899aabbccddee")
	want := "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
	if got := hex.EncodeToString(s.encrypt(plain, ad)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := s.decrypt(unhex(t, want), ad); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("decrypt = %x, %v", got, err)
	}
}

// Vectors made with OpenSSL's AES-256-SIV (by way of Python's cryptography),
// for keys of 64 bytes, which the RFC has none of: key 00..3f, plaintext
// (7i+3) mod 256, associated data a0+(i mod 64).
func TestSIVVectorsOfOpenSSL(t *testing.T) {
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i)
	}
	s, err := newSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plain, ad int
		want      string
	}{
		{1, 5, "bdaa116730c6d8c0a2cd754aec1e012a3c"},
		{15, 16, "8c84bc8f34b842217d508508d222d855221204f94cf5b3528633bd9515e732"},
		{16, 5, "d8352c980840414a9f0931d45c97c9dccbff73e6a899bd323b41a1783b4f1b9b"},
		{17, 40, "78bdbe6a53d110dfa14e20ef016b72290dbfeab021215ae0aa6a46e91e7135ff5c"},
		{31, 5, "d0782129eec176a0eca17a27df4fa9ab32c167aefeb7c1bd66ac236c6bba4e4e229e439c32ebe071d1338e0c0dedaf"},
		{31, 25, "88581992dc1a446a6e1d935c0830efb9ee7b0044f27d769ce946accc3b2b0d562b543e8c569254243eb1a89b5ec629"},
		{31, 40, "ad14b89b0fef2a3661e8abac1a2e3a23be4a2bb81ca613670ad35c7ba6ca2660b4f6458061cb59beb7f2d248da4da5"},
		{32, 16, "ef1b0201bf648cbdd52d95c9cef1bf6b5fde9ded09363305c685e81aac5e457f812002ed03e7c62be2e0172c14668c16"},
		{33, 40, "389a3e598bf32eff1d957a9f1c5181ca0cd8b4e2055120ecfcfa06ca760189e2c455ecfb22561e22e92e2d329b995fc4ce"},
		{48, 16, "5a902e02774a01d5516201befc720c0fd8b4c608145e1638d6900a51fbc4549f4907b925bd624cba43cc3d6b854d0635a5b34f9b352e2b46183c194862fc7098"},
		{100, 40, "90494b6916b03e24f8134605b1fa9acf4b111b1aa8f9f3ef9ee4bc81405b2c0f2ae016b2d68b4dc75f387a1ef6e027de328de46a3a2d24a39a5251fc27cd80bb9af325ef9d9715941059e83a383e1dcf3090d35745745f76a74eadb86e69539772bd14a345724e0131ddbfd3629331e9a6fb9856"},
	} {
		plain, ad := make([]byte, c.plain), make([]byte, c.ad)
		for i := range plain {
			plain[i] = byte(7*i + 3)
		}
		for i := range ad {
			ad[i] = byte(0xa0 + i%64)
		}
		if got := hex.EncodeToString(s.encrypt(plain, ad)); got != c.want {
			t.Errorf("%d bytes, %d of associated data:\ngot  %s\nwant %s", c.plain, c.ad, got, c.want)
		}
	}
}

// Tink is the oracle for everything else.
func TestSIVAgreesWithTink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "key")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "plain")
		ad := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "ad")
		ours, err := newSIV(key)
		if err != nil {
			t.Fatal(err)
		}
		tink, err := subtle.NewAESSIV(key)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tink.EncryptDeterministically(plain, ad)
		if err != nil {
			t.Fatal(err)
		}
		box := ours.encrypt(plain, ad)
		if !bytes.Equal(box, want) {
			t.Fatalf("got  %x\nwant %x", box, want)
		}
		if got, err := ours.decrypt(box, ad); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("decrypt = %x, %v", got, err)
		}
		box[rapid.IntRange(0, len(box)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err := ours.decrypt(box, ad); err == nil {
			t.Fatalf("a changed box opened: %x", got)
		}
	})
}

func TestSIVKeySizes(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 48, 63, 65, 128} {
		if _, err := newSIV(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes was accepted", n)
		}
	}
}

func BenchmarkTinkSIV(b *testing.B) {
	s, err := subtle.NewAESSIV(make([]byte, 64))
	if err != nil {
		b.Fatal(err)
	}
	plain, ad := make([]byte, codePacked), purpose("code", "sepsis")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.EncryptDeterministically(plain, ad); err != nil {
			b.Fatal(err)
		}
	}
}
