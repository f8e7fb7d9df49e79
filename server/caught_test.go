package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPanicIsLoggedWithoutItsValue(t *testing.T) {
	for _, tc := range []struct {
		value any
		logs  string
	}{
		{fmt.Errorf("cannot read ZZCANARY"), "*fmt.wrapError"},
		{"ZZCANARY", "string"},
		{http.ErrAbortHandler, ""},
	} {
		if _, ok := tc.value.(error); ok && tc.logs != "" {
			tc.logs = fmt.Sprintf("%T", tc.value)
		}
		var log bytes.Buffer
		s := &Server{o: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		srv := httptest.NewServer(s.caught(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(tc.value) })))
		if resp, err := http.Get(srv.URL); err == nil {
			resp.Body.Close()
			t.Errorf("%v: the connection was not cut: %s", tc.value, resp.Status)
		}
		srv.Close()
		if strings.Contains(log.String(), "ZZCANARY") {
			t.Errorf("the value is in the log: %s", log.String())
		}
		if got := log.String(); (got == "") != (tc.logs == "") || !strings.Contains(got, tc.logs) {
			t.Errorf("%v: got log %q, want it to name %q", tc.value, got, tc.logs)
		}
	}
}
