package cda

import (
	"bytes"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/message"
)

// nilUUID is the root of an identifier that became a code: who assigned it is
// gone with it (RFC 9562 section 5.9).
const nilUUID = "00000000-0000-0000-0000-000000000000"

// rule returns what remains of an element, or nil.
func (r *run) rule(n *node, k kind) (*node, error) {
	switch k {
	case ii:
		return r.identifier(n)
	case template:
		return r.template(n), nil
	case cd:
		out, err := r.coded(n, 0)
		if err == nil && n.raw.Local == "code" && n.uri == nsV3 {
			r.observe(out)
		}
		return out, err
	case ts:
		return r.time(n)
	case pq:
		return r.quantity(n, 0)
	case bl:
		out := r.plain(n)
		if v := n.get("value"); v == "true" || v == "false" {
			out.set("value", v)
			return out, nil
		}
		return out.masked(), nil
	case name:
		r.Count(message.Name)
		return r.use(n).masked(), nil
	case telecom:
		r.Count(message.Telecom)
		return r.use(n).masked(), nil
	case ad:
		return r.address(n), nil
	case title:
		return r.title(n)
	case narrative, words:
		return r.text(n, k)
	case anything:
		as := types[r.xsiType(n)]
		if as == words {
			return r.answer(n)
		}
		if as == gone {
			r.Count(message.Unknown)
			return nil, nil
		}
		return r.rule(n, as)
	}
	r.Count(message.Unknown)
	return nil, nil
}

// observe notes that an observation is of an age.
func (r *run) observe(code *node) {
	top := &r.stack[len(r.stack)-1]
	c := code.get("code")
	if top.local == "observation" && (message.AgeCode([]byte(c)) || c == "445518008" || c == "397659008") {
		top.scale = 1
	}
}

// use is an element without content that keeps what it is used for.
func (r *run) use(n *node) *node {
	out := r.plain(n)
	if v := n.get("use"); v != "" && len(v) <= 12 {
		ok := true
		for w := range strings.FieldsSeq(v) {
			ok = ok && vocabulary[w]
		}
		if ok {
			out.set("use", v)
		}
	}
	return out
}

// stateNumber reports roots of numbers that are not even coded: social security,
// Medicare, passports and licences (2.16.840.1.113883.4.3.x).
func stateNumber(root string) bool {
	return root == "2.16.840.1.113883.4.1" || root == "2.16.840.1.113883.4.572" || root == "2.16.840.1.113883.4.927" ||
		strings.HasPrefix(root, "2.16.840.1.113883.4.3.") || strings.HasPrefix(root, "2.16.840.1.113883.4.330")
}

func (r *run) identifier(n *node) (*node, error) {
	out := r.plain(n)
	root, ext := n.get("root"), n.get("extension")
	if stateNumber(root) {
		r.Count(message.Identifier)
		return out.masked(), nil
	}
	if root == "" && ext == "" {
		return out.masked(), nil
	}
	if ext == "" {
		root, ext = "", root // the root alone is the identifier
	}
	code, err := r.ID(nil, "II", root, ext)
	if err != nil {
		return nil, err
	}
	out.set("root", nilUUID)
	out.set("extension", string(code))
	return out, nil
}

// template keeps what says which template a part follows: an OID, and a date
// as the version of it.
func (r *run) template(n *node) *node {
	out := r.plain(n)
	if root := n.get("root"); message.OID([]byte(root)) {
		out.set("root", root)
	} else {
		r.Count(message.Malformed)
		return nil
	}
	if ext := n.get("extension"); ext == "POCD_HD000040" || isDay(ext) {
		out.set("extension", ext)
	} else if ext != "" {
		r.Count(message.Malformed)
	}
	return out
}

// isDay is YYYY-MM-DD of this century: no document template is older.
func isDay(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' || s[:2] != "20" {
		return false
	}
	_, ok := message.ParseDate([]byte(strings.ReplaceAll(s, "-", "")))
	return ok
}

