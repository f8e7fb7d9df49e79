package dicom

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

// quietClasses are the storage SOP classes whose pixels come from a detector or
// a calculation and seldom have text in them. Every other class may: a class
// that is not on this list needs a mask.
var quietClasses = []string{
	"1.2.840.10008.5.1.4.1.1.1",        // Computed Radiography
	"1.2.840.10008.5.1.4.1.1.1.1",      // Digital X-Ray, for presentation
	"1.2.840.10008.5.1.4.1.1.1.1.1",    // Digital X-Ray, for processing
	"1.2.840.10008.5.1.4.1.1.1.2",      // Digital Mammography, for presentation
	"1.2.840.10008.5.1.4.1.1.1.2.1",    // Digital Mammography, for processing
	"1.2.840.10008.5.1.4.1.1.1.3",      // Digital Intra-oral, for presentation
	"1.2.840.10008.5.1.4.1.1.1.3.1",    // Digital Intra-oral, for processing
	"1.2.840.10008.5.1.4.1.1.2",        // CT
	"1.2.840.10008.5.1.4.1.1.2.1",      // Enhanced CT
	"1.2.840.10008.5.1.4.1.1.2.2",      // Legacy Converted Enhanced CT
	"1.2.840.10008.5.1.4.1.1.4",        // MR
	"1.2.840.10008.5.1.4.1.1.4.1",      // Enhanced MR
	"1.2.840.10008.5.1.4.1.1.4.3",      // Enhanced MR Color
	"1.2.840.10008.5.1.4.1.1.4.4",      // Legacy Converted Enhanced MR
	"1.2.840.10008.5.1.4.1.1.12.1",     // X-Ray Angiographic
	"1.2.840.10008.5.1.4.1.1.12.1.1",   // Enhanced XA
	"1.2.840.10008.5.1.4.1.1.12.2",     // X-Ray Radiofluoroscopic
	"1.2.840.10008.5.1.4.1.1.12.2.1",   // Enhanced XRF
	"1.2.840.10008.5.1.4.1.1.13.1.1",   // X-Ray 3D Angiographic
	"1.2.840.10008.5.1.4.1.1.13.1.2",   // X-Ray 3D Craniofacial
	"1.2.840.10008.5.1.4.1.1.13.1.3",   // Breast Tomosynthesis
	"1.2.840.10008.5.1.4.1.1.20",       // Nuclear Medicine
	"1.2.840.10008.5.1.4.1.1.30",       // Parametric Map
	"1.2.840.10008.5.1.4.1.1.66.4",     // Segmentation
	"1.2.840.10008.5.1.4.1.1.128",      // Positron Emission Tomography
	"1.2.840.10008.5.1.4.1.1.128.1",    // Legacy Converted Enhanced PET
	"1.2.840.10008.5.1.4.1.1.130",      // Enhanced PET
	"1.2.840.10008.5.1.4.1.1.481.1",    // RT Image
	"1.2.840.10008.5.1.4.1.1.481.2",    // RT Dose
	"1.2.840.10008.5.1.4.1.1.77.1.5.4", // Ophthalmic Tomography
}

// loudModalities are modalities (0008,0060) of images that people annotate,
// whatever SOP class they are stored under.
var loudModalities = []string{"US", "IVUS", "BDUS", "OT", "SC", "DOC", "XC", "ES", "GM", "SM", "OP", "EC", "ECG", "EPS", "HC", "DG", "VF", "TG"}

const (
	directoryClass = "1.2.840.10008.1.3.10"
	documentClass  = "1.2.840.10008.5.1.4.1.1.104."
)

// admit refuses what may not pass as a whole.
func (r *run) admit() error {
	f := &r.facts
	switch {
	case f.directory || string(f.sopClass) == directoryClass:
		return unoffered("A DICOMDIR is a list of patients and files, and of places inside itself", "De-identify the files it lists, and make a new one of them, for instance with dcmmkdir")
	case len(f.sopClass) == 0 || len(f.sopInstance) == 0:
		return broken(0, "the data set has no SOP Class or SOP Instance UID")
	case len(f.sopInstance) > maxUID || len(bytes.Trim(f.sopInstance, "0123456789.")) > 0:
		return broken(0, "the SOP Instance UID is none")
	case r.d.on.has(RetainUIDs) && !isUID(f.sopInstance):
		return broken(0, "the SOP Instance UID is no UID")
	case !isRegistered(f.sopClass):
		return unfit("The SOP class is private: what its attributes mean is not known", "Leave the file out, or convert it to a standard SOP class")
	case strings.HasPrefix(string(f.sopClass), documentClass):
		return unfit("The file is an encapsulated document (PDF, CDA or a model), which this profile cannot look into", "Leave the file out, or take the document out and de-identify it as what it is")
	case string(f.recognizable) == "YES" && r.d.o.Profile.Basis == SafeHarbor:
		p := unfit("The file says that a face can be recognised in it (0028,0302)", "Deface it first, or have an expert determine the risk").(*problem.Problem)
		p.Citation = "45 CFR 164.514(b)(2)(i)(Q)"
		return p
	}
	if !f.hasPixels {
		return nil
	}
	r.mask = r.d.maskFor(f)
	if r.mask != nil {
		return nil
	}
	if why := r.loud(); why != "" {
		return unfit("Text may be burned into the image: "+why,
			"Look at images of this device, and give a mask for it: its regions, or clean if there is no text")
	}
	return nil
}

