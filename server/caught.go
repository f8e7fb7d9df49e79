package server

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// caught logs a panic of a handler as an error, with where it happened, and cuts
// the connection: half an answer must not look like a whole one. Of the value
// only the type is written, or the text of a run-time error (an index, a nil
// pointer): anything else might quote what was being worked on.
func (s *Server) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler { // that one is meant
				what := fmt.Sprintf("%T", v)
				if e, ok := v.(runtime.Error); ok {
					what = e.Error()
				}
				s.o.Logger.ErrorContext(r.Context(), "a handler panicked; this is a defect", "panic", what, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}
