package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
)

// format is a kind of file. The list is closed, and what nothing in it knows is
// left out.
type format struct {
	name       string
	extensions []string // the first is that of the output
	// sniff says whether the first bytes are of it; nil: only the name can tell.
	sniff func(head []byte) bool
	run   func(*worker, *item) (record, error)
}

// headLen is how many first bytes are looked at.
const headLen = 4096

// formats in the order in which they are tried: the surest signs first.
func formats() []format {
	return []format{
		{"dicom", []string{".dcm", ".dicom"}, func(h []byte) bool { return len(h) > 132 && string(h[128:132]) == "DICM" }, (*worker).dicom},
		{"parquet", []string{".parquet"}, func(h []byte) bool { return bytes.HasPrefix(h, []byte("PAR1")) }, (*worker).parquet},
		{"hl7v2", []string{".hl7", ".hl7v2", ".mllp"}, isHL7, (*worker).hl7v2},
		{"x12", []string{".x12", ".edi", ".837", ".835"}, func(h []byte) bool { return len(h) > 105 && bytes.HasPrefix(h, []byte("ISA")) && h[3] == h[6] }, (*worker).x12},
		{"cda", []string{".xml", ".cda", ".ccda"}, func(h []byte) bool {
			return bytes.HasPrefix(trimmed(h), []byte("<")) && bytes.Contains(h, []byte("ClinicalDocument"))
		}, (*worker).cda},
		{"ncpdp", []string{".ncpdp", ".d0"}, isNCPDP, (*worker).ncpdp},
		{"ndjson", []string{".ndjson", ".jsonl"}, isLines, (*worker).ndjson},
		{"fhir", []string{".json", ".fhir"}, func(h []byte) bool { return bytes.HasPrefix(trimmed(h), []byte("{")) }, (*worker).json},
		{"csv", []string{".csv", ".tsv"}, nil, (*worker).csv},
		{"text", []string{".txt", ".text"}, nil, (*worker).text},
	}
}

func trimmed(h []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(h, []byte("\ufeff")), " \t\r\n")
}

func isHL7(h []byte) bool {
	h = bytes.TrimLeft(h, "\x0b\r\n")
	return len(h) > 8 && slices.Contains([]string{"MSH", "FHS", "BHS"}, string(h[:3])) && !alphanumeric(h[3])
}

// isNCPDP knows the header: a BIN of six digits, and the version.
func isNCPDP(h []byte) bool {
	if len(h) < 20 || !slices.Contains([]string{"51", "D0"}, string(h[6:8])) {
		return false
	}
	return !slices.ContainsFunc(h[:6], func(b byte) bool { return b < '0' || b > '9' }) && bytes.ContainsAny(h, "\x1c\x1d\x1e")
}

// isLines: an object a line. A single line may be either; its name tells.
func isLines(h []byte) bool {
	line, rest, whole := bytes.Cut(trimmed(h), []byte("\n"))
	return whole && json.Valid(line) && bytes.HasPrefix(trimmed(rest), []byte("{"))
}

func alphanumeric(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// formatOf tells a file's format by its first bytes, and by its name where they
// say nothing or agree with several.
func formatOf(name string, head []byte) (format, bool) {
	ext := strings.ToLower(filepath.Ext(name))
	all := formats()
	json := bytes.HasPrefix(trimmed(head), []byte("{"))
	for _, f := range all {
		named := slices.Contains(f.extensions, ext)
		switch {
		case f.sniff == nil && named, f.sniff != nil && !json && f.sniff(head):
			return f, true
		case json && named && (f.name == "ndjson" || f.name == "fhir"):
			return f, true
		}
	}
	if json {
		for _, f := range all {
			if f.sniff != nil && f.sniff(head) {
				return f, true
			}
		}
	}
	return format{}, false
}

func formatNamed(name string) (format, bool) {
	for _, f := range formats() {
		if f.name == name {
			return f, true
		}
	}
	return format{}, false
}
