package msconfig

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pattern is a .NET regular expression run by Go's engine. The two agree on what
// is let through here; the rest (look-around, back references, the odd corners of
// character classes) is refused when the configuration is read.
type pattern struct {
	re *regexp.Regexp
	// asciiOnly: \b knows only ASCII letters in Go, all letters in .NET.
	asciiOnly bool
	by        []part // the replacement
}

// part is a piece of a replacement: a text, or a group of the match.
type part struct {
	text  string
	group int // -1: text
}

var (
	errNotASCII = errors.New("a pattern with \\b cannot be applied to letters beyond ASCII")
	errPattern  = errors.New("the pattern uses what is not supported")
)

// preparePattern reads the arguments of matches and replaceMatches.
func preparePattern(c *call) error {
	if err := literalText(c); err != nil {
		return err
	}
	p := &pattern{}
	src, err := p.translate(c.args[0].(literal).v.s)
	if err != nil {
		return err
	}
	if p.re, err = regexp.Compile(src); err != nil {
		return errPattern
	}
	c.re = p
	if len(c.args) < 2 {
		return nil
	}
	if p.re.MatchString("") {
		return fmt.Errorf("%w: it matches where there is nothing", errPattern)
	}
	return p.replacement(c.args[1].(literal).v.s)
}

// escapes are .NET's classes as Go writes them: outside and inside of [ ].
var escapes = map[byte][2]string{
	'd': {`\p{Nd}`, `\p{Nd}`},
	'D': {`\P{Nd}`, `\P{Nd}`},
	'w': {`[\p{L}\p{Mn}\p{Nd}\p{Pc}]`, `\p{L}\p{Mn}\p{Nd}\p{Pc}`},
	'W': {`[^\p{L}\p{Mn}\p{Nd}\p{Pc}]`, ""},
	's': {`[\f\n\r\t\v\x{85}\p{Z}]`, `\f\n\r\t\v\x{85}\p{Z}`},
	'S': {`[^\f\n\r\t\v\x{85}\p{Z}]`, ""},
	'b': {`\b`, ""}, 'B': {`\B`, ""}, 'A': {`\A`, ""}, 'z': {`\z`, ""},
	'f': {`\f`, `\f`}, 'n': {`\n`, `\n`}, 'r': {`\r`, `\r`}, 't': {`\t`, `\t`}, 'v': {`\v`, `\v`},
}

// translate makes the classes mean what they mean in .NET, which is Unicode.
func (p *pattern) translate(src string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '\\':
			if i++; i == len(src) {
				return "", errPattern
			}
			out, known := escapes[src[i]]
			s := out[0]
			if class {
				s = out[1]
			}
			if !known && !isWord(src[i]) && src[i] < 0x80 {
				s = src[i-1 : i+1] // a sign that stands for itself
			}
			if s == "" {
				return "", errPattern
			}
			p.asciiOnly = p.asciiOnly || src[i] == 'b' || src[i] == 'B'
			b.WriteString(s)
			continue
		case class && c == '[':
			return "", errPattern // subtraction and POSIX classes differ
		case c == '[':
			class = true
			if strings.HasPrefix(src[i:], "[]") || strings.HasPrefix(src[i:], "[^]") {
				return "", errPattern
			}
		case c == ']':
			class = false
		case c == '(' && !class && strings.HasPrefix(src[i:], "(?"):
			rest := src[i+2:]
			named := len(rest) > 1 && rest[0] == '<' && isLetter(rest[1])
			if !named && !strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "i)") {
				return "", errPattern
			}
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// replacement reads $1, ${1}, ${name}, $& and $$. What names no group is text.
func (p *pattern) replacement(s string) error {
	// .NET numbers the groups without a name first, then those with one.
	numbers := []int{0}
	for _, named := range []bool{false, true} {
		for i, name := range p.re.SubexpNames() {
			if i > 0 && (name != "") == named {
				numbers = append(numbers, i)
			}
		}
	}
	group := func(name string) int {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(numbers) {
			return numbers[n]
		}
		return p.re.SubexpIndex(name)
	}
	add := func(text string) {
		if n := len(p.by); n > 0 && p.by[n-1].group < 0 {
			p.by[n-1].text += text
			return
		}
		p.by = append(p.by, part{text: text, group: -1})
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			add(s[i : i+1])
			continue
		}
		next, g, length := s[i+1], -1, 0
		switch {
		case next == '$':
			add("$")
			i++
			continue
		case next == '&':
			g, length = 0, 2
		case next == '{':
			if n := strings.IndexByte(s[i:], '}'); n > 2 {
				g, length = group(s[i+2:i+n]), n+1
			}
		case isDigit(next):
			n := i + 1
			for n < len(s) && isDigit(s[n]) {
				n++
			}
			g, length = group(s[i+1:n]), n-i
		case next == '`' || next == '\'' || next == '+' || next == '_':
			return fmt.Errorf("%w: $%c in the replacement", errPattern, next)
		}
		if g < 0 {
			add("$")
			continue
		}
		p.by = append(p.by, part{group: g})
		i += length - 1
	}
	return nil
}

func (p *pattern) matches(s string) (bool, error) {
	if p.asciiOnly && !ascii(s) {
		return false, errNotASCII
	}
	return p.re.MatchString(s), nil
}

func (p *pattern) replace(s string) (string, error) {
	if p.asciiOnly && !ascii(s) {
		return "", errNotASCII
	}
	var b strings.Builder
	end := 0
	for _, m := range p.re.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[end:m[0]])
		for _, part := range p.by {
			switch {
			case part.group < 0:
				b.WriteString(part.text)
			case m[2*part.group] >= 0:
				b.WriteString(s[m[2*part.group]:m[2*part.group+1]])
			}
		}
		end = m[1]
	}
	b.WriteString(s[end:])
	return b.String(), nil
}
