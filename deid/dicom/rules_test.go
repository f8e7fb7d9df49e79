package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"
)

// TestUnlistedFailsClosed plants a value in every attribute of the dictionary
// that table E.1-1 does not name. Words come out only of attributes that
// lists.go names and of code strings; UIDs only if DICOM registered them; dates
// not at all.
func TestUnlistedFailsClosed(t *testing.T) {
	for _, f := range forms {
		var nodes []node
		i := 0
		for tg, a := range attributes() {
			if a.base != unlisted || tg.group() < 8 || tg.group()&0xFF00 == 0x6000 || tg.group() == 0x7FE0 || tg.group() == 0x28 || tg.element() == 0 {
				continue // the description of the pixels is f.ct's
			}
			i++
			v := vrName(a.vr)
			if slices.Contains([]string{"ox", "px", "lt"}, v) {
				v = "OW"
			} else if v == "xs" {
				v = "US"
			} else if v == "up" {
				v = "UL"
			}
			n := node{tag: uint32(tg), vr: v, value: plant(f, v, i)}
			if slices.Contains([]string{"0008,0005", "0008,0016", "0008,0018", "0008,0008", "0008,0064"}, fmt.Sprintf("%04X,%04X", tg.group(), tg.element())) {
				continue
			}
			if v == "SQ" {
				n.value, n.items = nil, [][]node{{{tag: 0x00081195, vr: "UI", value: []byte("1.2.3.77.1")}, {tag: 0x00100010, vr: "PN", value: []byte("ZZNAME")}}}
			}
			nodes = append(nodes, n)
		}
		if i < 3000 {
			t.Fatalf("only %d attributes", i)
		}
		nodes = slices.DeleteFunc(nodes, func(n node) bool { return n.tag == 0x00080060 })
		for _, level := range []string{"top", "nested"} {
			in := f.ct(nodes...)
			if level == "nested" {
				slices.SortFunc(nodes, func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) })
				in = f.ct(node{tag: 0x52009229, vr: "SQ", items: [][]node{nodes}})
			}
			_, out := through(t, deidentifier(t, Profile{}), f, f.file(in))
			if level == "nested" {
				s, _ := find(out, 0x52009229)
				out = s.items[0]
			}
			for _, n := range nodes {
				got, ok := find(out, n.tag)
				switch {
				case n.vr == "SQ":
					if n.tag == 0x00120064 && level == "top" {
						continue
					}
					if !ok || leaks(got.items) || len(got.items) != 1 {
						t.Errorf("%08X SQ, %s: there %v, or a planted value came out", n.tag, level, ok)
					}
				case slices.Contains(idsAnyway, tag(n.tag)):
					if ok {
						t.Errorf("%08X, %s: an id came out", n.tag, level)
					}
				case !ok:
					if slices.Contains([]string{"US", "UL", "SS", "SL", "FL", "FD", "AT", "DS", "IS", "CS", "SV", "UV"}, n.vr) {
						t.Errorf("%08X %s, %s: a number or a code string went", n.tag, n.vr, level)
					}
				case slices.Contains([]string{"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "AS", "OB", "OD", "OF", "OL", "OV", "OW"}, n.vr):
					named := slices.Contains(safeText, tag(n.tag)) || slices.Contains(safeBulk, tag(n.tag)) ||
						slices.Contains([]uint32{0x00080100, 0x00080102, 0x00080119, 0x00080120}, n.tag)
					if bytes.Contains(got.value, []byte("ZZ")) && !named {
						t.Errorf("%08X %s, %s: text came out", n.tag, n.vr, level)
					}
				case n.vr == "UI" && !bytes.HasPrefix(got.value, []byte("2.25.")):
					t.Errorf("%08X UI, %s: the UID came out", n.tag, level)
				case n.vr == "DA" || n.vr == "TM" || n.vr == "DT":
					t.Errorf("%08X %s, %s: a date came out", n.tag, n.vr, level)
				}
			}
		}
	}
}

