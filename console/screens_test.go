package console_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// update asks for the pictures in docs/screens to be made anew:
//
//	go test ./console -run '^TestScreens$' -update
//
// It needs Chromium.
var update = flag.Bool("update", false, "make the pictures of docs/screens anew")

const screensDir = "../docs/screens"

// alsoDark and alsoPhone are the screens that are shown in the dark, too, and as on a
// telephone.
var (
	alsoDark  = []string{"today-grace", "vendors-id", "decisions", "flow", "firm-access"}
	alsoPhone = []string{"today-grace", "requests-id", "firm-home", "emergencies-id", "vendors"}
)

// TestScreens wants a picture of every screen in docs/screens, and with -update makes
// them: of the living organisation, at one size, without movement.
func TestScreens(t *testing.T) {
	names := map[string]shown{}
	var order []string
	for _, p := range screensIn(t) {
		if name := screenName(p); name != "" {
			if _, ok := names[name]; !ok {
				names[name] = p
				order = append(order, name)
			}
		}
	}
	slices.Sort(order)
	if !*update {
		for _, name := range order {
			if _, err := os.Stat(filepath.Join(screensDir, name+".png")); err != nil {
				t.Errorf("there is no picture of %s: go test ./console -run '^TestScreens$' -update", name)
			}
		}
		return
	}
	old, err := filepath.Glob(filepath.Join(screensDir, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(screensDir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := visit(t)
	var index strings.Builder
	index.WriteString("# Every screen of the console\n\nPictures of the organisation that `sallyport demo` opens on, made by the product itself. To make them anew:\n\n" +
		"```sh\ngo test ./console -run '^TestScreens$' -update\n```\n")
	total := 0
	shoot := func(name, file string, width int64, theme string) {
		raw := smaller(t, b.Shot(width, theme))
		total += len(raw)
		if err := os.WriteFile(filepath.Join(screensDir, file+".png"), raw, 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "\n![%s](%s.png)\n", file, file)
	}
	for _, name := range order {
		p := names[name]
		b.Width(1280)
		b.show(p)
		who := "the organisation's"
		if strings.Contains(p.path, "/console/my") {
			who = "a vendor's"
		}
		fmt.Fprintf(&index, "\n## %s\n\nAs %s, one of %s people, is shown it.\n", titleOf(p.body), b.o.People[p.who].Name, who)
		shoot(name, name, 1280, "light")
		if slices.Contains(alsoDark, name) {
			shoot(name, name+"-dark", 1280, "dark")
		}
		if slices.Contains(alsoPhone, name) {
			shoot(name, name+"-phone", 390, "light")
		}
	}
	if err := os.WriteFile(filepath.Join(screensDir, "README.md"), []byte(index.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d screens, %d kB of pictures", len(order), total/1000)
	if total > 6_000_000 {
		t.Errorf("the pictures have %d bytes, want 6 MB or less", total)
	}
}

// screenName is the file's name for a page: its template's, and who looks where the
// first page differs by that; empty: it is none of the console's.
func screenName(p shown) string {
	path, ok := strings.CutPrefix(p.pattern, "GET /console")
	if !ok {
		return ""
	}
	if path == "" {
		return "today-" + string(p.who)
	}
	return strings.Trim(strings.NewReplacer("/my/", "firm-", "/my", "firm-home", "{", "", "}", "", "/", "-").Replace(path), "-")
}

func titleOf(body string) string {
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return ""
	}
	for n := range doc.Descendants() {
		if n.Data == "title" && n.FirstChild != nil {
			title, _, _ := strings.Cut(n.FirstChild.Data, " · ")
			return title
		}
	}
	return ""
}

// tallest is how much of a long page a picture shows, in pixels.
const tallest = 1280

// smaller is a picture with at most 64 colours and of bounded height: the most frequent
// colours are kept as they are, and others go to the nearest.
func smaller(t *testing.T, raw []byte) []byte {
	t.Helper()
	src, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	box := src.Bounds()
	box.Max.Y = min(box.Max.Y, box.Min.Y+tallest)
	count := map[color.RGBA]int{}
	flat := image.NewRGBA(box)
	draw.Draw(flat, box, src, box.Min, draw.Src)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			count[flat.RGBAAt(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		if n := count[b] - count[a]; n != 0 {
			return n
		}
		return int(a.R)<<16 + int(a.G)<<8 + int(a.B) - int(b.R)<<16 - int(b.G)<<8 - int(b.B)
	})
	kept := color.Palette{}
	for _, c := range colours[:min(len(colours), 64)] {
		kept = append(kept, c)
	}
	if len(kept) == 0 {
		kept = palette.WebSafe
	}
	nearest := map[color.RGBA]uint8{}
	for c := range count {
		nearest[c] = uint8(kept.Index(c))
	}
	out := image.NewPaletted(box, kept)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			out.SetColorIndex(x, y, nearest[flat.RGBAAt(x, y)])
		}
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
