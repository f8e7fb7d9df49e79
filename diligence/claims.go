package diligence

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Formats are the exports of other questionnaires that can be read.
var Formats = []string{CAIQ, HECVAT}

// The formats. CAIQ is the Cloud Security Alliance's questionnaire, version 4 (ids such
// as "IAM-14.1"); HECVAT that of the higher education community, version 4 ("HIPA-08").
const (
	CAIQ   = "caiq"
	HECVAT = "hecvat"
)

// What an export may hold.
const (
	MaxExport  = 4 << 20 // bytes
	maxRows    = 3000
	maxColumns = 60
	maxCell    = 1500 // bytes of a cell that are kept
)

// RawClaim is one line of an export.
type RawClaim struct {
	ID     string
	Answer string // as it stands there
	Detail string
}

// MappedClaim is what one or more lines claim about a question of ours.
type MappedClaim struct {
	Question string   `json:"question"`
	Value    string   `json:"value"`
	Detail   string   `json:"detail,omitempty"`
	From     []string `json:"from"` // the ids of the lines
}

var (
	caiqID   = regexp.MustCompile(`^[A-Z][A-Z&]{1,3}-\d{2}\.\d{1,2}$`)
	hecvatID = regexp.MustCompile(`^[A-Z]{4}-\d{2}$`)
)

// ReadExport reads a CSV or JSON export, whichever it is, and says of which
// questionnaire. A spreadsheet is first saved as CSV. The header is one of the first ten
// rows; columns that are not known are passed over. Errors are problems of field "file".
func ReadExport(raw []byte) (format string, claims []RawClaim, err error) {
	switch {
	case len(raw) > MaxExport:
		return "", nil, problem.BadField("file", "is too long", fmt.Sprintf("Save the sheet with the answers alone; at most %d bytes", MaxExport))
	case !utf8.Valid(raw):
		return "", nil, problem.BadField("file", "is not UTF-8 text", "Save the sheet with the answers as CSV (UTF-8)")
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if first := bytes.TrimSpace(raw); len(first) > 0 && (first[0] == '[' || first[0] == '{') {
		claims, err = readJSON(first)
	} else {
		claims, err = readCSV(raw)
	}
	if err != nil {
		return "", nil, err
	}
	counts := map[string]int{}
	for _, c := range claims {
		switch {
		case caiqID.MatchString(c.ID):
			counts[CAIQ]++
		case hecvatID.MatchString(c.ID):
			counts[HECVAT]++
		}
	}
	switch {
	case counts[CAIQ] == 0 && counts[HECVAT] == 0:
		return "", nil, problem.BadField("file", "holds no answered question of a CAIQ or a HECVAT", "Export the sheet with the columns for the question's id and its answer")
	case counts[CAIQ] > 0 && counts[HECVAT] > 0:
		return "", nil, problem.BadField("file", "holds ids of both a CAIQ and a HECVAT", "Import each by itself")
	case counts[CAIQ] > 0:
		format = CAIQ
	default:
		format = HECVAT
	}
	return format, claims, nil
}

// The columns, by what their header begins with, in lower case.
var (
	idColumns     = []string{"question id", "id", "question_id", "question number"}
	answerColumns = []string{"csp caiq answer", "caiq answer", "vendor answer", "solution provider answer", "answer", "response"}
	detailColumns = []string{"csp implementation description", "implementation description", "additional information", "implementation_description", "additional_information", "detail", "notes"}
)

func column(header []string, names []string) int {
	for _, n := range names {
		if i := slices.IndexFunc(header, func(h string) bool { return h == n }); i >= 0 {
			return i
		}
	}
	for _, n := range names {
		if i := slices.IndexFunc(header, func(h string) bool { return strings.HasPrefix(h, n) && len(n) > 2 }); i >= 0 {
			return i
		}
	}
	return -1
}

func readCSV(raw []byte) ([]RawClaim, error) {
	r := csv.NewReader(bytes.NewReader(raw))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	var out []RawClaim
	id, answer, detail := -1, -1, -1
	for row := 0; ; row++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problem.BadField("file", "is not CSV as RFC 4180 has it", "Save the sheet as CSV (UTF-8), with commas").Because(err)
		}
		if row > maxRows || len(cells) > maxColumns {
			return nil, problem.BadField("file", "has too many rows or columns", "Save the sheet with the answers alone")
		}
		if id < 0 || answer < 0 {
			if row >= 10 {
				break
			}
			header := make([]string, len(cells))
			for i, c := range cells {
				header[i] = strings.ToLower(strings.Join(strings.Fields(c), " "))
			}
			id, answer, detail = column(header, idColumns), column(header, answerColumns), column(header, detailColumns)
			continue
		}
		if c, ok := claim(cellAt(cells, id), cellAt(cells, answer), cellAt(cells, detail)); ok {
			out = append(out, c)
		}
	}
	if id < 0 || answer < 0 {
		return nil, problem.BadField("file", "has no header with an id and an answer in its first ten rows", `A CAIQ has "Question ID" and "CSP CAIQ Answer"; a HECVAT "ID" and "Vendor Answers"`)
	}
	return out, nil
}

