package problem

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// MediaType marks a problem on the wire (RFC 9457, section 3).
const MediaType = "application/problem+json"

// Type names the kind on the wire (RFC 9457, section 3.1.1).
func (p *Problem) Type() string { return "urn:sallyport:problem:" + string(p.kind()) }

// kind is the problem's, where it has one.
func (p *Problem) kind() Kind {
	if p.Kind == "" {
		return Internal
	}
	return p.Kind
}

// JSON is the problem as it goes over the wire.
func (p *Problem) JSON() []byte {
	raw, err := json.Marshal(struct {
		Type   string `json:"type"`
		Status int    `json:"status"`
		*Problem
	}{p.Type(), p.Kind.Status(), p})
	if err != nil { // strings and a number: cannot happen, and must not pass as success
		return []byte(`{"type":"about:blank","status":500}`)
	}
	return raw
}

// Write answers with the problem. No answer to a failure is for a cache.
func (p *Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	p.SetHeaders(h)
	h.Set("Content-Type", MediaType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Kind.Status())
	_, _ = w.Write(append(p.JSON(), '\n')) // who asked may be gone
}

// SetHeaders puts into an answer's head what the problem says beside its body: how long,
// in whole seconds, until it is worth trying again (RFC 9110, section 10.2.3), and which
// methods an address takes (section 10.2.1).
func (p *Problem) SetHeaders(h http.Header) {
	if p.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.wait.Seconds()))))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
}

// NotThere says that nothing has the address. next is where to look.
func NotThere(next string) *Problem {
	return New(NotFound, "There is nothing at this address", next)
}

// Methods says which methods alone an address takes.
func Methods(allowed ...string) *Problem {
	p := New(WrongMethod, "This address takes "+strings.Join(allowed, ", ")+" only", "Send the request in that way")
	p.allow = strings.Join(allowed, ", ")
	return p
}

// Takes reports whether the request came by one of the methods. If not, it is answered.
func Takes(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	Methods(methods...).Write(w)
	return false
}

// ForPrograms reports whether who asks reads problems, and not pages: a browser names
// text/html, and who names nothing gets what the address has.
func ForPrograms(r *http.Request) bool {
	accept := strings.ToLower(strings.Join(r.Header["Accept"], ","))
	return !strings.Contains(accept, "text/html") && (strings.Contains(accept, MediaType) || strings.Contains(accept, "application/json"))
}

// Routes is a mux whose own answers, which are plain text, are told as problems instead:
// that nothing has the address, and that a route does not take the method. next is where
// to look for what there is.
func Routes(mux *http.ServeMux, next string, tell func(http.ResponseWriter, *http.Request, *Problem)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// Which of the two it is, a mux says by its answer alone.
		said := &head{header: http.Header{}}
		h.ServeHTTP(said, r)
		switch said.status {
		case http.StatusNotFound:
			tell(w, r, NotThere(next))
		case http.StatusMethodNotAllowed:
			tell(w, r, Methods(strings.Split(said.header.Get("Allow"), ", ")...))
		default: // leads to the address as it is rightly written
			mux.ServeHTTP(w, r)
		}
	})
}

// head is an answer of which the head alone is kept.
type head struct {
	header http.Header
	status int
}

func (a *head) Header() http.Header         { return a.header }
func (a *head) Write(b []byte) (int, error) { return len(b), nil }
func (a *head) WriteHeader(status int)      { a.status = status }
