package hospital

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// bundle is one page, ready to be written.
type bundle struct {
	base, kind, self, next string
	total                  int
	match, include         []*doc
	view                   view
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<20); return &b }}

// write puts the page together from resources that are encoded already.
func (b *bundle) write(s *Server, w http.ResponseWriter) {
	p := buffers.Get().(*[]byte)
	out := append((*p)[:0], `{"resourceType":"Bundle","type":"`...)
	out = append(out, b.kind...)
	out = append(out, `","total":`...)
	out = strconv.AppendInt(out, int64(b.total), 10)
	out = append(out, `,"link":[{"relation":"self","url":`...)
	out = append(appendString(out, b.self), '}')
	if b.next != "" {
		out = append(out, `,{"relation":"next","url":`...)
		out = append(appendString(out, b.next), '}')
	}
	out = append(out, ']')
	if len(b.match)+len(b.include) > 0 {
		out = append(out, `,"entry":[`...)
		for i, d := range b.match {
			if i > 0 {
				out = append(out, ',')
			}
			out = b.entry(out, d, "match")
		}
		for i, d := range b.include {
			if i+len(b.match) > 0 {
				out = append(out, ',')
			}
			out = b.entry(out, d, "include")
		}
		out = append(out, ']')
	}
	out = append(out, '}')
	h := w.Header()
	h["Content-Type"] = fhirJSON
	h.Set("Content-Length", strconv.Itoa(len(out)))
	s.bytes.Add(int64(len(out)))
	_, _ = w.Write(out)
	if cap(out) <= 4<<20 {
		*p = out
		buffers.Put(p)
	}
}

func (b *bundle) entry(out []byte, d *doc, mode string) []byte {
	out = append(out, `{"fullUrl":`...)
	out = appendString(out, b.base+"/"+d.Type+"/"+d.ID)
	out = append(out, `,"resource":`...)
	if b.view.whole() {
		out = append(out, d.JSON...)
	} else {
		out = append(out, d.show(b.view)...)
	}
	out = append(out, `,"search":{"mode":"`...)
	out = append(out, mode...)
	return append(out, `"}}`...)
}

// mandatory are elements that _elements does not take away, because R4
// requires them.
var mandatory = []string{"resourceType", "id", "meta", "status", "code", "subject", "patient", "beneficiary", "payor", "intent", "class",
	"type", "actual", "mode", "scope", "category", "content", "contentType", "vaccineCode", "occurrenceDateTime",
	"medicationCodeableConcept", "medicationReference"}

// show writes a part of a resource, marked as such (R4 3.1.1.5.9).
func (d *doc) show(v view) []byte {
	dec := json.NewDecoder(bytes.NewReader(d.JSON))
	dec.UseNumber()
	var tree obj
	if err := dec.Decode(&tree); err != nil {
		return d.JSON
	}
	if v.elements != nil {
		maps.DeleteFunc(tree, func(k string, _ any) bool {
			return !slices.Contains(mandatory, k) && !slices.Contains(v.elements, strings.TrimPrefix(k, "_")) && !slices.Contains(v.elements, d.Type+"."+strings.TrimPrefix(k, "_"))
		})
	}
	if v.noText {
		delete(tree, "text")
	}
	if meta, ok := tree["meta"].(obj); ok {
		tags, _ := meta["tag"].(list)
		meta["tag"] = append(tags, coding(hl7+"v3-ObservationValue", "SUBSETTED", "Resource encoded in summary mode"))
	}
	return appendJSON(nil, tree)
}

// recorder keeps one answer of a batch.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(n int) {
	if r.status == 0 {
		r.status = n
	}
}
func (r *recorder) Write(b []byte) (int, error) { r.WriteHeader(200); return r.body.Write(b) }

