package scan

import (
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Reader gives UTF-16, as spreadsheets write it, as UTF-8.
type utf16Reader struct {
	in   io.Reader
	big  bool
	out  []byte
	left []byte // bytes that are half of something
	err  error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		buf := make([]byte, 4096)
		n := copy(buf, u.left)
		m, err := io.ReadFull(u.in, buf[n:])
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		u.err = err
		buf = buf[:n+m]
		u.left = nil
		for len(buf) >= 2 {
			r := rune(u.unit(buf))
			size := 2
			if utf16.IsSurrogate(r) {
				if len(buf) < 4 {
					if u.err == nil {
						break
					}
				} else {
					r = utf16.DecodeRune(r, rune(u.unit(buf[2:])))
					size = 4
				}
			}
			if r != 0xfeff {
				u.out = utf8.AppendRune(u.out, r)
			}
			buf = buf[size:]
		}
		u.left = append(u.left, buf...)
		if u.err != nil && len(u.out) == 0 {
			return 0, u.err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) unit(b []byte) uint16 {
	if u.big {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return uint16(b[1])<<8 | uint16(b[0])
}
