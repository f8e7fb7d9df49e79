package console

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/registry"
)

// Public keys in forms: pasted or as a file, as a JWK Set, a JWK or PEM. They become the set
// that the act takes before anything is kept, and each is shown back by its thumbprint. A
// private key is refused in whatever field it stands, and nothing keeps or shows it.

// isKeySet reports whether the member is a set of public keys.
func isKeySet(m member) bool { return m.Name == "keys" && m.Type == rawType }

// refusePrivate empties every field that holds a private key.
func (f *doForm) refusePrivate() {
	const title, next = "holds a private key: it was not kept, and whoever has seen it can act as its owner", "Make a new key pair where it is used, and hand in its public part only"
	for name, texts := range f.typed {
		if slices.ContainsFunc(texts, registry.HoldsPrivateKey) {
			f.typed.Del(name)
			f.errs = append(f.errs, fieldError{name, title, next})
		}
	}
	if registry.HoldsPrivateKey(f.reason) {
		f.reason = ""
		f.errs = append(f.errs, fieldError{"reason", title, next})
	}
}

// maxKeyFile is up to where a file is looked through for a private key: such files are short.
const maxKeyFile = 64 << 10

// isPrivateKey reports whether the file is one.
func (u *upload) isPrivateKey() bool {
	return len(u.Content) <= maxKeyFile && registry.HoldsPrivateKey(string(u.Content))
}

// readKeys makes sets of public keys of what was typed, or says what is wrong with it.
func (f *doForm) readKeys() {
	f.refusePrivate()
	for _, m := range membersOf(actType(f.spec)) {
		text := strings.TrimSpace(f.typed.Get(m.Name))
		if !isKeySet(m) || text == "" {
			continue
		}
		set, _, err := registry.ReadKeySet(m.Name, []byte(text))
		switch {
		case errors.Is(err, registry.ErrPrivateKey):
			f.typed.Del(m.Name)
			f.errs = append(f.errs, wrong(err))
		case err != nil:
			f.errs = append(f.errs, wrong(err))
		default:
			f.typed.Set(m.Name, string(set))
		}
	}
}

// keysInWords are the keys of a set as people compare them, one a line; empty: it is none.
func keysInWords(raw []byte) string {
	if !bytes.HasPrefix(raw, []byte(`{"keys":`)) {
		return ""
	}
	_, keys, err := registry.ReadKeySet("keys", raw)
	if err != nil {
		return ""
	}
	var out []string
	for _, k := range keys {
		out = append(out, keyInWords(k))
	}
	return strings.Join(out, "\n")
}

func keyInWords(k registry.PublicKey) string {
	name := fmt.Sprintf("kid %s", k.ID)
	if k.ID == k.Thumbprint {
		name = "kid as its thumbprint"
	}
	return fmt.Sprintf("%s for %s, %s, thumbprint %s", k.Kind, k.Algorithm, name, k.Thumbprint)
}

// pasted asks for text that a program wrote: pasted, or as a file.
func (f *actForm) pasted(x *actField) {
	x.As = "area"
	if !f.own {
		return
	}
	x.As = "pasted"
	if text := x.Value; text != "" {
		x.Brief = keysInWords([]byte(text))
	}
}
