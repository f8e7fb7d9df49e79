package signin

import (
	"net/http"
	"strings"
)

// SameOrigin hands on what changes something only if no page of another origin sends it, as
// far as the browser says so; else deny answers. Programs, which say nothing of origins, are
// handed on: they have no cookies to be made use of.
func SameOrigin(next, deny http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(deny)
	guarded := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The library compares hosts. A page of the same host without TLS is whoever's on the
		// way; a browser of today says that it is another site's, one of old only this.
		if strings.HasPrefix(r.Header.Get("Origin"), "http:") && r.Method != http.MethodGet && r.Method != http.MethodHead {
			deny.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}
