package diligence

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// FingerprintSize is how many numbers a fingerprint has. With 128 the estimate of how
// much two texts share is off by about 0.04 (one standard deviation, at a half).
const FingerprintSize = 128

// shingle is how many words in a row are compared.
const shingle = 5

// MaxFingerprintText bounds the text that is read, in bytes; what follows is left out.
const MaxFingerprintText = 16 << 20

// Fingerprint is the MinHash of a text's shingles of five words: two texts share about
// as much as their fingerprints have numbers in common. Case, punctuation, digits and
// line breaks do not count, so that names of months and numbers do not hide a
// boilerplate. It is nil for a text that is too short to say anything.
func Fingerprint(text string) []uint32 {
	if len(text) > MaxFingerprintText {
		text = text[:MaxFingerprintText]
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	if len(words) < 10*shingle {
		return nil
	}
	out := make([]uint32, FingerprintSize)
	for i := range out {
		out[i] = ^uint32(0)
	}
	h := fnv.New64a()
	for i := 0; i+shingle <= len(words); i++ {
		h.Reset()
		for _, w := range words[i : i+shingle] {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		x := h.Sum64()
		for k := range out {
			out[k] = min(out[k], uint32(mix(x, uint64(k))>>32))
		}
	}
	return out
}

// mix is the k-th of a family of permutations of x (the finaliser of SplitMix64).
func mix(x, k uint64) uint64 {
	x += (k + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Alike estimates how much of two texts' shingles is in both, from 0 to 1, by their
// fingerprints; 0 where there is none.
func Alike(a, b []uint32) float64 {
	if len(a) != FingerprintSize || len(b) != FingerprintSize {
		return 0
	}
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	return float64(same) / FingerprintSize
}

// Suspicious is from how much on two vendors' reports are listed as alike (policy).
// Reports of one auditor share their standard paragraphs; what should differ, the
// system, the tests and their results, is most of an honest report.
const Suspicious = 0.6

// Pair is two certifications of different vendors whose texts are alike.
type Pair struct {
	A       id.Certification `json:"a"`
	VendorA id.Vendor        `json:"vendor_a"`
	B       id.Certification `json:"b"`
	VendorB id.Vendor        `json:"vendor_b"`
	Type    string           `json:"type"`
	Alike   float64          `json:"alike"` // 0 to 1, an estimate
	// SameDocument says that the two are the same file.
	SameDocument bool `json:"same_document,omitempty"`
}

// AlikeCertifications lists the pairs of certifications of different vendors, of one
// type and not revoked, that share least of their text or more, or are the same file;
// most alike first. It compares each with each: 1,000 reports are half a million pairs.
func AlikeCertifications(v *snapshot.View, least float64) []Pair {
	var all []*snapshot.Certification
	for _, c := range v.Certifications.All() {
		if c.RevokedAt.IsZero() && (len(c.Fingerprint) == FingerprintSize || c.Document != "") {
			all = append(all, c)
		}
	}
	var out []Pair
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Vendor == b.Vendor || a.Type != b.Type {
				continue
			}
			p := Pair{A: a.ID, VendorA: a.Vendor, B: b.ID, VendorB: b.Vendor, Type: a.Type,
				Alike: Alike(a.Fingerprint, b.Fingerprint), SameDocument: a.Document != "" && a.Document == b.Document}
			if p.SameDocument {
				p.Alike = 1
			}
			if p.Alike >= least {
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Pair) int { return cmp.Compare(b.Alike, a.Alike) })
	return out
}
