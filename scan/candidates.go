package scan

import (
	"bytes"
	"time"

	"github.com/sallyport/sallyport/deid/text"
)

// rules find candidates in text of any kind. Immutable after newRules.
type rules struct {
	labels dictionary
	alone  map[string]bool // last words of labels that need no colon
	terms  terms
	asOf   time.Time
}

func newRules(asOf time.Time) *rules {
	r := &rules{labels: newDictionary(), alone: map[string]bool{}, terms: newTerms(), asOf: asOf}
	for last, list := range r.labels {
		for _, l := range list {
			r.alone[last] = r.alone[last] || l.alone
		}
	}
	return r
}

// find appends the candidates of win, in order, without overlap. code is true
// where the text is a program: a name must then be in quotes.
func (r *rules) find(dst []candidate, win []byte, code bool) []candidate {
	from := len(dst)
	wordStart := -1
	for i := 0; i < len(win); i++ {
		c := win[i]
		if isAlpha(c) {
			if wordStart < 0 {
				wordStart = i
			}
			continue
		}
		if wordStart >= 0 {
			if i-wordStart == 2 && c == ' ' && win[wordStart] == 'i' && win[wordStart+1] == 's' && wordStart > 0 && win[wordStart-1] == ' ' {
				dst = r.label(dst, win, wordStart-1, i, code) // her record number is 12345
			} else if n := i - wordStart; n >= 2 && n <= 8 && (c == ' ' || c == '#') && r.alone[lower(win[wordStart:i])] {
				dst = r.labelled(dst, win, i, code)
			}
			if n := i - wordStart; n == 3 && (isDigit(c) || c == '-') && (wordStart == 0 || !isAlnum(win[wordStart-1])) && lower(win[wordStart:i]) == "mrn" {
				dst = ownLabel(dst, win, wordStart, i)
			}
			wordStart = -1
		}
		switch {
		case c == '<' && i+1 < len(win) && win[i+1] == '/': // <td>MRN</td><td>12345</td>
			dst = r.labelled(dst, win, i, code)
		case c == ':' || c == '=' || c == '>':
			dst = r.labelled(dst, win, i, code)
		case c == '@':
			dst = email(dst, win, i)
		case isDigit(c) || c == '(' || c == '+':
			if i == 0 || !isAlnum(win[i-1]) && !bytes.ContainsRune([]byte("-._/+=(@#&"), rune(win[i-1])) || win[i-1] == '(' && isDigit(c) && i > 1 && win[i-2] == ' ' {
				dst = number(dst, win, i)
			}
		}
	}
	return dst[:from+len(settle(dst[from:]))]
}

func lower(w []byte) string { return string(bytes.ToLower(w)) }

// labelled reads the label that ends at sep, and the value behind.
func (r *rules) labelled(dst []candidate, win []byte, sep int, code bool) []candidate {
	return r.label(dst, win, sep, sep, code)
}

// label is labelled where the label ends at nameEnd, before a word.
func (r *rules) label(dst []candidate, win []byte, nameEnd, sep int, code bool) []candidate {
	name := labelBefore(win, nameEnd)
	if len(name) < 2 {
		return dst
	}
	l, ok := r.labels.of(name)
	if !ok {
		return dst
	}
	start, end, quoted := valueAfter(win, sep, l.kind)
	if start >= end {
		return dst
	}
	if win[sep] == ' ' || win[sep] == '#' {
		if nameEnd == sep && !l.alone || !bytes.ContainsAny(win[start:end], "0123456789") {
			return dst
		}
	}
	v := win[start:end]
	if code && !quoted && !l.literal(win, v, start, end) {
		return dst
	}
	likely := l.kind.likely(v, r.asOf)
	if likely == 0 {
		return dst
	}
	if l.kind == kindName && len(l.words) > 4 && likely == .6 {
		likely = .9 // half a name is what such a label wants
	}
	return append(dst, candidate{start: start, end: end, category: l.category, place: l.words, weight: l.weight * likely, reason: byLabel})
}

// ownLabel takes a number that brings its label: MRN0012345.
func ownLabel(dst []candidate, win []byte, start, digits int) []candidate {
	end := digits
	for end < len(win) && (isAlnum(win[end]) || win[end] == '-') && end-start < 24 {
		end++
	}
	if likelyNumber(bytes.Trim(win[digits:end], "-")) < 1 {
		return dst
	}
	return append(dst, candidate{start: start, end: end, category: text.MRN, place: "mrn", weight: .65, reason: byLabel})
}

