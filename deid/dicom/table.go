package dicom

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed tables/profile.txt
var profileText string

//go:embed tables/dictionary.txt
var dictionaryText string

// tag is an attribute's group and element: 0x00100010 is (0010,0010).
type tag uint32

func (t tag) group() uint16   { return uint16(t >> 16) }
func (t tag) element() uint16 { return uint16(t) }
func (t tag) private() bool   { return t&0x10000 != 0 }

// vr is a value representation, its two letters: 'P'<<8|'N'.
type vr uint16

// The value representations of PS3.5 section 6.2, and those that stand in the
// dictionary for a choice between several.
const (
	vrAE vr = 'A'<<8 | 'E'
	vrAS vr = 'A'<<8 | 'S'
	vrAT vr = 'A'<<8 | 'T'
	vrCS vr = 'C'<<8 | 'S'
	vrDA vr = 'D'<<8 | 'A'
	vrDS vr = 'D'<<8 | 'S'
	vrDT vr = 'D'<<8 | 'T'
	vrFD vr = 'F'<<8 | 'D'
	vrFL vr = 'F'<<8 | 'L'
	vrIS vr = 'I'<<8 | 'S'
	vrLO vr = 'L'<<8 | 'O'
	vrLT vr = 'L'<<8 | 'T'
	vrOB vr = 'O'<<8 | 'B'
	vrOD vr = 'O'<<8 | 'D'
	vrOF vr = 'O'<<8 | 'F'
	vrOL vr = 'O'<<8 | 'L'
	vrOV vr = 'O'<<8 | 'V'
	vrOW vr = 'O'<<8 | 'W'
	vrPN vr = 'P'<<8 | 'N'
	vrSH vr = 'S'<<8 | 'H'
	vrSL vr = 'S'<<8 | 'L'
	vrSQ vr = 'S'<<8 | 'Q'
	vrSS vr = 'S'<<8 | 'S'
	vrST vr = 'S'<<8 | 'T'
	vrSV vr = 'S'<<8 | 'V'
	vrTM vr = 'T'<<8 | 'M'
	vrUC vr = 'U'<<8 | 'C'
	vrUI vr = 'U'<<8 | 'I'
	vrUL vr = 'U'<<8 | 'L'
	vrUN vr = 'U'<<8 | 'N'
	vrUR vr = 'U'<<8 | 'R'
	vrUS vr = 'U'<<8 | 'S'
	vrUT vr = 'U'<<8 | 'T'
	vrUV vr = 'U'<<8 | 'V'

	vrBytesOrWords vr = 'o'<<8 | 'x' // OB or OW
	vrShort        vr = 'x'<<8 | 's' // US or SS
	vrLookup       vr = 'l'<<8 | 't' // US, SS or OW
	vrPointer      vr = 'u'<<8 | 'p' // UL
	vrPixels       vr = 'p'<<8 | 'x' // OB or OW
)

// base is the Basic Profile's action for an attribute, as the table prints it.
type base uint8

// The actions of PS3.15 table E.1-1. Zero is: the table does not name it.
const (
	unlisted  base = iota
	baseX          // remove
	baseZ          // zero length, or a dummy
	baseD          // a dummy of non-zero length
	baseU          // another UID
	baseZorD       // Z unless D keeps the file valid
	baseXorZ       // X unless Z does
	baseXorD       // X unless D does
	baseXorZD      // X unless Z or D does
	baseXorZU      // X unless Z does, or the UIDs in the sequence replaced
)

var baseNames = map[string]base{
	"X": baseX, "Z": baseZ, "D": baseD, "U": baseU, "Z/D": baseZorD, "X/Z": baseXorZ, "X/D": baseXorD, "X/Z/D": baseXorZD, "X/Z/U*": baseXorZU,
}

// row is what is known of one attribute.
type row struct {
	vr    vr   // zero: the dictionary does not have it
	base  base // unlisted: table E.1-1 does not have it
	keep  set  // options that keep it (K)
	clean set  // options that clean it (C)
}

// set is a set of options.
type set uint16

func (s set) has(o Option) bool { return s&(1<<o) != 0 }

// optionLetters are the columns of profile.txt.
var optionLetters = map[byte]Option{
	'P': RetainSafePrivate, 'U': RetainUIDs, 'D': RetainDeviceIdentity, 'I': RetainInstitutionIdentity, 'C': RetainPatientCharacteristics,
	'F': RetainFullDates, 'M': RetainModifiedDates, 'T': CleanDescriptors, 'S': CleanStructuredContent, 'G': CleanGraphics,
}

// attributes are the rows by tag. Both files are part of the build, so what
// they hold is checked by a test; a row that cannot be read would be absent,
// and what is absent is removed.
var attributes = sync.OnceValue(func() map[tag]row {
	m := make(map[tag]row, 6000)
	for line := range strings.Lines(dictionaryText) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] == "#" {
			continue
		}
		v, group := vr(f[0][0])<<8|vr(f[0][1]), ""
		for _, s := range f[1:] {
			if len(s) == 4 {
				s = group + s
			}
			group = s[:4]
			if t, err := strconv.ParseUint(s, 16, 32); err == nil {
				m[tag(t)] = row{vr: v}
			}
		}
	}
	for line := range strings.Lines(profileText) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] == "#" {
			continue
		}
		t, err := strconv.ParseUint(f[0], 16, 32)
		if err != nil {
			continue // private and repeating groups: action.go has them by rule
		}
		r := m[tag(t)]
		r.base = baseNames[f[1]]
		for _, o := range f[2:] {
			switch o[1] {
			case 'K':
				r.keep |= 1 << optionLetters[o[0]]
			case 'C':
				r.clean |= 1 << optionLetters[o[0]]
			}
		}
		m[tag(t)] = r
	}
	return m
})
