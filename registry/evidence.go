package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxEvidence is the longest file that a vendor attaches to an answer, in bytes.
const MaxEvidence = 5 << 20

// How many files a vendor attaches at most: to one answer, in one questionnaire, and to
// one with those that were taken off again, which stay stored.
const (
	maxEvidenceOfAnswer = 5
	maxEvidence         = 80
	maxAttached         = 160
)

// EvidenceTypes are the types of files that are taken, each checked as a document's is.
// A file is stored as it came; whoever downloads it opens it elsewhere.
var EvidenceTypes = []string{
	"application/pdf",
	"image/png",
	"image/jpeg",
	"text/plain",
	"text/csv",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// AttachEvidence stores a file and attaches it to an answer, in one act: what a vendor
// sends is about its own questionnaire, or it is nothing. The act's record holds the
// digest and not the content.
type AttachEvidence struct {
	ID        id.Questionnaire `json:"id"`
	Question  string           `json:"question"`
	Digest    string           `json:"sha256"`
	MediaType string           `json:"media_type"` // of EvidenceTypes
	Size      int64            `json:"size"`
	Content   []byte           `json:"content,omitempty"` // base64
	// ScannedBy is as in PutDocument.
	ScannedBy string `json:"scanned_by,omitempty"`
}

func (a AttachEvidence) scannedBy() string { return a.ScannedBy }

func (a AttachEvidence) withScan(by string) Act {
	a.ScannedBy = by
	return a
}

// NewEvidence is the act that attaches the content.
func NewEvidence(q id.Questionnaire, question, mediaType string, content []byte) AttachEvidence {
	d := NewDocument(mediaType, content)
	return AttachEvidence{ID: q, Question: question, Digest: d.Digest, MediaType: mediaType, Size: d.Size, Content: content}
}

// Subject implements Act.
func (a AttachEvidence) Subject() snapshot.Subject { return subject(snapshot.NounQuestionnaire, a.ID) }

func (a AttachEvidence) about(v *snapshot.View, _ Actor) party { return questionnaireAbout(v, a.ID) }

func (a AttachEvidence) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	all := 0
	for _, x := range q.Answers {
		all += len(x.Evidence)
	}
	if err := checkAttached("sha256", a.Digest, a.MediaType, a.Size, a.Content, MaxEvidence); err != nil {
		return err
	}
	switch {
	case slices.Contains(q.Answers[a.Question].Evidence, a.Digest):
		return conflict("sha256", "The file is attached to this answer already", "Nothing is left to do")
	case len(q.Answers[a.Question].Evidence) >= maxEvidenceOfAnswer:
		return conflict("question", fmt.Sprintf("It has %d files already", maxEvidenceOfAnswer), "Put them into one file, or take one away")
	case all >= maxEvidence:
		return conflict("id", fmt.Sprintf("The questionnaire has %d files already", maxEvidence), "Take some away, or put them into fewer files")
	case q.Attached >= maxAttached:
		return conflict("id", fmt.Sprintf("%d files were attached already, with those that were taken off", maxAttached), "Ask the organisation to send the questionnaire again")
	}
	return askedIn(q, "question", a.Question)
}

// checkAttached wants a file that comes along with an act to be what the act says of it, of
// a type that is taken from outside, and at most so long; field is the digest's.
func checkAttached(field, digest, mediaType string, size int64, content []byte, most int) error {
	want := NewDocument(mediaType, content)
	switch {
	case !slices.Contains(EvidenceTypes, mediaType):
		return badField("media_type", fmt.Sprintf("%q is not taken", mediaType), "Use one of "+join(EvidenceTypes))
	case len(content) == 0 || len(content) > most:
		return badField("content", fmt.Sprintf("is %d bytes long", len(content)), fmt.Sprintf("Send 1 to %d bytes", most))
	case digest != want.Digest:
		return badField(field, "is not the digest of the content", "Send the file as it was hashed; sha256sum prints the digest")
	case size != want.Size:
		return badField("size", fmt.Sprintf("is not the %d bytes of the content", want.Size), "Leave nothing out")
	}
	return checkMedia(mediaType, content)
}

