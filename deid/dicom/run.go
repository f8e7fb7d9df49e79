package dicom

import (
	"bytes"

	"github.com/sallyport/sallyport/problem"
)

// run is one file on its way.
type run struct {
	d           *Deidentifier
	enc         encoding
	in          []byte // the data set
	out         output
	m           Manifest
	facts       facts
	sopInstance string // as it comes out
	code        string // of the patient, if there are Codes
	days        int    // the patient's shift
	plain       bool   // the types of iod.go hold
	mask        *Mask
	w           walker
	pending     []pending // what is still to be put in, in order
	scratch     []byte
}

// mode is how the items of a sequence are treated.
type mode uint8

const (
	ordinary mode = iota
	dummies       // the sequence is D: every value becomes a dummy
	keeping       // an option keeps the sequence
	cleaning      // an option cleans the sequence
)

// scope is one data set: the whole, or an item of a sequence.
type scope struct {
	syntax  syntax
	depth   int
	mode    mode
	option  Option // for keeping and cleaning
	charset charset
	public  bool // the item's coding scheme is a public one
	creator map[uint32]string
}

// decide reads the whole data set and puts the new one together.
func (r *run) decide() error {
	if err := r.survey(); err != nil {
		return err
	}
	if err := r.admit(); err != nil {
		return err
	}
	f := &r.facts
	r.m.SOPClass, r.m.TransferSyntax = string(f.sopClass), r.enc.uid
	r.w.b = r.in
	for _, c := range plainImages {
		r.plain = r.plain || c == r.m.SOPClass
	}
	var err error
	if r.sopInstance = string(f.sopInstance); !r.d.on.has(RetainUIDs) {
		if r.sopInstance, err = r.uid(f.sopInstance); err != nil {
			return err
		}
	}
	if c := r.d.o.Codes; c != nil && len(f.patientID) > 0 {
		if r.code, err = r.patientCode(f.patientID); err != nil {
			return err
		}
	}
	if r.d.on.has(RetainModifiedDates) {
		if len(f.patientID) == 0 {
			return unfit("The file has no Patient ID, so its dates have no shift", "Add the Patient ID, or use a profile that removes dates")
		}
		if r.days, err = r.d.o.Shifts.Days(string(f.patientID)); err != nil {
			return problem.New(problem.Unavailable, "There is no date shift for the patient", "See why the store of shifts does not answer, and try again").Because(err)
		}
	}
	r.prepare()
	s := &scope{syntax: r.enc.syntax}
	if _, err := r.dataset(s, 0, len(r.in), false); err != nil {
		return err
	}
	r.insert(0xFFFFFFFF)
	return nil
}

// dataset rules on the elements from pos on, up to end or to the delimiter of
// the item, and returns where the next thing begins.
func (r *run) dataset(s *scope, pos, end int, delimited bool) (int, error) {
	last, first := tag(0), true
	for delimited || pos < end {
		e, err := r.w.next(s.syntax, pos, end)
		if err != nil {
			return 0, err
		}
		if e.tag == tagItemEnd && delimited {
			return delimiter(e)
		}
		if e.tag.group() == 0xFFFE {
			return 0, broken(pos, "a delimiter stands where an element must")
		}
		if !first && e.tag <= last {
			return 0, broken(pos, "elements are not in order, or twice there")
		}
		last, first = e.tag, false
		if s.depth == 0 {
			r.insert(e.tag)
		}
		if pos, err = r.element(s, e, end); err != nil {
			return 0, err
		}
	}
	return pos, nil
}

