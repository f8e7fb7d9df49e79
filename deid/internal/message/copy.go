package message

import (
	"io"

	"github.com/sallyport/sallyport/problem"
)

// Copy reads r to its end, of which it holds limit bytes and one at the most: what is
// longer is for the format to refuse. It writes what the format makes of it, and on an
// error nothing.
func Copy(w io.Writer, r io.Reader, limit int, made func(dst, in []byte, m *Manifest) ([]byte, error)) (Manifest, error) {
	var m Manifest
	in, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return m, problem.New(problem.Unavailable, "the input cannot be read to its end", "Start again").Because(err)
	}
	out, err := made(nil, in, &m)
	if err != nil {
		return m, err
	}
	if _, err := w.Write(out); err != nil {
		return m, problem.New(problem.Unavailable, "the output cannot be written", "See that there is room, and start again").Because(err)
	}
	return m, nil
}
