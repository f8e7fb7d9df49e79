package server

import (
	"io"
	"net/http"
	"time"
)

// bodyTimeout is how long a caller may take to send a request's body. The
// largest that the gateway takes is a batch of one megabyte.
const bodyTimeout = 30 * time.Second

// bodyWithin gives the body of every request its time, also where nobody reads
// it: a stranger who has been answered could else keep the connection by sending
// a byte now and then. It is not http.Server.ReadTimeout, of which the handshake
// and the head would take their parts.
func bodyWithin(limit time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			rc := http.NewResponseController(w)
			if err := rc.SetReadDeadline(time.Now().Add(limit)); err != nil {
				panic(http.ErrAbortHandler) // a body without end is worse than no answer
			}
			r.Body = &timedBody{r.Body, rc}
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody takes the deadline back when the body has been read: the server then
// reads on to notice that the caller is gone, which has no limit.
type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.rc.SetReadDeadline(time.Time{}) // the connection may be gone
	}
	return n, err
}