// element rules on one element: the order is that of the package comment.
func (r *run) element(s *scope, e element, end int) (int, error) {
	if e.tag.element() == 0 { // a group length, which is wrong from now on
		return r.w.over(s.syntax, e, end, s.depth)
	}
	r.m.Elements++
	if e.tag.private() {
		return r.private(s, e, end)
	}
	if isGraphics(e.tag) {
		return r.drop(s, e, end, GraphicsRemoved)
	}
	if s.depth == 0 {
		if isPixels(e.tag) {
			return r.pixels(s, e, end)
		}
		if r.written(e.tag) {
			return r.w.over(s.syntax, e, end, s.depth)
		}
	}
	a := r.d.rows[e.tag]
	if a.vr == 0 && a.base == unlisted || e.tag.group() < 4 {
		return r.drop(s, e, end, UnlistedRemoved)
	}
	v := e.vr
	if v == 0 || v == vrUN {
		v = a.vr.plain()
	}
	if e.size < 0 && v != vrSQ {
		if e.vr == vrOB || e.vr == vrOW {
			return r.drop(s, e, end, Malformed)
		}
		return 0, broken(e.start, "an element that is no sequence has no length")
	}
	sound := a.vr != 0 && v.fits(a.vr)
	if a.base != unlisted {
		return r.listed(s, e, a, v, sound, end)
	}
	if !sound {
		return r.drop(s, e, end, Malformed)
	}
	return r.fallback(s, e, v, end)
}

// listed carries out what table E.1-1 says.
func (r *run) listed(s *scope, e element, a row, v vr, sound bool, end int) (int, error) {
	if s.mode != dummies && sound {
		if clean := a.clean & r.d.on; clean != 0 {
			if next, done, err := r.clean(s, e, v, clean, end); done || err != nil {
				return next, err
			}
		} else if keep := a.keep & r.d.on; keep != 0 {
			if next, done, err := r.keep(s, e, v, keep.first(), end); done || err != nil {
				return next, err
			}
		}
	}
	k := unknownType
	if s.depth == 0 {
		k = typeOf(e.tag, r.m.SOPClass, r.plain)
	}
	b := a.base.settle(k)
	if !sound && b == baseU {
		b = baseX
	}
	switch b {
	case baseZ, baseD:
		if r.code != "" && e.size > 0 && (e.tag == 0x00100020 || e.tag == 0x00100010 && s.depth == 0) {
			return r.coded(s, e)
		}
	}
	if a.vr != 0 && !sound { // write what the dictionary has
		v = a.vr.plain()
	}
	switch b {
	case baseU:
		if v == vrSQ {
			r.m.Actions[UIDReplaced]++
			return r.sequence(s, e, end, ordinary, 0)
		}
		return r.replace(s, e, UIDReplaced, v == vrUI)
	case baseZ:
		r.m.Actions[Emptied]++
		r.out.value(s.syntax, e.tag, r.writtenVR(v), nil)
		return r.w.over(s.syntax, e, end, s.depth)
	case baseD:
		switch {
		case v == vrSQ && sound:
			r.m.Actions[Dummied]++
			return r.sequence(s, e, end, dummies, 0)
		case v == vrUI && sound:
			return r.replace(s, e, UIDReplaced, true)
		case v == vrSQ:
			return r.drop(s, e, end, Malformed)
		}
		return r.dummy(s, e, v, Dummied, end)
	}
	return r.drop(s, e, end, Removed)
}

// writtenVR is the VR of an element whose VR neither file nor dictionary knows.
func (r *run) writtenVR(v vr) vr {
	if v == 0 {
		return vrUN
	}
	return v
}

func (r *run) dummy(s *scope, e element, v vr, a Action, end int) (int, error) {
	r.m.Actions[a]++
	v = r.writtenVR(v)
	r.out.value(s.syntax, e.tag, v, dummy(v, max(e.size, 0)))
	return r.w.over(s.syntax, e, end, s.depth)
}

// drop leaves the element out.
func (r *run) drop(s *scope, e element, end int, a Action) (int, error) {
	r.m.Actions[a]++
	return r.w.over(s.syntax, e, end, s.depth)
}

// pass copies the element as it is.
func (r *run) pass(s *scope, e element) (int, error) {
	r.out.value(s.syntax, e.tag, e.vr, r.in[e.start:e.end()])
	return e.end(), nil
}

// put writes another value in its place.
func (r *run) put(s *scope, e element, v vr, b []byte) (int, error) {
	r.out.value(s.syntax, e.tag, v, b)
	return e.end(), nil
}