func cellAt(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

func readJSON(raw []byte) ([]RawClaim, error) {
	var rows []map[string]any
	if raw[0] == '{' {
		var doc struct {
			Questions []map[string]any `json:"questions"`
			Answers   []map[string]any `json:"answers"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return nil, notJSON(err)
		}
		rows = append(doc.Questions, doc.Answers...)
	} else if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, notJSON(err)
	}
	if len(rows) > maxRows {
		return nil, problem.BadField("file", "has too many answers", "Leave out what was not answered")
	}
	var out []RawClaim
	for _, row := range rows {
		get := func(names []string) string {
			for _, n := range names {
				for _, key := range []string{n, strings.ReplaceAll(n, " ", "_")} {
					if s, ok := row[key].(string); ok {
						return s
					}
				}
			}
			return ""
		}
		if c, ok := claim(get(idColumns), get(answerColumns), get(detailColumns)); ok {
			out = append(out, c)
		}
	}
	return out, nil
}

func notJSON(err error) error {
	return problem.BadField("file", "cannot be read as JSON", `Write a list of objects with "question_id", "answer" and "detail"`).Because(err)
}

// claim is a line, if it is one: an id that is known by its form, and an answer.
func claim(key, answer, detail string) (RawClaim, bool) {
	key, answer = strings.ToUpper(strings.TrimSpace(key)), plain(answer)
	if answer == "" || !caiqID.MatchString(key) && !hecvatID.MatchString(key) {
		return RawClaim{}, false
	}
	return RawClaim{key, answer, plain(detail)}, true
}

// plain is the text of a cell on one line, without control characters, and cut where it
// is longer than we keep.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxCell {
		cut := maxCell
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + " [cut]"
	}
	return s
}

// caiqMap and hecvatMap say which of their questions bear on one of ours, by our own
// judgement: a line stands for a whole control ("IAM-14") or for one question
// ("AISC-02"). What is not there has no fair counterpart: nobody there asks who owns the
// vendor, whose purposes data serves, or what a model keeps.
var caiqMap = map[string][]string{
	"GOV-02": {"GRC-06"}, "GOV-03": {"GRC-01", "DSP-01"}, "GOV-04": {"A&A-02"},
	"RSK-02": {"GRC-02"}, "PPL-02": {"HRS-01"}, "PPL-03": {"HRS-11", "HRS-12"}, "PPL-07": {"IAM-07", "HRS-06"},
	"IAM-01": {"IAM-13"}, "IAM-02": {"IAM-14"}, "IAM-03": {"UEM-05", "UEM-08"}, "IAM-04": {"IAM-05"}, "IAM-05": {"IAM-08"}, "IAM-06": {"IAM-10"},
	"DAT-01": {"DSP-05"}, "DAT-02": {"CEK-03"}, "DAT-03": {"DSP-10"}, "DAT-04": {"IVS-06"},
	"SEC-01": {"AIS-04"}, "SEC-02": {"TVM-06"}, "SEC-03": {"TVM-03", "TVM-07"}, "SEC-04": {"IVS-05", "DSP-15"}, "SEC-05": {"CCC-07"},
	"INC-01": {"LOG-08", "LOG-09"}, "INC-02": {"LOG-05"}, "INC-03": {"SEF-03", "SEF-04"}, "INC-04": {"SEF-07"},
	"SUB-01": {"DSP-14"}, "SUB-02": {"DSP-19"}, "SUB-03": {"BCR-10"}, "SUB-04": {"DSP-16", "DSP-02"},
}

var hecvatMap = map[string][]string{
	"GOV-01": {"HIPA-06"}, "GOV-03": {"DOCU-06"}, "GOV-04": {"DOCU-03"}, "HIP-01": {"HIPA-28"}, "HIP-06": {"HIPA-23"},
	"RSK-01": {"HIPA-08"}, "RSK-02": {"HIPA-09"}, "RSK-05": {"DOCU-04"}, "PPL-03": {"HIPA-01"},
	"IAM-02": {"DCTR-14"}, "IAM-04": {"APPL-01", "APPL-08"}, "IAM-07": {"HIPA-13"}, "DAT-01": {"DOCU-05"}, "DAT-02": {"DATA-23"}, "DAT-04": {"DATA-19"},
	"AIM-01": {"AISC-02"}, "AIM-04": {"AISC-01"}, "AIM-05": {"AIML-06", "AILM-01"}, "AIM-06": {"AISC-03"},
	"SEC-01": {"APPL-06", "APPL-10"}, "SEC-03": {"VULN-05", "CHNG-07"}, "SEC-05": {"CHNG-03"},
	"INC-01": {"HIPA-21", "HIPA-22"}, "SUB-01": {"THRD-02", "HIPA-04"}, "SUB-03": {"DOCU-02", "HIPA-26"}, "SUB-04": {"DATA-09"},
}

// Counterparts is the table of a format: which of its questions bear on one of ours.
func Counterparts(format string) map[string][]string {
	if format == HECVAT {
		return hecvatMap
	}
	return caiqMap
}

// MapClaims says what the lines of an export claim about our questions, in the
// catalogue's order. A line without a counterpart is passed over; one that says "not
// applicable" is kept as it is, for a person to judge. Where one of ours has options the
// claim takes the worst that its lines say, or nothing if they say neither.
func MapClaims(format string, claims []RawClaim) []MappedClaim {
	var out []MappedClaim
	for _, q := range hipaa.Questions() {
		m := MappedClaim{Question: q.ID}
		var texts, words []string
		for _, source := range Counterparts(format)[q.ID] {
			for _, c := range claims {
				if c.ID != source && !strings.HasPrefix(c.ID, source+".") || slices.Contains(m.From, c.ID) {
					continue
				}
				m.From = append(m.From, c.ID)
				words = append(words, strings.ToLower(strings.TrimRight(c.Answer, ".! ")))
				text := strings.ToUpper(format) + " " + c.ID + ": " + c.Answer
				if c.Detail != "" {
					text += " (" + c.Detail + ")"
				}
				texts = append(texts, text)
			}
		}
		if len(m.From) == 0 {
			continue
		}
		all := shorten(strings.Join(texts, "\n"))
		if options := q.Options(); options != nil {
			if m.Value = worstOf(q.ID, options, words); m.Value == "" {
				continue
			}
			m.Detail = all
		} else {
			m.Value = all
		}
		out = append(out, m)
	}
	return out
}

// shorten keeps what an answer may hold.
func shorten(s string) string {
	const most = 3900
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + " [cut]"
}

// worstOf is the option that yes and no come to. For AIM-01 a yes is the worse answer.
func worstOf(question string, options, words []string) string {
	yes, no := slices.Contains(words, "yes"), slices.Contains(words, "no")
	if question == "AIM-01" {
		switch {
		case yes:
			return "yes"
		case no:
			return "no"
		}
		return ""
	}
	switch {
	case yes && no && slices.Contains(options, "partly"):
		return "partly"
	case no:
		return "no"
	case yes && len(words) == count(words, "yes"):
		return "yes"
	}
	return ""
}

func count(words []string, w string) int {
	n := 0
	for _, x := range words {
		if x == w {
			n++
		}
	}
	return n
}