// literal: what stands in a program without quotes must be a number, and not
// the start of an expression.
func (l label) literal(win, v []byte, start, end int) bool {
	if l.kind == kindName || l.kind == kindCity || l.kind == kindAddress || l.kind == kindZIP {
		return false
	}
	if end < len(win) && (isAlnum(win[end]) || win[end] == '_' || win[end] == '(' || win[end] == '.' && end+1 < len(win) && isAlnum(win[end+1])) {
		return false
	}
	return isDigit(v[0])
}

// labelBefore is the name that ends at sep, of at most 40 bytes and one line.
// In <birthTime value="..."> the name is the element's.
func labelBefore(win []byte, sep int) []byte {
	end := sep
	for end > 0 && (win[end-1] == ' ' || win[end-1] == '"' || win[end-1] == '\'' || win[end-1] == '\\' || win[end-1] == '*' || win[end-1] == '`' || win[end-1] == ']' || win[end-1] == '#') {
		end--
	}
	start := end
	for start > 0 && end-start < 40 {
		c := win[start-1]
		if !isAlnum(c) && c != '_' && c != '-' && c != ' ' && c != '\'' && c < 0x80 {
			break
		}
		start--
	}
	name := bytes.TrimSpace(win[start:end])
	if string(name) == "value" || bytes.HasSuffix(name, []byte(" value")) {
		line := win[max(0, sep-60):end]
		if open := bytes.LastIndexByte(line, '<'); open >= 0 {
			tag := line[open+1:]
			if n := bytes.IndexByte(tag, ' '); n > 0 {
				return tag[:n]
			}
		}
	}
	return name
}

// valueAfter is the value behind sep: in quotes, or up to what ends it.
func valueAfter(win []byte, sep int, k kind) (start, end int, quoted bool) {
	i := sep
	limit := min(len(win), sep+160)
	marks, inTags := 0, false
	for i < limit && (win[i] == ' ' || win[i] == '\t' || win[i] == ':' || win[i] == '=' || win[i] == '>' || win[i] == '#' || win[i] == '(' && k != kindPhone || win[i] == '[') {
		if win[i] == ' ' {
			marks++
		}
		if marks > 24 {
			return 0, 0, false
		}
		i++
	}
	for tags := 0; tags < 4 && i < limit && win[i] == '<'; tags++ { // </b>, </td><td>
		shut := bytes.IndexByte(win[i:limit], '>')
		if shut < 0 {
			return 0, 0, false
		}
		i += shut + 1
		for i < limit && (win[i] == ' ' || win[i] == '\n' || win[i] == '\r' || win[i] == '\t' || win[i] == ':') {
			i++
		}
		inTags = true
	}
	if i < limit && win[i] == '\\' {
		i++
	}
	if i >= limit || win[i] == '\n' || win[i] == '\r' {
		return 0, 0, false
	}
	if q := win[i]; q == '"' || q == '\'' || q == '`' {
		for e := i + 1; e < limit; e++ {
			if win[e] == q || win[e] == '\\' {
				return i + 1, e, true
			}
			if win[e] == '\n' {
				break
			}
		}
		return 0, 0, false
	}
	e := i
	for e < limit && !bytes.ContainsRune([]byte("\n\r\t;<|\"`}]"), rune(win[e])) {
		if win[e] == ' ' && e+1 < limit && win[e+1] == ' ' {
			break
		}
		if (win[e] == ',' || win[e] == ')') && k != kindName && k != kindPhone && k != kindBirth {
			break
		}
		e++
	}
	inTag := (inTags || win[sep] == '>') && e < len(win) && win[e] == '<'
	switch k {
	case kindNumber, kindSSN, kindEmail, kindZIP:
		if n := bytes.IndexByte(win[i:e], ' '); n > 0 {
			e = i + n
		}
	case kindName:
		e = i + nameLength(win[i:e])
	case kindBirth:
		e = i + dateLength(win[i:e])
	case kindPhone:
		for n := i; n < e; n++ {
			if !isDigit(win[n]) && !bytes.ContainsRune([]byte("+-. ()/"), rune(win[n])) {
				e = n
			}
		}
	}
	for e > i && bytes.ContainsRune([]byte(" .,:-'"), rune(win[e-1])) {
		e--
	}
	return i, e, inTag
}