// keep carries out K.
func (r *run) keep(s *scope, e element, v vr, o Option, end int) (next int, done bool, err error) {
	if v == vrSQ {
		m := keeping
		if o == RetainUIDs { // of references, the UIDs are kept and not what is said of them
			m = ordinary
		}
		next, err = r.sequence(s, e, end, m, o)
	} else {
		b := r.in[e.start:e.end()]
		if !looksLike(v, b) { // kept is what the attribute is for, and nothing else
			return 0, false, nil
		}
		if v == vrAS && r.d.o.Profile.Basis == SafeHarbor {
			next, err = r.put(s, e, v, capAge(b))
		} else {
			next, err = r.pass(s, e)
		}
	}
	r.m.Actions[Kept]++
	r.m.Options[o]++
	return next, true, err
}

// clean carries out C. done is false where it cannot: then the Basic Profile's
// action is taken.
func (r *run) clean(s *scope, e element, v vr, options set, end int) (next int, done bool, err error) {
	o := options.first()
	if v == vrSQ {
		r.m.Actions[Cleaned]++
		r.m.Options[o]++
		next, err = r.sequence(s, e, end, cleaning, o)
		return next, true, err
	}
	b := r.in[e.start:e.end()]
	if options.has(RetainModifiedDates) && (isTemporal(v) || e.tag == timezone) {
		moved, ok := b, looksOffset(b)
		if isTemporal(v) {
			moved, ok = shift(v, b, r.days)
		}
		if !ok {
			return 0, false, nil
		}
		r.m.Actions[Shifted]++
		r.m.Options[RetainModifiedDates]++
		next, err = r.put(s, e, v, moved)
		return next, true, err
	}
	if !isText(v) && v != vrCS {
		return 0, false, nil
	}
	text, ok, err := r.cleanText(s, v, b)
	if !ok || err != nil {
		return 0, false, err
	}
	r.m.Actions[Cleaned]++
	r.m.Options[o]++
	next, err = r.put(s, e, v, text)
	return next, true, err
}

const timezone tag = 0x00080201 // Timezone Offset From UTC

func looksOffset(b []byte) bool {
	b = trim(b)
	return len(b) == 0 || len(b) == 5 && (b[0] == '+' || b[0] == '-') && digits(b[1:])
}

// first is the lowest option of a set that is not empty.
func (s set) first() Option {
	for o := range NumOptions {
		if s.has(o) {
			return o
		}
	}
	return NumOptions - 1
}

// cleanText sends text through the Cleaner. ok is false if there is none, or if
// the text cannot be read or written in its character set.
func (r *run) cleanText(s *scope, v vr, b []byte) (out []byte, ok bool, err error) {
	c := r.d.o.Cleaner
	if c == nil {
		return nil, false, nil
	}
	text, ok := s.charset.decode(bytes.TrimRight(b, " \x00"))
	if !ok {
		return nil, false, nil
	}
	r.scratch, err = c.Clean(r.scratch[:0], text)
	if err != nil { // which is not kept as the cause: it could quote the text
		return nil, false, problem.New(problem.Unavailable, "A text could not be cleaned", "See why the engine for text does not work, and try again")
	}
	out, ok = s.charset.encode(r.scratch)
	if !ok || !fits(s.syntax, v, len(out)) || v == vrCS && !looksCode(out) {
		return nil, false, nil
	}
	return out, true, nil
}

// replace writes UIDs in the place of UIDs.
func (r *run) replace(s *scope, e element, a Action, sound bool) (int, error) {
	if !sound || e.size < 0 || e.size > maxShort {
		return 0, broken(e.start, "a UID is no UID")
	}
	var out []byte
	for i, u := range bytes.Split(r.in[e.start:e.end()], []byte{'\\'}) {
		if i > 0 {
			out = append(out, '\\')
		}
		if u = trim(u); len(u) == 0 {
			continue
		}
		if isSharedFrame(u) {
			out = append(out, u...)
			continue
		}
		n, err := r.uid(u)
		if err != nil {
			return 0, err
		}
		out = append(out, n...)
	}
	if !fits(s.syntax, vrUI, len(out)+1) {
		return r.drop(s, e, e.end(), Malformed)
	}
	r.m.Actions[a]++
	return r.put(s, e, vrUI, out)
}

