package fhir

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// Kind is an interaction of R4's RESTful API (http.html), by R4's name. The zero
// Kind is none.
type Kind string

// The interactions that can be offered.
const (
	Read       Kind = "read"
	VRead      Kind = "vread"
	SearchType Kind = "search-type"
	Everything Kind = "everything" // Patient/[id]/$everything
	Batch      Kind = "batch"      // of reads and searches
	Metadata   Kind = "capabilities"
	NextPage   Kind = "page" // a link that this server gave
)

// The interactions that are understood so that they can be refused by name.
const (
	Create            Kind = "create"
	Update            Kind = "update"
	Patch             Kind = "patch"
	Delete            Kind = "delete"
	HistoryInstance   Kind = "history-instance"
	HistoryType       Kind = "history-type"
	HistorySystem     Kind = "history-system"
	SearchSystem      Kind = "search-system"
	SearchCompartment Kind = "search-compartment"
	Transaction       Kind = "transaction"
	Operation         Kind = "operation"
)

// Offered says whether the kind is one of the first list.
func (k Kind) Offered() bool {
	return slices.Contains([]Kind{Read, VRead, SearchType, Everything, Batch, Metadata, NextPage}, k)
}

// Interaction is a request, understood. It prints as [PHI].
type Interaction struct {
	Kind      Kind
	Resource  string // the resource type, where there is one
	ID        string
	Version   string  // of VRead
	Posted    bool    // a search by POST _search
	Search    *Search // of SearchType; of Read, VRead and Everything the parameters that shape the answer
	Period    Period  // of Everything
	Token     string  // of NextPage
	Operation string  // of Operation: "$export"
	Batch     []Interaction
}

// Period is what an $everything asks for (R4, patient-operation-everything.html).
type Period struct {
	Start, End, Since string   // a date; a date; an instant; or ""
	Types             []string // resource types; none is all
}

// Format implements fmt.Formatter.
func (Interaction) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// LogValue implements slog.LogValuer.
func (Interaction) LogValue() slog.Value { return slog.StringValue("[PHI]") }

// Format implements fmt.Formatter.
func (Period) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[PHI]") }

// Request is a request as HTTP has it.
type Request struct {
	Method      string
	Path        string // as on the wire, still escaped, below the server's base: "/Patient/1"
	Query       string // as on the wire, without "?"
	ContentType string
	Body        []byte // of a POST; the caller bounds it
}

// MaxBatch is how many entries a batch may have.
const MaxBatch = 100

// ParseRequest understands a request. What it understands and nobody may do here
// comes back as an Interaction whose Kind is not Offered; what it does not
// understand is a *problem.Problem. No path of a FHIR interaction needs percent
// encoding, an empty segment, dots or a slash at its end: a path that has one is
// refused, because another reader could take it for another path.
func ParseRequest(r Request, bases ...string) (Interaction, error) {
	return parseRequest(r, bases, true)
}

func parseRequest(r Request, bases []string, batch bool) (Interaction, error) {
	i, err := understand(r, bases, batch)
	if err != nil {
		return Interaction{}, err // nothing half understood
	}
	return i, nil
}

func understand(r Request, bases []string, batch bool) (Interaction, error) {
	segments, err := pathOf(r.Path)
	if err != nil {
		return Interaction{}, err
	}
	if r.Method != "POST" && len(r.Body) > 0 && r.Method != "PUT" && r.Method != "PATCH" {
		return Interaction{}, problem.New(problem.Invalid, "A request of this method has no body", "Leave the body out")
	}
	if i := slices.IndexFunc(segments, func(s string) bool { return s[0] == '$' }); i >= 0 {
		return operation(r, segments, i)
	}
	switch r.Method {
	case "GET":
		return parseGet(r, segments, bases)
	case "POST":
		return parsePost(r, segments, bases, batch)
	case "PUT", "PATCH", "DELETE":
		kind := map[string]Kind{"PUT": Update, "PATCH": Patch, "DELETE": Delete}[r.Method]
		if len(segments) == 0 || len(segments) > 2 || !spec.IsResource(segments[0]) {
			return Interaction{}, errPath
		}
		return named(kind, segments), nil
	}
	return Interaction{}, problem.New(problem.Unsupported, "This method is not one of FHIR's interactions here", "Use GET, or POST to _search or for a batch")
}

var errPath = problem.New(problem.NotFound, "The path is not one of FHIR's", "Use [type]/[id], [type]?..., [type]/_search, Patient/[id]/$everything, metadata, with types as R4 writes them")

