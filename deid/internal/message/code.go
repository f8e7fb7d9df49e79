package message

import (
	"bytes"
	"strings"
)

// System is a code system that anyone can look up, with the form of its codes.
// Words beside one of its codes are the system's own words for the code.
type System struct {
	fits func([]byte) bool
}

// Fits reports whether code has the system's form.
func (s System) Fits(code []byte) bool { return s.fits != nil && s.fits(code) }

// Public finds a system by its HL7 v2 name (table 0396), by its OID (CDA), or
// by the OID with the prefix "urn:oid:".
func Public(name string) (System, bool) {
	name = strings.TrimPrefix(name, "urn:oid:")
	if s, ok := publicSystems[name]; ok {
		return s, true
	}
	up := strings.ToUpper(name)
	if s, ok := publicSystems[up]; ok {
		return s, true
	}
	// HL7's own tables: HL70001 in version 2, 2.16.840.1.113883.5.x, .12.x and .18.x in version 3.
	if n, ok := strings.CutPrefix(up, "HL7"); ok && digits([]byte(n)) && len(n) <= 5 {
		return System{Token}, true
	}
	for _, arc := range [...]string{"2.16.840.1.113883.5.", "2.16.840.1.113883.12.", "2.16.840.1.113883.18."} {
		if n, ok := strings.CutPrefix(name, arc); ok && digits([]byte(n)) {
			return System{Token}, true
		}
	}
	return System{}, false
}

var publicSystems = map[string]System{
	"LN": {loinc}, "LOINC": {loinc}, "2.16.840.1.113883.6.1": {loinc},
	"SCT": {snomed}, "SNOMED-CT": {snomed}, "SNOMEDCT": {snomed}, "SNM": {Token}, "2.16.840.1.113883.6.96": {snomed},
	"I9": {icd9}, "I9C": {icd9}, "I9CDX": {icd9}, "I9CP": {icd9}, "ICD9": {icd9}, "ICD-9": {icd9}, "2.16.840.1.113883.6.103": {icd9}, "2.16.840.1.113883.6.104": {icd9},
	"I10": {icd10}, "I10C": {icd10}, "ICD10": {icd10}, "ICD-10": {icd10}, "ICD10CM": {icd10}, "ICD-10-CM": {icd10}, "2.16.840.1.113883.6.90": {icd10}, "2.16.840.1.113883.6.3": {icd10},
	"I10P": {icd10pcs}, "ICD10PCS": {icd10pcs}, "ICD-10-PCS": {icd10pcs}, "2.16.840.1.113883.6.4": {icd10pcs},
	"C4": {cpt}, "CPT": {cpt}, "CPT4": {cpt}, "CPTM": {cpt}, "2.16.840.1.113883.6.12": {cpt},
	"HCPCS": {cpt}, "HPC": {cpt}, "2.16.840.1.113883.6.285": {cpt}, "2.16.840.1.113883.6.14": {cpt},
	"RXNORM": {rxnorm}, "RXN": {rxnorm}, "2.16.840.1.113883.6.88": {rxnorm},
	"NDC": {ndc}, "2.16.840.1.113883.6.69": {ndc},
	"CVX": {short}, "2.16.840.1.113883.12.292": {short}, "MVX": {short}, "2.16.840.1.113883.12.227": {short},
	"UCUM": {Unit}, "2.16.840.1.113883.6.8": {Unit}, "ISO+": {Unit}, "ANS+": {Unit},
	"CDCREC": {race}, "2.16.840.1.113883.6.238": {race},
	"NCIT": {ncit}, "NCI": {ncit}, "2.16.840.1.113883.3.26.1.1": {ncit},
	"UNII": {unii}, "2.16.840.1.113883.4.9": {unii},
	"NUCC": {nucc}, "2.16.840.1.113883.6.101": {nucc},
	"MDC": {rxnorm}, "NDFRT": {nui}, "2.16.840.1.113883.3.26.1.5": {nui},
	"POS": {short}, "2.16.840.1.113883.6.50": {short},
	"ISO3166_1": {short}, "ISO3166": {short}, "2.16.840.1.113883.6.121": {short},
}

