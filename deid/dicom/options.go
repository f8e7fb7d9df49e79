package dicom

import (
	"fmt"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// Option is an option of the confidentiality profile (PS3.15 section E.3).
type Option uint8

// The options. Clean Recognizable Visual Features (113102) is not offered.
const (
	RetainSafePrivate            Option = iota // E.3.10
	RetainUIDs                                 // E.3.9
	RetainDeviceIdentity                       // E.3.8
	RetainInstitutionIdentity                  // E.3.11
	RetainPatientCharacteristics               // E.3.7
	RetainFullDates                            // E.3.6
	RetainModifiedDates                        // E.3.6
	CleanDescriptors                           // E.3.5
	CleanStructuredContent                     // E.3.4
	CleanGraphics                              // E.3.3
	CleanPixelData                             // E.3.1; by masks, see Profile.Masks
	NumOptions                                 // how many there are
)

// methodCodes are the codes of PS3.16 CID 7050.
var methodCodes = [NumOptions]struct{ value, meaning string }{
	{"113111", "Retain Safe Private Option"},
	{"113110", "Retain UIDs Option"},
	{"113109", "Retain Device Identity Option"},
	{"113112", "Retain Institution Identity Option"},
	{"113108", "Retain Patient Characteristics Option"},
	{"113106", "Retain Longitudinal Temporal Information Full Dates Option"},
	{"113107", "Retain Longitudinal Temporal Information Modified Dates Option"},
	{"113105", "Clean Descriptors Option"},
	{"113104", "Clean Structured Content Option"},
	{"113103", "Clean Graphics Option"},
	{"113101", "Clean Pixel Data Option"},
}

const basicProfileCode, basicProfileMeaning = "113100", "Basic Application Confidentiality Profile"

// String is the option's name in PS3.16 CID 7050.
func (o Option) String() string {
	if o < NumOptions {
		return methodCodes[o].meaning
	}
	return "unknown option"
}

// Basis is what makes the result lawful to give away. The zero Basis is none,
// and New refuses it.
type Basis string

// The bases.
const (
	SafeHarbor          Basis = "safe-harbor"          // 45 CFR 164.514(b)(2)
	LimitedDataSet      Basis = "limited-data-set"     // 45 CFR 164.514(e); needs a data use agreement
	ExpertDetermination Basis = "expert-determination" // 45 CFR 164.514(b)(1)
)

// Profile is what a data owner decides. Its zero value has no basis and is
// refused; with a basis and nothing else it is the Basic Profile.
type Profile struct {
	Basis                        Basis `yaml:"basis"`
	RetainSafePrivate            bool  `yaml:"retain_safe_private"`
	RetainUIDs                   bool  `yaml:"retain_uids"`
	RetainDeviceIdentity         bool  `yaml:"retain_device_identity"`
	RetainInstitutionIdentity    bool  `yaml:"retain_institution_identity"`
	RetainPatientCharacteristics bool  `yaml:"retain_patient_characteristics"`
	RetainFullDates              bool  `yaml:"retain_longitudinal_full_dates"`
	RetainModifiedDates          bool  `yaml:"retain_longitudinal_modified_dates"`
	CleanDescriptors             bool  `yaml:"clean_descriptors"`
	CleanStructuredContent       bool  `yaml:"clean_structured_content"`
	CleanGraphics                bool  `yaml:"clean_graphics"`

	// SafePrivate are the private attributes that RetainSafePrivate keeps,
	// besides those of PS3.15 table E.3.10-1 that safe.go lists.
	SafePrivate []PrivateAttribute `yaml:"safe_private"`
	// Masks say for which devices pixel data may pass, and what is blanked.
	Masks []Mask `yaml:"masks"`
	// TrustBurnedInAnnotation lets a file of a risky kind pass without a mask
	// if it says itself that nothing is burned in, (0028,0301) NO. Devices are
	// known to say so wrongly.
	TrustBurnedInAnnotation bool `yaml:"trust_burned_in_annotation"`
	// MaxBytes bounds a file, before and after decompression. Zero: 1 GiB.
	MaxBytes int64 `yaml:"max_bytes"`
}

const defaultMaxBytes = 1 << 30

// PrivateAttribute is a private attribute that is known to be safe.
type PrivateAttribute struct {
	Creator string `yaml:"creator"` // the private creator, as (gggg,00bb) holds it
	Group   uint16 `yaml:"group"`   // gggg, odd
	Element uint8  `yaml:"element"` // ee of (gggg,bbee)
	VR      string `yaml:"vr"`      // what it must be: a number, CS, DS or IS
}

// Mask says what to blank in the images of one kind of device. A mask that fits
// nothing is no mask: every field that is set must match.
type Mask struct {
	Manufacturer string      `yaml:"manufacturer"` // (0008,0070), case and outer spaces aside
	Model        string      `yaml:"model"`        // (0008,1090)
	SOPClass     string      `yaml:"sop_class"`    // (0008,0016)
	Rows         int         `yaml:"rows"`         // (0028,0010)
	Columns      int         `yaml:"columns"`      // (0028,0011)
	Regions      []Rectangle `yaml:"regions"`
	// Clean says that somebody looked: this device burns nothing in. It stands
	// in the place of Regions.
	Clean bool `yaml:"clean"`
}

// Rectangle is a part of every frame, in pixels from the upper left.
type Rectangle struct {
	X      int `yaml:"x"`
	Y      int `yaml:"y"`
	Width  int `yaml:"width"`
	Height int `yaml:"height"`
}

// UIDs gives a UID its replacement: the same for the same UID, so that studies,
// series and references stay together, and under 2.25 (PS3.5 section B.2).
type UIDs interface {
	// UID returns the replacement of uid, which has no padding. An error
	// refuses the file.
	UID(uid []byte) (string, error)
	// Derived reports whether replacements are computed from the original.
	// Those are no Safe Harbor (45 CFR 164.514(c)).
	Derived() bool
}

// Shifts gives a patient's dates their shift: the same number of days for the
// same patient, for RetainModifiedDates. An error refuses the file.
type Shifts interface {
	Days(patientID string) (int, error)
}

// Cleaner takes what identifies somebody out of free text. It gets UTF-8 and
// appends UTF-8 to dst. An error refuses the file.
type Cleaner interface {
	Clean(dst, text []byte) ([]byte, error)
}

// Options are a profile and what it works with.
type Options struct {
	Profile Profile
	// UIDs is always needed: two rows of the table are replaced even where UIDs
	// are retained.
	UIDs UIDs
	// Codes gives Patient ID its code; Patient's Name becomes the same. nil:
	// Patient ID becomes a dummy or empty, as the table says.
	Codes deid.Codes
	// Shifts is needed for RetainModifiedDates.
	Shifts Shifts
	// Cleaner is used by the Clean options. nil: text that they would clean is
	// treated by the Basic Profile.
	Cleaner Cleaner
}

// Deidentifier carries out one profile. It is immutable; many goroutines may
// share it if they may share what Options holds (deid.Codes allows one at a time).
type Deidentifier struct {
	o       Options
	on      set
	private map[privateKey]vr
	rows    map[tag]row
	limit   int64
}

type privateKey struct {
	creator string
	group   uint16
	element uint8
}

// New checks a profile against its legal basis.
func New(o Options) (*Deidentifier, error) {
	p := &o.Profile
	d := &Deidentifier{o: o, rows: attributes(), private: map[privateKey]vr{}, limit: p.MaxBytes}
	for opt, on := range [NumOptions]bool{
		RetainSafePrivate: p.RetainSafePrivate, RetainUIDs: p.RetainUIDs, RetainDeviceIdentity: p.RetainDeviceIdentity,
		RetainInstitutionIdentity: p.RetainInstitutionIdentity, RetainPatientCharacteristics: p.RetainPatientCharacteristics,
		RetainFullDates: p.RetainFullDates, RetainModifiedDates: p.RetainModifiedDates, CleanDescriptors: p.CleanDescriptors,
		CleanStructuredContent: p.CleanStructuredContent, CleanGraphics: p.CleanGraphics,
	} {
		if on {
			d.on |= 1 << opt
		}
	}
	if err := d.lawful(); err != nil {
		return nil, err
	}
	if d.limit == 0 {
		d.limit = defaultMaxBytes
	}
	if d.limit < 0 {
		return nil, problem.BadField("max_bytes", "The limit is below zero", "Give the largest file in bytes, or leave it out")
	}
	if err := d.safePrivate(); err != nil {
		return nil, err
	}
	for i := range p.Masks {
		if err := p.Masks[i].check(fmt.Sprintf("masks[%d]", i)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// forbidden are the options that a basis does not allow, with the citation.
var forbidden = map[Basis]map[Option]string{
	SafeHarbor: {
		RetainUIDs:                "45 CFR 164.514(b)(2)(i)(R)",
		RetainDeviceIdentity:      "45 CFR 164.514(b)(2)(i)(M)",
		RetainInstitutionIdentity: "45 CFR 164.514(b)(2)(i)(B)",
		RetainFullDates:           "45 CFR 164.514(b)(2)(i)(C)",
		RetainModifiedDates:       "45 CFR 164.514(b)(2)(i)(C)",
	},
	LimitedDataSet: {
		RetainDeviceIdentity: "45 CFR 164.514(e)(2)(xii)",
	},
	ExpertDetermination: {},
}

func (d *Deidentifier) lawful() error {
	p := &d.o.Profile
	no, ok := forbidden[p.Basis]
	if !ok {
		return problem.BadField("basis", "The profile has no legal basis that is known here",
			"Set basis to safe-harbor, limited-data-set or expert-determination")
	}
	refuse := func(title, citation, next string) error {
		e := problem.New(problem.Refused, title, next)
		e.Citation = citation
		return e
	}
	for o := range NumOptions {
		if cite := no[o]; cite != "" && d.on.has(o) {
			return refuse(string(p.Basis)+" does not allow the "+o.String(), cite, "Turn the option off, or have an expert determine the risk")
		}
	}
	if p.RetainFullDates && p.RetainModifiedDates {
		return problem.BadField("retain_longitudinal_modified_dates", "Dates cannot be both full and modified", "Turn one of the two options off")
	}
	if p.RetainModifiedDates && d.o.Shifts == nil {
		return problem.BadField("retain_longitudinal_modified_dates", "There is nothing that gives a patient's shift", "Give Options.Shifts")
	}
	if d.o.UIDs == nil {
		return problem.BadField("uids", "There is nothing that gives UIDs their replacements", "Give Options.UIDs")
	}
	if p.Basis == SafeHarbor && d.o.UIDs.Derived() {
		return refuse("Safe Harbor does not allow a UID that is derived from the original", "45 CFR 164.514(c)", "Use RandomUIDs")
	}
	return nil
}
