package dicom

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

// samples are the files of pydicom's test suite, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	dir := need.DataFile(t, "dicom-pydicom")
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return err
			}
			if b, err = io.ReadAll(z); err != nil {
				return err
			}
		}
		name, err := filepath.Rel(dir, path)
		files[name] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// looked is a profile whose owner has looked at the images of every kind of
// device in the samples.
func looked(p Profile) Profile {
	for _, class := range []string{"2", "3.1", "4", "6.1", "7", "7.2", "7.4", "77.1.4", "77.1.2"} {
		p.Masks = append(p.Masks, Mask{SOPClass: "1.2.840.10008.5.1.4.1.1." + class, Clean: true})
	}
	return p
}

// refused are the samples that must not pass, and why.
var refused = map[string]string{
	"GDCMJ2K_TextGBR.dcm":      "JP2",
	"ExplVR_BigEndNoMeta.dcm":  "preamble",
	"ExplVR_LitEndNoMeta.dcm":  "preamble",
	"MR_truncated.dcm":         "longer than what holds it",
	"SC_rgb_jpeg.dcm":          "value representation", // implicit, though it says JPEG
	"UN_sequence.dcm":          "SOP Class",
	"badVR.dcm":                "no size",
	"empty_charset_LEI.dcm":    "SOP Class",
	"meta_missing_tsyntax.dcm": "no transfer syntax",
	"nested_priv_SQ.dcm":       "SOP Class",
	"no_meta.dcm":              "preamble",
	"no_meta_group_length.dcm": "SOP Class",
	"priv_SQ.dcm":              "SOP Class",
	"rtplan_truncated.dcm":     "longer than what holds it",
	"rtstruct.dcm":             "preamble",
}

// TestSamples: every sample comes out, or is refused for a reason that is
// known; dcmdump and gdcmdump read what comes out; no name, id or original UID
// of a sample is in it.
func TestSamples(t *testing.T) {
	files := samples(t)
	dump, gdcm := need.Tool(t, "dcmdump"), need.Tool(t, "gdcmdump")
	d, err := New(Options{Profile: looked(Profile{Basis: SafeHarbor}), UIDs: NewRandomUIDs(new(counting))})
	if err != nil {
		t.Fatal(err)
	}
	ins, outs := t.TempDir(), t.TempDir()
	passed := map[string][]byte{} // by the name that it has in outs
	for name, b := range files {
		var out bytes.Buffer
		m, err := d.File(&out, b)
		if err != nil {
			if out.Len() > 0 {
				t.Errorf("%s: %d bytes were written before an error", name, out.Len())
			}
			want := refused[name]
			switch {
			case want == "" && strings.Contains(name, "DICOMDIR"):
				want = "DICOMDIR"
			case want == "" && !bytes.HasPrefix(b[min(128, len(b)):], []byte("DICM")): // a README
				want = "preamble"
			}
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want a refusal for %q", name, err, want)
			}
			continue
		}
		if refused[name] != "" {
			t.Errorf("%s passed, and should not", name)
		}
		if m.Bytes != int64(out.Len()) || m.SOPClass == "" || m.Elements == 0 {
			t.Errorf("%s: the manifest says %+v", name, m)
		}
		samePixels(t, name, b, out.Bytes(), m)
		name = strings.NewReplacer("/", "_", " ", "_").Replace(name)
		passed[name] = out.Bytes()
		for file, b := range map[string][]byte{filepath.Join(outs, name): out.Bytes(), filepath.Join(ins, name): b} {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(passed) < 140 {
		t.Errorf("only %d samples passed", len(passed))
	}
	t.Logf("%d of %d passed", len(passed), len(files))

	said, err := exec.Command(dump, "-q", "+sd", outs).CombinedOutput()
	if err != nil || bytes.Contains(said, []byte("E: ")) || bytes.Contains(said, []byte("W: ")) {
		t.Errorf("dcmdump of the output: %v: %.300s", err, said)
	}
	if n := bytes.Count(said, []byte("DeidentificationMethodCodeSequence")); n != len(passed) {
		t.Errorf("dcmdump shows %d method codes for %d files", n, len(passed))
	}
	if said, err = exec.Command(gdcm, "--recursive", outs).CombinedOutput(); err != nil || bytes.Contains(said, []byte("Failed")) || bytes.Count(said, []byte("(0012,0064)")) != len(passed) {
		t.Errorf("gdcmdump of the output: %v: %.300s", err, said)
	}
	if said, err = exec.Command(dump, "-q", "+F", "-L", "-Un", "+sd", ins).Output(); err != nil {
		t.Fatalf("dcmdump of samples that passed: %v", err)
	}
	seen := 0
	for name, values := range identifying(string(said)) {
		for _, v := range values {
			seen++
			if bytes.Contains(passed[name], v) && string(v) != "TOSHIBA" { // an institution named as the manufacturer, which stays
				t.Errorf("%s: an identifying value of %d bytes came out", name, len(v))
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d identifying values were looked for", seen)
	}
}

// samePixels: without a mask, native pixels are what they were, but for bytes
// behind the last frame, and streams what they were or zero.
func samePixels(t *testing.T, name string, in, out []byte, m Manifest) {
	t.Helper()
	var px [2][]byte
	for i, b := range [][]byte{in, out} {
		enc, at, err := part10(b)
		if err != nil || enc.deflated {
			return
		}
		f := form{enc.uid, enc.syntax.explicit, binary.LittleEndian}
		if enc.syntax.big {
			f.order = binary.BigEndian
		}
		data, _, err := f.decode(b[at:], vrsOf())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n, _ := find(data, 0x7FE00010)
		px[i] = n.value
	}
	blanked := 0
	for i := range px[1] {
		if px[0][i] != px[1][i] {
			blanked++
			if px[1][i] != 0 {
				t.Fatalf("%s: a byte of the pixels changed", name)
			}
		}
	}
	if blanked > m.BlankedBytes && !m.HiddenBits || len(px[1]) < len(px[0])-200 {
		t.Errorf("%s: %d bytes of the pixels were blanked, the manifest says %d; %d of %d bytes", name, blanked, m.BlankedBytes, len(px[1]), len(px[0]))
	}
}

// identifying are the values that dcmdump shows under some tags that identify,
// at any depth, by the file's name.
func identifying(said string) map[string][][]byte {
	tags := []string{"0010,0010", "0010,0020", "0010,0030", "0008,0018", "0020,000d", "0020,000e", "0008,0050", "0008,0090", "0008,0080", "0008,1155", "0008,0020"}
	values, name := map[string][][]byte{}, ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# dcmdump (") {
			name = filepath.Base(line)
		}
		if len(line) < 16 || line[0] != '(' || !slices.Contains(tags, line[1:10]) {
			continue
		}
		from, to := strings.IndexByte(line, '['), strings.LastIndexByte(line, ']')
		if from < 0 || to < from {
			continue
		}
		// Short values, such as an id of "1", are everywhere.
		if v := strings.TrimSpace(line[from+1 : to]); len(v) >= 6 {
			values[name] = append(values[name], []byte(v))
		}
	}
	return values
}

// counting is no randomness: it tells each call from the next.
type counting struct{ n uint64 }

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = byte(c.n >> (8 * (i % 8)))
	}
	return len(b), nil
}
