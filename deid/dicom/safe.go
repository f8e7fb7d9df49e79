package dicom

import (
	"fmt"

	"github.com/sallyport/sallyport/problem"
)

// safePrivate are attributes of PS3.15 table E.3.10-1 whose values are numbers
// or code strings. Its text attributes are left out: what a technician may have
// typed is not safe because a table says so. Entries that a second source
// did not confirm are left out too.
var safePrivate = []PrivateAttribute{
	{"Philips PET Private Group", 0x7053, 0x00, "DS"}, // SUV factor
	{"Philips PET Private Group", 0x7053, 0x09, "DS"}, // activity concentration factor
	{"ELSCINT1", 0x00E1, 0x21, "DS"},                  // DLP
	{"ELSCINT1", 0x01F1, 0x01, "CS"},                  // acquisition type
	{"ELSCINT1", 0x01F1, 0x07, "DS"},                  // table velocity
	{"ELSCINT1", 0x01F1, 0x26, "DS"},                  // pitch
	{"ELSCINT1", 0x01F1, 0x27, "DS"},                  // rotation time
	{"GEMS_ACQU_01", 0x0019, 0x23, "DS"},              // table speed
	{"GEMS_ACQU_01", 0x0019, 0x24, "DS"},              // mid scan time
	{"GEMS_ACQU_01", 0x0019, 0x27, "DS"},              // rotation speed
	{"GEMS_HELIOS_01", 0x0045, 0x01, "SS"},            // macro rows in detector
	{"GEMS_HELIOS_01", 0x0045, 0x02, "FL"},            // macro width at isocentre
	{"GEMS_PARM_01", 0x0043, 0x39, "IS"},              // b value
	{"GEMS_PARM_01", 0x0043, 0x6F, "DS"},              // scanner table entry
	{"Philips Imaging DD 001", 0x2001, 0x03, "FL"},    // diffusion b factor
	{"Philips Imaging DD 001", 0x2001, 0x04, "CS"},    // diffusion direction
	{"SIEMENS MR HEADER", 0x0019, 0x0C, "IS"},         // b value
	{"SIEMENS MR HEADER", 0x0019, 0x0D, "CS"},         // diffusion directionality
	{"SIEMENS MR HEADER", 0x0019, 0x0E, "FD"},         // diffusion gradient direction
	{"SIEMENS MR HEADER", 0x0019, 0x27, "FD"},         // diffusion b matrix
}

// safePrivate fills d.private where the option is on. Anything but numbers and
// code strings is refused: nobody has looked at what it says.
func (d *Deidentifier) safePrivate() error {
	p := &d.o.Profile
	if !p.RetainSafePrivate {
		if len(p.SafePrivate) > 0 {
			return problem.BadField("safe_private", "There are safe private attributes, but the option that keeps them is off", "Turn retain_safe_private on, or take them out")
		}
		return nil
	}
	for _, a := range safePrivate {
		d.private[privateKey{a.Creator, a.Group, a.Element}] = vr(a.VR[0])<<8 | vr(a.VR[1])
	}
	for i, a := range p.SafePrivate {
		field := fmt.Sprintf("safe_private[%d]", i)
		if a.Creator == "" || a.Group&1 == 0 || a.Group < 9 || a.Group == 0xFFFF {
			return problem.BadField(field, "A private attribute has a creator and an odd group", "Give the creator, the group (gggg), the element (its last two digits) and the VR")
		}
		if len(a.VR) != 2 {
			return problem.BadField(field, "The value representation is missing", "Give its two letters")
		}
		v := vr(a.VR[0])<<8 | vr(a.VR[1])
		if !isNumber(v) && v != vrCS && v != vrDS && v != vrIS {
			return problem.BadField(field, "A private attribute of this value representation may hold anything", "Only numbers, CS, DS and IS can be safe")
		}
		d.private[privateKey{a.Creator, a.Group, a.Element}] = v
	}
	return nil
}
