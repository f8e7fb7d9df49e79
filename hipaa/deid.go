package hipaa

import (
	_ "embed" // the regulation is compiled in
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Identifier is one of the 18 of 45 CFR 164.514(b)(2)(i), or one of the 16 that
// a limited data set excludes (164.514(e)(2)).
type Identifier struct {
	Code     string `json:"code"`  // "A" to "R"; empty for a limited data set's
	Roman    string `json:"roman"` // "i" to "xvi"; empty for Safe Harbor's
	Citation string `json:"citation"`
	Text     string `json:"text"` // paraphrase
}

//go:embed deid.json
var deidJSON []byte

//go:embed zip3.txt
var zip3Text string

var identifiers = sync.OnceValue(func() (doc struct {
	SafeHarbor []Identifier `json:"safe_harbor"`
	Limited    []Identifier `json:"limited_data_set_excluded"`
}) {
	mustDecode("deid.json", deidJSON, &doc)
	return doc
})

// SafeHarborIdentifiers is the 18 identifiers of 45 CFR 164.514(b)(2)(i), in
// order. They are those of the individual and of relatives, employers and
// household members. The caller must not change the list.
func SafeHarborIdentifiers() []Identifier { return identifiers().SafeHarbor }

// LimitedDataSetIdentifiers is the 16 that 45 CFR 164.514(e)(2) excludes, in
// order. The caller must not change the list.
func LimitedDataSetIdentifiers() []Identifier { return identifiers().Limited }

// MustCiteIdentifier gives the citation of a Safe Harbor identifier that the
// caller names as a literal, "A" to "R". Another letter panics, and a test finds it.
func MustCiteIdentifier(letter string) string {
	for _, i := range SafeHarborIdentifiers() {
		if i.Code == letter {
			return i.Citation
		}
	}
	panic(fmt.Sprintf("hipaa: no identifier %q in 164.514(b)(2)(i)", letter))
}

// MustCiteExclusion is the same for what a limited data set excludes, "i" to "xvi".
func MustCiteExclusion(roman string) string {
	for _, i := range LimitedDataSetIdentifiers() {
		if i.Roman == roman {
			return i.Citation
		}
	}
	panic(fmt.Sprintf("hipaa: no exclusion %q in 164.514(e)(2)", roman))
}

// ZIP3Source says where the populations come from and when, for documents that
// must name it.
const ZIP3Source = "2020 Census DHC, table P1, by ZCTA"

// zip3Floor: a unit must hold more people than this (164.514(b)(2)(i)(B)(1)).
const zip3Floor = 20_000

// zip3 is the populations by prefix, 0 where the Census has none.
var zip3 = sync.OnceValue(func() (people [1000]int32) {
	for line := range strings.Lines(zip3Text) {
		if line[0] == '#' {
			continue
		}
		prefix, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		i, err := strconv.ParseUint(prefix, 10, 16)
		n, err2 := strconv.ParseInt(count, 10, 32)
		if err != nil || err2 != nil || len(prefix) != 3 {
			panic("hipaa: embedded zip3.txt is damaged")
		}
		people[i] = int32(n)
	}
	return people
})

// ZIP3 gives what 45 CFR 164.514(b)(2)(i)(B) lets stand of a ZIP code that
// begins with the three digits: the digits where the Census counts more than
// 20,000 people under them, and "000" for any other prefix, known or not.
func ZIP3[T ~string | ~[]byte](prefix T) string {
	n, ok := digits3(prefix)
	if !ok || zip3()[n] <= zip3Floor {
		return "000"
	}
	return string(prefix)
}

// ZIP3Population is how many people the Census counts under the prefix; ok is
// false where it knows none.
func ZIP3Population(prefix string) (people int, ok bool) {
	n, ok := digits3(prefix)
	if !ok {
		return 0, false
	}
	people = int(zip3()[n])
	return people, strings.Contains(zip3Text, "\n"+prefix+" ")
}

func digits3[T ~string | ~[]byte](s T) (n int, ok bool) {
	if len(s) != 3 {
		return 0, false
	}
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