// pattern compares b with a form: 9 is a digit, A a letter, X either.
func pattern(b []byte, form string) bool {
	if len(b) != len(form) {
		return false
	}
	for i := range len(form) {
		switch c := b[i]; form[i] {
		case '9':
			if !digit(c) {
				return false
			}
		case 'A':
			if !letter(c) {
				return false
			}
		case 'X':
			if !alnum(c) {
				return false
			}
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}

func loinc(b []byte) bool {
	for _, p := range [...]string{"LA", "LP", "LL", "MTHU"} {
		if r, ok := bytes.CutPrefix(b, []byte(p)); ok {
			b = r
			break
		}
	}
	n, check, ok := bytes.Cut(b, []byte("-"))
	return ok && digits(n) && len(n) <= 7 && pattern(check, "9")
}

func snomed(b []byte) bool { return digits(b) && len(b) >= 6 && len(b) <= 18 }
func rxnorm(b []byte) bool { return digits(b) && len(b) <= 8 }
func short(b []byte) bool  { return len(b) <= 4 && Token(b) }
func race(b []byte) bool   { return pattern(b, "9999-9") }
func unii(b []byte) bool   { return pattern(b, "XXXXXXXXXX") }
func nucc(b []byte) bool   { return pattern(b, "999XXXXXXX") || pattern(b, "999X99999X") }

func icd9(b []byte) bool {
	whole, frac, dot := bytes.Cut(b, []byte("."))
	if len(whole) > 0 && (whole[0] == 'V' || whole[0] == 'E') {
		whole = whole[1:]
	}
	return digits(whole) && len(whole) <= 5 && (!dot || digits(frac) && len(frac) <= 2)
}

func icd10(b []byte) bool {
	whole, frac, dot := bytes.Cut(b, []byte("."))
	if len(whole) < 3 || len(whole) > 7 || !letter(whole[0]) || !digit(whole[1]) || dot && (len(frac) == 0 || len(frac) > 4 || len(whole) != 3) {
		return false
	}
	return pattern(whole, "XXXXXXX"[:len(whole)]) && (!dot || pattern(frac, "XXXX"[:len(frac)]))
}

func icd10pcs(b []byte) bool { return pattern(b, "XXXXXXX") }
func cpt(b []byte) bool      { return pattern(b, "X999X") || pattern(b, "XX") }

func ndc(b []byte) bool {
	n := 0
	for _, c := range b {
		if digit(c) {
			n++
		} else if c != '-' {
			return false
		}
	}
	return n >= 8 && n <= 12 && len(b) <= 14
}

func ncit(b []byte) bool { return len(b) > 1 && b[0] == 'C' && digits(b[1:]) && len(b) <= 8 }
func nui(b []byte) bool  { return len(b) == 11 && b[0] == 'N' && digits(b[1:]) }

// CodeOK is the rule for a code. Of a public system it has the system's form; of
// a local one it is a token; of none, or of one that it does not fit, it is Bare.
func CodeOK(code []byte, system string) (ok, public bool) {
	s, known := Public(system)
	switch {
	case known && s.Fits(code):
		return true, true
	case !known && SystemName([]byte(system)):
		return Token(code), false
	}
	return Bare(code), false
}

// SystemName reports whether b names a code system: a public one, an OID, or a
// local one in the form of HL7's table 0396 (L, or 99 and some letters), or one
// of that table's others.
func SystemName(b []byte) bool {
	if _, ok := Public(string(b)); ok {
		return true
	}
	if OID(b) {
		return true
	}
	if rest, ok := bytes.CutPrefix(b, []byte("99")); ok {
		return len(rest) > 0 && len(b) <= 10 && Token(rest)
	}
	return otherSystems[string(b)]
}

// OID is digits and dots, with at least two arcs.
func OID(b []byte) bool {
	if len(b) < 3 || len(b) > 64 || b[0] < '0' || b[0] > '2' || b[1] != '.' || b[len(b)-1] == '.' {
		return false
	}
	for _, c := range b {
		if c != '.' && !digit(c) {
			return false
		}
	}
	return true
}

// otherSystems are codes of table 0396 whose codes and words are not checked.
var otherSystems = set(`L LB LOCAL ACR ART ASTM AS4 AS4E ATC C5 CAS CCC CD2 CDCA CDCM CDCOBS CDS CE CLP CST DCM DQL DRG E5 E6 E7 EHDC ENZC EPASRS
 EUCLIDES FDDC FDDX FDK FIPS5_2 FIPS6_4 FIPS HB HCPT HHC HI HIPPS HIBCC HOT ICD10GM ICDO ICDO2 ICDO3 ICS ICSD IC2 IBT IBTnnnn IETF3066 ITIS IUPC IUPP
 JC8 JC10 JJ1017 LPN MCD MCR MDDX MEDC MEDIAT MEDR MEDX MGPI MMIS MSH NAACCR NCPDP NDA NDFRT NIC NIP001 NIP002 NIP004 NMMDS NND NUBC NULLFL O301 OHA
 PHINQUESTION PHINVS PNDS RC SDM SIC SNM3 SNT SOC SRT UB04FL14 UB04FL15 UB92 UC UMD UML UPC UPIN USPS WC WHO ZIP X12 X12DE99 CLIA NPI SNOVETCT`)

// Words is the rule for words beside a code of a public system: short UTF-8
// without controls.
func Words(b []byte) bool {
	if len(b) == 0 || len(b) > 250 || !validText(b) {
		return false
	}
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// AgeCode reports whether a LOINC code asks for an age in years.
func AgeCode(code []byte) bool {
	switch string(code) {
	case "30525-0", "21612-7", "29553-5", "63900-5", "35659-2", "63923-7", "74198-3", "46251-5", "39016-1":
		return true
	}
	return false
}

// Years reports whether a unit is the year.
func Years(unit []byte) bool {
	switch strings.ToLower(string(unit)) {
	case "a", "yr", "yrs", "y", "year", "years", "ann", "{years}", "a_j", "a_g":
		return true
	}
	return false
}

// Over89 reports whether a number is more than 89: an age that Safe Harbor
// gathers as 90 or older.
func Over89(n []byte) bool {
	n = bytes.TrimLeft(n, "+0")
	if bytes.ContainsAny(n, "eE") {
		return true // nobody writes an age so: the safe side
	}
	whole, _, _ := bytes.Cut(n, []byte("."))
	return len(whole) > 2 && digit(whole[0]) || len(whole) == 2 && whole[0] == '9'
}

// CapsAges reports whether the basis gathers ages over 89.
func (c *Case) CapsAges() bool { return c.O.Basis == SafeHarbor || c.O.Basis == ExpertDetermination }

// Age appends a number of years, capped at 90 where the basis wants it.
func (c *Case) Age(dst, n []byte) []byte {
	if c.CapsAges() && Over89(n) {
		if string(n) != "90" {
			c.Count(AgeCapped)
		}
		return append(dst, "90"...)
	}
	return append(dst, n...)
}
