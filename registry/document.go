package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxDocument is the longest document, in bytes.
const MaxDocument = 16 << 20

// PutDocument stores a paper under its digest, sealed. The act's record holds
// the digest and not the content.
type PutDocument struct {
	Digest    string `json:"sha256"`
	MediaType string `json:"media_type"`
	Size      int64  `json:"size"`
	Content   []byte `json:"content,omitempty"` // base64
	// Engagement has it sealed under that engagement's key instead of the
	// organisation's: it cannot be read once the key is destroyed. Leave it out for
	// what must be kept, such as agreements (45 CFR 164.530(j)). A document that is
	// stored already under another key is refused; stored again without engagement, it
	// comes under the organisation's.
	Engagement id.Engagement `json:"engagement,omitempty"`
	// ScannedBy is what has looked at the content and found nothing. The registry writes
	// it; a caller leaves it out.
	ScannedBy string `json:"scanned_by,omitempty"`
}

// Scan looks at a document before it is stored: clean, or not; an error is neither, and
// the document is refused as well.
type Scan func(ctx context.Context, content []byte) (clean bool, err error)

func (a PutDocument) scannedBy() string { return a.ScannedBy }

func (a PutDocument) withScan(by string) Act {
	a.ScannedBy = by
	return a
}

// scanned has a document looked at, before the registry is locked: what takes long, or
// hangs, keeps only the document waiting.
func (r *Registry) scanned(ctx context.Context, by Actor, d detaching, m Meta) (Act, error) {
	if d.scannedBy() != "" {
		return nil, badField("scanned_by", "is for the registry to write", "Leave it out")
	}
	if r.o.Scan == nil {
		return d, nil
	}
	if err := r.May(by, d, m); err != nil {
		return nil, err
	}
	return r.afterScan(ctx, d)
}

func (r *Registry) afterScan(ctx context.Context, d detaching) (Act, error) {
	_, document := d.detach()
	if document == nil { // nothing came along
		return d, nil
	}
	switch clean, err := r.o.Scan(ctx, document.Content); {
	case err != nil:
		return nil, problem.New(problem.Unavailable, "The document could not be scanned, and is not stored", "Try again; if it goes on, tell the operator").Because(err)
	case !clean:
		return nil, badField("content", "was found to be harmful by "+r.o.ScannedBy, "Do not open it; tell whoever sent it, and your security officer")
	}
	return d.withScan(r.o.ScannedBy), nil
}

// NewDocument is the act that stores the content.
func NewDocument(mediaType string, content []byte) PutDocument {
	sum := sha256.Sum256(content)
	return PutDocument{Digest: hex.EncodeToString(sum[:]), MediaType: mediaType, Size: int64(len(content)), Content: content}
}

// NounDocument is what a document act is about; a document is no record of the
// view, since no decision reads one.
const NounDocument snapshot.Noun = "document"

func (a PutDocument) Subject() snapshot.Subject {
	return snapshot.Subject{Noun: NounDocument, ID: a.Digest}
}

func (a PutDocument) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if a.Engagement != "" {
		if err := exists("engagement", v.Engagements, a.Engagement); err != nil {
			return err
		}
		if k, _ := v.Keys.Get(a.Engagement); k.Ordered() {
			return errKeyDestroyed(a.Engagement)
		}
	}
	if err := sha256Hex("sha256", a.Digest); err != nil {
		return err
	}
	if len(a.Content) == 0 || len(a.Content) > MaxDocument {
		return badField("content", fmt.Sprintf("is %d bytes long", len(a.Content)), fmt.Sprintf("Send 1 to %d bytes", MaxDocument))
	}
	want := NewDocument(a.MediaType, a.Content)
	if a.Digest != want.Digest {
		return badField("sha256", "is not the digest of the content", "Send the file as it was hashed; sha256sum prints the digest")
	}
	if a.Size != want.Size {
		return badField("size", fmt.Sprintf("is not the %d bytes of the content", want.Size), "Leave nothing out")
	}
	return checkMedia(a.MediaType, a.Content)
}

func (a PutDocument) apply(*snapshot.Edit, Stamp) {}

// detach takes the content out of the act, so that it is stored sealed and
// apart, and the act's canonical form stays small.
func (a PutDocument) detach() (Act, *Document) {
	d := &Document{Digest: a.Digest, MediaType: a.MediaType, Content: a.Content, Engagement: a.Engagement}
	a.Content = nil
	return a, d
}
