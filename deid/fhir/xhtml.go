package fhir

import (
	"html"
	"strings"
)

// dialect is how strictly markup is read.
type dialect uint8

const (
	xhtml dialect = iota // R4 section 2.4.1: well-formed, one div
	loose                // an HTML file: void elements, tags that are not closed
)

// inline and block are the elements that R4 lets a narrative have, without a and
// img, which lead elsewhere. The words of any other element stay, without its tags.
var (
	inline = " b i u em strong small big tt s sub sup span abbr acronym cite code dfn kbd q samp var ins del "
	block  = " div p br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table caption colgroup col thead tbody tfoot tr td th pre blockquote address "
	void   = " br hr col img meta link input area base embed source wbr "
	// silent are elements whose tags go and part no words.
	silent = " a font img html body link meta input area base "
	// dropped are elements whose content is no text of the document.
	dropped = " script style head title iframe object applet svg math noscript template textarea select audio video canvas "
)

func among(list, name string) bool { return strings.Contains(list, " "+name+" ") }

// part is a piece of markup: a tag to write, or words to scrub.
type part struct {
	tag        string // with its angles; "" for words
	start, end int    // of words, in prose.in
}

// maxTags bounds how deep markup may nest.
const maxTags = 200

// markup scrubs the words of src and keeps its structure: of the elements those
// on the list, of their attributes none but colspan and rowspan. All words are
// looked through as one text, so that a name in two elements is found; between
// blocks there is a line's end. The result is in text.out. ok is false where src
// is not well-formed: what cannot be read cannot be scrubbed.
func (m *Minimiser) markup(src []byte, how dialect) (ok bool, err error) {
	p := &m.text
	p.in = p.in[:0]
	parts, ok := p.split(string(src), how)
	if !ok {
		return false, nil
	}
	if err := m.seek(); err != nil {
		return false, err
	}
	p.out = p.out[:0]
	k := 0         // the span at hand
	words := false // is there anything to read
	for _, part := range parts {
		if part.tag != "" {
			p.out = append(p.out, part.tag...)
			continue
		}
		at := part.start
		for at < part.end {
			for k < len(p.found) && p.found[k].End <= at {
				k++
			}
			stop := part.end
			if k < len(p.found) && p.found[k].Start < stop {
				stop = max(at, p.found[k].Start)
			}
			plain := string(p.in[at:stop])
			words = words || strings.TrimSpace(plain) != ""
			p.out = append(p.out, escape.Replace(plain)...)
			if at = stop; at == part.end {
				break
			}
			f := p.found[k]
			if f.Start >= part.start { // it begins here, and ends here or later
				out, err := p.replacer.Replace(nil, p.in[f.Start:f.End], f)
				if err != nil {
					return false, errScrub(err)
				}
				words = words || len(out) > 0
				p.out = append(p.out, escape.Replace(string(out))...)
			}
			at = min(f.End, part.end)
		}
	}
	return words, nil
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// split reads markup into parts, and its words into p.in.
func (p *prose) split(s string, how dialect) (parts []part, ok bool) {
	var stack []string
	hidden := 0 // how many open elements are dropped
	roots := 0
	for len(s) > 0 {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			i = len(s)
		}
		if i > 0 && hidden == 0 {
			plain := html.UnescapeString(s[:i])
			if len(stack) == 0 && how == xhtml && strings.TrimSpace(plain) != "" {
				return nil, false // words outside the div
			}
			start := len(p.in)
			p.in = append(p.in, plain...)
			parts = append(parts, part{start: start, end: len(p.in)})
		}
		if s = s[i:]; s == "" {
			break
		}
		if rest, is := strings.CutPrefix(s, "<!--"); is {
			_, after, closed := strings.Cut(rest, "-->")
			if !closed {
				return nil, false
			}
			s = after
			continue
		}
		if how == loose && len(s) > 2 && (s[1] == '!' || s[1] == '?') { // a doctype
			_, after, closed := strings.Cut(s, ">")
			if !closed || strings.HasPrefix(s, "<![") {
				return nil, false
			}
			s = after
			continue
		}
		t, after, is := readTag(s)
		if !is {
			return nil, false
		}
		s = after
		if how == loose {
			t.name = strings.ToLower(t.name)
			t.empty = t.empty || among(void, t.name)
		}
		if t.end {
			n := len(stack) - 1
			if how == loose {
				for n >= 0 && stack[n] != t.name {
					n--
				}
				if n < 0 {
					continue // it closes nothing
				}
			} else if n < 0 || stack[n] != t.name {
				return nil, false
			}
			for len(stack) > n { // in HTML, a tag that was not closed ends with its parent
				open := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				if among(dropped, open) {
					hidden--
				}
				parts = p.tag(parts, hidden, open, "</"+open+">")
			}
			continue
		}
		if len(stack) == 0 {
			if roots++; how == xhtml && (t.name != "div" || roots > 1 || t.empty) {
				return nil, false
			}
		}
		text := "<" + t.name
		if len(stack) == 0 && how == xhtml {
			text += ` xmlns="http://www.w3.org/1999/xhtml"`
		}
		text += t.spans
		if t.empty {
			parts = p.tag(parts, hidden, t.name, text+"/>")
			continue
		}
		parts = p.tag(parts, hidden, t.name, text+">")
		if stack = append(stack, t.name); len(stack) > maxTags {
			return nil, false
		}
		if among(dropped, t.name) {
			hidden++
			if how == loose && (t.name == "script" || t.name == "style") { // raw text
				if s, ok = endOf(s, t.name); !ok {
					return nil, false
				}
			}
		}
	}
	if how == loose {
		for len(stack) > 0 {
			open := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if among(dropped, open) {
				return nil, false // the rest of the document was hidden
			}
			parts = p.tag(parts, hidden, open, "</"+open+">")
		}
	}
	return parts, len(stack) == 0 && (how == loose || roots == 1)
}

