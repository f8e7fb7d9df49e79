package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport/sallyport/identity"
)

// speak is what another system says to a server of the script: speak CA OUT STATUS METHOD
// URL [TOKEN BODY]. The answer's body goes to OUT.
func speak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 && len(args) != 7 {
		ts.Fatalf("usage: speak CA OUT STATUS METHOD URL [TOKEN BODY]")
	}
	roots, err := identity.PoolFromFiles(ts.MkAbs(args[0]))
	ts.Check(err)
	var body io.Reader
	if len(args) == 7 {
		raw, err := os.ReadFile(ts.MkAbs(args[6]))
		ts.Check(err)
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(args[3], args[4], body)
	ts.Check(err)
	if body != nil {
		req.Header.Set("Authorization", "Bearer "+args[5])
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Experience-API-Version", "2.0.0")
	}
	hc := identity.NewHTTPClient(identity.ClientTLS(nil, roots))
	defer hc.CloseIdleConnections()
	resp, err := hc.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
	if strconv.Itoa(resp.StatusCode) != args[2] {
		ts.Fatalf("%s %s: %s: %s", args[3], args[4], resp.Status, raw)
	}
}
