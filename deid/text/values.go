package text

import "slices"

type recordValue struct {
	norm  string // letters and digits only, lower case
	cat   Category
	whole bool  // only as a whole word or number
	title bool  // only where its first letter is a capital or its text in one case
	typo  uint8 // the typing error that is looked for
}

// The typing error that is looked for in a value. What is found first of it are the
// three letters that the value is kept under.
const (
	noTypo     uint8 = iota
	typoAfter        // one behind the first three letters
	typoFirst        // one in the first four: the value is kept under the three that follow
	typoNumber       // norm is with the error
)

// typoSure is the confidence in a value with a typing error: what a label beside it
// calls a fax number stays one, though it is near to the telephone number.
const typoSure = .6

const typoHead = 4 // letters that typoFirst speaks of

// value adds a string that is matched on its letters and digits alone.
func (r *Record) value(norm string, c Category, whole, title bool) {
	if len(norm) < 4 && !whole || len(norm) < 3 {
		return
	}
	r.keep(norm, recordValue{norm, c, whole || len(norm) < 6, title, noTypo})
}

func (r *Record) keep(key string, v recordValue) {
	k := triple(key[0], key[1], key[2])
	if !slices.Contains(r.values[k], v) {
		r.values[k] = append(r.values[k], v)
	}
	h := bloomOf(k)
	r.bloom[h>>6] |= 1 << (h & 63)
}

// phrase adds a value of several words, such as the name of a hospital, that is
// found with a typing error too if it is long enough for that to be no chance.
func (r *Record) phrase(norm string, c Category, title bool) {
	r.value(norm, c, true, title)
	letters := len(norm) - len(digitsOf(norm))
	if len(norm) < 8 || letters < 4 || !isWord(norm) {
		return
	}
	r.keep(norm, recordValue{norm, c, true, title, typoAfter})
	r.keep(norm[typoHead:], recordValue{norm, c, true, title, typoFirst})
}

// number adds a number, and with it each that two of its digits changed round make,
// if it is long enough for that to be no chance.
func (r *Record) number(norm string, c Category, whole bool) {
	r.value(norm, c, whole, false)
	if len(norm) < 7 {
		return
	}
	for i := 1; i < len(norm); i++ {
		if a, b := norm[i-1], norm[i]; a != b && class[a] == clDigit && class[b] == clDigit {
			n := norm[:i-1] + string([]byte{b, a}) + norm[i+1:]
			r.keep(n, recordValue{n, c, true, false, typoNumber})
		}
	}
}

func triple(a, b, c byte) uint32 { return uint32(a)<<16 | uint32(b)<<8 | uint32(c) }

// bloomOf is a number of 12 bits from the lower 24 of k.
func bloomOf(k uint32) uint32 { return k << 8 * 2654435761 >> 20 }

// matchValues looks for the values at every letter and digit of the text.
func (r *Record) matchValues(f *finder) {
	if len(r.values) == 0 {
		return
	}
	var k uint32 // the last three letters or digits, and one that is shifted out
	for i, c := range f.text {
		x := letter[c]
		if x == 0 {
			continue
		}
		k = k<<8 | uint32(x)
		if h := bloomOf(k); r.bloom[h>>6]>>(h&63)&1 != 0 {
			r.valuesAt(f, k&0xffffff, i)
		}
	}
}

// letter is a letter or digit in lower case, 0 for what else stands in a text.
var letter = func() (t [256]byte) {
	for c := range t {
		switch class[c] {
		case clUpper:
			t[c] = byte(c) | 0x20
		case clLower, clDigit, clHigh:
			t[c] = byte(c)
		}
	}
	return t
}()

// valuesAt proposes the values whose first three letters or digits are k, of which
// the last is at byte i.
func (r *Record) valuesAt(f *finder, k uint32, i int) {
	for n := 0; n < 2; i-- { // back to the first of them
		if i == 0 {
			return
		}
		if letter[f.text[i-1]] != 0 {
			n++
		}
	}
	for j := range r.values[k] {
		v := &r.values[k][j]
		start, end := i, 0
		switch v.typo {
		case noTypo, typoNumber:
			end = v.at(f.text, i)
		case typoAfter:
			end = v.near(f.text, i)
		case typoFirst:
			if start = v.nearHead(f.text, i); start >= 0 {
				rest := recordValue{norm: v.norm[typoHead:], whole: true}
				end = rest.end(f.text, i)
			}
		}
		if end > 0 && (!v.title || class[f.text[start]] != clLower) {
			sure := float32(1)
			if v.typo != noTypo {
				sure = typoSure
			}
			f.add(int32(start), int32(end), v.cat, FromRecord, sure)
		}
	}
}

// at matches v at i, skipping up to four marks and spaces in a row, and returns
// the end, or 0.
func (v *recordValue) at(b []byte, i int) int {
	if v.whole && !edgeAt(b, i) {
		return 0
	}
	return v.end(b, i)
}

// edgeAt: a word or number ends before byte i, or the text.
func edgeAt(b []byte, i int) bool {
	return i <= 0 || i >= len(b) || letter[b[i-1]] == 0 || letter[b[i]] == 0 || (class[b[i-1]] == clDigit) != (class[b[i]] == clDigit)
}

// end is at without a look at what stands before i.
func (v *recordValue) end(b []byte, i int) int {
	n, skipped := 0, 0
	for ; i < len(b); i++ {
		c := b[i]
		switch class[c] {
		case clUpper:
			c |= 0x20
		case clPunct, clSpace, clLine:
			if skipped++; skipped > 4 {
				return 0
			}
			continue
		}
		if c != v.norm[n] {
			return 0
		}
		skipped = 0
		if n++; n == len(v.norm) {
			i++
			if v.whole && !edgeAt(b, i) {
				return 0
			}
			return i
		}
	}
	return 0
}

// near matches v at i with one typing error behind the first three letters, and
// returns the end, or 0.
func (v *recordValue) near(b []byte, i int) int {
	if !edgeAt(b, i) || v.at(b, i) > 0 {
		return 0
	}
	var buf [96]byte
	var at [96]int32
	n, skipped := 0, 0
	most := min(len(v.norm)+1, len(buf))
	for j := i; j < len(b) && n < most; j++ {
		c := letter[b[j]]
		if c == 0 {
			if skipped++; skipped > 4 {
				break
			}
			continue
		}
		buf[n], at[n] = c, int32(j)
		skipped = 0
		n++
	}
	for l := len(v.norm) + 1; l >= len(v.norm)-1; l-- {
		if l <= n && l > 0 && edgeAt(b, int(at[l-1])+1) && oneEdit(buf[:l], v.norm) {
			return int(at[l-1]) + 1
		}
	}
	return 0
}

// nearHead matches the first letters of v with one typing error right before byte i,
// where the rest of v begins, and returns where they start, or -1.
func (v *recordValue) nearHead(b []byte, i int) int {
	var buf [typoHead + 1]byte
	var at [typoHead + 1]int
	n, skipped := len(buf), 0
	for j := i - 1; j >= 0 && n > 0; j-- {
		c := letter[b[j]]
		if c == 0 {
			if skipped++; skipped > 4 {
				break
			}
			continue
		}
		n--
		buf[n], at[n] = c, j
		skipped = 0
	}
	for _, l := range [...]int{typoHead, typoHead - 1, typoHead + 1} {
		if from := len(buf) - l; from >= n && edgeAt(b, at[from]) && oneEdit(buf[from:], v.norm[:typoHead]) {
			return at[from]
		}
	}
	return -1
}
