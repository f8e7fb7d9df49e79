package console

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// maxImport is how many completions a page takes at once: it shows each before it is
// recorded. The command line takes more.
const maxImport = 50

// importPage is a file of a learning management system: what it says, before anything is
// recorded.
type importPage struct {
	Read   bool
	File   string
	Told   course.Told
	Fields []careField
	Many   bool // more than a page takes
	Error  string
	Limit  int
}

func (s *server) trainingImport(v *visit) (importPage, error) {
	v.under("Training", "/console/training")
	return importPage{Limit: maxImport}, nil
}

// trainingImported looks at the file. Nothing is recorded: the act does that.
func (s *server) trainingImported(v *visit) (importPage, error) {
	v.under("Training", "/console/training")
	out := importPage{Limit: maxImport}
	if err := v.ParseMultipartForm(course.MaxBytes); err != nil {
		return out, problem.New(problem.TooLarge, "The file cannot be read, or is too large", "Send CSV or xAPI statements of at most 4 MB").Because(err)
	}
	file, head, err := v.FormFile("file")
	if err != nil {
		out.Error = "Choose a file"
		v.status = http.StatusUnprocessableEntity
		return out, nil
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, course.MaxBytes))
	if err != nil {
		return out, err
	}
	format := "csv"
	if json.Valid(raw) {
		format = "xapi"
	}
	if err := s.ask(v, "/v1/training-preview", api.TrainingFile{Format: format, Content: raw}, &out.Told); err != nil {
		return out, err
	}
	out.Read, out.File, out.Many = true, head.Filename, len(out.Told.Completions) > maxImport
	if len(out.Told.Wrong) == 0 && !out.Many && len(out.Told.Completions) > 0 {
		for name, texts := range writeForm(registry.ImportTrainings{Completions: out.Told.Completions}) {
			out.Fields = append(out.Fields, careField{name, strings.Join(texts, "\n")})
		}
		slices.SortFunc(out.Fields, func(a, b careField) int { return strings.Compare(a.Name, b.Name) })
	}
	out.Told.Wrong = out.Told.Wrong[:min(len(out.Told.Wrong), maxImport)]
	out.Told.Completions = out.Told.Completions[:min(len(out.Told.Completions), maxImport)]
	return out, nil
}