func pathOf(path string) ([]string, error) {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return nil, nil
	}
	segments := strings.Split(path, "/")
	if len(path) > 2048 || len(segments) > 5 {
		return nil, errPath
	}
	for _, s := range segments {
		if s == "" || dots(s) || strings.ContainsFunc(s, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '$')
		}) {
			return nil, errPath
		}
	}
	return segments, nil
}

// named is an interaction that is only to be refused by name.
func named(kind Kind, segments []string) Interaction {
	i := Interaction{Kind: kind}
	if len(segments) > 0 && spec.IsResource(segments[0]) {
		i.Resource = segments[0]
	}
	return i
}

func parseGet(r Request, segments []string, bases []string) (Interaction, error) {
	n := len(segments)
	switch {
	case n == 0:
		return named(SearchSystem, nil), nil
	case n == 1 && segments[0] == "metadata":
		_, err := shape("CapabilityStatement", r.Query)
		return Interaction{Kind: Metadata}, err
	case segments[0] == "_history" && n == 1:
		return named(HistorySystem, nil), nil
	case segments[0] == "_page" && n == 2:
		if r.Query != "" || strings.ContainsAny(segments[1], "$.") {
			return Interaction{}, errPath
		}
		return Interaction{Kind: NextPage, Token: segments[1]}, nil
	case !spec.IsResource(segments[0]):
		return Interaction{}, errPath
	case n == 1:
		s, err := ParseSearch(segments[0], r.Query, bases...)
		if err != nil {
			return Interaction{}, err
		}
		return Interaction{Kind: SearchType, Resource: segments[0], Search: s}, nil
	case n == 2 && segments[1] == "_history":
		return named(HistoryType, segments), nil
	case !spec.ValidID(segments[1]):
		return Interaction{}, errPath
	case n == 2:
		s, err := shape(segments[0], r.Query)
		return Interaction{Kind: Read, Resource: segments[0], ID: segments[1], Search: s}, err
	case n == 3 && segments[2] == "_history":
		return named(HistoryInstance, segments), nil
	case n == 3 && (spec.IsResource(segments[2]) || segments[2] == "*"):
		return named(SearchCompartment, segments), nil
	case n == 4 && segments[2] == "_history" && spec.ValidID(segments[3]):
		s, err := shape(segments[0], r.Query)
		return Interaction{Kind: VRead, Resource: segments[0], ID: segments[1], Version: segments[3], Search: s}, err
	}
	return Interaction{}, errPath
}

