// Command gen makes the two tables that deid/dicom embeds:
//
//	go run ./deid/dicom/gen -profile confidentiality_profile_attributes.json -dictionary /usr/share/libdcmtk17/dicom.dic -out deid/dicom/tables
//
// The profile is PS3.15 table E.1-1 as JSON (github.com/innolitics/dicom-standard,
// MIT). The dictionary is DCMTK's list of PS3.6 attributes (Debian package
// dcmtk, BSD-style licence of OFFIS). Both hold NEMA's facts; tables/NOTICE
// carries both licences. Only what DICOM itself defines is taken: no
// dictionary of another industry, no private one.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// options are the columns of table E.1-1 and their letters in profile.txt.
var options = []struct{ column, letter string }{
	{"rtnSafePrivOpt", "P"},
	{"rtnUIDsOpt", "U"},
	{"rtnDevIdOpt", "D"},
	{"rtnInstIdOpt", "I"},
	{"rtnPatCharsOpt", "C"},
	{"rtnLongFullDatesOpt", "F"},
	{"rtnLongModifDatesOpt", "M"},
	{"cleanDescOpt", "T"},
	{"cleanStructContOpt", "S"},
	{"cleanGraphOpt", "G"},
}

// newer are attributes that table E.1-1 names and the dictionary of DCMTK 3.6.7
// does not have yet, with their value representations of PS3.6.
var newer = map[string]string{
	"00120022": "LO", "00120023": "SQ", "00120032": "LO", "00120041": "LO", "00120043": "LO", "00120055": "LO", "00120073": "LO",
	"00181204": "DA", "00181205": "DA", "30020121": "LO", "30020123": "LO", "3006002D": "DT", "3006002E": "DT", "3006004D": "SQ",
	"3006004E": "SQ", "003A0329": "LO", "003A032B": "LO",
}

func main() {
	profile := flag.String("profile", "", "confidentiality_profile_attributes.json")
	dictionary := flag.String("dictionary", "", "DCMTK's dicom.dic")
	out := flag.String("out", "", "the folder for profile.txt and dictionary.txt")
	flag.Parse()
	log.SetFlags(0)
	for name, table := range map[string]func() ([]byte, error){
		"profile.txt":    func() ([]byte, error) { return profileTable(*profile) },
		"dictionary.txt": func() ([]byte, error) { return dictionaryTable(*dictionary) },
	} {
		b, err := table()
		if err == nil {
			err = os.WriteFile(filepath.Join(*out, name), b, 0o644)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// profileTable has a row for each attribute: its tag, the Basic Profile's
// action, and a letter and an action for each option that says otherwise.
func profileTable(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range rows {
		tag := strings.ToUpper(r["id"])
		switch tag {
		case "GGGGEEEE-WHERE-GGGG-IS-ODD":
			tag = "PRIVATE"
		case "50XXXXXX", "60XX3000", "60XX4000":
		default:
			if len(tag) != 8 || strings.Trim(tag, "0123456789ABCDEF") != "" {
				return nil, fmt.Errorf("a tag of a kind not seen before: %q", tag)
			}
		}
		line := tag + " " + r["basicProfile"]
		for _, o := range options {
			if a := r[o.column]; a != "" {
				if a != "K" && a != "C" {
					return nil, fmt.Errorf("%s: an action not seen before in %s: %q", tag, o.column, a)
				}
				line += " " + o.letter + a
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	head := "# DICOM PS3.15 table E.1-1 by deid/dicom/gen; licences in NOTICE. tag, basic action, option letter and action.\n"
	return []byte(head + strings.Join(lines, "\n") + "\n"), nil
}

// dictionaryTable has a line for each value representation, with its tags.
func dictionaryTable(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	byVR := map[string][]string{}
	for tag, vr := range newer {
		byVR[vr] = append(byVR[vr], tag)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if strings.HasPrefix(f[0], "#") || len(f) < 5 || len(f[0]) != 11 {
			continue // a comment, or a range of tags
		}
		if source, _, _ := strings.Cut(strings.TrimSpace(f[4]), "/"); source != "DICOM" {
			continue // DICONDE, DICOS and the like are not about patients
		}
		tag := strings.ToUpper(f[0][1:5] + f[0][6:10])
		if tag[:4] == "FFFE" || tag[:4] == "0000" || f[1] == "UN" {
			continue
		}
		if newer[tag] == "" {
			byVR[f[1]] = append(byVR[f[1]], tag)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("# DICOM PS3.6 value representations by deid/dicom/gen; licences in NOTICE. ox: OB or OW, xs: US or SS, lt: US, SS or OW, up: UL, px: pixel data.\n")
	var vrs []string
	for vr := range byVR {
		vrs = append(vrs, vr)
	}
	slices.Sort(vrs)
	for _, vr := range vrs {
		tags := byVR[vr]
		slices.Sort(tags)
		out.WriteString(vr)
		// A tag of the same group as the one before is its element alone.
		group := ""
		for _, t := range slices.Compact(tags) {
			if t[:4] == group {
				t = t[4:]
			} else {
				group = t[:4]
			}
			out.WriteString(" " + t)
		}
		out.WriteString("\n")
	}
	return out.Bytes(), nil
}
