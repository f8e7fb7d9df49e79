package browser

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Theme is what the person prefers: "light" or "dark". Animations are off.
func (b *Browser) Theme(scheme string) {
	b.t.Helper()
	b.Medium("", "prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce")
}

// Zoom shows pages as a window of 1280 pixels does at so many hundredths: text and all
// get larger, and the room less.
func (b *Browser) Zoom(percent int64) {
	b.t.Helper()
	b.do("zooming", chromedp.EmulateViewport(1280*100/percent, 1024*100/percent, chromedp.EmulateScale(float64(percent)/100)))
}

// JavaScript lets pages run their scripts, or not.
func (b *Browser) JavaScript(on bool) {
	b.t.Helper()
	call(b, "switching scripts", emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// Overflow is how many pixels the page is wider than its window: it scrolls sideways.
// With what stands out farthest.
func (b *Browser) Overflow() (pixels int, what string) {
	b.t.Helper()
	var out struct {
		Over int
		What string
	}
	b.decode(`(() => {
	const wide = document.documentElement.clientWidth, over = document.scrollingElement.scrollWidth - wide;
	if (over <= 0) return JSON.stringify({over: 0, what: ""});
	let worst = null, right = wide;
	const scrolls = e => e && e !== document.body && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
	for (const e of document.body.querySelectorAll("*")) {
		if (scrolls(e.parentElement)) continue; // it moves in a box of its own
		const r = e.getBoundingClientRect();
		if (r.right > right + 0.5) { right = r.right; worst = e; }
	}
	return JSON.stringify({over, what: worst ? worst.outerHTML.slice(0, 160) : ""});
})()`, &out)
	return out.Over, out.What
}

func (b *Browser) decode(script string, into any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.Value(script)), into); err != nil {
		b.t.Fatalf("a script's answer: %v", err)
	}
}

// Traffic is what pages asked for.
type Traffic struct {
	mu    sync.Mutex
	hosts map[string]bool
	kinds map[network.RequestID]network.ResourceType
	bytes map[network.ResourceType]float64
}

// Watch counts what pages ask for from now on.
func (b *Browser) Watch() *Traffic {
	b.t.Helper()
	t := &Traffic{hosts: map[string]bool{}, kinds: map[network.RequestID]network.ResourceType{}, bytes: map[network.ResourceType]float64{}}
	call(b, "watching the network", network.Enable, network.EnableParams{})
	if err := chromedp.Listen(b.ctx, func(ev any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(ev.Request.URL); err == nil && u.Host != "" {
				t.hosts[u.Host] = true
			}
			t.kinds[ev.RequestID] = ev.Type
		case *network.EventLoadingFinished:
			t.bytes[t.kinds[ev.RequestID]] += ev.EncodedDataLength
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	return t
}

// Hosts are those that were asked, sorted.
func (t *Traffic) Hosts() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for h := range t.hosts {
		out = append(out, h)
	}
	slices.Sort(out)
	return out
}

// Weight is what came over the wire, in bytes, by what it was: "Document", "Script",
// "Stylesheet", "Image" ...
func (t *Traffic) Weight() map[network.ResourceType]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[network.ResourceType]int{}
	for kind, n := range t.bytes {
		out[kind] = int(n)
	}
	return out
}

// Stop is what the Tab key leads to.
type Stop struct {
	Tag, Name string
	HTML      string
	Visible   bool // it is within the window, and looks different with the focus
	Width     float64
	Height    float64
}

// focus tells what has the focus, and whether one sees that: an outline or a shadow, on
// it or on the label of a hidden field.
const focus = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return JSON.stringify({tag: ""});
	const r = e.getBoundingClientRect(), s = getComputedStyle(e);
	const outlined = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1, shadowed = s.boxShadow !== "none";
	const inside = r.width > 0 && r.height > 0 && r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth;
	return JSON.stringify({tag: e.tagName.toLowerCase(), name: (e.getAttribute("aria-label") || e.innerText || e.name || "").trim().slice(0, 80),
		html: e.outerHTML.slice(0, 160), visible: inside && (outlined || shadowed), width: r.width, height: r.height});
})()`

// Walk presses Tab until the focus has left the page, at most so often, and tells where
// it was.
func (b *Browser) Walk(most int) []Stop {
	b.t.Helper()
	b.Value(`document.activeElement && document.activeElement.blur(), ""`)
	var out []Stop
	for range most {
		b.Key("\t")
		var s Stop
		b.decode(focus, &s)
		if s.Tag == "" {
			break
		}
		if len(out) > 0 && out[0].HTML == s.HTML && out[0].Name == s.Name {
			break // around
		}
		if last := len(out) - 1; last >= 0 && out[last].HTML == s.HTML && out[last].Name == s.Name {
			out[last].Visible = out[last].Visible || s.Visible // a date has a stop for day, month, year and its calendar
			continue
		}
		out = append(out, s)
	}
	return out
}

// Shot is a picture of the whole page as PNG, at a width and in a theme, without caret
// and movement.
func (b *Browser) Shot(width int64, theme string) []byte {
	b.t.Helper()
	b.Theme(theme)
	b.do("choosing a width", chromedp.EmulateViewport(width, 800))
	b.Value(`document.activeElement && document.activeElement.blur(), scrollTo(0, 0), document.fonts.ready.then(() => "")`)
	return run(b, "taking a picture", chromedp.FullScreenshot(100))
}

// Drop forgets all cookies, and with them who is signed in.
func (b *Browser) Drop() {
	b.t.Helper()
	call(b, "forgetting cookies", network.ClearBrowserCookies, cdp.Empty{})
}

// HostOf is the host of an address, with its port.
func HostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// PDF is the page as it is printed, on A4 and without backgrounds, as browsers print
// unless they are told otherwise.
func (b *Browser) PDF() []byte {
	b.t.Helper()
	byStyle := true
	return call(b, "printing", page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &byStyle, PaperWidth: 8.27, PaperHeight: 11.69}).Data
}

// Medium shows the page as on paper ("print"), or as on a screen again (""), and with
// what the person prefers: pairs of a media feature and its value.
func (b *Browser) Medium(name string, features ...string) {
	b.t.Helper()
	p := emulation.SetEmulatedMediaParams{Media: name}
	for i := 0; i+1 < len(features); i += 2 {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	call(b, "choosing a medium", emulation.SetEmulatedMedia, p)
}
