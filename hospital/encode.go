package hospital

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// obj is a FHIR object while it is being made; nil and empty members are left
// out when it is written, because R4 forbids empty arrays and objects (2.1.3).
type obj = map[string]any

type list = []any

// first is the order in which FHIR documents are usually written; all other
// members follow by name, so that a seed always gives the same bytes.
var first = map[string]int{
	"resourceType": -10, "id": -9, "meta": -8, "implicitRules": -7, "language": -6,
	"text": -5, "contained": -4, "extension": -3, "modifierExtension": -2, "url": -1,
}

// appendJSON writes v. It takes what obj trees and encoding/json can hold.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case float64:
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	case json.Number:
		return append(b, v...)
	case obj:
		keys := make([]string, 0, len(v))
		for k, member := range v {
			if !empty(member) {
				keys = append(keys, k)
			}
		}
		slices.SortFunc(keys, func(x, y string) int {
			if d := first[x] - first[y]; d != 0 {
				return d
			}
			if x < y {
				return -1
			}
			return 1
		})
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = appendJSON(b, v[k])
		}
		return append(b, '}')
	case list:
		b = append(b, '[')
		n := 0
		for _, item := range v {
			// A null keeps its place: it pairs a primitive with its extension.
			if item != nil && empty(item) {
				continue
			}
			if n > 0 {
				b = append(b, ',')
			}
			n++
			b = appendJSON(b, item)
		}
		return append(b, ']')
	default:
		panic(fmt.Sprintf("hospital: a tree cannot hold %T", v))
	}
}

// empty reports whether a member says nothing. Decoded JSON never holds an
// empty one that matters, since R4 forbids them.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case obj:
		for _, m := range v {
			if !empty(m) {
				return false
			}
		}
		return true
	case list:
		for _, m := range v {
			if !empty(m) {
				return false
			}
		}
		return true
	}
	return false
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // an invalid byte becomes U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
