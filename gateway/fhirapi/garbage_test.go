package fhirapi

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
)

// What a source sends that is not even HTTP is quoted by net/http's errors. It
// gets no further, neither to the caller nor to the log.
func TestGarbageIsNotQuoted(t *testing.T) {
	const canary = "Zebulon Canary"
	for name, answer := range map[string]string{
		"no response": canary + " 200 OK\r\n\r\n",
		"status":      "HTTP/1.1 " + canary + "\r\n\r\n",
		"header":      "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
		"encoding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n",
		"redirect":    "HTTP/1.1 302 Found\r\nLocation: http://x/" + canary + "\r\n\r\n",
		"type":        "HTTP/1.1 200 OK\r\nContent-Type: " + canary + "\r\nContent-Length: 2\r\n\r\n{}",
		"chunk":       "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + "\r\n",
		"trailer":     "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\n{\r\n0\r\n" + canary + "\r\n\r\n",
		"JSON":        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n\r\n{\"resourceType\":\"" + canary + "\"}",
		"a name":      "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n\r\n{\"" + canary + "\":1,\"" + canary + "\":2}",
		"a number":    "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n\r\n{\"resourceType\":" + canary + "}",
		"an id":       "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nConnection: close\r\n\r\n{\"resourceType\":\"Bundle\",\"type\":\"" + canary + "\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"" + canary + "\"}}]}",
	} {
		t.Run(name, func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Upstream: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, answer)
				c.Close()
			})})
			for _, path := range []string{"/Patient", "/Patient/" + w.Code("x"), "/Patient/" + w.Code("x") + "/$everything"} {
				r := w.Get(path)
				if r.Status != 502 {
					t.Errorf("%s: got %d: %s", path, r.Status, r.Body)
				}
				if strings.Contains(string(r.Body), "Canary") {
					t.Errorf("%s: the answer quotes it: %s", path, r.Body)
				}
			}
			for line := range strings.Lines(w.Logs()) {
				if strings.Contains(line, "Canary") {
					t.Errorf("the log quotes it: %s", line)
				}
			}
		})
	}
}