// TestWrongVRIsNotTrusted: a name is no less a name because the file calls its
// attribute a number.
func TestWrongVRIsNotTrusted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := []uint32{0x00081030, 0x00080104, 0x00081050, 0x00189004, 0x00180015, 0x00280030, 0x00081090, 0x00101010, 0x0020000E, 0x00080080}
		vrs := []string{"US", "FL", "OB", "OW", "UN", "CS", "DS", "UL", "AT", "FD", "LO", "UT", "SL", "OF", "UV", "PN", "DA", "UI"}
		n := node{tag: rapid.SampledFrom(tags).Draw(t, "tag"), vr: rapid.SampledFrom(vrs).Draw(t, "vr"), value: []byte("ZZdoe^jane ZZ 16")}
		p := Profile{Basis: ExpertDetermination, RetainPatientCharacteristics: true}
		d, err := New(Options{Profile: p, UIDs: NewRandomUIDs(new(counting))})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = d.File(&out, explicitLittle.file(explicitLittle.ct(n)))
		if err != nil && out.Len() > 0 {
			t.Fatal("written in spite of an error")
		}
		own := map[uint32]string{0x00081090: "LO", 0x00101010: "AS"}[n.tag] == n.vr || n.tag == 0x00081090 && n.vr == "UN"
		if bytes.Contains(out.Bytes(), []byte("ZZ")) && !own {
			t.Fatalf("%08X as %s: the value came out", n.tag, n.vr)
		}
		if err != nil && strings.Contains(err.Error(), "ZZ") {
			t.Fatal("the error holds a value")
		}
	})
}

// TestCodedEntries: the meaning of a code passes if its scheme is a public one.
func TestCodedEntries(t *testing.T) {
	entry := func(value, scheme, meaning string) node {
		return node{tag: 0x00082218, vr: "SQ", items: [][]node{{{tag: 0x00080100, vr: "SH", value: []byte(value)},
			{tag: 0x00080102, vr: "SH", value: []byte(scheme)}, {tag: 0x00080104, vr: "LO", value: []byte(meaning)}}}}
	}
	for _, c := range []struct {
		value, scheme, meaning string
		wantValue, wantMeaning string
	}{
		{"T-A0100", "SRT", "Brain", "T-A0100", "Brain"},
		{"12738006", "SCT", "Brain", "12738006", "Brain"},
		{"113100", "DCM", "Basic", "113100", "Basic"},
		{"KOPF1", "99HOUSE", "Brain of Mr Doe", "KOPF1", "REMOVED"},
		{"Jane Doe", "99HOUSE", "Jane", "", "REMOVED"},
	} {
		_, out := through(t, deidentifier(t, Profile{}), explicitLittle, explicitLittle.file(explicitLittle.ct(entry(c.value, c.scheme, c.meaning))))
		s, _ := find(out, 0x00082218)
		v, _ := find(s.items[0], 0x00080100)
		m, _ := find(s.items[0], 0x00080104)
		if got := strings.TrimSpace(string(v.value)) + "|" + strings.TrimSpace(string(m.value)); got != c.wantValue+"|"+c.wantMeaning {
			t.Errorf("%s %s: got %s, want %s|%s", c.value, c.scheme, got, c.wantValue, c.wantMeaning)
		}
	}
}

