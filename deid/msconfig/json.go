package msconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// scalarText is the text of a string, number or literal.
func scalarText(raw jsontext.Value) string {
	if s, ok := stringOrNull(raw); ok {
		return s
	}
	if k := raw.Kind(); k == '{' || k == '[' {
		return ""
	}
	return string(raw)
}

func stringOrNull(raw jsontext.Value) (string, bool) {
	switch raw.Kind() {
	case 'n':
		return "", true
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	return "", false
}

type member struct {
	name string
	raw  jsontext.Value
}

var errNoObject = errors.New("no object")

// members reads an object, in order. Names that stand twice are an error.
func members(raw jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, errNoObject
	}
	var out []member
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, fault(err)
		}
		m := member{name: t.String()}
		v, err := d.ReadValue()
		if err != nil {
			return nil, fault(err)
		}
		m.raw = v.Clone()
		out = append(out, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, fault(err)
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return nil, errors.New("something follows it")
	}
	return out, nil
}

func elements(raw jsontext.Value) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return nil, errNoObject
	}
	var out []jsontext.Value
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return nil, fault(err)
		}
		out = append(out, v.Clone())
	}
	return out, nil
}

// fault says where JSON is wrong.
func fault(err error) error {
	var se *jsontext.SyntacticError
	if errors.As(err, &se) {
		return fmt.Errorf("at byte %d", se.ByteOffset)
	}
	return errors.New("it ends too early")
}

// relax blanks comments and commas before a closing bracket, outside of strings.
// Offsets stay.
func relax(src []byte) []byte {
	out := bytes.Clone(src)
	comma := -1 // a comma that nothing but space has followed
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && (out[i+1] == '/' || out[i+1] == '*'):
			end, skip := []byte("\n"), 0
			if out[i+1] == '*' {
				end, skip = []byte("*/"), 2
			}
			n := bytes.Index(out[i+2:], end)
			if n < 0 {
				if skip > 0 {
					return out // no end: not JSON
				}
				n = len(out) - i - 2
			}
			stop := i + 2 + n + skip
			for ; i < stop; i++ {
				out[i] = ' '
			}
			i--
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			comma = -1
		}
	}
	return out
}
