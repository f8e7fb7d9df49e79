package scan

import (
	"bytes"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport/sallyport/deid/text"
)

// sheet collects the findings of one file.
type sheet struct {
	path, rel string
	blob      string
	key       []byte
	least     float64
	cell      int // of a notebook, while one is read

	attribution bool // the file names authors on purpose

	list   []Finding
	groups map[string]*group
	each   map[string]int // findings that stand alone, by category
}

// group is a finding that stands for many values.
type group struct {
	Finding
	print printer
}

// aloneMost is how many findings of a category stand alone in a file. What
// comes behind is counted in one: a log of a million lines is one problem.
const aloneMost = 20

// groupsMost bounds what a hostile document can make of keys.
const groupsMost = 2048

func newSheet(path, rel, blob string, key []byte, least float64) *sheet {
	return &sheet{path: path, rel: rel, blob: blob, key: key, least: least, groups: map[string]*group{}, each: map[string]int{}}
}

// spot is where something stands in a file, both from 1.
type spot struct{ line, column int }

// note adds a value. An empty into makes a finding of it; otherwise it counts
// into the group of that name.
func (s *sheet) note(into, category, place, reason string, confidence float64, at spot, value []byte) {
	if confidence < s.least {
		return
	}
	if into == "" {
		if s.each[category] < aloneMost {
			s.each[category]++
			p := newPrinter(s.key, category)
			p.add(value)
			s.list = append(s.list, Finding{Line: at.line, Column: at.column, Cell: s.cell, Category: category, Confidence: confidence, Reason: reason,
				Place: place, Count: 1, Excerpt: mask(value), Value: p.String(), shape: shapeOf(value)})
			return
		}
		into, place = "more", "the others of this kind"
	}
	into += "\x00" + category
	g := s.groups[into]
	if g == nil {
		if len(s.groups) >= groupsMost {
			into = "rest\x00" + category
			if g = s.groups[into]; g == nil {
				place = "the others of this kind"
			}
		}
		if g == nil {
			g = &group{print: newPrinter(s.key, category), Finding: Finding{Line: at.line, Column: at.column, Cell: s.cell, Category: category,
				Reason: reason, Place: place, Excerpt: mask(value)}}
			s.groups[into] = g
		}
	}
	g.Count++
	g.Confidence = max(g.Confidence, confidence)
	g.print.add(value)
}

// found ends the file.
func (s *sheet) found() []Finding {
	list := s.list
	for _, g := range s.groups {
		f := g.Finding
		f.Value = g.print.String()
		list = append(list, f)
	}
	for i := range list {
		f := &list[i]
		f.Path, f.rel, f.Blob, f.Citation = s.path, s.rel, s.blob, citation(f.Category)
		f.Confidence = float64(int(f.Confidence*100)) / 100
	}
	sortFindings(list)
	enumerate(list)
	return list
}

// places turns offsets of a text into lines and columns. Offsets must not fall.
type places struct {
	text []byte
	at   int
	spot spot
}

func (p *places) of(offset int) spot {
	for p.at < offset && p.at < len(p.text) {
		nl := bytes.IndexByte(p.text[p.at:offset], '\n')
		if nl < 0 {
			p.spot.column += utf8.RuneCount(p.text[p.at:offset])
			p.at = offset
			break
		}
		p.at += nl + 1
		p.spot.line++
		p.spot.column = 1
	}
	return p.spot
}

// finder finds what identifies a person in prose; *text.Engine is one.
type finder interface {
	Find(dst []text.Span, doc []byte, r *text.Record) ([]text.Span, error)
}

// reader reads texts: rules for what has a label or a form, prose for notes.
type reader struct {
	rules *rules
	prose finder
}

// noNotes is the healthHere of what speaks of patients in general: package text
// does not read it.
const noNotes = -1