// TestPrivate: private attributes go, at any depth; those that are known to be
// safe stay under their creator if the option is on, by their block.
func TestPrivate(t *testing.T) {
	f := explicitLittle
	private := []node{
		{tag: 0x00190010, vr: "LO", value: []byte("SIEMENS MR HEADER")},
		{tag: 0x00190011, vr: "LO", value: []byte("ZZ UNKNOWN")},
		{tag: 0x0019100C, vr: "IS", value: []byte("1000")},
		{tag: 0x0019100D, vr: "CS", value: []byte("zz no code string")},
		{tag: 0x0019100E, vr: "UN", value: bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)},
		{tag: 0x00191027, vr: "LO", value: []byte("ZZ text where a number belongs")},
		{tag: 0x00191055, vr: "UN", value: []byte("4711")}, // of the creator, but not on the list
		{tag: 0x0019110C, vr: "IS", value: []byte("77")},   // another creator's
		{tag: 0x00291010, vr: "OB", value: []byte("ZZ CSA header of Jane Doe")},
		{tag: 0x00291020, vr: "SQ", open: true, items: [][]node{{{tag: 0x00100010, vr: "PN", value: []byte("ZZDOE^JANE")}}}},
		{tag: 0x70531000, vr: "DS", value: []byte("1.5")}, // no creator at all
	}
	all := f.ct(append(slices.Clone(private), node{tag: 0x52009229, vr: "SQ", items: [][]node{private}})...)
	for _, c := range []struct {
		name    string
		profile Profile
		want    string
	}{
		{"off", Profile{}, ""},
		{"on", Profile{RetainSafePrivate: true}, "00190010 0019100C 0019100E"},
		{"on, with a list", Profile{RetainSafePrivate: true, SafePrivate: []PrivateAttribute{{Creator: "ZZ UNKNOWN", Group: 0x19, Element: 0x0C, VR: "IS"}}},
			"00190010 00190011 0019100C 0019100E 0019110C"},
	} {
		_, out := through(t, deidentifier(t, c.profile), f, f.file(all))
		s, _ := find(out, 0x52009229)
		for where, nodes := range map[string][]node{"top": out, "nested": s.items[0]} {
			var got []string
			for _, n := range nodes {
				if n.tag&0x10000 != 0 {
					got = append(got, fmt.Sprintf("%08X", n.tag))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, %s: got %v, want %s", c.name, where, got, c.want)
			}
		}
	}
}

// TestReport: a structured report, whose content the Basic Profile makes a dummy
// (one item, every value) and the option cleans.
func TestReport(t *testing.T) {
	code := func(tag uint32, value, scheme, meaning string) node {
		return node{tag: tag, vr: "SQ", items: [][]node{{{tag: 0x00080100, vr: "SH", value: []byte(value)}, {tag: 0x00080102, vr: "SH", value: []byte(scheme)},
			{tag: 0x00080104, vr: "LO", value: []byte(meaning)}}}}
	}
	content := node{tag: 0x0040A730, vr: "SQ", open: true, items: [][]node{
		{
			{tag: 0x0040A040, vr: "CS", value: []byte("TEXT")}, code(0x0040A043, "121071", "DCM", "Finding"),
			{tag: 0x0040A160, vr: "UT", value: []byte("ZZDOE has a cough")},
			{tag: 0x0040A730, vr: "SQ", items: [][]node{
				{{tag: 0x0040A040, vr: "CS", value: []byte("PNAME")}, {tag: 0x0040A123, vr: "PN", value: []byte("ZZDOE^JANE")}},
				{{tag: 0x00081199, vr: "SQ", items: [][]node{{{tag: 0x00081155, vr: "UI", value: []byte("1.2.3.77.1")}}}}, {tag: 0x0040A040, vr: "CS", value: []byte("IMAGE")}},
			}},
		},
		{
			{tag: 0x00081140, vr: "SQ", items: [][]node{{{tag: 0x00081155, vr: "UI", value: []byte("1.2.3.77.2")}, code(0x0040A170, "121322", "DCM", "Source")}}},
			{tag: 0x0040A040, vr: "CS", value: []byte("NUM")},
			{tag: 0x0040A300, vr: "SQ", items: [][]node{{{tag: 0x0040A30A, vr: "DS", value: []byte("77.7")}}}},
		},
	}}
	f := explicitLittle
	run := func(p Profile, c Cleaner, content node) node {
		nodes := f.ct(content)
		_, out := through(t, deidentifier(t, p, func(o *Options) { o.Cleaner = c }), f, f.file(nodes))
		n, ok := find(out, 0x0040A730)
		if !ok || leaks(n.items) {
			t.Errorf("%+v: there is no content, or a value came out", p)
		}
		return n
	}
	value := func(items []node, path ...uint32) string {
		for i, tag := range path {
			n, _ := find(items, tag)
			if i == len(path)-1 {
				return strings.TrimSpace(string(n.value))
			}
			if len(n.items) == 0 {
				return "?"
			}
			items = n.items[0]
		}
		return ""
	}
	// D: one item, its kind, and dummies.
	n := run(Profile{}, nil, content)
	if len(n.items) != 1 || value(n.items[0], 0x0040A040) != "TEXT" || value(n.items[0], 0x0040A160) != "REMOVED" || value(n.items[0], 0x0040A043, 0x00080104) != "REMOVED" ||
		value(n.items[0], 0x0040A730, 0x0040A123) != "REMOVED" {
		t.Errorf("the dummy is %v", n.items)
	}
	// What is below a dummy is one too, though the table treats it more mildly elsewhere.
	n = run(Profile{RetainUIDs: true, RetainFullDates: true}, nil, node{tag: 0x0040A730, vr: "SQ", items: content.items[1:]})
	if value(n.items[0], 0x00081140, 0x0040A170, 0x00080104) == "Source" || value(n.items[0], 0x0040A300, 0x0040A30A) != "0" {
		t.Errorf("below a dummy there is %v", n.items)
	}
	// C: every item, codes and numbers as they are, text cleaned, or a dummy without a Cleaner.
	for c, want := range map[Cleaner]string{nil: "REMOVED", stars{}: "**DOE has a cough"} {
		n = run(Profile{CleanStructuredContent: true}, c, content)
		if len(n.items) != 2 || value(n.items[0], 0x0040A160) != want || value(n.items[0], 0x0040A043, 0x00080104) != "Finding" ||
			value(n.items[0], 0x0040A730, 0x0040A123) != "REMOVED" || value(n.items[1], 0x0040A300, 0x0040A30A) != "77.7" {
			t.Errorf("cleaned, the content is %v", n.items)
		}
	}
}

