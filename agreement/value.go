package agreement

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/snapshot"
)

// value is a term's value as it was read. The zero value is one that is not there.
//
// A term is written as its plain value (true, 24, "prohibited"), or, where the
// catalogue's type has more behind a "+", as an object with the plain value under
// "value" beside the rest: {"value": "notice_and_object", "notice_days": 30}.
type value struct {
	there bool // something is written, and it can be read
	plain any  // bool, int64, string, []any, map[string]any
	more  map[string]any
}

// readValue reads what is written. What is not JSON is not there.
func readValue(raw json.RawMessage) value {
	raw = bytes.TrimSpace(raw)
	switch string(raw) { // most terms, without a decoder
	case "", "null":
		return value{}
	case "true":
		return value{there: true, plain: true}
	case "false":
		return value{there: true, plain: false}
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return value{there: true, plain: n}
	}
	if len(raw) > 1 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 && json.Valid(raw) {
		return value{there: true, plain: string(raw[1 : len(raw)-1])}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return value{}
	}
	v = numbers(v)
	if m, ok := v.(map[string]any); ok {
		if inner, ok := m["value"]; ok {
			delete(m, "value")
			return value{there: inner != nil, plain: inner, more: m}
		}
		return value{there: true, plain: v, more: m}
	}
	return value{there: v != nil, plain: v}
}

// numbers makes whole numbers of a decoded value int64, and others strings.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return v.String()
	case map[string]any:
		for k, x := range v {
			v[k] = numbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = numbers(x)
		}
	}
	return v
}

func termOf(a *snapshot.Agreement, field string) value {
	t, ok := a.Terms[field]
	if !ok {
		return value{}
	}
	return readValue(t.Value)
}

// yes reports the word true, and nothing else.
func (v value) yes() bool { b, ok := v.plain.(bool); return ok && b }

func (v value) isBool() bool { _, ok := v.plain.(bool); return ok }

func (v value) word() string { s, _ := v.plain.(string); return s }

func (v value) number() (int64, bool) { n, ok := v.plain.(int64); return n, ok }

func (v value) list() ([]any, bool) { l, ok := v.plain.([]any); return l, ok }

func (v value) object() (map[string]any, bool) { m, ok := v.plain.(map[string]any); return m, ok }

// member is what stands beside the plain value, or in it.
func (v value) member(name string) value {
	x, ok := v.more[name]
	return value{there: ok && x != nil, plain: x}
}

// memberInt is a whole number of 0 or more in a member; 0 when there is none.
func (v value) memberInt(name string) int {
	n, ok := v.member(name).number()
	if !ok || n < 0 || n > 1<<20 {
		return 0
	}
	return int(n)
}

func (v value) int() int {
	n, ok := v.number()
	if !ok || n < 0 || n > 1<<20 {
		return 0
	}
	return int(n)
}

// words are the strings of a list; ok only if it is a list of nothing else.
func (v value) words() (out []string, ok bool) {
	l, ok := v.list()
	if !ok {
		return nil, false
	}
	for _, x := range l {
		s, is := x.(string)
		if !is {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// notApplicable is {"not_applicable": "why"}.
func (v value) notApplicable() bool {
	return strings.TrimSpace(v.member("not_applicable").word()) != ""
}
