package scan

import (
	"bytes"
	"strings"
)

// hl7 notes the messages of HL7 version 2 whose PID, NK1, GT1 or IN1 segments
// name somebody, wherever they stand: in a file of their own, in a log, in a
// string of a program. It gives back the window with those segments blanked,
// so that nothing in them is found twice.
func hl7(s *sheet, win []byte, lo, hi int, where func(offset int) spot) []byte {
	out := bytes.Clone(win)
	for i := 0; i+4 < len(win); i++ {
		if win[i+3] != '|' || i > 0 && (isAlnum(win[i-1]) && !(win[i-1] == 'r' || win[i-1] == 'n') || win[i-1] == '_') {
			continue
		}
		fields, ok := segments[string(win[i:i+3])]
		if !ok {
			continue
		}
		end := i
		for end < len(win) && !bytes.ContainsRune([]byte("\r\n\"`"), rune(win[end])) && !(win[end] == '\\' && end+1 < len(win) && (win[end+1] == 'r' || win[end+1] == 'n')) {
			end++
		}
		seg := win[i:end]
		parts := bytes.Split(seg, []byte("|"))
		if len(parts) < 6 {
			continue
		}
		var held []string
		var first []byte
		for _, f := range fields {
			if f.at >= len(parts) {
				break
			}
			if v := firstComponent(parts[f.at]); len(v) > 1 && !bytes.ContainsAny(v, "{}<>%$") && !nobody[lower(v)] {
				held = append(held, f.name)
				if first == nil {
					first = v
				}
			}
		}
		if len(held) > 0 && i >= lo && i < hi {
			name := string(seg[:3])
			confidence := .75
			if len(held) > 1 {
				confidence = .95
			}
			s.note("hl7 "+name, Record, name, "an HL7 v2 segment with a "+strings.Join(held, ", "), confidence, where(i), first)
		}
		for k := i; k < end; k++ {
			out[k] = ' '
		}
		i = end - 1
	}
	return out
}

// x12 notes the segments of X12 health care transactions (270, 834, 837) that
// name the insured (IL) or the patient (QC).
func x12(s *sheet, win []byte, lo, hi int, where func(offset int) spot) {
	for i := max(lo, 0); i < min(hi, len(win)); i++ {
		n := bytes.Index(win[i:], []byte("NM1*"))
		if n < 0 || i+n >= hi {
			return
		}
		i += n
		seg := win[i:min(len(win), i+200)]
		if e := bytes.IndexAny(seg, "~\r\n\"'`"); e > 0 {
			seg = seg[:e]
		}
		parts := bytes.Split(seg, []byte("*"))
		if len(parts) > 4 && (string(parts[1]) == "IL" || string(parts[1]) == "QC") && len(parts[3]) > 1 && !isPlaceholder(parts[3]) && !nobody[lower(parts[3])] {
			s.note("x12", Record, "NM1", "an X12 segment with the name of an insured person or a patient", .9, where(i), parts[3])
		}
	}
}

func firstComponent(field []byte) []byte {
	if n := bytes.IndexAny(field, "^~&"); n > 0 {
		field = field[:n]
	}
	return bytes.TrimSpace(field)
}

type segmentField struct {
	at   int
	name string
}

// segments lists what identifies a person in HL7 v2.5.1, chapters 3 and 6.
var segments = map[string][]segmentField{
	"PID": {{5, "name"}, {3, "identifier"}, {7, "birth date"}, {11, "address"}, {13, "telephone"}, {18, "account"}, {19, "SSN"}},
	"NK1": {{2, "name of a relative"}, {4, "address"}, {5, "telephone"}},
	"GT1": {{3, "name of a guarantor"}, {5, "address"}, {6, "telephone"}, {12, "SSN"}},
	"IN1": {{16, "name of the insured"}, {36, "policy number"}, {49, "insured's id"}, {18, "birth date"}},
	"MRG": {{1, "earlier identifier"}, {7, "earlier name"}},
}