// uid is the replacement of one UID. What a UIDs gives is not trusted to be one.
func (r *run) uid(u []byte) (string, error) {
	n, err := r.d.o.UIDs.UID(u)
	if err != nil {
		return "", problem.New(problem.Unavailable, "There is no replacement for a UID", "See why the store of UIDs does not answer, and try again").Because(err)
	}
	if !isUID(n) || n == string(u) {
		return "", problem.New(problem.Internal, "The replacement for a UID is not another UID", "Correct what gives the replacements")
	}
	return n, nil
}

// coded writes the patient's code.
func (r *run) coded(s *scope, e element) (int, error) {
	code := r.code
	if e.tag == 0x00100020 && s.depth > 0 {
		id := trim(r.in[e.start:e.end()])
		if len(id) == 0 {
			return r.put(s, e, vrLO, nil)
		}
		var err error
		if code, err = r.patientCode(id); err != nil {
			return 0, err
		}
	}
	v := vrLO
	if e.tag == 0x00100010 {
		v = vrPN
	}
	r.m.Actions[Coded]++
	return r.put(s, e, v, []byte(code))
}

func (r *run) patientCode(id []byte) (string, error) {
	code, err := r.d.o.Codes.Code(string(id))
	if err != nil {
		return "", problem.New(problem.Unavailable, "There is no code for the patient", "See why the vault does not answer, and try again").Because(err)
	}
	if code == "" || !looksToken([]byte(code), 64) || code == string(id) {
		return "", problem.New(problem.Internal, "The code for the patient is not one", "Correct what gives the codes")
	}
	return code, nil
}

// sequence goes through the items of a sequence. Its form stays: defined or
// undefined length, and the encoding of what a system wrote as UN.
func (r *run) sequence(s *scope, e element, end int, m mode, o Option) (int, error) {
	if s.depth >= maxDepth {
		return 0, broken(e.start, "sequences lie too deep in each other")
	}
	in := s.syntax.inner(e)
	length := r.out.head(s.syntax, e.tag, e.vr, e.size)
	start, pos, items := r.out.size(), e.start, 0
	if e.size >= 0 {
		end = e.end()
	}
	if s.mode == dummies {
		m = dummies
	}
	for e.size < 0 || pos < end {
		item, err := r.w.next(in, pos, end)
		if err != nil {
			return 0, err
		}
		if item.tag == tagSequenceEnd && e.size < 0 {
			if pos, err = delimiter(item); err != nil {
				return 0, err
			}
			break
		}
		if item.tag != tagItem {
			return 0, broken(pos, "something that is no item is in a sequence")
		}
		if items++; items > 1 && m == dummies { // how many there were tells something
			if item.size >= 0 {
				pos = item.end()
			} else if pos, err = r.overItem(in, item.start, end, s.depth+1); err != nil {
				return 0, err
			}
			continue
		}
		inside := scope{syntax: in, depth: s.depth + 1, mode: m, option: o, charset: s.charset}
		itemEnd := end
		if item.size >= 0 {
			itemEnd = item.end()
		}
		patch := r.out.head(in, tagItem, 0, item.size)
		begin := r.out.size()
		if pos, err = r.dataset(&inside, item.start, itemEnd, item.size < 0); err != nil {
			return 0, err
		}
		if item.size < 0 {
			r.out.head(in, tagItemEnd, 0, 0)
		} else {
			r.out.close(in, patch, begin)
		}
	}
	if uint64(r.out.size()-start) >= undefined {
		return 0, r.d.tooLarge()
	}
	if e.size < 0 {
		r.out.head(in, tagSequenceEnd, 0, 0)
	} else {
		r.out.close(s.syntax, length, start)
	}
	return pos, nil
}

// overItem is where the item of undefined length ends whose elements begin at pos.
func (r *run) overItem(s syntax, pos, end, depth int) (int, error) {
	for {
		e, err := r.w.next(s, pos, end)
		if err != nil {
			return 0, err
		}
		if e.tag == tagItemEnd {
			return delimiter(e)
		}
		if e.tag.group() == 0xFFFE {
			return 0, broken(pos, "a delimiter stands where an element must")
		}
		if pos, err = r.w.over(s, e, end, depth); err != nil {
			return 0, err
		}
	}
}
