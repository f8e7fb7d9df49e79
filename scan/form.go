package scan

import (
	"bytes"
	"path"
	"strings"
)

// form is how a file is read.
type form uint8

const (
	formText form = iota // notes, logs, prompts, Markdown, HL7 v2, XML
	formCode             // programs and configuration
	formCSV
	formTSV
	formJSON // also NDJSON and FHIR
	formNotebook
	formDICOM
	formGzip
	formBinary
)

// codeNames are the ends of names of programs and what is written like them.
var codeNames = map[string]bool{
	"go": true, "py": true, "js": true, "mjs": true, "cjs": true, "ts": true, "tsx": true, "jsx": true, "java": true, "kt": true, "scala": true, "c": true, "h": true,
	"cc": true, "cpp": true, "hpp": true, "cs": true, "rb": true, "php": true, "rs": true, "swift": true, "m": true, "r": true, "jl": true, "pl": true, "pm": true,
	"lua": true, "sh": true, "bash": true, "zsh": true, "ps1": true, "sql": true, "html": true, "htm": true, "css": true, "scss": true, "vue": true, "svelte": true,
	"templ": true, "tmpl": true, "proto": true, "tf": true, "hcl": true, "yaml": true, "yml": true, "toml": true, "ini": true, "cfg": true, "conf": true, "env": true,
	"gradle": true, "groovy": true, "ex": true, "exs": true, "erl": true, "hs": true, "clj": true, "dart": true, "s": true, "asm": true, "vb": true, "sas": true, "do": true,
	"cedar": true, "rego": true, "graphql": true, "cmake": true, "mk": true, "dockerfile": true, "makefile": true, "mod": true, "work": true, "awk": true, "el": true, "bat": true,
}

// generated files hold hashes and other people's addresses by design. They are
// not read, and the report counts them.
var generated = map[string]bool{
	"go.sum": true, "go.work.sum": true, "package-lock.json": true, "npm-shrinkwrap.json": true, "yarn.lock": true, "pnpm-lock.yaml": true, "cargo.lock": true,
	"poetry.lock": true, "pipfile.lock": true, "uv.lock": true, "composer.lock": true, "gemfile.lock": true, "flake.lock": true, "mix.lock": true, "podfile.lock": true, "bun.lock": true,
}

func isGenerated(name string) bool {
	base := strings.ToLower(path.Base(name))
	return generated[base] || strings.HasSuffix(base, ".min.js") || strings.HasSuffix(base, ".min.css") || strings.HasSuffix(base, ".js.map")
}

// attribution files name authors, with their addresses, on purpose.
func isAttribution(name string) bool {
	base := strings.ToUpper(path.Base(name))
	for _, s := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS", "CONTRIBUTORS", "MAINTAINERS", "CODEOWNERS", "PATENTS", "THIRD_PARTY", "THIRD-PARTY", "CITATION"} {
		if strings.HasPrefix(base, s) {
			return true
		}
	}
	return false
}

// binaryMagic starts files that are not text but may have no zero byte early.
var binaryMagic = []string{"%PDF-", "\x89PNG", "\xff\xd8\xff", "GIF8", "PK\x03\x04", "\x7fELF", "SQLite format 3\x00", "PAR1", "\x28\xb5\x2f\xfd", "BZh", "\xfd7zXZ", "7z\xbc\xaf", "OggS", "wOFF", "wOF2"}

// formOf decides by the name and the first bytes of the file.
func formOf(name string, head []byte) form {
	switch {
	case isDICOM(head):
		return formDICOM
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return formGzip
	}
	for _, m := range binaryMagic {
		if bytes.HasPrefix(head, []byte(m)) {
			return formBinary
		}
	}
	if bytes.IndexByte(head[:min(len(head), 8000)], 0) >= 0 && utf16Order(head) == 0 {
		return formBinary
	}
	base := strings.ToLower(path.Base(name))
	ext := strings.TrimPrefix(path.Ext(base), ".")
	if ext == "" {
		ext = base
	}
	switch ext {
	case "ipynb":
		return formNotebook
	case "csv":
		return formCSV
	case "tsv", "tab":
		return formTSV
	case "json", "ndjson", "jsonl", "geojson", "har", "webmanifest":
		return formJSON
	}
	if codeNames[ext] {
		return formCode
	}
	if first := bytes.TrimLeft(head, " \t\r\n\xef\xbb\xbf"); len(first) > 1 && (first[0] == '{' && (first[1] == '"' || first[1] == '\n' || first[1] == ' ' || first[1] == '\r') || first[0] == '[' && (first[1] == '{' || first[1] == '\n')) {
		return formJSON // where it is none after all, it is read as text
	}
	if bytes.HasPrefix(head, []byte("#!")) {
		return formCode
	}
	return formText
}

// utf16Order is 'l' or 'b' where a byte order mark says UTF-16, else 0.
func utf16Order(head []byte) byte {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return 'l'
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return 'b'
	}
	return 0
}

// commaOf tells the mark between the fields of a first line.
func commaOf(head []byte) byte {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	best, most := byte(','), bytes.Count(line, []byte(","))
	for _, c := range []byte(";\t|") {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}
