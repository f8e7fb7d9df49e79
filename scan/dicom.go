package scan

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// dicomHead is how much of a file is read to say what a DICOM header holds. The
// patient's elements stand in group 0010, near the start.
const dicomHead = 256 << 10

func isDICOM(head []byte) bool { return len(head) >= 132 && string(head[128:132]) == "DICM" }

// patientElements of PS3.6, group 0010, with what people call them.
var patientElements = []struct {
	element uint16
	vr      string
	name    string
}{
	{0x0010, "PN", "name"}, {0x0020, "LO", "id"}, {0x0030, "DA", "birth date"}, {0x1000, "LO", "other id"}, {0x1040, "LO", "address"},
}

// dicom says that a file is an image, and which of the patient's elements its
// header has values for. It looks for the elements' encodings, explicit and
// implicit, both byte orders; it does not walk the data set, so that a broken
// file tells as much as a whole one.
func dicom(s *sheet, head []byte) {
	if v, ok := element(head, 0x0012, 0x0062, "CS"); ok && string(v) == "YES" {
		// The file says that the patient's identity was removed. Names would be dummies.
		if n, ok := element(head, 0x0010, 0x0030, "DA"); !ok || len(n) == 0 {
			return
		}
	}
	var held []string
	var first []byte
	for _, e := range patientElements {
		v, ok := element(head, 0x0010, e.element, e.vr)
		if !ok || len(v) < 2 || isPlaceholder(v) && e.vr != "PN" || nobody[lower(firstComponent(v))] {
			continue
		}
		held = append(held, e.name)
		if first == nil {
			first = v
		}
	}
	reason, confidence := "a DICOM file whose header has the patient's "+strings.Join(held, ", "), .7
	switch {
	case len(held) > 1:
		confidence = .95
	case len(held) == 0:
		reason, confidence = "a DICOM file; no name or id was seen in its header's start, but its pixels or later elements may have them", .4
	}
	s.note("", Record, "DICOM header", reason, confidence, spot{1, 1}, first)
}

// element finds a short element's value.
func element(head []byte, group, elem uint16, vr string) ([]byte, bool) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		tag := order.AppendUint16(order.AppendUint16(nil, group), elem)
		for at := 132; ; {
			n := bytes.Index(head[min(at, len(head)):], tag)
			if n < 0 {
				break
			}
			at += n + 4
			if at+4 > len(head) {
				break
			}
			length := 0
			if string(head[at:at+2]) == vr {
				length = int(order.(binary.ByteOrder).Uint16(head[at+2:]))
			} else if implicit := order.(binary.ByteOrder).Uint32(head[at:]); implicit <= 1024 {
				length = int(implicit)
			} else {
				continue
			}
			if at+4+length > len(head) || length > 1024 {
				continue
			}
			return bytes.TrimRight(head[at+4:at+4+length], " \x00"), true
		}
	}
	return nil, false
}
