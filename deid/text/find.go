package text

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
	"github.com/sallyport/sallyport/problem"
)

// Engine finds what identifies a person in narrative text. It is immutable
// and may be used by many goroutines at once.
type Engine struct {
	dict    *dictionary
	second  SecondOpinion
	timeout time.Duration
	pivot   int // the last two-digit year of this century
	pages   sync.Pool
}

// New makes an Engine. The dictionary is unpacked once for the process, in
// about a tenth of a second.
func New(o Options) (*Engine, error) {
	if o.Timeout < 0 {
		return nil, problem.New(problem.Invalid, "the timeout of the second opinion is negative", "give a duration above 0, or leave it out for 10 seconds")
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	e := &Engine{dict: loadDictionary(), second: o.Second, timeout: o.Timeout, pivot: 30}
	if y := o.AsOf.Year(); !o.AsOf.IsZero() && y >= 2000 && y < 2100 {
		e.pivot = y - 2000
	}
	e.pages.New = func() any { return new(page) }
	return e, nil
}

// MaxDocument is the size in bytes above which Find refuses a document.
const MaxDocument = 64 << 20

// Find appends to dst the spans of doc that identify, or may, in order and
// without overlap, each on rune boundaries. r is the patient's own record, nil
// for none. The same input gives the same output, always.
//
// The error is a problem; it says nothing of the document. On an error nothing
// of the document may be released.
func (e *Engine) Find(dst []Span, doc []byte, r *Record) ([]Span, error) {
	return e.FindContext(context.Background(), dst, doc, r)
}

// FindContext is Find with a context for the second opinion.
func (e *Engine) FindContext(ctx context.Context, dst []Span, doc []byte, r *Record) ([]Span, error) {
	if e == nil || e.dict == nil {
		return dst, problem.New(problem.Internal, "the text engine was not made by New", "report it: a caller left out New")
	}
	if len(doc) > MaxDocument {
		return dst, problem.New(problem.TooLarge, "a text is too large to be scrubbed whole", "split it at a paragraph; the limit is 64 MiB")
	}
	p, _ := e.pages.Get().(*page)
	defer e.putPage(p)
	p.cands = p.cands[:0]
	p.fold(doc)
	p.tokenize(e.dict)
	f := finder{page: p, dict: e.dict, rec: r, pivot: e.pivot}
	f.scan()
	if r != nil {
		r.match(&f)
	}
	f.deny()
	from := len(dst)
	dst = f.resolve(dst)
	if e.second == nil {
		return dst, nil
	}
	more, err := e.ask(ctx, doc)
	if err != nil {
		return dst[:from], err
	}
	return append(dst[:from], union(append(slices.Clone(dst[from:]), more...))...), nil
}

// putPage returns the scratch space, unless a huge document made it huge.
func (e *Engine) putPage(p *page) {
	p.src, p.text, p.off = nil, nil, nil
	clear(p.buf[:cap(p.buf)])
	if cap(p.buf) > 4<<20 || cap(p.toks) > 1<<20 {
		return
	}
	e.pages.Put(p)
}

func (e *Engine) ask(ctx context.Context, doc []byte) ([]Span, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	more, err := e.second.Spans(ctx, slices.Clone(doc))
	if err != nil {
		// The cause may quote the text, so it goes no further than its type.
		return nil, problem.New(problem.UpstreamFail, "the second opinion on a text failed, so nothing of it is released",
			"mend the model's service, or take it out of the configuration")
	}
	for i := range more {
		s := &more[i]
		if s.Start < 0 || s.End > len(doc) || s.Start >= s.End || s.Category >= categories {
			return nil, problem.New(problem.UpstreamFail, "the second opinion gave a span outside the text, so nothing of it is released",
				"mend the model's service: offsets are of bytes, from 0")
		}
		for s.Start > 0 && !utf8.RuneStart(doc[s.Start]) {
			s.Start--
		}
		for s.End < len(doc) && !utf8.RuneStart(doc[s.End]) {
			s.End++
		}
		s.Reason = Second
	}
	return more, nil
}

// cand is a span of the folded text before overlaps are resolved.
type cand struct {
	start, end int32
	conf       float32
	cat        Category
	why        Reason
}

// finder is the state of one search.
type finder struct {
	*page
	dict  *dictionary
	rec   *Record
	pivot int
}

// add proposes text[start:end].
func (f *finder) add(start, end int32, c Category, why Reason, conf float32) {
	if start < end {
		f.cands = append(f.cands, cand{start, end, conf, c, why})
	}
}

// addToks proposes the tokens from i to j, both included.
func (f *finder) addToks(i, j int, c Category, why Reason, conf float32) {
	f.add(f.toks[i].start, f.toks[j].end, c, why, conf)
}

// scan walks the tokens once and hands each to the rules that it can start.
func (f *finder) scan() {
	for i := 0; i < len(f.toks); {
		t := &f.toks[i]
		next := i + 1
		switch t.kind {
		case num, mix:
			next = max(next, f.number(i))
		case word:
			if t.id != idNone {
				f.identifier(i)
			}
			if t.cue&(cMonth|cHoliday|cWeekday|cOrdinal) != 0 {
				f.wordDate(i)
			}
			if t.cue&cNinety != 0 {
				f.wordAge(i)
			}
			if t.caps != lower {
				next = max(next, f.capitals(i))
			} else if t.cue&(cName|cTitle|cStreetPre|cPerson|cUnit|cRelation) != 0 {
				f.lowerCase(i)
			} else if t.cue == 0 && f.at(i-1).hash == hashIn && f.lexOf(t)&lexicon.City != 0 {
				f.lowerCity(i)
			}
		case punct:
			f.mark(i)
		case other:
			f.script(i)
		}
		i = next
	}
}

// resolve sorts the candidates, joins what overlaps, and turns offsets into
// those of the document. Of two that overlap nothing is lost: the joined span
// covers both, under the name of the surer one.
func (f *finder) resolve(dst []Span) []Span {
	if len(f.cands) == 0 {
		return dst
	}
	slices.SortFunc(f.cands, func(a, b cand) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(b.conf, a.conf), cmp.Compare(a.cat, b.cat), cmp.Compare(a.why, b.why))
	})
	cur := f.cands[0]
	flush := func() {
		s, t := f.span(int(cur.start), int(cur.end))
		dst = append(dst, Span{Start: s, End: t, Category: cur.cat, Confidence: cur.conf, Reason: cur.why})
	}
	for _, c := range f.cands[1:] {
		if c.start >= cur.end {
			flush()
			cur = c
			continue
		}
		if c.conf > cur.conf {
			cur.cat, cur.why, cur.conf = c.cat, c.why, c.conf
		}
		cur.end = max(cur.end, c.end)
	}
	flush()
	return dst
}

// union joins the spans that overlap.
func union(s []Span) []Span {
	slices.SortFunc(s, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Category, b.Category))
	})
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && x.Start < out[n-1].End {
			out[n-1].End = max(out[n-1].End, x.End)
			continue
		}
		out = append(out, x)
	}
	return out
}