// coded keeps code, codeSystem, and the words of public systems; translations
// and qualifiers by the same rule; the original text as text.
func (r *run) coded(n *node, depth int) (*node, error) {
	out := r.plain(n)
	code, system := n.get("code"), n.get("codeSystem")
	public := false
	if code != "" {
		var ok bool
		if ok, public = message.CodeOK([]byte(code), system); ok {
			out.set("code", code)
		} else {
			r.Count(message.Malformed)
			out.masked()
		}
	}
	if message.OID([]byte(system)) {
		out.set("codeSystem", system)
	} else if system != "" {
		r.Count(message.Malformed)
	}
	if v := n.get("codeSystemName"); v != "" && public && message.Words([]byte(v)) && len(v) <= 40 {
		out.set("codeSystemName", v)
	}
	if v := n.get("codeSystemVersion"); message.Version([]byte(v)) {
		out.set("codeSystemVersion", v)
	}
	if v := n.get("displayName"); v != "" {
		switch {
		case public && message.Words([]byte(v)), message.Result([]byte(v)):
			out.set("displayName", v)
		case r.Scrub != nil:
			clean, err := r.Free(nil, []byte(v))
			if err != nil {
				return nil, err
			}
			if len(clean) > 0 {
				out.set("displayName", string(clean))
			}
		default:
			r.Count(message.Display)
		}
	}
	for _, a := range n.attrs {
		switch {
		case a.uri == nsSDTC && a.raw.Local == "valueSet" && message.OID([]byte(a.value)):
			out.attrs = append(out.attrs, a)
		case a.raw.Space == "" && a.raw.Local == "use" && vocabulary[a.value]:
			out.attrs = append(out.attrs, a)
		}
	}
	for _, k := range n.kids {
		switch {
		case blank(k):
			out.kids = append(out.kids, k)
		case k.uri == nsV3 && k.raw.Local == "originalText":
			kid, err := r.text(k, words)
			if err != nil {
				return nil, err
			}
			out.add(kid)
		case k.uri == nsV3 && (k.raw.Local == "translation" || k.raw.Local == "name" || k.raw.Local == "value") && depth < 8:
			kid, err := r.coded(k, depth+1)
			if err != nil {
				return nil, err
			}
			out.add(kid)
		case k.uri == nsV3 && k.raw.Local == "qualifier" && depth < 8:
			kid, err := r.coded(k, depth+1) // its parts are name and value
			if err != nil {
				return nil, err
			}
			out.add(kid)
		default:
			r.Count(message.Unknown)
		}
	}
	return out.tidy(), nil
}

func (n *node) add(k *node) {
	if k != nil {
		n.kids = append(n.kids, k)
	}
}

// tidy takes out white space where nothing else is left.
func (n *node) tidy() *node {
	for _, k := range n.kids {
		if !blank(k) {
			return n
		}
	}
	n.kids = nil
	return n
}

// time rules on a point in time, an interval or a timing.
func (r *run) time(n *node) (*node, error) {
	out := r.plain(n)
	r.small(n, out, "operator", "institutionSpecified", "alignment", "inclusive")
	if v := n.get("value"); v != "" {
		if when := r.When(nil, []byte(v)); len(when) > 0 {
			out.set("value", string(when))
		} else {
			out.masked()
		}
	}
	for _, k := range n.kids {
		var kid *node
		var err error
		switch {
		case blank(k):
			kid = k
		case k.uri != nsV3:
			r.Count(message.Unknown)
		case k.raw.Local == "low", k.raw.Local == "high", k.raw.Local == "center", k.raw.Local == "phase", k.raw.Local == "comp":
			kid, err = r.time(k)
		case k.raw.Local == "width", k.raw.Local == "period", k.raw.Local == "offset":
			kid, err = r.quantity(k, 0)
		case k.raw.Local == "event":
			kid, err = r.coded(k, 0)
		default:
			r.Count(message.Unknown)
		}
		if err != nil {
			return nil, err
		}
		out.add(kid)
	}
	return out.tidy(), nil
}

// small keeps attributes whose values are single short words.
func (r *run) small(n, out *node, names ...string) {
	for _, name := range names {
		if v := n.get(name); v != "" && len(v) <= 5 && message.Token([]byte(v)) {
			out.set(name, v)
		}
	}
}