// nameLength is how much of a line is the name that it starts with: capitalised
// words, until a word that is a form's label or is followed by a colon.
func nameLength(v []byte) int {
	end, words := 0, 0
	for i := 0; i < len(v) && words < 4; {
		for i < len(v) && (v[i] == ' ' || v[i] == ',' || v[i] == '^') {
			i++
		}
		s := i
		for i < len(v) && v[i] != ' ' && v[i] != ',' && v[i] != '^' && v[i] != '(' && v[i] != '/' && v[i] != ':' && v[i] != '=' {
			i++
		}
		if s == i || i < len(v) && (v[i] == ':' || v[i] == '=' || v[i] == '/') {
			break
		}
		w := bytes.TrimRight(v[s:i], ".")
		if len(w) == 0 || !isUpper(w[0]) && w[0] < 0x80 && !particles[lower(w)] || labelWord[lower(w)] {
			break
		}
		end = i
		words++
	}
	return end
}

// dateLength is the longest start of v that is a date, or up to the first space.
func dateLength(v []byte) int {
	for end := min(len(v), 20); end >= 6; end-- {
		if _, ok := parseDate(v[:end]); ok && (end == len(v) || !isAlnum(v[end])) {
			return end
		}
	}
	if n := bytes.IndexByte(v, ' '); n > 0 {
		return n
	}
	return len(v)
}

func email(dst []candidate, win []byte, at int) []candidate {
	start, end := at, at+1
	for start > 0 && at-start < 64 && (isAlnum(win[start-1]) || bytes.ContainsRune([]byte("._%+-"), rune(win[start-1]))) {
		start--
	}
	for end < len(win) && end-at < 100 && (isAlnum(win[end]) || win[end] == '.' || win[end] == '-') {
		end++
	}
	for end > at+1 && (win[end-1] == '.' || win[end-1] == '-') {
		end--
	}
	// user@host:path, https://user:secret@host and module@version are no addresses.
	if end < len(win) && win[end] == ':' && end+1 < len(win) && isAlnum(win[end+1]) || start > 0 && (win[start-1] == '/' || win[start-1] == ':' && start > 1 && win[start-2] != 'o') {
		return dst
	}
	likely := likelyEmail(win[start:end])
	if likely == 0 {
		return dst
	}
	return append(dst, candidate{start: start, end: end, category: text.Email, place: "", weight: .22 * likely, reason: byForm})
}

// number looks for what has the form of a Social Security number or a
// telephone number at i.
func number(dst []candidate, win []byte, i int) []candidate {
	end := i
	digits, marks := 0, 0
	for end < len(win) && end-i < 20 {
		c := win[end]
		if isDigit(c) {
			digits++
		} else if c == '-' || c == '.' || c == ' ' || c == '(' || c == ')' || c == '+' && end == i {
			marks++
			if end > i+1 && !isDigit(win[end-1]) && !(win[end-1] == ')' || win[end-1] == ' ' && c == '(') {
				break
			}
		} else {
			break
		}
		end++
	}
	for end > i && !isDigit(win[end-1]) {
		end--
	}
	if end < len(win) && (isAlnum(win[end]) || win[end] == '_' || (win[end] == '-' || win[end] == '.') && end+1 < len(win) && isAlnum(win[end+1])) {
		return dst
	}
	v := win[i:end]
	if len(v) == 11 && v[3] == '-' && v[6] == '-' && validSSN(v) {
		return append(dst, candidate{start: i, end: end, category: text.SSN, weight: .7, reason: byForm})
	}
	if end-i >= 12 && marks >= 2 && phoneForm(v) && validPhone(v) {
		return append(dst, candidate{start: i, end: end, category: text.Phone, weight: .22, reason: byForm})
	}
	return dst
}

// phoneForm: 3-3-4 with the same mark, (3) 3-4, or + with groups.
func phoneForm(v []byte) bool {
	if v[0] == '+' {
		return true
	}
	var groups []int
	n := 0
	for _, c := range v {
		if isDigit(c) {
			n++
			continue
		}
		if n > 0 {
			groups = append(groups, n)
		}
		n = 0
	}
	groups = append(groups, n)
	if len(groups) == 4 && groups[0] == 1 {
		groups = groups[1:]
	}
	return len(groups) == 3 && groups[0] == 3 && groups[1] == 3 && groups[2] == 4
}

// settle sorts by place and leaves of what overlaps the weightier.
func settle(list []candidate) []candidate {
	sortCandidates(list)
	out := list[:0]
	for _, c := range list {
		if n := len(out); n > 0 && c.start < out[n-1].end {
			if c.weight > out[n-1].weight {
				out[n-1] = c
			}
			continue
		}
		out = append(out, c)
	}
	return out
}
