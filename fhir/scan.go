package fhir

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"
)

// Members visits the members of a JSON object that was checked before (Check, or
// what a Reader yields). Names are unquoted; values are as they stand. What is no
// object has no members; a damaged one ends the visit early.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		members(object, func(name, value []byte, _ int) bool { return yield(name, value) })
	}
}

// members is Members with the depth of each value: 0 for a scalar.
func members(object []byte, yield func(name, value []byte, depth int) bool) {
	i := space(object, 0)
	if i >= len(object) || object[i] != '{' {
		return
	}
	for i++; ; i++ {
		i = space(object, i)
		if i >= len(object) || object[i] != '"' {
			return
		}
		end := skipString(object, i)
		if end < 0 {
			return
		}
		name := unquote(object[i:end])
		if i = space(object, end); i >= len(object) || object[i] != ':' {
			return
		}
		i = space(object, i+1)
		end, depth := skipDeep(object, i)
		if end < 0 || !yield(name, object[i:end], depth) {
			return
		}
		if i = space(object, end); i >= len(object) || object[i] != ',' {
			return
		}
	}
}

// Items visits the elements of a JSON array that was checked before. Any other
// value is visited as if it were a list of itself, which is how FHIR's paths see
// it; nothing is visited for an empty input.
func Items(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := space(value, 0)
		if i >= len(value) {
			return
		}
		if value[i] != '[' {
			yield(value[i:])
			return
		}
		for i++; ; i++ {
			i = space(value, i)
			if i >= len(value) || value[i] == ']' {
				return
			}
			end := skip(value, i)
			if end < 0 || !yield(value[i:end]) {
				return
			}
			if i = space(value, end); i >= len(value) || value[i] != ',' {
				return
			}
		}
	}
}

// member finds one member's value, or nil.
func member(object []byte, name string) []byte {
	for n, v := range Members(object) {
		if string(n) == name {
			return v
		}
	}
	return nil
}

// text unquotes a JSON string; ok is false for any other value. The result may
// alias the input.
func text(value []byte) (s []byte, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	return unquote(value), true
}

// unquote drops the quotes of a checked JSON string, and resolves its escapes if
// it has any, which names never and references rarely do.
func unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	out, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return nil // was not checked; no name and no value of FHIR is empty
	}
	return out
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skip finds the end of the value that starts at i, or -1.
func skip(b []byte, i int) int {
	end, _ := skipDeep(b, i)
	return end
}

// skipDeep also says how deep the value nests: 0 for a scalar.
func skipDeep(b []byte, i int) (end, deepest int) {
	if i >= len(b) {
		return -1, 0
	}
	switch b[i] {
	case '"':
		return skipString(b, i), 0
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1, deepest
				}
				continue
			case '{', '[':
				depth++
				deepest = max(deepest, depth)
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, deepest
				}
			}
			i++
		}
		return -1, deepest
	}
	start := i
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ':', '"', ' ', '\n', '\r', '\t':
			if i == start {
				return -1, 0
			}
			return i, 0
		}
		i++
	}
	return i, 0
}

// skipString looks at eight bytes at a time for the quote or a backslash: strings
// of FHIR are too short, ten or twenty bytes, for a call of bytes.IndexByte to pay.
func skipString(b []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i++
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		q, e := w^('"'*ones), w^('\\'*ones)
		hit := ((q-ones)&^q | (e-ones)&^e) & high // the lowest set bit is exact
		if hit == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(hit) / 8
		if b[i] == '"' {
			return i + 1
		}
		i += 2 // a backslash, and what it escapes
	}
	for i < len(b) {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return -1
}
