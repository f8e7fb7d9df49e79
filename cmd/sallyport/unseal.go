package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal/sealed"
)

// unsealCmd is run by the vendor, offline.
type unsealCmd struct {
	File     string      `arg:"" optional:"" help:"A sealed release, as it came." type:"path"`
	Identity string      `help:"Your private key: a file of --new-key or of age-keygen, or a P-256 key in PEM." placeholder:"FILE" type:"path"`
	Keys     string      `help:"The organisation's release keys (release-keys.json)." placeholder:"FILE" type:"path"`
	Signer   string      `help:"Take only this one of them, by its id." placeholder:"ID"`
	Manifest string      `help:"The signed manifest: a file of it, or the headers that curl -D wrote. Without it, FILE.manifest.json." placeholder:"FILE" type:"path"`
	Decision id.Decision `help:"Take it only as the answer of this decision." placeholder:"ID"`
	Nonce    string      `help:"Take it only as the answer to the request with this Sallyport-Nonce." placeholder:"TEXT"`
	Out      string      `short:"o" help:"Where to write what is inside, or (--new-key) the private key; it replaces nothing. '-' is standard output." placeholder:"FILE"`
	NewKey   string      `help:"Make a private key instead, and print its recipient: ${enum}." enum:",age,age-x25519,hpke-p256" default:"" placeholder:"FORMAT"`
}

// maxSmall is more than any key, manifest or headers have.
const maxSmall = 1 << 20

// Run opens the release. What it writes has its name only when all of it has
// authenticated and the manifest verified.
func (c *unsealCmd) Run(ctx context.Context) error {
	if c.Out == "" {
		return problem.BadField("out", "is missing", "Say where to write: -o FILE")
	}
	if c.NewKey != "" {
		return c.makeKey()
	}
	if c.File == "" {
		return problem.BadField("file", "is missing", "Name the sealed release, or make a key first: --new-key age -o KEY")
	}
	x := sealed.Expect{Decision: c.Decision, Nonce: c.Nonce}
	text, err := small("identity", c.Identity, "Give your private key: --identity FILE")
	if err != nil {
		return err
	}
	if x.Identities, err = sealed.ParseIdentities(text); err != nil {
		return err
	}
	if text, err = small("keys", c.Keys, "Give the organisation's release keys: --keys release-keys.json"); err != nil {
		return err
	}
	if x.Keys, err = sealed.ParseKeys(text); err != nil {
		return err
	}
	if c.Signer != "" {
		var ok bool
		if x.Keys, ok = x.Keys.Only(c.Signer); !ok {
			return problem.BadField("signer", "is none of the release keys in "+c.Keys, "Ask the organisation for its release keys again")
		}
	}
	manifest := c.Manifest
	if manifest == "" {
		manifest = c.File + ".manifest.json"
	}
	if text, err = small("manifest", manifest, "Give the signed manifest: --manifest FILE"); err != nil {
		return err
	}
	x.Opening = manifestIn(text)
	f, err := os.Open(c.File)
	if err != nil {
		return unreadable("file", c.File, err)
	}
	defer f.Close()
	r, err := sealed.Open(untilDone{ctx, f}, x)
	if err != nil {
		return err
	}
	if c.Out == "-" {
		if _, err := io.Copy(os.Stdout, r); err != nil {
			return errors.Join(problem.New(problem.Invalid, "What was written is not whole", "Throw it away"), err)
		}
		return nil
	}
	tell, done := unsealing(r.Opening().Clear)
	err = r.ToFile(c.Out, tell)
	done()
	if err != nil {
		return err
	}
	m := r.Manifest()
	fmt.Printf("Opened %s: %d bytes of %s\n  decision  %s, entry %d of the log %s\n  sealed    %s on %s\n",
		c.Out, m.Clear, m.ContentType, m.Decision, m.Ticket, m.Log, m.Format, m.Created.Format(time.RFC3339))
	return nil
}

// makeKey makes a private key.
func (c *unsealCmd) makeKey() error {
	k, err := sealed.NewIdentity(sealed.Format(c.NewKey))
	if errors.Is(err, sealed.ErrFIPS) {
		return problem.BadField("new-key", err.Error(), "Use --new-key hpke-p256")
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return problem.BadField("out", c.Out+" is there already", "Name another file: a key is never overwritten")
	}
	if err != nil {
		return unwritable("out", c.Out, err)
	}
	_, err = f.Write(k.Secret())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing the key: %w", err), os.Remove(c.Out))
	}
	fmt.Fprintf(os.Stderr, "Wrote %s, which only you can read: keep it on the device.\nIts recipient is public; put it on the device's record: sallyport agent enroll, or device set-recipients\n", c.Out)
	fmt.Println(k.Recipient())
	return nil
}

func small(field, path, next string) ([]byte, error) {
	if path == "" {
		return nil, problem.BadField(field, "is missing", next)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, problem.BadField(field, path+" cannot be read", next).Because(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err != nil || len(text) > maxSmall {
		return nil, problem.BadField(field, path+" cannot be read, or is too long", next).Because(err)
	}
	return text, nil
}

// manifestIn finds a signed manifest in headers and trailers as curl -D writes
// them; what is none is a manifest by itself.
func manifestIn(text []byte) string {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, maxSmall)
	for s.Scan() {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.EqualFold(name, "Sallyport-Manifest") {
			return strings.TrimSpace(value)
		}
	}
	return string(text)
}

// untilDone ends reading when the person does.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// unsealing shows on a terminal how far it is.
func unsealing(total int64) (tell func(int64), done func()) {
	if !isTerminal(os.Stderr) || total == 0 {
		return nil, func() {}
	}
	next := time.Now().Add(progressEvery)
	shown := false
	return func(n int64) {
			if now := time.Now(); now.After(next) {
				next, shown = now.Add(progressEvery), true
				fmt.Fprintf(os.Stderr, "\r%d of %d MB (%d %%) ", n>>20, total>>20, 100*n/total)
			}
		}, func() {
			if shown {
				fmt.Fprint(os.Stderr, "\r\x1b[K")
			}
		}
}
