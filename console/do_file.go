package console

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// Files that come with a form. The file of an act waits in memory while its act is looked
// at (drafts.hold), so that such an act has the same two steps as every other; one that
// fills a field is read into it, and is a field from then on.

// upload is the file that came with a form.
type upload struct {
	Name, Media string
	Content     []byte
	until       time.Time // it waits no longer
}

// fileField is the file as the form shows it.
type fileField struct {
	Held, Name, Size, Media, Digest string
	Until                           time.Time
	Error                           string
	Required                        bool
}

func (f *doForm) fileField(v *visit) *fileField {
	x := fileField{Required: f.needsFile(v)}
	if f.file != nil {
		x.Held, x.Name, x.Size, x.Media, x.Until = f.held, f.file.Name, humanBytes(len(f.file.Content)), f.file.Media, f.file.until
		x.Digest = registry.NewDocument(f.file.Media, f.file.Content).Digest
	}
	return &x
}

// needsFile reports whether the act is nothing without its file: a document, and whatever a
// vendor's people send.
func (f *doForm) needsFile(v *visit) bool {
	members := membersOf(actType(f.spec))
	return (&actForm{spec: f.spec}).hasFile() && (f.spec.Name == "certification.record" && !v.ours() ||
		slices.ContainsFunc(members, func(m member) bool { return m.Name == "sha256" && !m.Optional }))
}

// fileOf finds the file again that waits for the form.
func (s *server) fileOf(v *visit, f *doForm) {
	if f.held == "" {
		return
	}
	var ok bool
	if f.file, ok = s.drafts.heldFor(f.held, v); !ok {
		f.held = ""
		f.errs = append(f.errs, fieldError{"content", "The file is not kept any more", "Choose it again"})
	}
}

// posted reads what came by POST.
func (s *server) posted(v *visit, spec *registry.Spec) (doForm, error) {
	tooLarge := func(err error) error {
		var over *http.MaxBytesError
		if errors.As(err, &over) {
			return problem.New(problem.TooLarge, "The form is too large", "Send a file of at most 16 MB")
		}
		return problem.New(problem.Invalid, "The form cannot be read", "Go back and send it again").Because(err)
	}
	takes := (&actForm{spec: spec}).hasFile()
	many := strings.HasPrefix(v.Header.Get("Content-Type"), "multipart/form-data")
	if !takes || !many {
		v.Body = http.MaxBytesReader(v.w, v.Body, maxForm) // it brings no document
	}
	parse := v.ParseForm
	if many { // all of it in memory: nothing that is sent here is written to a disk
		parse = func() error { return v.ParseMultipartForm(maxActForm) }
	}
	if err := parse(); err != nil {
		return doForm{}, tooLarge(err)
	}
	p := v.PostForm
	f := doForm{spec: spec, typed: url.Values{}, next: p.Get("next"), reason: strings.TrimSpace(p.Get("reason")), key: p.Get("key"), step: cmp.Or(p.Get("step"), "preview"), fill: p.Get("fill"), given: p["given"], held: p.Get("held"), open: p["open"][:min(len(p["open"]), maxRows)]}
	if f.key == "" || len(f.key) > 64 {
		f.key = rand.Text()
	}
	for name, texts := range p {
		if !slices.Contains(controls, name) {
			f.typed[name] = texts
		}
	}
	var sent map[string][]*multipart.FileHeader
	if v.MultipartForm != nil {
		sent = v.MultipartForm.File
	}
	if err := f.readFiles(sent); err != nil {
		return doForm{}, tooLarge(err)
	}
	f.readKeys()
	if takes {
		if file, err := opened(sent["content"]); err != nil {
			return doForm{}, tooLarge(err)
		} else if file != nil {
			s.drafts.drop(f.held, v) // another in its place
			f.held = ""
			if file.isPrivateKey() {
				f.errs = append(f.errs, fieldError{"content", "The file is a private key: it was not kept, and whoever has seen it can act as its owner", "Make a new key pair where it is used; hand in no private key anywhere"})
			} else if f.held, err = s.drafts.hold(v, file); err != nil {
				return doForm{}, err
			}
		}
		s.fileOf(v, &f)
	}
	return f, nil
}

// opened is the one file that was chosen; nil: none was.
func opened(heads []*multipart.FileHeader) (*upload, error) {
	if len(heads) != 1 || heads[0].Size == 0 {
		return nil, nil
	}
	h := heads[0]
	file, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	return &upload{Name: h.Filename, Media: mediaOf(h.Filename, h.Header.Get("Content-Type")), Content: raw}, nil
}

// readFiles reads files that fill a field into it.
func (f *doForm) readFiles(sent map[string][]*multipart.FileHeader) error {
	for _, m := range membersOf(actType(f.spec)) {
		if m.Type != rawType {
			continue
		}
		file, err := opened(sent[m.Name+".file"])
		if err != nil {
			return err
		}
		if file != nil {
			f.typed.Set(m.Name, string(file.Content))
		}
	}
	return nil
}

// mediaTypes are what files are by their endings.
var mediaTypes = map[string]string{
	"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "json": "application/json", "xml": "application/xml",
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "p7s": "application/pkcs7-signature",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

func mediaOf(name, said string) string {
	if m, ok := mediaTypes[strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])]; ok {
		return m
	}
	return said
}

// attach writes into the form what a file says of itself.
func (f *doForm) attach() {
	if f.file == nil {
		return
	}
	d := registry.NewDocument(f.file.Media, f.file.Content)
	digest := "sha256"
	if slices.ContainsFunc(membersOf(actType(f.spec)), func(m member) bool { return m.Name == "document_sha256" }) {
		digest = "document_sha256"
	}
	f.typed.Set(digest, d.Digest)
	f.typed.Set("media_type", d.MediaType)
	f.typed.Set("size", fmt.Sprint(d.Size))
	f.typed.Set("content", base64.StdEncoding.EncodeToString(f.file.Content))
}