// batch answers a batch, or a transaction that only reads.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	var in struct {
		ResourceType, Type string
		Entry              []struct {
			Request struct{ Method, URL, IfNoneMatch string }
		}
	}
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil || in.ResourceType != "Bundle" || in.Type != "batch" && in.Type != "transaction" {
		s.fail(w, invalid("a POST to the base is a Bundle of type batch or transaction", string(b[:min(len(b), 200)])))
		return
	}
	if len(in.Entry) > 200 {
		s.fail(w, &failure{http.StatusRequestEntityTooLarge, "too-costly", "a batch has at most 200 entries", ""})
		return
	}
	out := []byte(`{"resourceType":"Bundle","type":"` + in.Type + `-response"`)
	for i, e := range in.Entry {
		if i == 0 {
			out = append(out, `,"entry":[`...)
		} else {
			out = append(out, ',')
		}
		rec := &recorder{header: http.Header{}}
		s.one(rec, r, e.Request.Method, e.Request.URL, e.Request.IfNoneMatch)
		out = append(out, '{')
		if rec.body.Len() > 0 && rec.status < 300 {
			out = append(append(out, `"resource":`...), rec.body.Bytes()...)
			out = append(out, ',')
		}
		out = append(out, `"response":{"status":"`...)
		out = strconv.AppendInt(out, int64(max(rec.status, 200)), 10)
		out = append(out, '"')
		if tag := rec.header["Etag"]; len(tag) > 0 {
			out = appendString(append(out, `,"etag":`...), tag[0])
		}
		if rec.status >= 400 {
			out = append(append(out, `,"outcome":`...), rec.body.Bytes()...)
		}
		out = append(out, "}}"...)
	}
	if len(in.Entry) > 0 {
		out = append(out, ']')
	}
	out = append(out, '}')
	h := w.Header()
	h["Content-Type"] = fhirJSON
	h.Set("Content-Length", strconv.Itoa(len(out)))
	s.bytes.Add(int64(len(out)))
	_, _ = w.Write(out)
}

func (s *Server) one(w http.ResponseWriter, outer *http.Request, method, target, ifNoneMatch string) {
	target = strings.TrimPrefix(target, s.base(outer)+"/")
	u, err := url.Parse(s.opt.BasePath + "/" + strings.TrimPrefix(target, "/"))
	switch {
	case err != nil:
		s.fail(w, invalid("the entry's url cannot be read", target))
		return
	case method != http.MethodGet:
		s.fail(w, &failure{http.StatusMethodNotAllowed, "not-supported", "this server is read only", method})
		return
	}
	inner := outer.Clone(outer.Context())
	inner.Method, inner.URL, inner.Body = method, u, http.NoBody
	inner.RequestURI = u.RequestURI()
	inner.Header = http.Header{"Accept": {"application/fhir+json"}, "Authorization": outer.Header["Authorization"]}
	if ifNoneMatch != "" {
		inner.Header.Set("If-None-Match", ifNoneMatch)
	}
	s.serve(w, inner, strings.Trim(strings.TrimPrefix(u.Path, s.opt.BasePath), "/"))
}

var paramTypes = map[kind]string{kToken: "token", kString: "string", kDate: "date", kReference: "reference", kQuantity: "quantity"}

// capabilities is the CapabilityStatement (R4 3.1.0.9).
func (s *Server) capabilities(base string) obj {
	var resources list
	for _, typ := range slices.Sorted(maps.Keys(params)) {
		if typ == "*" {
			continue
		}
		search := list{obj{"name": "_id", "type": "token"}}
		var includes, reverse list
		for _, set := range []string{"*", typ} {
			for _, name := range slices.Sorted(maps.Keys(params[set])) {
				p := params[set][name]
				search = append(search, obj{"name": name, "type": paramTypes[p.kind]})
				if p.kind == kReference {
					includes = append(includes, typ+":"+name)
				}
			}
		}
		for _, from := range slices.Sorted(maps.Keys(params)) {
			if p, ok := params[from]["patient"]; ok && typ == "Patient" && p.kind == kReference {
				reverse = append(reverse, from+":patient")
			}
		}
		res := obj{
			"type": typ, "versioning": "versioned", "readHistory": true,
			"interaction":   list{obj{"code": "read"}, obj{"code": "vread"}, obj{"code": "search-type"}},
			"searchInclude": includes, "searchRevInclude": reverse, "searchParam": search,
		}
		if typ == "Patient" {
			res["operation"] = list{obj{"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}}
		}
		resources = append(resources, res)
	}
	security := obj{"description": "Open: everything here is invented"}
	if d := s.auth.describe(); d != "" {
		security = obj{"description": d}
	}
	if s.auth.clients != nil {
		security["service"] = list{obj{"coding": list{coding(hl7+"restful-security-service", "SMART-on-FHIR", "SMART-on-FHIR")}}}
		security["extension"] = list{obj{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
			"extension": list{extension("token", "Uri", base+"/auth/token")}}}
	}
	return obj{
		"resourceType": "CapabilityStatement", "status": "active", "date": Today.Format("2006-01-02"), "kind": "instance",
		"software":       obj{"name": "Sallyport synthetic hospital"},
		"implementation": obj{"description": "A synthetic hospital; nobody in it exists", "url": base},
		"fhirVersion":    "4.0.1", "format": list{"json", "application/fhir+json"},
		"rest": list{obj{"mode": "server", "security": security, "resource": resources,
			"interaction": list{obj{"code": "batch"}}}},
	}
}
