package hospital

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Fault is a way for the server to misbehave, so that what stands before it can
// be tried. Its parts combine: a huge bundle can trickle, a late answer can be
// cut off.
type Fault struct {
	// Path is what the path below the base begins with; all requests if empty.
	// With a query ("Observation?_tag=huge") the path is exactly that and the
	// request's query holds the rest. A Huge one never takes reads of a resource.
	Path    string
	Times   int           // only so many requests; all of them if 0
	Latency time.Duration // before the first byte
	Status  int           // answer with this status and an OperationOutcome
	Body    string        // answer with this instead (200, or Status): malformed bodies
	Type    string        // the Content-Type of Body or of the answer
	Header  http.Header   // set on the answer

	// Truncate promises the whole answer and ends the connection after so many
	// bytes of it.
	Truncate int
	// Rate sends the answer slowly: so many bytes a second.
	Rate int
	// Huge answers with a searchset Bundle of about so many bytes, made as it is
	// sent and never held: Observations of Patient (an id), or of the first
	// patient if that is empty. Its length is not announced.
	Huge    int64
	Patient string
}

type fault struct {
	Fault
	query string
	left  atomic.Int64
}

func (f *fault) fits(path, query string) bool {
	if f.query != "" || f.Huge > 0 && f.Path != "" {
		return path == f.Path && strings.Contains(query, f.query) || f.query == "" && path == f.Path+"/_search"
	}
	return strings.HasPrefix(path, f.Path)
}

// Misbehave replaces the faults; without any, the server behaves. The first
// that fits a request holds for it. Requests under way are not affected.
func (s *Server) Misbehave(faults ...Fault) {
	var set []*fault
	for _, f := range faults {
		x := &fault{Fault: f}
		x.Path, x.query, _ = strings.Cut(f.Path, "?")
		x.Path = strings.Trim(x.Path, "/")
		x.left.Store(int64(f.Times))
		set = append(set, x)
	}
	if set == nil {
		s.faults.Store(nil)
		return
	}
	s.faults.Store(&set)
}

func (s *Server) fault(path, query string) *fault {
	set := s.faults.Load()
	if set == nil {
		return nil
	}
	for _, f := range *set {
		if f.fits(path, query) && (f.Times == 0 || f.left.Add(-1) >= 0) {
			return f
		}
	}
	return nil
}

func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, f *fault, path string) {
	if f.Latency > 0 {
		wait := time.NewTimer(f.Latency)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return
		}
	}
	if f.Huge > 0 && s.auth.allows(r) {
		s.huge(w, r, f)
		return
	}
	rec := &recorder{header: http.Header{}}
	switch {
	case f.Body != "":
		rec.header["Content-Type"] = fhirJSON
		rec.WriteHeader(cmp.Or(f.Status, http.StatusOK))
		rec.body.WriteString(f.Body)
	case f.Status != 0:
		s.fail(rec, &failure{f.Status, "exception", "the server fails on purpose", r.URL.RequestURI()})
	default:
		s.serve(rec, r, path)
	}
	h := w.Header()
	for k, v := range rec.header {
		h[k] = v
	}
	for k, v := range f.Header {
		h[k] = v
	}
	if f.Type != "" {
		h.Set("Content-Type", f.Type)
	}
	body := rec.body.Bytes()
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(cmp.Or(rec.status, http.StatusOK))
	if f.Truncate > 0 && f.Truncate < len(body) {
		body = body[:f.Truncate]
	}
	slow := &trickle{w: w, r: r, rate: f.Rate}
	_, err := slow.Write(body)
	if err != nil || f.Truncate > 0 {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // net/http's way to end a connection early
	}
}

// trickle writes at a rate.
type trickle struct {
	w    http.ResponseWriter
	r    *http.Request
	rate int // bytes a second; 0 does not wait
}

func (t *trickle) Write(b []byte) (int, error) {
	if t.rate <= 0 {
		return t.w.Write(b)
	}
	// Twenty pieces a second, or single bytes at their own pace.
	piece := max(t.rate/20, 1)
	pause := time.Duration(float64(time.Second) * float64(piece) / float64(t.rate))
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for sent := 0; sent < len(b); {
		n, err := t.w.Write(b[sent:min(sent+piece, len(b))])
		sent += n
		if err != nil {
			return sent, err
		}
		if err := http.NewResponseController(t.w).Flush(); err != nil {
			return sent, err
		}
		select {
		case <-tick.C:
		case <-t.r.Context().Done():
			return sent, t.r.Context().Err()
		}
	}
	return len(b), nil
}

// huge streams a Bundle that is never in memory.
func (s *Server) huge(w http.ResponseWriter, r *http.Request, f *fault) {
	patient := f.Patient
	if patients := s.rec.byType["Patient"]; patient == "" && len(patients) > 0 {
		patient = patients[0].ID
	}
	base := s.base(r)
	w.Header()["Content-Type"] = fhirJSON
	out := &trickle{w: w, r: r, rate: f.Rate}
	b := make([]byte, 0, 80<<10)
	b = append(b, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self","url":`...)
	b = append(appendString(b, base+"/Observation"), `}],"entry":[`...)
	var sent int64
	truncate := int64(f.Truncate)
	for n := 1; ; n++ {
		if n > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"fullUrl":`...)
		b = appendString(b, base+"/Observation/huge-"+itoa(n))
		b = append(b, `,"resource":{"resourceType":"Observation","id":"huge-`...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, `","meta":{"versionId":"1","lastUpdated":"2026-06-30T12:00:00.000Z"},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"Vital Signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8867-4","display":"Heart rate"}],"text":"Heart rate"},"subject":{"reference":"Patient/`...)
		b = append(b, patient...)
		b = append(b, `"},"effectiveDateTime":"`...)
		b = Today.Add(-time.Duration(n)*time.Minute).AppendFormat(b, time.RFC3339)
		b = append(b, `","valueQuantity":{"value":`...)
		b = strconv.AppendInt(b, int64(58+n*7%60), 10)
		b = append(b, `,"unit":"beats/minute","system":"http://unitsofmeasure.org","code":"/min"}},"search":{"mode":"match"}}`...)
		done := sent+int64(len(b)) >= f.Huge
		if done {
			b = append(b, "]}"...)
		}
		if done || len(b) >= 64<<10 {
			if truncate > 0 && sent+int64(len(b)) > truncate {
				_, _ = out.Write(b[:truncate-sent])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if _, err := out.Write(b); err != nil {
				return
			}
			sent += int64(len(b))
			s.bytes.Add(int64(len(b)))
			b = b[:0]
		}
		if done {
			return
		}
	}
}
