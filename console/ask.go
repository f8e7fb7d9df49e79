package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// askLimit is how long the API may take for a page.
const askLimit = 20 * time.Second

// answer is what the API said.
type answer struct {
	Status int
	Header http.Header
	Body   bytes.Buffer
}

// The API's answer is written into memory.
func (a *answer) writer() *answerWriter { return &answerWriter{a} }

type answerWriter struct{ a *answer }

func (w *answerWriter) Header() http.Header { return w.a.Header }
func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.a.Body.Write(p)
}
func (w *answerWriter) WriteHeader(status int) {
	if w.a.Status == 0 {
		w.a.Status = status
	}
}

// call asks the API as the visitor, with headers in pairs. What it refuses is a problem,
// with its reasons.
func (s *server) call(v *visit, method, path string, body any, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(v.Context(), askLimit)
	defer cancel()
	var in io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the question to the API: %w", err)
		}
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://console"+path, in)
	if err != nil {
		return nil, fmt.Errorf("asking the API: %w", err)
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), v.RemoteAddr
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := &answer{Header: http.Header{}}
	s.API(v.actor(), a.writer(), r)
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	if a.Status < 300 {
		return a, nil
	}
	p := problem.New(problem.Internal, "The answer could not be had", "Try again")
	if err := json.Unmarshal(a.Body.Bytes(), p); err != nil {
		return nil, fmt.Errorf("the API answered %d, which cannot be read: %w", a.Status, err)
	}
	p.Kind = kindOf(a.Status)
	return nil, p
}

// kindOf is the kind of problem that has the status.
func kindOf(status int) problem.Kind {
	for _, k := range []problem.Kind{problem.Invalid, problem.Refused, problem.NotFound, problem.Conflict, problem.TooLarge, problem.TooMany, problem.Unavailable} {
		if k.Status() == status {
			return k
		}
	}
	if status >= 400 && status < 500 { // a question that the API could not read
		return problem.Invalid
	}
	return problem.Internal
}

// read asks the API as the visitor and reads its JSON into out.
func (s *server) read(v *visit, path string, out any) error {
	a, err := s.call(v, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.Body.Bytes(), out); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	return nil
}

// readLater is read for what may take longer than a page. The answer must be the same for
// all who see the page.
func readLater[T any](s *server, v *visit, path, stamp string) (worked[*T], error) {
	return workOut(v, path, stamp, func(ctx context.Context) (*T, error) {
		w := *v
		w.Request = v.WithContext(ctx) // the visitor may leave
		out := new(T)
		return out, s.read(&w, path, out)
	})
}

// ask is read for what is asked by POST and changes nothing.
func (s *server) ask(v *visit, path string, body, out any) error {
	a, err := s.call(v, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.Body.Bytes(), out); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	return nil
}

// pass hands on a file that the API gives.
func (s *server) pass(v *visit, path, name string) error {
	a, err := s.call(v, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	v.instead(func(w http.ResponseWriter) error {
		kind := a.Header.Get("Content-Type")
		asFile(w, kind, name)
		_, err := w.Write(a.Body.Bytes())
		return err
	})
	return nil
}