// read judges the part of win from lo to hi, with the rest as its
// surroundings, and notes what it finds on s.
func (r *reader) read(s *sheet, win []byte, lo, hi int, code bool, into, place string, where func(offset int) spot, healthHere float64) error {
	list := r.rules.find(nil, win, code)
	if healthHere < 0 {
		healthHere, r = 0, &reader{rules: r.rules}
	}
	terms := r.rules.terms.of(nil, win)
	list, err := r.notes(list, win, terms, code, healthHere)
	if err != nil {
		return err
	}
	for i, c := range list {
		if c.start < lo || c.start >= hi || c.weight == 0 || s.attribution && classOf(c)&(aNumber|aBirth) == 0 {
			continue
		}
		others := near(list, i)
		if classOf(c) == aDetail && others == 0 {
			continue // a place or a date of nobody
		}
		confidence, support := judge(c.weight, classOf(c), others, around(terms, c.start)+healthHere)
		if confidence < s.least {
			continue
		}
		group, at := into, place
		switch {
		case group == "" && c.prose:
			group, at = "prose", "prose"
			if s.cell > 0 {
				group += strconv.Itoa(s.cell)
			}
		case at == "":
			at = c.place
		}
		s.note(group, c.category.String(), at, because(c.reason, support), confidence, where(c.start), win[c.start:c.end])
	}
	return nil
}

// proseWeight is what a span of the text engine weighs before its neighbours
// are seen. Those that are not here are not reported.
func proseWeight(s text.Span, v []byte) (weight float64, together bool) {
	switch s.Category {
	case text.Name:
		likely := likelyName(v)
		if likely < 1 && s.Reason != text.Cue {
			likely *= .65 // half a name, and no title before it
		}
		return .45 * likely, true
	case text.SSN:
		if !validSSN(v) {
			return 0, false
		}
		return .7, false
	case text.MRN, text.HealthPlan, text.Account:
		return .45 * likelyNumber(v), false
	case text.Phone, text.Fax:
		if !validPhone(v) {
			return 0, false
		}
		return .3, true
	case text.Email:
		return .22 * likelyEmail(v), true
	case text.Address:
		return .35, true
	case text.Date:
		if !isDateLike(v) {
			return 0, true // a year, a weekday, "yesterday"
		}
		return .3, true
	case text.City, text.ZIP, text.Facility:
		return .25, true
	}
	return 0, true
}

// notes lets the text engine read the stretches where the language of the
// bedside is thick, or that hold an identifier with a label.
func (r *reader) notes(list []candidate, win []byte, terms []term, code bool, healthHere float64) ([]candidate, error) {
	if r.prose == nil {
		return list, nil
	}
	stretches := thick(list, win, terms, code, healthHere)
	if len(stretches) == 0 {
		return list, nil
	}
	var spans []text.Span
	for _, st := range stretches {
		from := len(spans)
		var err error
		if spans, err = r.prose.Find(spans, win[st[0]:st[1]], nil); err != nil {
			return nil, err
		}
		for i := from; i < len(spans); i++ {
			spans[i].Start += st[0]
			spans[i].End += st[0]
		}
	}
	for _, sp := range spans {
		v := bytes.TrimSpace(win[sp.Start:sp.End])
		weight, together := proseWeight(sp, v)
		if sp.Category == text.Date && isStamp(win, sp.Start, sp.End) {
			continue
		}
		if sp.Category == text.Name && weight >= .45 && afterPatient(win, sp.Start) {
			weight = .6
		}
		if weight == 0 || sp.Confidence < .5 || isPlaceholder(v) || code && !inWords(win, sp.Start, sp.End) {
			continue
		}
		if overlaps(list, sp.Start, sp.End) {
			continue
		}
		list = append(list, candidate{start: sp.Start, end: sp.End, category: sp.Category, weight: weight, reason: byProse, prose: together})
	}
	sortCandidates(list)
	return list, nil
}

// namesNext: two words with capitals follow.
func namesNext(win []byte, at int) bool {
	v := win[at:min(len(win), at+60)]
	if len(v) == 0 || v[0] != ' ' {
		return false
	}
	n := nameLength(v)
	return n > 0 && likelyName(bytes.TrimSpace(v[:n])) == 1
}

// afterPatient: the word before is "patient".
func afterPatient(win []byte, at int) bool {
	before := bytes.ToLower(bytes.TrimRight(win[max(0, at-12):at], " :"))
	return bytes.HasSuffix(before, []byte("patient")) || bytes.HasSuffix(before, []byte(" pt"))
}

