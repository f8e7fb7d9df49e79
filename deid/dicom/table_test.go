package dicom

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

// published is a row of table E.1-1 as the standard's readers have it, not as
// the generator made it.
type published struct {
	ID           string `json:"id"`
	Basic        string `json:"basicProfile"`
	SafePrivate  string `json:"rtnSafePrivOpt"`
	UIDs         string `json:"rtnUIDsOpt"`
	Device       string `json:"rtnDevIdOpt"`
	Institution  string `json:"rtnInstIdOpt"`
	Patient      string `json:"rtnPatCharsOpt"`
	FullDates    string `json:"rtnLongFullDatesOpt"`
	ModifDates   string `json:"rtnLongModifDatesOpt"`
	CleanDesc    string `json:"cleanDescOpt"`
	CleanStruct  string `json:"cleanStructContOpt"`
	CleanGraphic string `json:"cleanGraphOpt"`
}

func publishedTable(t testing.TB) []published {
	t.Helper()
	b, err := os.ReadFile(need.DataFile(t, "dicom-ps315/confidentiality_profile_attributes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []published
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestTablesAreGenerated: what is embedded is what the generator makes of its
// sources today.
func TestTablesAreGenerated(t *testing.T) {
	profile := need.DataFile(t, "dicom-ps315/confidentiality_profile_attributes.json")
	const dictionary = "/usr/share/libdcmtk17/dicom.dic" // another version has other attributes
	if _, err := os.Stat(dictionary); err != nil {
		need.Skip(t, "there is no dicom.dic of DCMTK 3.6.7: install Debian 12's dcmtk")
	}
	out := t.TempDir()
	cmd := exec.Command("go", "run", "./gen", "-profile", profile, "-dictionary", dictionary, "-out", out)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0") // as the program is built: most of it is built already
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	for _, name := range []string{"profile.txt", "dictionary.txt"} {
		got, err := os.ReadFile(filepath.Join("tables", name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("tables/%s is not what gen makes", name)
		}
	}
}

// TestEveryRowIsEmbedded: no row was lost on the way, and each has a VR but for
// one whose VR is UN.
func TestEveryRowIsEmbedded(t *testing.T) {
	listed, noVR := 0, 0
	for tag, a := range attributes() {
		if a.base == unlisted {
			continue
		}
		listed++
		if a.vr == 0 && tag.group() >= 4 {
			noVR++
		}
	}
	if listed != 617 || noVR != 1 {
		t.Errorf("got %d rows, %d without a VR; want 617 and 1 (621 rows, of which 50xx, two of 60xx and private are rules)", listed, noVR)
	}
}

// column is an option with its column of the table.
type column struct {
	name   string
	action func(published) string
	set    func(*Profile)
}

var columns = []column{
	{"basic", func(published) string { return "" }, func(*Profile) {}},
	{"uids", func(r published) string { return r.UIDs }, func(p *Profile) { p.RetainUIDs = true }},
	{"device", func(r published) string { return r.Device }, func(p *Profile) { p.RetainDeviceIdentity = true }},
	{"institution", func(r published) string { return r.Institution }, func(p *Profile) { p.RetainInstitutionIdentity = true }},
	{"patient", func(r published) string { return r.Patient }, func(p *Profile) { p.RetainPatientCharacteristics = true }},
	{"full dates", func(r published) string { return r.FullDates }, func(p *Profile) { p.RetainFullDates = true }},
	{"modified dates", func(r published) string { return r.ModifDates }, func(p *Profile) { p.RetainModifiedDates = true }},
	{"descriptors", func(r published) string { return r.CleanDesc }, func(p *Profile) { p.CleanDescriptors = true }},
	{"structured content", func(r published) string { return r.CleanStruct }, func(p *Profile) { p.CleanStructuredContent = true }},
	{"graphics", func(r published) string { return r.CleanGraphic }, func(p *Profile) { p.CleanGraphics = true }},
	{"safe private", func(r published) string { return r.SafePrivate }, func(p *Profile) { p.RetainSafePrivate = true }},
}

const shiftDays = 1234

type fixedShift int

func (s fixedShift) Days(string) (int, error) { return int(s), nil }

// stars is a Cleaner that takes out what the test planted.
type stars struct{}

func (stars) Clean(dst, text []byte) ([]byte, error) {
	return append(dst, bytes.ReplaceAll(text, []byte("ZZ"), []byte("**"))...), nil
}

// plant is a value of its own for an attribute: it is found again anywhere.
func plant(f form, vr string, n int) []byte {
	day := time.Date(1951, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	clock := fmt.Sprintf("%02d%02d%02d.77", n/3600%24, n/60%60, n%60)
	switch vr {
	case "DA":
		return []byte(day.Format("20060102"))
	case "DT":
		return []byte(day.Format("20060102") + clock + "+0130")
	case "TM":
		return []byte(clock)
	case "DS":
		return fmt.Appendf(nil, "77.%05d", n)
	case "IS":
		return fmt.Appendf(nil, "77%05d", n)
	case "AS":
		return fmt.Appendf(nil, "%03dW", 100+n%800)
	case "UI":
		return fmt.Appendf(nil, "1.2.3.77.%d", n)
	case "US", "SS", "xs", "lt":
		return f.order.AppendUint16(nil, uint16(0x7700+n%256))
	case "UL", "SL", "FL", "AT":
		return f.order.AppendUint32(nil, uint32(0x77000000+n))
	case "FD", "SV", "UV", "OV", "OD":
		return bytes.Repeat(f.order.AppendUint32(nil, uint32(0x77000000+n)), 2)
	case "UR":
		return fmt.Appendf(nil, "http://zz/ZZ%06d", n)
	case "CS":
		return fmt.Appendf(nil, "ZZ%06d", n)
	}
	return fmt.Appendf(nil, "ZZ%06d", n)
}

// plantedValue is where a value was put and what may become of it.
type plantedValue struct {
	row   published
	node  node
	level int
}

// plantAll puts every row's attribute into nodes, sequences with a name and a
// code inside.
func plantAll(f form, rows []published, level int) (nodes []node, list []plantedValue) {
	for i, r := range rows {
		id, err := strconv.ParseUint(strings.NewReplacer("50xxxxxx", "50020030", "60xx", "6004").Replace(r.ID), 16, 32)
		if err != nil || id>>16 < 4 {
			continue // private attributes have a test of their own, as has file meta information
		}
		n := node{tag: uint32(id), vr: vrName(attributes()[tag(id)].vr)}
		if n.vr == "ox" || n.vr == "" {
			n.vr = "OW"
		}
		seed := level*100000 + i
		if n.vr == "SQ" {
			n.items = [][]node{{
				{tag: 0x00080100, vr: "SH", value: fmt.Appendf(nil, "ZZ%06d", seed)},
				{tag: 0x00080102, vr: "SH", value: []byte("99ZZ")},
				{tag: 0x00080104, vr: "LO", value: fmt.Appendf(nil, "ZZMEANING%06d", seed)},
				{tag: 0x00081155, vr: "UI", value: fmt.Appendf(nil, "1.2.3.77.%d", seed)},
				{tag: 0x0040A123, vr: "PN", value: fmt.Appendf(nil, "ZZNAME%06d", seed)},
			}}
			n.open = i%2 == 0
		} else {
			n.value = plant(f, n.vr, seed)
		}
		nodes = append(nodes, n)
		list = append(list, plantedValue{r, n, level})
	}
	slices.SortFunc(nodes, func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) })
	return nodes, list
}

func vrName(v vr) string {
	if v == 0 {
		return ""
	}
	return string([]byte{byte(v >> 8), byte(v)})
}

// TestEveryRow plants a value in every attribute of the table, at three depths,
// in three encodings, and compares what each option makes of it with what the
// published table says.
func TestEveryRow(t *testing.T) {
	rows := publishedTable(t)
	vrs := map[uint32]string{}
	for tg, a := range attributes() {
		vrs[uint32(tg)] = vrName(a.vr)
	}
	right, wrong := 0, 0
	for _, f := range forms {
		var all [3][]plantedValue
		var level [3][]node
		for i := range level {
			level[i], all[i] = plantAll(f, rows, i)
		}
		// 5200,9229 and 5200,9230 are sequences of which the table says nothing.
		level[1] = append(level[1], node{tag: 0x52009229, vr: "SQ", items: [][]node{level[2], {}}})
		level[0] = append(level[0], node{tag: 0x52009230, vr: "SQ", open: true, items: [][]node{level[1]}})
		for i := range level {
			slices.SortFunc(level[i], func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) })
		}
		level[0] = f.ct(level[0]...)
		file := f.file(level[0])
		for _, c := range columns {
			p := Profile{Basis: ExpertDetermination}
			c.set(&p)
			keyed, err := NewKeyedUIDs(bytes.Repeat([]byte{7}, 32))
			if err != nil {
				t.Fatal(err)
			}
			d, err := New(Options{Profile: p, UIDs: keyed, Shifts: fixedShift(shiftDays), Cleaner: stars{}})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if _, err := d.File(&out, file); err != nil {
				t.Fatalf("%s, %s: %v", f.uid, c.name, err)
			}
			_, got := f.open(t, out.Bytes(), vrs)
			for i := range all {
				for _, pl := range all[i] {
					if why := verdict(pl, got, c.action(pl.row), f.explicit); why != "" {
						wrong++
						if wrong < 30 {
							t.Errorf("%s, option %s, depth %d, %s (%s, %s, option says %q): %s", f.uid, c.name, i, pl.row.ID, pl.node.vr, pl.row.Basic, c.action(pl.row), why)
						}
					} else {
						right++
					}
				}
				if s, ok := find(got, []uint32{0x52009230, 0x52009229, 0}[i]); ok && len(s.items) > 0 {
					got = s.items[0]
				}
			}
		}
	}
	t.Logf("%d actions right, %d wrong", right, wrong)
	if right < 50000 {
		t.Errorf("only %d actions were looked at", right)
	}
}

// TestEveryRowInSamples plants the same into pydicom's samples, at the top level
// and in items at the end of the data set.
func TestEveryRowInSamples(t *testing.T) {
	rows, vrs := publishedTable(t), vrsOf()
	used, right := 0, 0
	for name, file := range samples(t) {
		if strings.Contains(name, "TINY_ALPHA") && !strings.HasSuffix(name, "IM000000") || refused[name] != "" || strings.Contains(name, "DICOMDIR") {
			continue // 49 of one kind, and those that do not pass in any case
		}
		enc, at, err := part10(file)
		if err != nil || enc.deflated {
			continue
		}
		f := form{enc.uid, enc.syntax.explicit, binary.LittleEndian}
		if enc.syntax.big {
			f.order = binary.BigEndian
		}
		base, _, err := f.decode(file[at:], vrs)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		base = slices.DeleteFunc(base, func(n node) bool { return n.tag&0x10000 != 0 })
		top, list := plantAll(f, rows, 0)
		below, nested := plantAll(f, rows, 1)
		for _, n := range append(top, node{tag: 0x52009230, vr: "SQ", open: true, items: [][]node{below}}) {
			if i := slices.IndexFunc(base, func(b node) bool { return b.tag == n.tag }); i >= 0 {
				base[i] = n
			} else {
				base = append(base, n)
			}
		}
		planted := f.file(base)
		for _, c := range columns {
			p := looked(Profile{Basis: ExpertDetermination})
			c.set(&p)
			var out bytes.Buffer
			d := deidentifier(t, p, func(o *Options) { o.Cleaner = stars{} })
			if _, err := d.File(&out, planted); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, got := f.open(t, out.Bytes(), vrs)
			s, _ := find(got, 0x52009230)
			for _, where := range []struct {
				list []plantedValue
				got  []node
			}{{list, got}, {nested, s.items[0]}} {
				for _, pl := range where.list {
					if why := verdict(pl, where.got, c.action(pl.row), f.explicit); why != "" {
						t.Errorf("%s, option %s, depth %d, %s: %s", name, c.name, pl.level, pl.row.ID, why)
					} else {
						right++
					}
				}
			}
			used++
		}
	}
	if used < 80*len(columns) {
		t.Errorf("only %d runs", used)
	}
	t.Logf("%d runs, %d actions right", used, right)
}

// verdict says what is wrong with what became of a planted value, or nothing.
func verdict(p plantedValue, out []node, option string, explicit bool) string {
	n, there := find(out, p.node.tag)
	same := there && bytes.HasPrefix(n.value, p.node.value) && len(n.value) <= len(p.node.value)+1
	leak := there && (bytes.Contains(n.value, []byte("ZZ")) || leaks(n.items))
	switch option {
	case "K":
		if p.node.vr == "SQ" {
			if !there || len(n.items) != 1 {
				return "the sequence is not kept"
			}
			return ""
		}
		if !same {
			return "the value is not kept"
		}
		return ""
	case "C":
		switch p.node.vr {
		case "DA", "DT":
			was, _ := time.Parse("20060102", string(p.node.value[:8]))
			if want := was.AddDate(0, 0, shiftDays).Format("20060102") + string(p.node.value[8:]); !there || strings.TrimRight(string(n.value), " ") != want {
				return "the date is not shifted by the patient's shift"
			}
			return ""
		case "TM":
			if !same {
				return "the time of day is not kept"
			}
			return ""
		case "AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT":
			if p.row.ID == "00080201" || p.row.ID == "04000565" { // not a value they can have: the basic action
				break
			}
			if there && bytes.HasPrefix(n.value, []byte("**")) {
				return ""
			}
			return "the text is not cleaned"
		case "SQ":
			if !there || len(n.items) != 1 || leak && bytes.Contains(fmt.Append(nil, n.items), []byte("ZZNAME")) {
				return "the sequence is not cleaned"
			}
			return ""
		}
		if p.node.tag>>24 == 0x50 || p.node.tag>>24 == 0x60 {
			if there {
				return "graphics are there"
			}
			return ""
		}
	}
	allowed := strings.Split(p.row.Basic, "/")
	if slices.Contains(allowed, "X") && !there {
		return ""
	}
	if slices.Contains(allowed, "Z") && there && len(n.value) == 0 && len(n.items) == 0 {
		return ""
	}
	if slices.Contains(allowed, "D") && there {
		if p.node.vr == "SQ" {
			if len(n.items) == 1 && !leak {
				return ""
			}
			return "the sequence has no dummy item"
		}
		if len(n.value) > 0 && !same && !leak {
			return ""
		}
		return "there is no dummy"
	}
	if (slices.Contains(allowed, "U") || slices.Contains(allowed, "U*")) && there {
		if p.node.vr == "SQ" {
			if u, ok := find(n.items[0], 0x00081155); ok && bytes.HasPrefix(u.value, []byte("2.25.")) {
				return ""
			}
			return "the UIDs in the sequence are not replaced"
		}
		if bytes.HasPrefix(n.value, []byte("2.25.")) {
			return ""
		}
		return "the UID is not replaced"
	}
	return fmt.Sprintf("there is %v, %d bytes", there, len(n.value))
}

func leaks(items [][]node) bool {
	for _, it := range items {
		for _, n := range it {
			if bytes.Contains(n.value, []byte("ZZ")) || bytes.HasPrefix(n.value, []byte("1.2.3.77.")) || leaks(n.items) {
				return true
			}
		}
	}
	return false
}
