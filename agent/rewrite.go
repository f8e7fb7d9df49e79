package agent

import (
	"bytes"
	"io"
	"net/url"
	"strings"
)

// linkReader changes the beginning of JSON strings that are links into a base, as
// the text streams by: `"https://gateway/fhir/ehr/Patient/1"` becomes
// `"http://127.0.0.1:8090/fhir/ehr/Patient/1"`. Nothing else is touched: only a
// whole string that begins with the base, followed by '/', '?', '#' or its end. A
// link that is written with escapes stays as it is; it leads to the server, which
// refuses who comes without the agent.
type linkReader struct {
	src      io.Reader
	from, to []byte // neither holds '"' or '\'
	out      []byte // made; up to off it was read
	off      int
	buf      []byte
	err      error

	inString bool
	escaped  bool
	matched  int // of from, at the beginning of a string; -1: no more
}

func newLinkReader(src io.Reader, from, to string) *linkReader {
	return &linkReader{src: src, from: []byte(from), to: []byte(to), buf: make([]byte, 32<<10)}
}

// Read implements io.Reader.
func (l *linkReader) Read(p []byte) (int, error) {
	for l.off == len(l.out) {
		if l.err != nil {
			return 0, l.err
		}
		n, err := l.src.Read(l.buf)
		l.out, l.off = l.out[:0], 0
		l.feed(l.buf[:n])
		if err != nil {
			l.err = err
			if l.inString && l.matched > 0 { // cut off inside what might have been a link
				l.out = append(l.out, l.from[:l.matched]...)
				l.matched = -1
			}
		}
	}
	n := copy(p, l.out[l.off:])
	l.off += n
	return n, nil
}

func (l *linkReader) feed(in []byte) {
	for len(in) > 0 {
		switch {
		case !l.inString:
			i := bytes.IndexByte(in, '"')
			if i < 0 {
				l.out = append(l.out, in...)
				return
			}
			l.out = append(l.out, in[:i+1]...)
			in = in[i+1:]
			l.inString, l.escaped, l.matched = true, false, 0
		case l.matched >= 0:
			b := in[0]
			if l.matched < len(l.from) && b == l.from[l.matched] {
				l.matched++
				in = in[1:]
				continue
			}
			if l.matched == len(l.from) && (b == '/' || b == '?' || b == '#' || b == '"') {
				l.out = append(l.out, l.to...)
			} else {
				l.out = append(l.out, l.from[:l.matched]...)
			}
			l.matched = -1 // b is looked at again, as part of the string
		case l.escaped:
			l.out = append(l.out, in[0])
			in, l.escaped = in[1:], false
		default:
			// FHIR's strings are short: a loop beats a call.
			i := 0
			for i < len(in) && in[i] != '"' && in[i] != '\\' {
				i++
			}
			if i == len(in) {
				l.out = append(l.out, in...)
				return
			}
			l.out = append(l.out, in[:i+1]...)
			l.escaped, l.inString = in[i] == '\\', in[i] == '\\'
			in = in[i+1:]
		}
	}
}

// rewriteQuery changes the values of a query, or of a form, that begin with a base.
// What it does not change stays as it was written.
func rewriteQuery(raw, from, to string) string {
	if raw == "" {
		return raw
	}
	parts := strings.Split(raw, "&")
	for i, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			continue
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			continue // the server judges
		}
		if rest, ok := under(v, from); ok {
			parts[i] = name + "=" + url.QueryEscape(to+rest)
		}
	}
	return strings.Join(parts, "&")
}

// under cuts a base off a link into it.
func under(link, base string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(link, base)
	if !ok || rest != "" && !strings.ContainsRune("/?#", rune(rest[0])) {
		return "", false
	}
	return rest, true
}
