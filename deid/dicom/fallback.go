package dicom

import (
	"slices"
)

// The attributes of a code (PS3.3 table 8.8-1).
const (
	codeValue        tag = 0x00080100
	schemeDesignator tag = 0x00080102
	codeMeaning      tag = 0x00080104
	longCodeValue    tag = 0x00080119
	urnCodeValue     tag = 0x00080120

	specificCharset tag = 0x00080005
)

// fallback rules on an attribute that DICOM defines and table E.1-1 does not
// name. Its VR is the dictionary's.
func (r *run) fallback(s *scope, e element, v vr, end int) (int, error) {
	if v == vrSQ {
		return r.sequence(s, e, end, s.mode, s.option)
	}
	b := r.in[e.start:e.end()]
	if e.tag == specificCharset {
		s.charset = charsetOf(b)
	}
	if s.mode == dummies {
		return r.fallbackDummy(s, e, v, b, end)
	}
	if len(b) == 0 {
		return r.pass(s, e)
	}
	switch {
	case slices.Contains(idsAnyway, e.tag):
	case isNumber(v):
		if len(b)%v.unit() != 0 {
			return r.drop(s, e, end, Malformed)
		}
		return r.pass(s, e)
	case v == vrCS:
		return r.passIf(looksCode(b), s, e, end)
	case v == vrDS, v == vrIS:
		return r.passIf(looksNumeric(b), s, e, end)
	case v == vrUI:
		return r.fallbackUID(s, e, b)
	case isTemporal(v):
		return r.fallbackDate(s, e, v, b, end)
	case isBulk(v):
		if slices.Contains(safeBulk, e.tag) && e.vr != vrUN {
			return r.pass(s, e)
		}
	case isText(v):
		return r.fallbackText(s, e, v, b, end)
	}
	return r.drop(s, e, end, UnlistedRemoved)
}

// passIf passes what is of its VR.
func (r *run) passIf(ok bool, s *scope, e element, end int) (int, error) {
	if !ok {
		return r.drop(s, e, end, Malformed)
	}
	return r.pass(s, e)
}

// fallbackUID keeps what DICOM registered: SOP classes, transfer syntaxes,
// coding schemes. Everything else may be an instance.
func (r *run) fallbackUID(s *scope, e element, b []byte) (int, error) {
	all := true
	for len(b) > 0 && all {
		one := b
		if i := slices.Index(b, '\\'); i >= 0 {
			one, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		all = isRegistered(trim(one))
	}
	if all || r.d.on.has(RetainUIDs) && s.mode != dummies {
		return r.pass(s, e)
	}
	return r.replace(s, e, UnlistedUID, true)
}

func (r *run) fallbackDate(s *scope, e element, v vr, b []byte, end int) (int, error) {
	moved, ok := shift(v, b, r.days) // days is 0 unless dates are modified
	switch {
	case !ok || !r.d.on.has(RetainFullDates) && !r.d.on.has(RetainModifiedDates):
		return r.drop(s, e, end, UnlistedRemoved)
	case r.d.on.has(RetainFullDates):
		r.m.Actions[Kept]++
		r.m.Options[RetainFullDates]++
		return r.pass(s, e)
	}
	r.m.Actions[Shifted]++
	r.m.Options[RetainModifiedDates]++
	return r.put(s, e, v, moved)
}

func (r *run) fallbackText(s *scope, e element, v vr, b []byte, end int) (int, error) {
	if s.mode == keeping && s.depth > 0 {
		return r.pass(s, e)
	}
	switch e.tag {
	case codeValue:
		return r.passIf(looksToken(b, 16), s, e, end)
	case longCodeValue, urnCodeValue:
		return r.passIf(looksToken(b, 128), s, e, end)
	case schemeDesignator:
		s.public = slices.Contains(publicSchemes, string(trim(b)))
		return r.passIf(looksToken(b, 16), s, e, end)
	case codeMeaning:
		if s.public {
			return r.pass(s, e)
		}
	}
	if slices.Contains(safeText, e.tag) {
		return r.pass(s, e)
	}
	needed := e.tag == codeMeaning || slices.Contains(neededText, e.tag)
	// A bare id in a short text is no prose: no Cleaner can tell it from a label.
	prose := v == vrLT || v == vrST || v == vrUC || v == vrUT
	if s.mode == cleaning || r.d.on.has(CleanDescriptors) && (prose || needed) {
		text, ok, err := r.cleanText(s, v, b)
		if err != nil {
			return 0, err
		}
		if ok {
			o := CleanDescriptors
			if s.mode == cleaning {
				o = s.option
			}
			r.m.Actions[Cleaned]++
			r.m.Options[o]++
			return r.put(s, e, v, text)
		}
	}
	if needed {
		return r.dummy(s, e, v, UnlistedDummied, end)
	}
	return r.drop(s, e, end, UnlistedRemoved)
}

// fallbackDummy is what happens in a sequence that is D: code strings stay, as
// they say what kind of item it is; everything else becomes a dummy.
func (r *run) fallbackDummy(s *scope, e element, v vr, b []byte, end int) (int, error) {
	switch {
	case v == vrCS:
		return r.passIf(looksCode(b), s, e, end)
	case v == vrUI:
		return r.fallbackUID(s, e, b)
	case len(b) == 0:
		return r.pass(s, e)
	case isBulk(v):
		return r.drop(s, e, end, UnlistedRemoved)
	}
	return r.dummy(s, e, v, UnlistedDummied, end)
}

// private rules on a private attribute (PS3.5 section 7.8). Creators that some
// safe attribute has stay, so that the attributes keep their meaning.
func (r *run) private(s *scope, e element, end int) (int, error) {
	if !r.d.on.has(RetainSafePrivate) || e.size < 0 || s.mode == dummies {
		return r.drop(s, e, end, PrivateRemoved)
	}
	g, el := e.tag.group(), e.tag.element()
	b := r.in[e.start:e.end()]
	if el >= 0x10 && el <= 0xFF {
		name := string(trim(b))
		if e.vr != 0 && e.vr != vrLO && e.vr != vrUN || !r.safeCreator(name, g) {
			return r.drop(s, e, end, PrivateRemoved)
		}
		if s.creator == nil {
			s.creator = map[uint32]string{}
		}
		s.creator[uint32(g)<<16|uint32(el)] = name
		return r.pass(s, e)
	}
	name, ok := s.creator[uint32(g)<<16|uint32(el>>8)]
	v := r.d.private[privateKey{name, g, uint8(el)}]
	if !ok || v == 0 || el < 0x1000 {
		return r.drop(s, e, end, PrivateRemoved)
	}
	switch {
	case e.vr != 0 && e.vr != vrUN && e.vr != v:
		ok = false
	case isNumber(v):
		ok = len(b)%v.unit() == 0 && len(b) <= 4096
	case v == vrCS:
		ok = looksCode(b)
	default:
		ok = looksNumeric(b)
	}
	if !ok {
		return r.drop(s, e, end, PrivateRemoved)
	}
	r.m.Actions[Kept]++
	r.m.Options[RetainSafePrivate]++
	return r.pass(s, e)
}

func (r *run) safeCreator(name string, group uint16) bool {
	for k := range r.d.private {
		if k.creator == name && k.group == group {
			return true
		}
	}
	return false
}
