package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/secretfile"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/server"
)

// secrets is where codes, shifts and surrogates come from in one run.
type secrets struct {
	codes  deid.Codes // safe for many goroutines
	derive func(label string) []byte
	settle func(context.Context) error // before anything that holds a code is there to be taken
	close  func() error
	kind   string // for people, in the manifest
	// check tells one key from another, so that a run goes on under the same. It is
	// empty where there is nothing to go on with: codes in memory only.
	check string
}

const (
	codesInMemory = "assigned at random, and kept nowhere"
	codesDerived  = "derived under the key that was given"
	codesOfVault  = "the engagement's"
)

// The uses of a key, each with a key of its own. The first two are the gateway's.
const (
	useShift = "shift"
	useText  = "text"
	useCodes = "deid/codes"
	useCheck = "deid/check"
)

// openSecrets takes the engagement's, or the key's, or random codes without a way back.
func openSecrets(ctx context.Context, c *deidRunCmd, p *deid.Profile) (*secrets, error) {
	switch {
	case (c.Config == "") != (c.Engagement == ""):
		return nil, problem.BadField("engagement", "goes with --config", "Give both: --config sallyport.yaml --engagement ID")
	case c.Config != "" && c.Key != "":
		return nil, problem.BadField("key", "does not go with --config", "The engagement has its own key; leave --key out")
	case c.Config != "":
		config, err := server.Load(c.Config)
		if err != nil {
			return nil, err
		}
		codes, err := server.OpenCodes(ctx, config, id.Engagement(c.Engagement), p.Assigned())
		if err != nil {
			return nil, err
		}
		return &secrets{codes: codes, derive: codes.Derive, settle: codes.Settle, close: codes.Close,
			kind: codesOfVault, check: hex.EncodeToString(codes.Derive(useCheck)[:16])}, nil
	}
	s := &secrets{settle: func(context.Context) error { return nil }, close: func() error { return nil }}
	if c.Key != "" {
		key, err := readKey(c.Key)
		if err != nil {
			return nil, err
		}
		s.derive = func(label string) []byte {
			m := hmac.New(sha256.New, key)
			m.Write([]byte(label))
			return m.Sum(nil)
		}
	}
	if s.derive != nil && !p.Assigned() {
		s.codes, s.kind, s.check = keyedCodes(s.derive(useCodes)), codesDerived, hex.EncodeToString(s.derive(useCheck)[:16])
		return s, nil
	}
	s.codes, s.kind = &lockedCodes{codes: deid.NewRandomCodes(rand.Reader)}, codesInMemory
	return s, nil
}

// lockedCodes lets many goroutines share codes.
type lockedCodes struct {
	mu    sync.Mutex
	codes deid.Codes
}

// Code implements deid.Codes.
func (l *lockedCodes) Code(resourceID string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codes.Code(resourceID)
}

// Assigned implements deid.Assigned.
func (l *lockedCodes) Assigned() bool { return deid.AreAssigned(l.codes) }

// keyedCodes are derived from the id: for every basis but Safe Harbor.
type keyedCodes []byte

var codeText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Code implements deid.Codes: 'k' and 160 bits of an HMAC-SHA256.
func (k keyedCodes) Code(resourceID string) (string, error) {
	m := hmac.New(sha256.New, k)
	m.Write([]byte(resourceID))
	return "k" + codeText.EncodeToString(m.Sum(nil)[:20]), nil
}

// codedUIDs makes a DICOM UID of an id's code: as random as the code is, and the
// same wherever the code is.
type codedUIDs struct{ codes deid.Codes }

// UID implements dicom.UIDs: 2.25 and a UUID of version 8 (RFC 9562) from the code.
func (u codedUIDs) UID(uid []byte) (string, error) {
	code, err := u.codes.Code(string(uid))
	if err != nil {
		return "", err
	}
	return uidOf(code), nil
}

// Derived implements dicom.UIDs.
func (u codedUIDs) Derived() bool { return !deid.AreAssigned(u.codes) }

const minKey = 32

// readKey reads a key that nobody else can.
func readKey(file string) ([]byte, error) {
	f, err := secretfile.Open(file)
	if shared := (*secretfile.SharedError)(nil); errors.As(err, &shared) {
		return nil, problem.BadField("key", fmt.Sprintf("can be used by others: its permissions are %04o", shared.Mode),
			"If nobody else has read it, run chmod 600 on it. Otherwise make a new one: sallyport deid key FILE")
	}
	var key []byte
	if err == nil {
		defer f.Close()
		key, err = io.ReadAll(f)
	}
	if err != nil {
		return nil, problem.BadField("key", "cannot be read", "Name a file that you may read, or make one: sallyport deid key FILE").Because(err)
	}
	if len(key) < minKey {
		return nil, problem.BadField("key", fmt.Sprintf("has %d bytes, and needs %d or more", len(key), minKey), "Make one: sallyport deid key FILE")
	}
	return key, nil
}

type deidKeyCmd struct {
	File string `arg:"" help:"Where to write it; it must not be there yet." type:"path"`
}

// Run makes the key.
func (c *deidKeyCmd) Run() error {
	key := make([]byte, minKey)
	if _, err := rand.Read(key); err != nil {
		return problem.New(problem.Unavailable, "the random source gives nothing", "Try again").Because(err)
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return problem.BadField("file", "is there already", "Name a new file: a key that is overwritten takes its shifts and codes along")
	case err != nil:
		return unwritable("file", "", err)
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return problem.BadField("file", "cannot be written", "See that there is room").Because(err)
	}
	fmt.Fprintf(os.Stderr, "Wrote %s: 32 random bytes, for you alone. Whoever has it can undo shifts and try out codes; without it no later file joins.\n", c.File)
	return nil
}
