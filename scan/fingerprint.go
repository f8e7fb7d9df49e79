package scan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
)

// Fingerprints.
//
// A finding must be recognised when lines above it come and go, so its
// fingerprint has no line number. It must also not betray the value: reports go
// to dashboards, and a list of exceptions stays in the repository after the
// data is gone. There are about a thousand million Social Security numbers and
// 40,000 birth dates; whoever holds a plain hash of one has the value within
// seconds.
//
// So the fingerprint of the place ("p1-...") is made of no value: of the path,
// the category, the place's name, the shape of the value (which kinds of
// characters follow each other, runs taken as one, so that every number of the
// form 123-45-6789 has the same), and which one of those it is in the file.
// Without a key that is all there is. It has a cost: another value of the same
// shape in the same place has the same fingerprint, so an exception for the
// place covers it.
//
// With a key, which is kept outside the repository (the variable
// SALLYPORT_SCAN_KEY), each finding also has a print of its values ("v1-..."):
// HMAC-SHA256 under the key. An exception for it covers that value anywhere,
// and no other. Whoever has the key can test guesses; whoever has only reports
// cannot.
const (
	placePrint = "p1-"
	valuePrint = "v1-"
)

// MinKey is the least length in bytes of the key for prints of values.
const MinKey = 32

// enumerate gives the findings of one file, in order, their fingerprints.
func enumerate(list []Finding) {
	seen := map[string]int{}
	for i := range list {
		f := &list[i]
		base := strings.Join([]string{f.rel, f.Category, f.Place, f.shape}, "\x00")
		seen[base]++
		sum := sha256.Sum256([]byte("sallyport scan place 1\x00" + base + "\x00" + strconv.Itoa(seen[base])))
		f.Fingerprint = placePrint + hex.EncodeToString(sum[:16])
	}
}

// printer makes the print of one finding's values.
type printer struct {
	mac hash.Hash // nil without a key
}

func newPrinter(key []byte, category string) printer {
	if len(key) == 0 {
		return printer{}
	}
	p := printer{mac: hmac.New(sha256.New, key)}
	p.mac.Write([]byte("sallyport scan value 1\x00" + category + "\x00"))
	return p
}

func (p printer) add(value []byte) {
	if p.mac == nil {
		return
	}
	p.mac.Write([]byte(strconv.Itoa(len(value)) + ":"))
	p.mac.Write(value)
}

func (p printer) String() string {
	if p.mac == nil {
		return ""
	}
	return valuePrint + hex.EncodeToString(p.mac.Sum(nil)[:16])
}