// tag adds a tag, if its element may stand, and keeps the words of two blocks
// apart.
func (p *prose) tag(parts []part, hidden int, name, text string) []part {
	if hidden > 0 || among(dropped, name) {
		return parts
	}
	switch {
	case among(inline, name):
	case among(block, name):
		p.in = append(p.in, '\n') // a place between words that is written by no part
	case among(silent, name):
		return parts
	default: // another block, perhaps: without its tags its words must not run together
		p.in = append(p.in, '\n')
		return append(parts, part{start: len(p.in) - 1, end: len(p.in)})
	}
	return append(parts, part{tag: text})
}

// endOf skips to the end tag of an element, whatever the case of its letters.
func endOf(s, name string) (rest string, ok bool) {
	for {
		i := strings.Index(s, "</")
		if i < 0 || len(s) < i+2+len(name) {
			return "", false
		}
		if strings.EqualFold(s[i+2:i+2+len(name)], name) {
			return s[i:], true
		}
		s = s[i+2:]
	}
}

type tag struct {
	name       string
	end, empty bool
	spans      string // colspan and rowspan
}

// readTag reads the tag that s begins with.
func readTag(s string) (t tag, rest string, ok bool) {
	i := 1
	if i < len(s) && s[i] == '/' {
		t.end = true
		i++
	}
	start := i
	for i < len(s) && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || i > start && (s[i] >= '0' && s[i] <= '9' || s[i] == ':' || s[i] == '-' || s[i] == '_')) {
		i++
	}
	if i == start || i-start > 32 {
		return t, "", false
	}
	t.name = s[start:i]
	for {
		for i < len(s) && blank(s[i]) {
			i++
		}
		if i >= len(s) {
			return t, "", false
		}
		switch {
		case s[i] == '>':
			return t, s[i+1:], true
		case s[i] == '/' && i+1 < len(s) && s[i+1] == '>':
			t.empty = true
			return t, s[i+2:], !t.end
		}
		start = i
		for i < len(s) && !blank(s[i]) && s[i] != '=' && s[i] != '>' && s[i] != '/' && s[i] != '<' && s[i] != '"' && s[i] != '\'' {
			i++
		}
		attribute := s[start:i]
		if attribute == "" {
			return t, "", false
		}
		for i < len(s) && blank(s[i]) {
			i++
		}
		if i >= len(s) || s[i] != '=' {
			continue
		}
		for i++; i < len(s) && blank(s[i]); i++ {
		}
		if i >= len(s) {
			return t, "", false
		}
		value := ""
		if q := s[i]; q == '"' || q == '\'' {
			n := strings.IndexByte(s[i+1:], q)
			if n < 0 {
				return t, "", false
			}
			value = s[i+1 : i+1+n]
			i += n + 2
		} else {
			start = i
			for i < len(s) && !blank(s[i]) && s[i] != '>' && s[i] != '"' && s[i] != '\'' {
				i++
			}
			value = s[start:i]
		}
		if (attribute == "colspan" || attribute == "rowspan") && len(value) > 0 && len(value) < 4 && isInteger([]byte(value)) && value[0] != '-' && !strings.Contains(t.spans, attribute) {
			t.spans += " " + attribute + `="` + value + `"`
		}
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
