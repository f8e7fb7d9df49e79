package fhir

import (
	"io"
	"slices"
)

// source feeds the decoder. It gives no more bytes than were allowed, so that the
// decoder's buffer, which must hold a whole value, stays bounded; and it can look
// at the start of the document before the decoder does.
type source struct {
	r     io.Reader
	head  []byte // looked at, not yet given
	given int    // of head
	total int64  // given in all
	limit int64
	err   error
}

// allow lets the decoder have the bytes up to offset end. One more is let
// through: a value of exactly the limit needs the byte after it to end.
func (s *source) allow(end int64) { s.limit = end + 1 }

func (s *source) Read(p []byte) (int, error) {
	room := s.limit - s.total
	if room <= 0 {
		return 0, errLarge
	}
	if int64(len(p)) > room {
		p = p[:room]
	}
	if s.given < len(s.head) {
		n := copy(p, s.head[s.given:])
		s.given += n
		s.total += int64(n)
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.total += int64(n)
	return n, err
}

// look finds out whether the document says that it is a Bundle, reading ahead as
// far as it must and no further than limit. A document over the limit that has not
// said what it is can only be a Bundle: any other resource would be too large. The
// answer only chooses how to read; reading verifies it.
func (s *source) look(limit int) (bundle bool, err error) {
	want := min(firstLook, limit)
	for {
		if err := s.fill(want); err != nil {
			return false, err
		}
		name, found := peekType(s.head)
		if found {
			return name == "Bundle", nil
		}
		if s.err != nil {
			return false, nil // all of it is here, and it has no type
		}
		if want >= limit {
			return true, nil
		}
		want = min(want*4, limit)
	}
}

func (s *source) fill(want int) error {
	s.head = slices.Grow(s.head, max(0, want-len(s.head)))
	for len(s.head) < want && s.err == nil {
		n, err := s.r.Read(s.head[len(s.head):want])
		s.head = s.head[:len(s.head)+n]
		s.err = err
	}
	if s.err != nil && s.err != io.EOF {
		return s.err
	}
	return nil
}

// lookAt is look for a document in memory. One without a type is read as a single
// resource, and so refused.
func lookAt(doc []byte) (bundle bool) {
	name, found := peekType(doc[:min(firstLook, len(doc))])
	if !found {
		name, _ = peekType(doc)
	}
	return name == "Bundle"
}

// peekType finds resourceType among the members of the object that b starts,
// which may be cut off and is not checked yet.
func peekType(b []byte) (name string, found bool) {
	for n, v := range Members(b) {
		if string(n) != "resourceType" {
			continue
		}
		if s, ok := text(v); ok {
			return closed(s, "Bundle"), true
		}
		return "", true
	}
	return "", false
}