// loud says why text may be burned into the pixels, or nothing.
func (r *run) loud() string {
	f := &r.facts
	if string(f.burnedIn) == "YES" {
		return "it says so itself (0028,0301)"
	}
	if string(f.burnedIn) == "NO" && r.d.o.Profile.TrustBurnedInAnnotation {
		return ""
	}
	if !slices.Contains(quietClasses, string(f.sopClass)) {
		return "its SOP class is one of those that commonly have it"
	}
	if slices.Contains(loudModalities, string(f.modality)) {
		return "its modality is one of those that commonly have it"
	}
	if len(f.conversion) > 0 {
		return "it was captured from a screen, a film or a video (0008,0064)"
	}
	if len(f.imageType) > 1024 {
		return "its image type is too long to be one (0008,0008)"
	}
	for _, v := range bytes.Split(f.imageType, []byte{'\\'}) {
		switch v := string(trim(v)); {
		case v == "SECONDARY", strings.Contains(v, "SCREEN"), strings.Contains(v, "CAPTURE"):
			return "its image type says that it was made from other images or from a screen (0008,0008)"
		}
	}
	return ""
}

// maskFor is the first mask that fits the device.
func (d *Deidentifier) maskFor(f *facts) *Mask {
	same := func(want string, have []byte) bool {
		return want == "" || strings.EqualFold(strings.TrimSpace(want), string(have))
	}
	for i := range d.o.Profile.Masks {
		m := &d.o.Profile.Masks[i]
		if same(m.Manufacturer, f.manufacturer) && same(m.Model, f.model) && same(m.SOPClass, f.sopClass) &&
			(m.Rows == 0 || m.Rows == f.rows) && (m.Columns == 0 || m.Columns == f.columns) {
			return m
		}
	}
	return nil
}

// check refuses a mask that says nothing, or that fits everything.
func (m *Mask) check(field string) error {
	switch {
	case m.Manufacturer == "" && m.Model == "" && m.SOPClass == "":
		return problem.BadField(field, "The mask names no device", "Give its manufacturer, its model or its SOP class")
	case m.Clean == (len(m.Regions) > 0):
		return problem.BadField(field, "The mask must have either regions or clean", "Give the rectangles to blank, or say clean if somebody looked and there is no text")
	case len(m.Regions) > 0 && (m.Rows <= 0 || m.Columns <= 0):
		return problem.BadField(field, "The mask has regions but no size", "Give the rows and columns of the images that the regions were measured in")
	}
	for _, g := range m.Regions {
		if g.X < 0 || g.Y < 0 || g.Width <= 0 || g.Height <= 0 || g.X >= m.Columns || g.Y >= m.Rows || g.Width > m.Columns-g.X || g.Height > m.Rows-g.Y {
			return problem.BadField(field, "A region does not lie in the image", "Count x and y from the upper left, and keep x+width and y+height within columns and rows")
		}
	}
	return nil
}

// pending is an attribute that is put in at its place.
type pending struct {
	tag   tag
	write func(s syntax)
}

// prepare lists what says that the object was de-identified (PS3.15 section E.1.1).
func (r *run) prepare() {
	method := "PS3.15 Annex E Basic Profile"
	text := func(t tag, v vr, value string) {
		r.pending = append(r.pending, pending{t, func(s syntax) { r.out.value(s, t, v, []byte(value)) }})
	}
	text(0x00120062, vrCS, "YES")
	text(0x00120063, vrLO, method)
	r.pending = append(r.pending, pending{0x00120064, r.methods})
	if b := r.facts.burnedIn; r.mask != nil {
		text(0x00280301, vrCS, "NO")
	} else if len(b) > 0 && (string(b) == "NO" || string(b) == "YES") {
		text(0x00280301, vrCS, string(b))
	}
	changed := "REMOVED"
	switch {
	case r.d.on.has(RetainFullDates):
		changed = "UNMODIFIED"
	case r.d.on.has(RetainModifiedDates):
		changed = "MODIFIED"
	}
	text(0x00280303, vrCS, changed)
}

// written reports whether the file's own value is replaced by prepare's.
func (r *run) written(t tag) bool {
	switch t {
	case 0x00120062, 0x00120063, 0x00120064, 0x00280301, 0x00280303:
		return true
	}
	return false
}

// insert writes what belongs before the element.
func (r *run) insert(before tag) {
	for len(r.pending) > 0 && r.pending[0].tag < before {
		r.pending[0].write(r.enc.syntax)
		r.pending = r.pending[1:]
	}
}

// methods writes De-identification Method Code Sequence.
func (r *run) methods(s syntax) {
	length := r.out.head(s, 0x00120064, vrSQ, 0)
	start := r.out.size()
	item := func(value, meaning string) {
		patch := r.out.head(s, tagItem, 0, 0)
		begin := r.out.size()
		r.out.value(s, codeValue, vrSH, []byte(value))
		r.out.value(s, schemeDesignator, vrSH, []byte("DCM"))
		r.out.value(s, codeMeaning, vrLO, []byte(meaning))
		r.out.close(s, patch, begin)
	}
	item(basicProfileCode, basicProfileMeaning)
	for o := range NumOptions {
		if r.d.on.has(o) || o == CleanPixelData && r.mask != nil {
			item(methodCodes[o].value, methodCodes[o].meaning)
		}
	}
	r.out.close(s, length, start)
}
