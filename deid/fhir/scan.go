package fhir

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions of this file walk JSON text that jsontext has already checked:
// grammar, UTF-8, no duplicate names, bounded depth. On such text the position
// of every value is unambiguous, so that they need not check again, and they
// cannot disagree with the checker about where a value ends. On text that was
// not checked they panic, or go on to its end, but always go on. They are not
// fhir.Members and fhir.Items, which measure a value before they show it: the
// minimiser would measure each level of a resource once more.

const unchecked = "deid/fhir: text that was not checked"

// maxDepth bounds how deep what is copied nests. The deepest element that R4
// defines without recursion is 9; questionnaires recurse. What is skipped may
// be as deep as jsontext allows, 10,000: skipping does not recurse.
const maxDepth = 64

var strict = []jsontext.Options{
	jsontext.AllowDuplicateNames(false),
	jsontext.AllowInvalidUTF8(false),
}

// space returns the index of the first byte at or after i that is not white space.
func space(b []byte, i int) int {
	for b[i] <= ' ' {
		i++
	}
	return i
}

// stringEnd returns the index after the string that starts at i.
func stringEnd(b []byte, i int) int {
	i++
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			panic(unchecked)
		}
		i += n
		// A quote is escaped by an odd number of backslashes before it.
		k := i - 1
		for b[k] == '\\' {
			k--
		}
		i++
		if (i-k)%2 == 0 {
			return i
		}
	}
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = stringEnd(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
				if depth == 0 {
					return i + 1
				}
			}
			i++
		}
	default: // a number or a literal
		start := i
		for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
			i++
		}
		if i == start {
			panic(unchecked)
		}
		return i
	}
}

// next reads the name of the next member at or after i, which is inside an
// object, just after "{" or after a value. ok is false at the end of the
// object, and then i is the index after "}".
func next(b []byte, i int, scratch *[]byte) (name []byte, value int, ok bool) {
	i = space(b, i)
	if b[i] == ',' {
		i = space(b, i+1)
	}
	if b[i] == '}' {
		return nil, i + 1, false
	}
	// Names are short and hardly ever escaped: one look at each byte.
	start := i + 1
	for i = start; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i = stringEnd(b, start-1)
			name = text(b[start-1:i], scratch)
			i = space(b, i)
			return name, space(b, i+1), true
		}
	}
	name = b[start:i]
	i = space(b, i+1)                // the colon
	return name, space(b, i+1), true // the value
}

// item finds the next item of an array at or after i. ok is false at its end,
// and then i is the index after "]".
func item(b []byte, i int) (value int, ok bool) {
	i = space(b, i)
	if b[i] == ',' {
		i = space(b, i+1)
	}
	if b[i] == ']' {
		return i + 1, false
	}
	return i, true
}

// text is what a JSON string says. The result lies in quoted, or in scratch
// where it had escapes, and is good until scratch is used again.
func text(quoted []byte, scratch *[]byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	s, err := jsontext.AppendUnquote((*scratch)[:0], quoted)
	if err != nil {
		return nil // cannot be: the text was checked
	}
	*scratch = s
	return s
}