// isStamp: the date of a line of a log, not of an event in somebody's life.
func isStamp(win []byte, start, end int) bool {
	v := win[start:end]
	if len(v) > 11 && bytes.ContainsRune(v[8:], ':') || end+2 < len(win) && (win[end] == 'T' || win[end] == ' ') && isDigit(win[end+1]) && isDigit(win[end+2]) {
		return true
	}
	before := bytes.TrimRight(win[max(0, start-3):start], " [\"(")
	return len(before) == 0 && start < 3 || len(before) > 0 && before[len(before)-1] == '\n' && end < len(win) && win[end] == ' '
}

func overlaps(list []candidate, start, end int) bool {
	return slices.ContainsFunc(list, func(c candidate) bool { return !c.prose && c.start < end && start < c.end })
}

// thick finds the stretches worth reading as notes.
func thick(list []candidate, win []byte, terms []term, code bool, healthHere float64) [][2]int {
	var out [][2]int
	add := func(from, to int) {
		from, to = lineStart(win, max(0, from)), lineEnd(win, min(len(win), to))
		if n := len(out); n > 0 && from <= out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], to)
			return
		}
		out = append(out, [2]int{from, to})
	}
	if healthHere >= 5 && len(terms) > 0 {
		return [][2]int{{0, len(win)}}
	}
	ti, ci := 0, 0
	for ti < len(terms) || ci < len(list) { // both are in order; so must the stretches be
		if ci == len(list) || ti < len(terms) && terms[ti].at <= list[ci].start {
			switch t := terms[ti]; {
			case !t.weak && around(terms, t.at) >= 3:
				add(t.at-400, t.at+400)
			case !code && t.weak && (t.id == "patient" || t.id == "pt") && namesNext(win, t.at+len(t.id)):
				add(t.at-100, t.at+200)
			}
			ti++
			continue
		}
		if c := list[ci]; classOf(c)&(aNumber|aBirth) != 0 && c.weight >= .5 {
			add(c.start-300, c.end+300)
		}
		ci++
	}
	return out
}

func lineStart(win []byte, at int) int {
	low := max(0, at-200)
	if nl := bytes.LastIndexByte(win[low:at], '\n'); nl >= 0 {
		return low + nl + 1
	}
	for at > 0 && at < len(win) && isAlnum(win[at-1]) {
		at--
	}
	return runeStart(win, at)
}

func lineEnd(win []byte, at int) int {
	high := min(len(win), at+200)
	if nl := bytes.IndexByte(win[at:high], '\n'); nl >= 0 {
		return at + nl
	}
	for at < len(win) && isAlnum(win[at]) {
		at++
	}
	return runeStart(win, at)
}

func runeStart(win []byte, at int) int {
	for at > 0 && at < len(win) && !utf8.RuneStart(win[at]) {
		at--
	}
	return at
}

// inWords: in a program, prose is in comments and in strings; and no name
// touches what only code has.
func inWords(win []byte, start, end int) bool {
	if start > 0 && bytes.ContainsRune([]byte("._(=$@/[&"), rune(win[start-1])) || end < len(win) && bytes.ContainsRune([]byte("_([={"), rune(win[end])) {
		return false
	}
	low := max(0, start-400)
	line := win[low:start]
	if nl := bytes.LastIndexByte(line, '\n'); nl >= 0 {
		line = line[nl+1:]
	}
	if bytes.ContainsAny(line, "\"'`") || bytes.Contains(line, []byte("//")) || bytes.Contains(line, []byte("#")) || bytes.Contains(line, []byte("--")) || bytes.Contains(line, []byte("* ")) || bytes.Contains(line, []byte("<!")) {
		return true
	}
	rest := win[end:min(len(win), end+400)]
	if nl := bytes.IndexByte(rest, '\n'); nl >= 0 {
		rest = rest[:nl]
	}
	return !bytes.ContainsAny(line, "(){};=<>") && !bytes.ContainsAny(rest, "(){};=<>")
}
