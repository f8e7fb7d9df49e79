package text

import "bytes"

// Cues in scripts without capitals. They are few: this is an engine for
// English, that finds the plainest forms elsewhere.
var (
	hanPerson     = []string{"患者姓名", "病人姓名", "患者氏名", "患者", "病人", "姓名", "氏名", "환자"}
	wordPerson    = []string{"المريض", "المريضة", "السيد", "السيدة", "الدكتور", "מטופל", "מטופלת", "חולה", "환자", "מר", "גברת"}
	hanAddress    = []string{"住址", "地址", "住所", "주소"}
	wordStreet    = []string{"רחוב", "شارع", "שדרות"}
	scriptInvalid = []string{"अमान्य", "చెల్లని", "無効", "无效", "غير", "무효", "שגוי", "недействит"}
)

// script looks at the word of another script at token i.
func (f *finder) script(i int) {
	t := &f.toks[i]
	s := f.str(t)
	for _, c := range hanAddress {
		if k := bytes.Index(s, []byte(c)); k >= 0 {
			f.hanAddress(i, int(t.start)+k+len(c))
			return
		}
	}
	for _, c := range hanPerson {
		if k := bytes.Index(s, []byte(c)); k >= 0 {
			f.hanName(i, int(t.start)+k+len(c))
			return
		}
	}
	for _, c := range wordPerson {
		if string(s) == c {
			j := i + 1
			if f.at(j).is(':') {
				j++
			}
			if f.at(j).kind == other && f.at(j).gap <= space && f.at(j+1).kind == other && f.at(j+1).gap == space {
				f.addToks(j, j+1, Name, Cue, .8)
			}
			return
		}
	}
	for _, c := range wordStreet {
		if string(s) != c {
			continue
		}
		for j := i + 1; j < i+5; j++ {
			if n := f.at(j); n.kind == num && n.gap <= space {
				f.addToks(i, j, Address, Cue, .8)
				return
			} else if n.kind != other {
				return
			}
		}
	}
}

// hanName takes the name that stands behind a cue ending at byte from: up to
// four characters, or the next word.
func (f *finder) hanName(i, from int) {
	t := &f.toks[i]
	end := int(t.end)
	if from == end {
		j := i + 1
		if f.at(j).is(':') || f.at(j).is(';') {
			j++
		}
		n := f.at(j)
		if n.kind != other || n.gap > space {
			return
		}
		from, end = int(n.start), int(n.end)
	}
	chars := 0
	for k := from; k < end; k++ {
		if f.text[k]&0xc0 != 0x80 {
			if chars == 5 {
				end = from
				for m := 0; m < 3; m++ { // run on: a family name and two characters
					end++
					for f.text[end]&0xc0 == 0x80 {
						end++
					}
				}
				break
			}
			chars++
		}
	}
	if chars < 2 {
		return
	}
	f.add(int32(from), int32(end), Name, Cue, .8)
}

// hanAddress takes everything from the cue to the next mark.
func (f *finder) hanAddress(i, from int) {
	j := i
	if int(f.toks[i].end) == from && f.at(i+1).is(':') {
		j++
		from = int(f.toks[j].end)
	}
	for f.follows(j+1) && f.at(j+1).kind != punct || f.at(j+1).is('-') && f.follows(j+1) {
		j++
	}
	f.add(int32(from), f.toks[j].end, Address, Cue, .8)
}

// scriptInvalid is saidInvalid for words of other scripts.
func (f *finder) scriptInvalid(i, j int) bool {
	for _, n := range [...]*token{f.at(i - 1), f.at(j + 1)} {
		if n.kind != other {
			continue
		}
		for _, w := range scriptInvalid {
			if bytes.HasPrefix(f.str(n), []byte(w)) {
				return true
			}
		}
	}
	return false
}

// deny drops what a sentence itself says is made up and not a patient's: "signed
// the fictional provider roster, not the patient chart". Both must be said, and
// what the record knows, or check digits prove, stays all the same.
func (f *finder) deny() {
	if !f.fiction || len(f.cands) == 0 {
		return
	}
	out := f.cands[:0]
	for _, c := range f.cands {
		if c.why == FromRecord || c.why == Checksum || !f.deniedAt(c.start) {
			out = append(out, c)
		}
	}
	f.cands = out
}

// deniedAt: the sentence around a byte calls something made up, and then
// says what it is not.
func (f *finder) deniedAt(at int32) bool {
	lo, hi := 0, len(f.toks)
	for lo < hi {
		m := (lo + hi) / 2
		if f.toks[m].end <= at {
			lo = m + 1
		} else {
			hi = m
		}
	}
	from, to := lo, lo
	for from > 0 && from > lo-200 && !f.stopsBefore(from) {
		from--
	}
	for to+1 < len(f.toks) && to < lo+200 && !f.stopsBefore(to+1) {
		to++
	}
	fiction := false
	for k := from; k <= to && k < len(f.toks); k++ {
		t := &f.toks[k]
		fiction = fiction || t.cue&cFiction != 0
		if !fiction || t.cue&cNot == 0 || t.kind != word || !f.at(k-1).is(',') {
			continue
		}
		for m := k + 1; m <= k+4 && m <= to; m++ {
			if f.toks[m].cue&cDenied != 0 {
				return true
			}
		}
	}
	return false
}

func (f *finder) stopsBefore(i int) bool {
	p := f.at(i - 1)
	return f.toks[i].gap >= block || (p.is('.') || p.is('!') || p.is('?')) && f.toks[i].gap != tight
}
