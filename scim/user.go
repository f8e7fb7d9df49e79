package scim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// resource is a person as a directory sees them: RFC 7643's User, in its kept
// attributes, and the extension.
func (x *exchange) resource(p *snapshot.Person) map[string]any {
	d := p.Directory
	name := map[string]any{"formatted": p.Name}
	put := func(o map[string]any, k, v string) {
		if v != "" {
			o[k] = v
		}
	}
	put(name, "givenName", d.GivenName)
	put(name, "familyName", d.FamilyName)
	ext := map[string]any{"classification": string(p.Classification), "basis": p.Basis, "state": string(p.State)}
	put(ext, "region", p.Region)
	put(ext, "subject", p.Login.Subject)
	if by := suspendedBy(p, x.c.ID); len(by) > 0 {
		ext["suspendedBy"] = by
	}
	u := map[string]any{
		"schemas":  []any{UserSchema, Extension},
		"id":       string(p.ID),
		"userName": d.UserName,
		"name":     name,
		"active":   p.State != snapshot.Suspended,
		Extension:  ext,
	}
	put(u, "externalId", d.ExternalID)
	put(u, "displayName", d.DisplayName)
	if country, _, _ := strings.Cut(p.Region, "-"); country != "" {
		u["addresses"] = []any{map[string]any{"type": "work", "country": country, "primary": true}}
	}
	u["meta"] = map[string]any{"resourceType": "User", "created": p.RequestedAt.UTC().Format("2006-01-02T15:04:05Z"),
		"location": x.s.c.Base + "/Users/" + string(p.ID), "version": versionOf(u)}
	return u
}

// suspendedBy says whose suspensions stand: this directory's own, the
// organisation's, another program's. No names.
func suspendedBy(p *snapshot.Person, own id.Connector) []any {
	var out []any
	for _, word := range []string{"directory", "organisation", "other"} {
		for _, by := range p.SuspendedBy {
			who := "organisation"
			switch {
			case by == ownName(own):
				who = "directory"
			case strings.HasPrefix(string(by), "connector."):
				who = "other"
			}
			if who == word {
				out = append(out, word)
				break
			}
		}
	}
	return out
}

// versionOf is a weak entity tag (RFC 7644, section 3.14) of everything but meta.
func versionOf(u map[string]any) string {
	raw, err := json.Marshal(u)
	if err != nil {
		return "" // matches nothing
	}
	sum := sha256.Sum256(raw)
	return `W/"` + hex.EncodeToString(sum[:8]) + `"`
}

func (x *exchange) version(p *snapshot.Person) string {
	meta, _ := x.resource(p)["meta"].(map[string]any)
	v, _ := meta["version"].(string)
	return v
}

// matches reads If-Match and If-None-Match (RFC 9110, section 13.1): a list, or *.
func matches(header, version string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || version != "" && strings.TrimPrefix(one, "W/") == strings.TrimPrefix(version, "W/") {
			return true
		}
	}
	return false
}

// show answers with a person, as they stand now.
func (x *exchange) show(status int, p *snapshot.Person, only, without []string) answer {
	u := x.resource(p)
	meta := u["meta"].(map[string]any)
	h := http.Header{"Etag": {meta["version"].(string)}}
	if status == http.StatusCreated {
		h.Set("Location", meta["location"].(string))
	} else {
		h.Set("Content-Location", meta["location"].(string))
	}
	return answer{status: status, header: h, body: project(u, only, without)}
}

// names reads a list of attributes.
func names(list string) []string {
	var out []string
	for n := range strings.SplitSeq(list, ",") {
		if n = strings.TrimSpace(n); n != "" && len(out) < 64 {
			out = append(out, n)
		}
	}
	return out
}

// project leaves of a resource what was asked for (RFC 7644, section 3.9). id and
// schemas always stay (RFC 7643, section 7, "returned").
func project(u map[string]any, only, without []string) map[string]any {
	if len(only) == 0 && len(without) == 0 {
		return u
	}
	out := map[string]any{"id": u["id"], "schemas": u["schemas"]}
	for k, v := range u {
		whole, parts := len(only) == 0, []string(nil)
		for _, n := range only {
			if sub, all, ok := below(n, k); ok {
				whole = whole || all
				parts = append(parts, sub)
			}
		}
		gone, less := false, []string(nil)
		for _, n := range without {
			if sub, all, ok := below(n, k); ok {
				gone = gone || all
				less = append(less, sub)
			}
		}
		o, complex := v.(map[string]any)
		switch {
		case gone && len(only) == 0:
		case whole && len(less) > 0 && complex:
			out[k] = keep(o, func(sub string) bool { return !contains(less, sub) })
		case whole:
			out[k] = v
		case len(parts) > 0 && complex:
			out[k] = keep(o, func(sub string) bool { return contains(parts, sub) })
		case len(parts) > 0:
			out[k] = v
		}
	}
	return out
}