// codeBook gives codes as a vault would.
type codeBook map[string]string

func (c codeBook) Code(id string) (string, error) {
	if s, ok := c[id]; ok {
		return s, nil
	}
	return "", errors.New("ZZ no such patient: " + id)
}

// TestPatientCode: the patient's code stands for id and name; without Codes the
// table's own action does.
func TestPatientCode(t *testing.T) {
	f := explicitLittle
	nodes := f.ct(node{tag: 0x52009229, vr: "SQ", items: [][]node{{{tag: 0x00100010, vr: "PN", value: []byte("ZZOTHER")}, {tag: 0x00100020, vr: "LO", value: []byte("ZZ4712")}}}})
	d := deidentifier(t, Profile{Basis: SafeHarbor}, func(o *Options) { o.Codes = codeBook{"ZZ4711": "c-77af", "ZZ4712": "c-78"} })
	m, out := through(t, d, f, f.file(nodes))
	name, _ := find(out, 0x00100010)
	id, _ := find(out, 0x00100020)
	s, _ := find(out, 0x52009229)
	inner, _ := find(s.items[0], 0x00100020)
	innerName, _ := find(s.items[0], 0x00100010)
	if got := fmt.Sprintf("%s %s %s %q", name.value, id.value, inner.value, innerName.value); got != `c-77af c-77af c-78 ""` || m.Actions[Coded] != 3 {
		t.Errorf("got %s, %v", got, m.Actions)
	}
	d = deidentifier(t, Profile{Basis: SafeHarbor}, func(o *Options) { o.Codes = codeBook{} })
	var w bytes.Buffer
	if _, err := d.File(&w, f.file(nodes)); err == nil || strings.Contains(err.Error(), "ZZ") || w.Len() > 0 {
		t.Errorf("a patient without a code: %v, %d bytes written", err, w.Len())
	}
	_, out = through(t, deidentifier(t, Profile{}), f, f.file(nodes))
	if id, ok := find(out, 0x00100020); !ok || len(id.value) > 0 {
		t.Errorf("without codes the id of a CT is %q, want it empty: type 2", id.value)
	}
}

