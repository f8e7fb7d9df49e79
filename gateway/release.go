package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/seal/sealed"
)

// exit is where an answer leaves: a response, or for one question of a batch a
// buffer that becomes part of one.
type exit struct {
	w           http.ResponseWriter
	rc          *http.ResponseController
	decision    id.Decision
	contentType string
	media       string // Content-Type of a sealed body; empty: it is not sealed
	opening     string // signed, of a sealed stream
	manifest    string // signed, of a sealed body that is whole
	http1       bool   // a write goes to the connection, and to nothing before it

	began   bool // bytes have left
	written int64
	kept    []byte // of a batch, where w is nil
	room    int    // what is left for kept

	mu    sync.Mutex
	cut   error
	timed bool // a write deadline is set
}

// Sizes and times of a release.
const (
	// ReleaseSize is the most that is one release. What is longer goes in chunks.
	ReleaseSize = 4 << 20
	// writeTimeout is how long a caller may take for one release.
	writeTimeout = 60 * time.Second
	// shortRelease fits into any connection's buffer: writing it waits only for a
	// caller that has stopped reading, and that one is cut after shortTimeout,
	// which is no longer than a revocation may take. So it needs none. On a machine
	// that has too much to do, a caller that reads is not cut: to be put off for
	// 50 ms between two lines is nothing unusual there.
	shortRelease = 8 << 10
	shortTimeout = 250 * time.Millisecond
)

// short says whether a whole answer of n bytes needs no watch.
func (e *exit) short(n int) bool { return e.http1 && !e.began && n <= shortRelease }

var (
	errUncovered = errors.New("a release without a receipt that covers it")
	errCut       = errors.New("the release was cut off")
)

// decisionHeader names the decision, to ask about it later.
const decisionHeader = "Sallyport-Decision"

// release is the one function that writes patient data outward. It takes what
// only the steps before it make, and what does not fit together does not leave.
func (e *exit) release(ctx context.Context, a policy.Admission, s seal.Sealed, r audit.Receipt, last bool) error {
	_, inside := s.Inside()
	if !a.Admitted() || !s.Valid() || a.Bytes() != int64(inside) || !r.Covers(s.Digest(), uint64(s.Len())) {
		return problem.New(problem.Internal, "a release was put together in the wrong order", "Nothing of it was released; tell the operator").Because(errUncovered)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if e.w == nil {
		if s.Len() > e.room {
			return problem.New(problem.TooLarge, "The batch's answers are too large together", "Ask this entry by itself")
		}
		_, err := s.WriteTo((*keeper)(e))
		return err
	}
	patience := writeTimeout
	if last && e.short(s.Len()) {
		patience = shortTimeout
	}
	if err := e.allow(patience); err != nil {
		return err
	}
	if !e.began {
		e.head(http.StatusOK)
		if last {
			e.w.Header()["Content-Length"] = []string{strconv.Itoa(s.Len())}
		}
		e.declare(last)
		e.began = true
	}
	n, err := s.WriteTo(e.w)
	e.written += n
	if err == nil {
		// While the deadline and the watch hold: what waits in a buffer until the
		// handler has returned could leave at any time after.
		err = e.rc.Flush()
	}
	if last && err == nil {
		if e.manifest != "" {
			e.w.Header()[sealed.ManifestHeader] = []string{e.manifest} // a trailer, if it was declared
		}
		err = e.settle()
	}
	return err
}

// declare writes the headers of a sealed body in front of it.
func (e *exit) declare(last bool) {
	h := e.w.Header()
	switch {
	case e.media == "":
		return
	case last:
		h[sealed.ManifestHeader] = []string{e.manifest}
	default:
		h[sealed.OpeningHeader] = []string{e.opening}
		h["Trailer"] = []string{sealed.ManifestHeader}
	}
	h["Content-Type"] = []string{e.media}
}

// statement writes words of the gateway's own under a receipt.
func (e *exit) statement(body []byte, r audit.Receipt) error {
	if !r.Covers(sha256.Sum256(body), uint64(len(body))) {
		return problem.New(problem.Internal, "a statement was put together in the wrong order", "Tell the operator").Because(errUncovered)
	}
	return e.own(http.StatusOK, body)
}

// own writes what holds no patient data: statements, problems, the frame of a batch.
func (e *exit) own(status int, body []byte) error {
	if e.w == nil {
		e.kept = append(e.kept, body...)
		return nil
	}
	e.head(status)
	e.w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	e.began = true
	e.w.WriteHeader(status)
	n, err := e.w.Write(body)
	e.written += int64(n)
	return err
}

var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
)

func (e *exit) head(status int) {
	h := e.w.Header()
	h["Content-Type"] = []string{e.contentType}
	h["Cache-Control"] = noStore // what is cached outlives a revocation
	h["X-Content-Type-Options"] = noSniff
	if e.decision != "" {
		h[decisionHeader] = []string{string(e.decision)}
	}
}

type keeper exit

func (k *keeper) Write(b []byte) (int, error) {
	k.kept = append(k.kept, b...)
	k.room -= len(b)
	k.began = true
	k.written += int64(len(b))
	return len(b), nil
}

// allow gives the next write its time, unless the answer was cut.
func (e *exit) allow(d time.Duration) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut != nil {
		return e.cut
	}
	if err := e.rc.SetWriteDeadline(time.Now().Add(d)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	e.timed = true
	return nil
}

// settle takes the deadline back, for the connection's next response.
func (e *exit) settle() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut != nil {
		return e.cut
	}
	if e.timed {
		_ = e.rc.SetWriteDeadline(time.Time{})
	}
	return nil
}

// abort ends a write that is under way, and every later one.
func (e *exit) abort(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut != nil || e.w == nil {
		return
	}
	e.cut = errors.Join(errCut, cause)
	_ = e.rc.SetWriteDeadline(time.Now().Add(-time.Second))
}