// shape reads the query of a read: _elements, _summary, _format, _pretty only.
func shape(resource, query string) (*Search, error) {
	pairs, err := parsePairs(query)
	if err != nil {
		return nil, err
	}
	s := &Search{Resource: resource, Count: -1}
	seen := map[string]bool{}
	for _, p := range pairs {
		if !slices.Contains([]string{"_elements", "_summary", "_format", "_pretty"}, p.name) || p.name == "_summary" && p.value == "count" {
			return nil, bad(p.name, "Not a parameter of this interaction", "Use _elements, _summary, _format or nothing; to search, leave out the id")
		}
		if _, err := s.result(p.name, p.value, seen); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func parsePost(r Request, segments []string, bases []string, batch bool) (Interaction, error) {
	media, params, err := mime.ParseMediaType(r.ContentType)
	if cs := params["charset"]; err != nil || cs != "" && !strings.EqualFold(cs, "utf-8") {
		media = ""
	}
	switch n := len(segments); {
	case n == 0:
		return parseBatch(r, media, bases, batch)
	case n == 2 && segments[1] == "_search" && spec.IsResource(segments[0]):
		if media != "application/x-www-form-urlencoded" {
			return Interaction{}, problem.BadField("Content-Type", "A posted search is a form", "Use Content-Type: application/x-www-form-urlencoded")
		}
		// R4 lets the URL hold parameters too: both are one query.
		query := string(r.Body)
		if r.Query != "" {
			query = strings.TrimSuffix(r.Query+"&"+query, "&")
		}
		s, err := ParseSearch(segments[0], query, bases...)
		if err != nil {
			return Interaction{}, err
		}
		return Interaction{Kind: SearchType, Resource: segments[0], Posted: true, Search: s}, nil
	case n == 1 && segments[0] == "_search":
		return named(SearchSystem, nil), nil
	case n == 4 && segments[3] == "_search", n == 3 && segments[2] == "_search":
		return named(SearchCompartment, segments), nil
	case n == 1 && spec.IsResource(segments[0]):
		return named(Create, segments), nil
	}
	return Interaction{}, errPath
}

func operation(r Request, segments []string, at int) (Interaction, error) {
	if at != len(segments)-1 || at > 2 || at > 0 && !spec.IsResource(segments[0]) || at == 2 && !spec.ValidID(segments[1]) {
		return Interaction{}, errPath
	}
	i := named(Operation, segments)
	i.Operation = segments[at]
	if r.Method != "GET" || at != 2 || segments[0] != "Patient" || segments[2] != "$everything" {
		return i, nil
	}
	i = Interaction{Kind: Everything, Resource: "Patient", ID: segments[1], Search: &Search{Resource: "Patient", Count: -1}}
	pairs, err := parsePairs(r.Query)
	if err != nil {
		return Interaction{}, err
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		var into *string
		primitive := "date"
		switch p.name {
		case "start":
			into = &i.Period.Start
		case "end":
			into = &i.Period.End
		case "_since":
			into, primitive = &i.Period.Since, "instant"
		case "_type":
			if seen[p.name] {
				return Interaction{}, bad(p.name, "This parameter may be given once", "Separate several types by commas")
			}
			for t := range strings.SplitSeq(p.value, ",") {
				if !spec.IsResource(t) {
					return Interaction{}, bad(p.name, "A name in it is not a resource type of R4", "Separate resource types by commas")
				}
				i.Period.Types = append(i.Period.Types, t)
			}
			seen[p.name] = true
			continue
		case "_count", "_format", "_pretty":
			if _, err := i.Search.result(p.name, p.value, seen); err != nil {
				return Interaction{}, err
			}
			continue
		default:
			return Interaction{}, bad(p.name, "Not a parameter of $everything", "Use start, end, _since, _type, _count")
		}
		if *into != "" || !spec.Valid(primitive, p.value) {
			return Interaction{}, bad(p.name, "It is given twice, or is not a "+primitive, "Give one "+primitive+", such as 2024-02-29 or 2024-02-29T10:00:00Z")
		}
		*into = p.value
	}
	return i, nil
}

// parseBatch reads the interactions of a batch: GETs, each of which is then
// decided by itself. A batch in a batch is none.
func parseBatch(r Request, media string, bases []string, allowed bool) (Interaction, error) {
	if !allowed || r.Query != "" {
		return Interaction{}, errPath
	}
	if media != "application/fhir+json" && media != "application/json" {
		return Interaction{}, problem.BadField("Content-Type", "A batch is FHIR JSON in UTF-8", "Use Content-Type: application/fhir+json")
	}
	out := Interaction{Kind: Batch}
	kind := ""
	rd := NewReader(bytes.NewReader(r.Body), Limits{})
	for {
		item, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Interaction{}, err
		}
		switch {
		case item.Part == Whole:
			return Interaction{}, problem.BadField("resourceType", "What is posted to the base is a Bundle", "Post a Bundle of type batch; to create a resource is not offered")
		case item.Part == Field && item.Name == "type":
			s, _ := text(item.Raw.Open())
			kind = closed(s, "batch", "transaction")
		case item.Part == Entry:
			if len(out.Batch) >= MaxBatch {
				return Interaction{}, problem.BadField("Bundle.entry", "The batch has too many entries", fmt.Sprintf("Send at most %d", MaxBatch))
			}
			one, err := batchEntry(item, len(out.Batch), bases)
			if err != nil {
				return Interaction{}, err
			}
			out.Batch = append(out.Batch, one)
		}
	}
	switch kind {
	case "transaction":
		return Interaction{Kind: Transaction}, nil
	case "batch":
		return out, nil
	}
	return Interaction{}, problem.BadField("Bundle.type", "The Bundle is not a batch", "Use type batch")
}

func batchEntry(item Item, n int, bases []string) (Interaction, error) {
	field := fmt.Sprintf("Bundle.entry[%d].request", n)
	request := item.Request.Open()
	method, ok1 := text(member(request, "method"))
	address, ok2 := text(member(request, "url"))
	if !ok1 || !ok2 {
		return Interaction{}, problem.BadField(field, "The entry says not what to do", "Give request.method and request.url")
	}
	if item.Type != "" || string(method) != "GET" {
		if k, ok := map[string]Kind{"POST": Create, "PUT": Update, "PATCH": Patch, "DELETE": Delete}[string(method)]; ok {
			return Interaction{Kind: k}, nil // named, and refused by itself
		}
		return Interaction{}, problem.BadField(field, "The entry is not a GET without a resource", "Batches of reads and searches are offered")
	}
	path, query, _ := strings.Cut(string(address), "?")
	one, err := parseRequest(Request{Method: "GET", Path: "/" + path, Query: query}, bases, false)
	if err != nil {
		p := *problem.From(err)
		p.Field = strings.TrimSuffix(field+".url: "+p.Field, ": ")
		return Interaction{}, &p
	}
	if one.Kind == NextPage {
		return Interaction{}, problem.BadField(field, "A page cannot be asked for in a batch", "Follow the link by itself")
	}
	return one, nil
}
