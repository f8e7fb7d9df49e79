package seal

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// Tokens makes opaque tokens, such as paging links: state that a caller carries
// and can neither read, nor change, nor lend to another.
type Tokens struct {
	silent
	sealer *Sealer
}

const (
	maxToken  = 8 << 10 // longer than any link that a browser or proxy takes
	tokenStep = 64      // states are padded to this, so that a length says little
)

// Seal makes a token of state that opens until expires, and only for the same
// bound: caller, engagement, decision, whatever must be the same. Bound is not
// in the token.
func (t *Tokens) Seal(state []byte, expires time.Time, bound ...string) (string, error) {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, len(state)+16+tokenStep), uint64(expires.UnixMilli()))
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(state)))
	plain = append(plain, state...)
	plain = append(plain, make([]byte, (tokenStep-len(plain)%tokenStep)%tokenStep)...)
	box, err := t.sealer.Seal(plain, tokenAAD(bound))
	if err != nil {
		return "", err
	}
	if base64.RawURLEncoding.EncodedLen(len(box)) > maxToken {
		return "", problem.New(problem.TooLarge, "the state of this search is too large for a link",
			"Search with fewer parameters")
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// Open gives back the state of a token that is unexpired at now and was sealed
// for the same bound. All failures are one: what is wrong with a token is no
// business of who made it up.
func (t *Tokens) Open(token string, now time.Time, bound ...string) ([]byte, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(box)) != len(token) {
		return nil, errToken // the decoder skips line breaks
	}
	plain, err := t.sealer.Open(box, tokenAAD(bound))
	if err != nil || len(plain) < 12 {
		return nil, errToken
	}
	expires := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	n := binary.BigEndian.Uint32(plain[8:])
	if !now.Before(expires) || uint64(n) > uint64(len(plain)-12) {
		return nil, errToken
	}
	return plain[12 : 12+n], nil
}

var errToken error = problem.New(problem.NotFound, "this link is not valid, or is no longer",
	"Repeat the search from its first page")

// tokenAAD writes the length of each part before it: ("ab", "c") and ("a",
// "bc") are not alike.
func tokenAAD(bound []string) []byte {
	b := purpose("token")
	for _, s := range bound {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}