// TestStudyStaysTogether: the same UID becomes the same in every file and at
// every depth, another in another engagement, and file meta information agrees.
func TestStudyStaysTogether(t *testing.T) {
	f := explicitLittle
	one := f.ct(node{tag: 0x0020000D, vr: "UI", value: []byte("1.2.77")}, node{tag: 0x00080018, vr: "UI", value: []byte("1.2.77.1")})
	two := f.ct(node{tag: 0x0020000D, vr: "UI", value: []byte("1.2.77")}, node{tag: 0x00080018, vr: "UI", value: []byte("1.2.77.2")},
		node{tag: 0x00081140, vr: "SQ", open: true, items: [][]node{{{tag: 0x00081155, vr: "UI", value: []byte("1.2.77.1")}}}},
		node{tag: 0x00200052, vr: "UI", value: []byte("1.2.840.10008.1.4.1.1")})
	seen := map[string]bool{}
	for _, key := range []byte{1, 2} {
		keyed, err := NewKeyedUIDs(bytes.Repeat([]byte{key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range []UIDs{keyed, NewRandomUIDs(&counting{uint64(key) << 40})} {
			d := deidentifier(t, Profile{}, func(o *Options) { o.UIDs = u })
			_, a := through(t, d, f, f.file(one))
			var w bytes.Buffer
			if _, err := d.File(&w, f.file(two)); err != nil {
				t.Fatal(err)
			}
			meta, b := f.open(t, w.Bytes(), nil)
			value := func(nodes []node, tag uint32) string {
				n, _ := find(nodes, tag)
				return strings.TrimRight(string(n.value), "\x00")
			}
			ref, _ := find(b, 0x00081140)
			if value(a, 0x0020000D) != value(b, 0x0020000D) || value(ref.items[0], 0x00081155) != value(a, 0x00080018) || value(meta, 0x00020003) != value(b, 0x00080018) {
				t.Error("UIDs that were the same are not the same")
			}
			if value(b, 0x00200052) != "1.2.840.10008.1.4.1.1" {
				t.Error("a frame of reference that is DICOM's own was replaced")
			}
			for _, u := range []string{value(a, 0x0020000D), value(a, 0x00080018), value(b, 0x00080018)} {
				if !strings.HasPrefix(u, "2.25.") || !isUID(u) {
					t.Errorf("%s is no UID under 2.25", u)
				}
			}
			if study := value(a, 0x0020000D); seen[study] {
				t.Error("two engagements gave a study the same UID")
			} else {
				seen[study] = true
			}
			if bytes.Contains(w.Bytes(), []byte("ZZ")) {
				t.Error("preamble, source or another value came out")
			}
		}
	}
}

// TestOptionsAreWritten: the method codes and what they say of time.
func TestOptionsAreWritten(t *testing.T) {
	for _, c := range []struct {
		profile     Profile
		codes, time string
	}{
		{Profile{}, "113100", "REMOVED"},
		{Profile{RetainFullDates: true, RetainUIDs: true}, "113100 113110 113106", "UNMODIFIED"},
		{Profile{RetainModifiedDates: true, CleanDescriptors: true, CleanGraphics: true, CleanStructuredContent: true}, "113100 113107 113105 113104 113103", "MODIFIED"},
		{Profile{RetainSafePrivate: true, RetainDeviceIdentity: true, RetainInstitutionIdentity: true, RetainPatientCharacteristics: true},
			"113100 113111 113109 113112 113108", "REMOVED"},
	} {
		f := explicitLittle
		_, out := through(t, deidentifier(t, c.profile), f, f.file(f.ct(node{tag: 0x00120062, vr: "CS", value: []byte("NO")})))
		yes, _ := find(out, 0x00120062)
		when, _ := find(out, 0x00280303)
		if got := codes(out); got != c.codes || strings.TrimSpace(string(when.value)) != c.time || strings.TrimSpace(string(yes.value)) != "YES" {
			t.Errorf("got %s %s %s, want %s %s YES", got, when.value, yes.value, c.codes, c.time)
		}
		if !slices.IsSortedFunc(out, func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) }) {
			t.Error("the output is not in order")
		}
	}
}

// TestAges: under Safe Harbor an age over 89 becomes 90.
func TestAges(t *testing.T) {
	for in, want := range map[string]string{"089Y": "089Y", "090Y": "090Y", "104Y": "090Y", "999M": "999M", "012D": "012D", "JANE": "", "90": ""} {
		f := explicitLittle
		_, out := through(t, deidentifier(t, Profile{Basis: SafeHarbor, RetainPatientCharacteristics: true}), f, f.file(f.ct(node{tag: 0x00101010, vr: "AS", value: []byte(in)})))
		if n, _ := find(out, 0x00101010); string(n.value) != want {
			t.Errorf("%s became %q, want %q", in, n.value, want)
		}
	}
}

// TestProfileIsYAML: a profile is read strictly from a file.
func TestProfileIsYAML(t *testing.T) {
	const text = `
basis: expert-determination
retain_safe_private: true
clean_descriptors: true
safe_private:
  - {creator: ACME 1, group: 0x0019, element: 0x0c, vr: DS}
masks:
  - manufacturer: ACME
    model: Sono 3
    rows: 480
    columns: 640
    regions: [{x: 0, y: 0, width: 640, height: 40}]
`
	var p Profile
	if err := yaml.UnmarshalWithOptions([]byte(text), &p, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	d := deidentifier(t, p)
	if !d.on.has(RetainSafePrivate) || !d.on.has(CleanDescriptors) || d.private[privateKey{"ACME 1", 0x19, 0x0C}] != vrDS || p.Masks[0].Regions[0].Height != 40 {
		t.Errorf("got %+v", p)
	}
	if err := yaml.UnmarshalWithOptions([]byte("basis: safe-harbor\nretain_everything: true\n"), &p, yaml.Strict()); err == nil {
		t.Error("an unknown key passed")
	}
}

// TestManyAtOnce: one Deidentifier serves many goroutines, and they agree on UIDs.
func TestManyAtOnce(t *testing.T) {
	d := deidentifier(t, Profile{})
	file := all(explicitLittle)
	digests := make([][32]byte, 8)
	var wg sync.WaitGroup
	for i := range digests {
		wg.Go(func() {
			m, err := d.File(io.Discard, file)
			if err != nil {
				t.Error(err)
			}
			digests[i] = m.Digest
		})
	}
	wg.Wait()
	for _, x := range digests {
		if x != digests[0] {
			t.Error("two goroutines made different files of one")
		}
	}
}

// TestLawfulProfiles: what a legal basis does not allow is refused when the
// profile is loaded.
func TestLawfulProfiles(t *testing.T) {
	keyed, err := NewKeyedUIDs(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	random := NewRandomUIDs(new(counting))
	for _, c := range []struct {
		name    string
		o       Options
		refused string
	}{
		{"nothing", Options{UIDs: random}, "no legal basis"},
		{"an unknown basis", Options{Profile: Profile{Basis: "consent"}, UIDs: random}, "no legal basis"},
		{"Safe Harbor", Options{Profile: Profile{Basis: SafeHarbor}, UIDs: random}, ""},
		{"no UIDs", Options{Profile: Profile{Basis: SafeHarbor}}, "UIDs"},
		{"Safe Harbor with derived UIDs", Options{Profile: Profile{Basis: SafeHarbor}, UIDs: keyed}, "derived"},
		{"Safe Harbor with UIDs", Options{Profile: Profile{Basis: SafeHarbor, RetainUIDs: true}, UIDs: random}, "does not allow"},
		{"Safe Harbor with dates", Options{Profile: Profile{Basis: SafeHarbor, RetainFullDates: true}, UIDs: random}, "does not allow"},
		{"Safe Harbor with shifted dates", Options{Profile: Profile{Basis: SafeHarbor, RetainModifiedDates: true}, UIDs: random, Shifts: fixedShift(1)}, "does not allow"},
		{"Safe Harbor with devices", Options{Profile: Profile{Basis: SafeHarbor, RetainDeviceIdentity: true}, UIDs: random}, "does not allow"},
		{"a limited data set with dates", Options{Profile: Profile{Basis: LimitedDataSet, RetainFullDates: true}, UIDs: keyed}, ""},
		{"a limited data set with devices", Options{Profile: Profile{Basis: LimitedDataSet, RetainDeviceIdentity: true}, UIDs: keyed}, "does not allow"},
		{"both dates", Options{Profile: Profile{Basis: ExpertDetermination, RetainFullDates: true, RetainModifiedDates: true}, UIDs: keyed, Shifts: fixedShift(1)}, "both"},
		{"no shifts", Options{Profile: Profile{Basis: ExpertDetermination, RetainModifiedDates: true}, UIDs: keyed}, "shift"},
		{"private text", Options{Profile: Profile{Basis: ExpertDetermination, RetainSafePrivate: true, SafePrivate: []PrivateAttribute{{"X", 0x19, 1, "LO"}}}, UIDs: keyed}, "may hold anything"},
		{"private, but off", Options{Profile: Profile{Basis: ExpertDetermination, SafePrivate: []PrivateAttribute{{"X", 0x19, 1, "DS"}}}, UIDs: keyed}, "is off"},
		{"a mask for everything", Options{Profile: Profile{Basis: ExpertDetermination, Masks: []Mask{{Clean: true}}}, UIDs: keyed}, "no device"},
		{"a mask of nothing", Options{Profile: Profile{Basis: ExpertDetermination, Masks: []Mask{{Model: "X"}}}, UIDs: keyed}, "regions or clean"},
		{"a mask outside", Options{Profile: Profile{Basis: ExpertDetermination, Masks: []Mask{{Model: "X", Rows: 10, Columns: 10, Regions: []Rectangle{{5, 5, 6, 1}}}}}, UIDs: keyed}, "does not lie"},
	} {
		_, err := New(c.o)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.refused)
		}
	}
}

// TestCleaner: text in three character sets goes to the Cleaner as UTF-8 and
// comes back as it was written; text in others, and text that the Cleaner would
// write in letters that the file cannot hold, is treated by the Basic Profile.
func TestCleaner(t *testing.T) {
	for _, c := range []struct {
		set, in, want string
	}{
		{"", "CT ZZDOE", "CT **DOE"},
		{"ISO_IR 100", "M\xfcller ZZ", "M\xfcller **"},
		{"ISO_IR 192", "Müller ZZ", "Müller **"},
		{"ISO_IR 192", "M\xfcller ZZ", ""},
		{"ISO_IR 144", "\xb8\xd2 ZZ", ""},
		{"ISO_IR 144", "CT ZZDOE", "CT **DOE"},
		{`\ISO 2022 IR 87`, "CT \x1b$B;3ED\x1b(B ZZ", ""},
		{"", "M\xfcller ZZ", ""},
	} {
		f := explicitLittle
		d := deidentifier(t, Profile{CleanDescriptors: true}, func(o *Options) { o.Cleaner = stars{} })
		_, out := through(t, d, f, f.file(f.ct(node{tag: 0x00080005, vr: "CS", value: []byte(c.set)}, node{tag: 0x00081030, vr: "LO", value: []byte(c.in)})))
		if n, _ := find(out, 0x00081030); strings.TrimRight(string(n.value), " ") != c.want {
			t.Errorf("%q: %q became %q, want %q", c.set, c.in, n.value, c.want)
		}
	}
	// Of what the table does not name, prose is cleaned and short text goes.
	f := explicitLittle
	d := deidentifier(t, Profile{CleanDescriptors: true}, func(o *Options) { o.Cleaner = stars{} })
	_, out := through(t, d, f, f.file(f.ct(node{tag: 0x0018003A, vr: "ST", value: []byte("seen by ZZDOE")}, node{tag: 0x00181003, vr: "LO", value: []byte("SN 4711")},
		node{tag: 0x00620005, vr: "LO", value: []byte("liver of ZZDOE")})))
	prose, _ := find(out, 0x0018003A)
	label, _ := find(out, 0x00620005)
	if _, id := find(out, 0x00181003); id || strings.TrimSpace(string(prose.value)) != "seen by **DOE" || strings.TrimSpace(string(label.value)) != "liver of **DOE" {
		t.Errorf("got %q, %q, an id: %v", prose.value, label.value, id)
	}
	failing := deidentifier(t, Profile{CleanDescriptors: true}, func(o *Options) { o.Cleaner = fails{} })
	var w bytes.Buffer
	_, err := failing.File(&w, explicitLittle.file(explicitLittle.ct(node{tag: 0x00081030, vr: "LO", value: []byte("ZZ")})))
	if err == nil || strings.Contains(err.Error(), "ZZ") || w.Len() > 0 {
		t.Errorf("a Cleaner that fails: %v, %d bytes written", err, w.Len())
	}
}

type fails struct{}

func (fails) Clean(_, text []byte) ([]byte, error) {
	return nil, errors.New("no model for " + string(text))
}
