package forecast

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MediaType is that of a calendar.
const MediaType = "text/calendar; charset=utf-8"

// Calendar writes the dates as an iCalendar object (RFC 5545), which calendar programs
// subscribe to. host ends each event's UID, so that the same date is the same event
// whenever the feed is read; at is when it was made. It holds ids and the product's own
// words, never a person's.
//
// It is written here because what reads and writes the whole of iCalendar in Go brings
// net/http along, and this package knows no network.
func Calendar(stops []Stop, host string, at time.Time) []byte {
	var b strings.Builder
	line := func(name, value string) { fold(&b, name+":"+value) }
	line("BEGIN", "VCALENDAR")
	line("VERSION", "2.0")
	line("PRODID", "-//Sallyport//forecast//EN")
	line("CALSCALE", "GREGORIAN")
	line("X-WR-CALNAME", "Sallyport: what stops if nobody acts")
	line("REFRESH-INTERVAL;VALUE=DURATION", "PT1H")
	for _, s := range stops {
		line("BEGIN", "VEVENT")
		line("UID", s.UID()+"@"+text(host))
		line("DTSTAMP", stamp(at))
		line("DTSTART", stamp(s.At))
		line("SUMMARY", text(s.Title()))
		line("DESCRIPTION", text(s.Text()))
		line("CATEGORIES", text(string(s.Kind)))
		line("TRANSP", "TRANSPARENT")
		line("END", "VEVENT")
	}
	line("END", "VCALENDAR")
	return []byte(b.String())
}

// UID names the date: the same for as long as its cause and its time are.
func (s Stop) UID() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(s.Kind), s.Gate, s.Code, string(s.Subject.Noun), s.Subject.ID, s.At.UTC().Format(time.RFC3339)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Title is the date in a line.
func (s Stop) Title() string {
	subject := string(s.Subject.Noun) + " " + s.Subject.ID
	if s.Kind != Stops {
		return "Due: " + strings.ReplaceAll(string(s.Kind), "-", " ") + ", " + subject
	}
	grants := "1 grant"
	if n := len(s.Grants); n != 1 {
		grants = fmt.Sprintf("%d grants", n)
	}
	return "Data stops: " + s.Gate + ", " + subject + " (" + grants + ")"
}

// maxNamed is how many grants a text names.
const maxNamed = 20

// Text says what happens, what to do, and on what ground.
func (s Stop) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\nNext (%s): %s.\n", s.Message, s.Who, s.Next)
	if len(s.Grants) > 0 {
		var names []string
		for _, g := range s.Grants[:min(len(s.Grants), maxNamed)] {
			names = append(names, string(g))
		}
		more := ""
		if n := len(s.Grants) - len(names); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		fmt.Fprintf(&b, "Grants: %s%s.\n", strings.Join(names, ", "), more)
	}
	fmt.Fprintf(&b, "%s (%s)", s.Citation.Text, s.Citation.Verified)
	return b.String()
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

var escaped = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", "")

// text escapes a TEXT value (RFC 5545, section 3.3.11).
func text(s string) string { return escaped.Replace(s) }

// fold writes a content line of at most 75 octets, and what is over on lines that begin
// with a space (section 3.1). A letter of several octets is not cut.
func fold(b *strings.Builder, s string) {
	limit := 75
	for len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		b.WriteString(s[:cut] + "\r\n ")
		s, limit = s[cut:], 74
	}
	b.WriteString(s + "\r\n")
}
