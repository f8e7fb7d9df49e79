package fhirapi

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/fhir"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// maxEntries bounds a batch: each entry costs as much as a request.
const maxEntries = 100

// batch reads a Bundle of type batch, of GETs only (R4 3.1.0.11).
func (p *Protocol) batch(body []byte, s gateway.Standing) (gateway.Reading, error) {
	if err := fhir.Check(body, fhir.Limits{Resource: maxBatch}); err == io.EOF {
		return gateway.Reading{}, problem.BadField("body", "The body is empty", "Send a Bundle of type batch")
	} else if err != nil {
		return gateway.Reading{}, err
	}
	typ, kind := "", ""
	var items []gateway.Item
	for name, value := range fhir.Members(body) {
		switch string(name) {
		case "resourceType":
			typ = unquoted(value)
		case "type":
			kind = unquoted(value)
		case "entry":
			for e := range fhir.Items(value) {
				if len(items) == maxEntries {
					return gateway.Reading{}, problem.New(problem.TooLarge, "The batch has too many entries", "Send at most "+strconv.Itoa(maxEntries))
				}
				items = append(items, p.item(e, s))
			}
		}
	}
	if typ != "Bundle" || kind != "batch" {
		return gateway.Reading{}, problem.New(problem.Unsupported, "Only a Bundle of type batch is taken here", "Send a batch of GET requests; transactions are not offered")
	}
	if len(items) == 0 {
		return gateway.Reading{}, problem.BadField("entry", "The batch is empty", "Give it at least one entry with a GET request")
	}
	return gateway.Reading{Batch: items, Compose: compose}, nil
}

func (p *Protocol) item(entry []byte, s gateway.Standing) gateway.Item {
	method, url := "", ""
	extra := false
	for name, value := range fhir.Members(entry) {
		switch string(name) {
		case "request":
			for n, v := range fhir.Members(value) {
				switch string(n) {
				case "method":
					method = unquoted(v)
				case "url":
					url = unquoted(v)
				default: // ifNoneMatch and its kin: conditions on what may not be seen
					extra = true
				}
			}
		case "fullUrl":
		default:
			extra = true
		}
	}
	if method != http.MethodGet || extra || url == "" {
		return gateway.Item{Problem: problem.New(problem.Unsupported, "Only plain GET requests are taken in a batch", "Give request.method GET and request.url, and nothing else")}
	}
	url = strings.TrimPrefix(url, s.Public+"/")
	path, query, _ := strings.Cut(url, "?")
	q, err := p.get(path, query, s)
	if err != nil {
		return gateway.Item{Problem: problem.From(err)}
	}
	return gateway.Item{Question: q}
}

// compose frames the answers, which stand in it byte for byte as they were
// released.
func compose(answers []gateway.Composed) (string, []byte) {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Bundle","type":"batch-response","entry":[`)
	for i, a := range answers {
		if i > 0 {
			b.WriteByte(',')
		}
		if a.Sealed != nil {
			sealedEntry(&b, a)
			continue
		}
		if a.OK {
			b.WriteString(`{"resource":`)
			b.Write(a.Body)
			b.WriteString(`,"response":{"status":"200"}}`)
			continue
		}
		b.WriteString(`{"response":{"status":"` + strconv.Itoa(a.Status) + `","outcome":`)
		b.Write(a.Body)
		b.WriteString(`}}`)
	}
	b.WriteString(`]}`)
	return fhirJSON, b.Bytes()
}

// ManifestURL names the extension that holds the signed manifest of a sealed entry.
const ManifestURL = "urn:sallyport:manifest"

// sealedEntry frames an answer that is sealed: a Binary, and beside it what to
// open it with.
func sealedEntry(b *bytes.Buffer, a gateway.Composed) {
	b.WriteString(`{"resource":{"resourceType":"Binary","contentType":"` + a.Sealed.MediaType + `","data":"`)
	e := base64.NewEncoder(base64.StdEncoding, b)
	_, _ = e.Write(a.Body) // a Buffer takes all
	_ = e.Close()
	b.WriteString(`"},"response":{"extension":[{"url":"` + ManifestURL + `","valueString":"` + a.Sealed.Manifest + `"}],"status":"200"}}`)
}