// quantity rules on a number with its unit, an interval or a ratio of such.
func (r *run) quantity(n *node, depth int) (*node, error) {
	out := r.plain(n)
	r.small(n, out, "inclusive", "currency")
	unit := n.get("unit")
	if v := []byte(n.get("value")); len(v) > 0 {
		switch {
		case !message.Number(v) || len(bytes.TrimLeft(v, "+-")) > 16 || wholeDigits(v) > 8:
			r.Count(message.Malformed)
			out.masked()
		case message.Years([]byte(unit)) || r.stack[len(r.stack)-1].scale == 1 && (unit == "" || unit == "1"):
			out.set("value", string(r.Age(nil, v)))
		default:
			out.set("value", string(v))
		}
	}
	if message.Unit([]byte(unit)) {
		out.set("unit", unit)
	} else if unit != "" {
		r.Count(message.Malformed)
	}
	for _, k := range n.kids {
		var kid *node
		var err error
		switch {
		case blank(k):
			kid = k
		case k.uri != nsV3 || depth > 8:
			r.Count(message.Unknown)
		case k.raw.Local == "low", k.raw.Local == "high", k.raw.Local == "center", k.raw.Local == "width", k.raw.Local == "numerator", k.raw.Local == "denominator":
			kid, err = r.quantity(k, depth+1)
		case k.raw.Local == "translation":
			// A PQR is a code with a number.
			if kid, err = r.coded(k, 0); err == nil {
				if v := []byte(k.get("value")); message.Number(v) && wholeDigits(v) <= 8 {
					kid.set("value", string(v))
				}
			}
		default:
			r.Count(message.Unknown)
		}
		if err != nil {
			return nil, err
		}
		out.add(kid)
	}
	return out.tidy(), nil
}

func wholeDigits(v []byte) int {
	whole, _, _ := bytes.Cut(bytes.TrimLeft(v, "+-"), []byte("."))
	return len(whole)
}

// address keeps State, country, ZIP and city as the basis allows.
func (r *run) address(n *node) *node {
	out := r.use(n)
	left := false
	for _, k := range n.kids {
		if blank(k) {
			out.kids = append(out.kids, k)
			continue
		}
		if k.uri != nsV3 || k.raw.Local == "" {
			r.Count(message.Address)
			continue
		}
		var v []byte
		switch text := []byte(k.words()); k.raw.Local {
		case "state", "country":
			v = r.State(nil, text)
		case "postalCode":
			v = r.ZIP(nil, text)
		case "city":
			v = r.City(nil, text)
		default:
			r.Count(message.Address)
		}
		if len(v) > 0 {
			out.kids = append(out.kids, &node{raw: k.raw, uri: nsV3, kids: []*node{{text: string(v)}}})
			left = true
		}
	}
	if !left {
		return out.tidy().masked()
	}
	return out
}

// title keeps a title that is made of the words of titles.
func (r *run) title(n *node) (*node, error) {
	text := n.words()
	ok := len(text) <= 100
	for w := range strings.FieldsSeq(text) {
		ok = ok && (titleWords[strings.ToLower(strings.Trim(w, ",;:()&/-"))] || strings.Trim(w, "&/-") == "")
	}
	if ok && text != "" {
		out := r.plain(n)
		out.kids = []*node{{text: text}}
		return out, nil
	}
	return r.text(n, title)
}

// text scrubs text. Without a scrubber the text of a section or body, a title
// and a value are left empty, as they must be there; others are removed.
func (r *run) text(n *node, k kind) (*node, error) {
	out := r.plain(n)
	text := n.words()
	if n.get("representation") == "B64" || n.get("mediaType") != "" && !strings.HasPrefix(n.get("mediaType"), "text/") && k != narrative {
		r.Count(message.Attachment)
		text = ""
	}
	clean, err := r.Free(nil, []byte(text))
	if err != nil {
		return nil, err
	}
	if len(clean) == 0 {
		if body := r.stack[len(r.stack)-1].local == "nonXMLBody"; k == words && !body {
			return nil, nil
		}
		if k == narrative {
			return out, nil // the schema of narrative has no nullFlavor
		}
		return out.masked(), nil
	}
	out.kids = []*node{{text: string(clean)}}
	return out, nil
}

// answer rules on a value that is text.
func (r *run) answer(n *node) (*node, error) {
	if text := n.words(); r.stack[len(r.stack)-1].scale == 0 && message.Result([]byte(text)) && n.get("representation") == "" {
		out := r.plain(n)
		out.kids = []*node{{text: text}}
		return out, nil
	}
	return r.text(n, title)
}