func (a AttachEvidence) apply(e *snapshot.Edit, s Stamp) {
	amendAnswer(e, a.ID, a.Question, func(x *snapshot.VendorAnswer) {
		*x = snapshot.VendorAnswer{Value: x.Value, Detail: x.Detail, Imported: x.Imported, Evidence: append(slices.Clone(x.Evidence), a.Digest), AnsweredBy: s.By, AnsweredAt: s.At}
	})
	change(e, e.View().Questionnaires, a.ID, func(q *snapshot.Questionnaire) { q.Attached++ })
}

// detach takes the content out of the act, as of a document's.
func (a AttachEvidence) detach() (Act, *Document) {
	d := &Document{Digest: a.Digest, MediaType: a.MediaType, Content: a.Content}
	a.Content = nil
	return a, d
}

// DropEvidence takes a file off an answer. It stays stored, since the log names it.
type DropEvidence struct {
	ID       id.Questionnaire `json:"id"`
	Question string           `json:"question"`
	Digest   string           `json:"sha256"`
}

// Subject implements Act.
func (a DropEvidence) Subject() snapshot.Subject { return subject(snapshot.NounQuestionnaire, a.ID) }

func (a DropEvidence) about(v *snapshot.View, _ Actor) party { return questionnaireAbout(v, a.ID) }

func (a DropEvidence) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	if err := askedIn(q, "question", a.Question); err != nil {
		return err
	}
	if !slices.Contains(q.Answers[a.Question].Evidence, a.Digest) {
		return badField("sha256", "is not attached to this answer", "Look again at the list")
	}
	return nil
}

func (a DropEvidence) apply(e *snapshot.Edit, s Stamp) {
	amendAnswer(e, a.ID, a.Question, func(x *snapshot.VendorAnswer) {
		left := slices.DeleteFunc(slices.Clone(x.Evidence), func(d string) bool { return d == a.Digest })
		*x = snapshot.VendorAnswer{Value: x.Value, Detail: x.Detail, Imported: x.Imported, Evidence: left, AnsweredBy: s.By, AnsweredAt: s.At}
	})
}

// ImportClaims fills in what a vendor's export of another questionnaire says, where
// there is no answer yet: claims, unscored, never evidence. Package diligence reads the
// export and maps its questions to ours.
type ImportClaims struct {
	ID     id.Questionnaire `json:"id"`
	From   string           `json:"from"`          // "caiq" or "hecvat"
	Source string           `json:"source_sha256"` // of the file that was read
	Claims []Claim          `json:"claims"`
}

// Claim is one of them.
type Claim struct {
	Question string `json:"question"`
	Value    string `json:"value"`
	Detail   string `json:"detail,omitempty"`
}

// Subject implements Act.
func (a ImportClaims) Subject() snapshot.Subject { return subject(snapshot.NounQuestionnaire, a.ID) }

func (a ImportClaims) about(v *snapshot.View, _ Actor) party { return questionnaireAbout(v, a.ID) }

func (a ImportClaims) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	if len(a.Claims) == 0 {
		return badField("claims", "is empty", "Nothing in the file answers a question that is asked here")
	}
	var names []string
	for _, c := range a.Claims {
		names = append(names, c.Question)
	}
	return first(oneOf("from", a.From, diligence.Formats), sha256Hex("source_sha256", a.Source), unique("claims", names),
		each("claims", a.Claims, func(field string, c Claim) error {
			if x := q.Answers[c.Question]; x.Value != "" {
				return conflict(field+".question", fmt.Sprintf("%s has an answer already", c.Question), "An import fills in what has none; leave it out")
			}
			return first(askedIn(q, field+".question", c.Question), checkAnswer(c.Question, c.Value, c.Detail))
		}))
}

func (a ImportClaims) apply(e *snapshot.Edit, s Stamp) {
	for _, c := range a.Claims {
		amendAnswer(e, a.ID, c.Question, func(x *snapshot.VendorAnswer) {
			*x = snapshot.VendorAnswer{Value: c.Value, Detail: c.Detail, Evidence: x.Evidence, AnsweredBy: s.By, AnsweredAt: s.At, Imported: a.From}
		})
	}
}