// below says whether a name means the member k of a resource, the whole of it or
// a part.
func below(name, k string) (sub string, whole, ok bool) {
	if len(name) > len(UserSchema) && strings.EqualFold(name[:len(UserSchema)], UserSchema) && name[len(UserSchema)] == ':' {
		name = name[len(UserSchema)+1:]
	}
	if strings.EqualFold(name, k) {
		return "", true, true
	}
	if len(name) > len(k) && strings.EqualFold(name[:len(k)], k) && (name[len(k)] == '.' || name[len(k)] == ':') {
		return name[len(k)+1:], false, true
	}
	return "", false, false
}

func keep(o map[string]any, f func(string) bool) map[string]any {
	out := map[string]any{}
	for k, v := range o {
		if f(k) {
			out[k] = v
		}
	}
	return out
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// query is what a list is asked for, by GET or by POST to .search.
type query struct {
	filter        string
	start, count  int
	only, without []string
}

func (x *exchange) list() answer {
	q := x.r.URL.Query()
	return x.answerList(query{q.Get("filter"), number(q.Get("startIndex"), 1), number(q.Get("count"), maxPage), names(q.Get("attributes")), names(q.Get("excludedAttributes"))})
}

// search is RFC 7644, section 3.4.3: the question stands in the body, so that no
// userName stands in an address.
func (x *exchange) search() answer {
	o, bad := x.read()
	if bad != nil {
		return *bad
	}
	q := query{start: 1, count: maxPage}
	q.filter, _ = one(o, "filter").(string)
	if n, ok := one(o, "startIndex").(float64); ok {
		q.start = int(max(min(n, 1<<30), 0))
	}
	if n, ok := one(o, "count").(float64); ok {
		q.count = int(max(min(n, 1<<30), 0))
	}
	list := func(name string) (out []string) {
		vs, _ := one(o, name).([]any)
		for _, v := range vs {
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
		return names(strings.Join(out, ","))
	}
	q.only, q.without = list("attributes"), list("excludedAttributes")
	return x.answerList(q)
}

func (x *exchange) answerList(q query) answer {
	var want expr
	if q.filter != "" {
		var err error
		if want, err = parseFilter(q.filter, filterable); err != nil {
			return failed(http.StatusBadRequest, "invalidFilter", "The filter cannot be read, or asks for what is not kept: use userName, externalId, id, displayName, name, active or the extension")
		}
	}
	q.start, q.count = max(q.start, 1), min(max(q.count, 0), maxPage)
	total, page := 0, []any{}
	for _, p := range x.s.c.Registry.View().PersonsOfDirectory(x.c.ID) {
		if p.State == snapshot.Ended || p.Vendor != x.c.Vendor {
			continue
		}
		u := x.resource(p)
		if want != nil && !want.holds(u) {
			continue
		}
		if total++; total >= q.start && len(page) < q.count {
			page = append(page, project(u, q.only, q.without))
		}
	}
	return answer{status: http.StatusOK, body: listOf(page, total, q.start)}
}

// listOf is RFC 7644, section 3.4.2.
func listOf(page []any, total, start int) map[string]any {
	if page == nil {
		page = []any{}
	}
	return map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": start, "itemsPerPage": len(page), "Resources": page}
}

func failure(status int, scimType, detail string) scimError {
	return scimError{[]string{"urn:ietf:params:scim:api:messages:2.0:Error"}, scimType, detail, strconv.Itoa(status)}
}

func failed(status int, scimType, detail string) answer {
	return answer{status: status, body: failure(status, scimType, detail)}
}

func notFound() answer {
	return failed(http.StatusNotFound, "", "There is nothing here, or it is not of this directory: see Users and ServiceProviderConfig")
}

func notAllowed(allow string) answer {
	a := failed(http.StatusMethodNotAllowed, "", "This address takes "+allow+" only")
	a.header = http.Header{"Allow": {allow}}
	return a
}
