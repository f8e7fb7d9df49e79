package msconfig

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sallyport/sallyport/fhir/spec"
)

// do applies a rule's method to one element. What the method cannot be applied
// to stays, but for generalize, where that is an error.
func (t *tree) do(r *rule, n *node) (operations, error) {
	has := n.val.kind != none && n.val.s != ""
	switch r.method {
	case Redact:
		if has {
			return t.redact(n)
		}
	case DateShift:
		if has && (n.typ == "date" || n.typ == "dateTime" || n.typ == "instant") {
			return t.shift(n)
		}
	case CryptoHash:
		if has {
			return t.note(cryptoHashed), t.cryptoHash(n)
		}
	case Encrypt:
		if has {
			s, err := t.a.cipher.encrypt(n.val.String(), t.a.rand)
			n.val = textValue(s)
			return t.note(encrypted), err
		}
	case Perturb:
		return t.perturb(r, n)
	case Generalize:
		return t.generalize(r, n)
	case Substitute:
		return t.note(substituted), t.substitute(r, n)
	}
	return 0, nil
}

// overAge is the age over which an age may not be told (45 CFR
// 164.514(b)(2)(i)(C)).
const overAge = 89

var errAge = errors.New("an age that is not a whole number cannot be redacted in part")

func (t *tree) redact(n *node) (operations, error) {
	p := &t.a.params
	switch {
	case n.typ == "date" || n.typ == "dateTime" || n.typ == "instant":
		t.redactDate(n)
		return t.note(redacted), nil
	case n.typ == "decimal" && n.parent != nil && n.parent.typ == "Age":
		if !p.partialAges {
			n.val = value{}
			return t.note(redacted), nil
		}
		age, err := strconv.ParseInt(n.val.String(), 10, 32)
		if err != nil {
			return 0, errAge
		}
		if age > overAge {
			n.val = value{}
		}
		return t.note(redacted), nil
	case strings.EqualFold(n.name, "postalCode"):
		if !p.partialZips {
			n.val = value{}
			return t.note(redacted), nil
		}
		n.val = textValue(partialZip(n.val.String(), p.restrictedZips))
		return t.note(abstracted), nil
	default:
		n.val = value{}
		return t.note(redacted), nil
	}
}

// redactDate removes a date, or all but its year where the configuration says so
// and the year does not tell of an age over 89.
func (t *tree) redactDate(n *node) {
	m, ok := parseMoment(n.val.s, true)
	if !t.a.params.partialDates || !ok || t.tellsOldAge(m) {
		n.val = value{}
		return
	}
	n.val = textValue(n.val.s[:4])
}

// tellsOldAge says whether someone born then is over 89. What the date does not
// say counts as the first of January.
func (t *tree) tellsOldAge(m moment) bool {
	now := t.a.asOf
	age := now[0] - m.year
	if now[1] < m.month || now[1] == m.month && now[2] < m.day {
		age--
	}
	return age > overAge
}

// partialZip keeps the first three characters and makes digits after them 0; of
// a restricted code, all digits. A code of less than three characters stays: see
// Differences.
func partialZip(s string, restricted []string) string {
	u := utf16.Encode([]rune(s))
	from := 3
	for _, r := range restricted {
		if strings.HasPrefix(s, r) {
			from = 0
		}
	}
	for i := from; i < len(u); i++ {
		if unicode.Is(unicode.Nd, rune(u[i])) && !utf16.IsSurrogate(rune(u[i])) {
			u[i] = '0'
		}
	}
	return string(utf16.Decode(u))
}

// shiftRange is how far a date moves at most, in days, either way: 101 ways.
const (
	shiftRange = 50
	shiftSeed  = 131
)

// shiftOf is the number of days for a key.
func shiftOf(prefix, key string) int {
	offset := 0
	for _, s := range []string{prefix, key} {
		for i := range len(s) {
			offset = (offset*shiftSeed + int(s[i])) % (2*shiftRange + 1)
		}
	}
	return offset - shiftRange
}

var errShift = errors.New("a date leaves the calendar when it is shifted")

// shift moves a date that has a day. Its time of day becomes zeros, its zone
// stays. A date without a day, or one that tells of an age over 89, is redacted
// instead.
func (t *tree) shift(n *node) (operations, error) {
	s := n.val.s
	m, ok := parseMoment(s, true)
	if !ok || m.prec < toDay || t.tellsOldAge(m) {
		t.redactDate(n)
		return t.note(redacted), nil
	}
	days := shiftOf(t.prefix(n), t.a.params.dateShiftKey)
	if f := t.a.params.fixedOffset; f != nil {
		days = *f
	}
	day := time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC)
	if days > 4e6 || days < -4e6 {
		return 0, errShift
	}
	// .NET rounds a fraction to 100 ns before it shifts, which can carry.
	if i := strings.IndexByte(s, 'T'); i > 0 && m.prec == toFraction {
		if hms, nanos, _, _, _ := parseHMS(s[i+1:]); hms == [3]int{23, 59, 59} && nanos == int(time.Second) {
			days++
		}
	}
	day = day.AddDate(0, 0, days)
	if day.Year() < 1 || day.Year() > 9999 {
		return 0, errShift
	}
	out := day.Format("2006-01-02")
	if n.typ != "date" {
		out += zeroTime(s)
	}
	n.val = textValue(out)
	return t.note(perturbed), nil
}

// zeroTime is the time of day of a dateTime as zeros, with its zone. A time of
// day that is not as FHIR writes it, with seconds and a zone of its own range, is
// dropped.
func zeroTime(s string) string {
	i := strings.IndexByte(s, 'T')
	if i < 0 {
		return ""
	}
	_, _, p, zone, _ := parseHMS(s[i+1:])
	if p < toSecond || zone == "" {
		return ""
	}
	b := []byte(s[i:])
	for j := range len(b) - len(zone) {
		if isDigit(b[j]) {
			b[j] = '0'
		}
	}
	return string(b)
}

// prefix is what the shift depends on besides the key: the file's or folder's
// name, or else the id that the outermost resource has by now, hashed if a rule
// has hashed it.
func (t *tree) prefix(n *node) string {
	if t.a.prefix != "" {
		return t.a.prefix
	}
	if id := n.root().child("id"); id != nil {
		return id.val.String()
	}
	return ""
}

// hasher makes HMACs under one key. It keeps some ready.
type hasher struct{ pool sync.Pool }

func newHasher(key string) *hasher {
	h := &hasher{}
	h.pool.New = func() any { return hmac.New(sha256.New, []byte(key)) }
	return h
}

func (h *hasher) hex(s string) string {
	if s == "" {
		return s
	}
	m := h.pool.Get().(hash.Hash)
	defer h.pool.Put(m)
	m.Reset()
	_, _ = io.WriteString(m, s)
	var sum [sha256.Size]byte
	return hex.EncodeToString(m.Sum(sum[:0]))
}

func (t *tree) cryptoHash(n *node) error {
	s := n.val.String()
	if n.name == "reference" && n.parent != nil && n.parent.typ == "Reference" {
		s = hashReference(s, t.a.hash.hex)
	} else {
		s = t.a.hash.hex(s)
	}
	n.val = textValue(s)
	return nil
}

// hashReference hashes the id in a reference: after "#", after the type in a
// relative or absolute URL, in urn:oid and urn:uuid. Anything else, a conditional
// reference for one, is hashed whole.
func hashReference(s string, f func(string) string) string {
	if s == "" {
		return s
	}
	if rest, ok := strings.CutPrefix(s, "#"); ok {
		return "#" + f(rest)
	}
	if prefix, id, suffix, ok := literalReference(s); ok {
		return prefix + f(id) + suffix
	}
	if rest, ok := strings.CutPrefix(s, "urn:oid:"); ok && isOID(rest) {
		return "urn:oid:" + f(rest)
	}
	if rest, ok := strings.CutPrefix(s, "urn:uuid:"); ok && isUUID(rest) {
		return "urn:uuid:" + f(rest)
	}
	return f(s)
}

// literalReference takes [base/]Type/id[/_history/version] apart.
func literalReference(s string) (prefix, id, suffix string, ok bool) {
	// A version at the end is one only if what is before it is a reference too.
	if i := strings.LastIndex(s, "/_history/"); i >= 0 && spec.ValidID(s[i+len("/_history/"):]) {
		if prefix, id, suffix, ok = literalReference(s[:i]); ok && suffix == "" {
			return prefix, id, s[i:], true
		}
		return "", "", "", false
	}
	i := strings.LastIndexByte(s, '/')
	if i < 0 || !spec.ValidID(s[i+1:]) {
		return "", "", "", false
	}
	base := s[:i]
	j := 0
	if strings.HasPrefix(base, "http://") {
		j = len("http://")
	} else if strings.HasPrefix(base, "https://") {
		j = len("https://")
	}
	// The type is what the base ends with; the base may end anywhere.
	for k := j; k < len(base); k++ {
		if !hasTypeAt(base, k) {
			continue
		}
		if k > 0 && j == 0 || !onlyURL(base[j:k]) {
			break
		}
		return s[:i+1], s[i+1:], "", true
	}
	return "", "", "", false
}

// hasTypeAt says whether base from k on is the name of a resource type.
func hasTypeAt(base string, k int) bool {
	return base[k] >= 'A' && base[k] <= 'Z' && spec.IsResource(base[k:])
}

// onlyURL says whether a base address has only the characters that the tool takes.
func onlyURL(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && !(isLetter(s[i]) && s[i] != '_') && strings.IndexByte(`\/.:%$`, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isOID(s string) bool {
	arcs := strings.Split(s, ".")
	if len(arcs) < 2 || len(arcs[0]) != 1 || arcs[0][0] < '0' || arcs[0][0] > '2' {
		return false
	}
	for _, a := range arcs[1:] {
		if a == "" || len(a) > 1 && a[0] == '0' {
			return false
		}
		for i := range len(a) {
			if !isDigit(a[i]) {
				return false
			}
		}
	}
	return true
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isDigit(c) && !(c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

// blockCipher is AES in CBC mode with PKCS #7 padding. It has no integrity: the
// tool's has none.
type blockCipher struct{ block cipher.Block }

func newCipher(key string) (blockCipher, error) {
	b, err := aes.NewCipher([]byte(key))
	return blockCipher{b}, err
}

// encrypt gives base64 of a random initialization vector and the ciphertext.
func (c blockCipher) encrypt(s string, rand io.Reader) (string, error) {
	pad := aes.BlockSize - len(s)%aes.BlockSize
	buf := make([]byte, aes.BlockSize+len(s)+pad)
	if _, err := io.ReadFull(rand, buf[:aes.BlockSize]); err != nil {
		return "", errors.New("there is no more randomness")
	}
	body := buf[aes.BlockSize:]
	copy(body, s)
	for i := len(s); i < len(body); i++ {
		body[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(c.block, buf[:aes.BlockSize]).CryptBlocks(body, body)
	return base64.StdEncoding.EncodeToString(buf), nil
}

// Decrypt opens what the method encrypt made, for whoever holds the key.
func Decrypt(sealed, key string) (string, error) {
	c, err := newCipher(key)
	if err != nil {
		return "", errors.New("the key is not 128, 192 or 256 bits long")
	}
	buf, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(buf) < 2*aes.BlockSize || len(buf)%aes.BlockSize != 0 {
		return "", errors.New("this was not encrypted")
	}
	body := buf[aes.BlockSize:]
	cipher.NewCBCDecrypter(c.block, buf[:aes.BlockSize]).CryptBlocks(body, body)
	pad := int(body[len(body)-1])
	if pad == 0 || pad > aes.BlockSize || strings.Trim(string(body[len(body)-pad:]), string(rune(pad))) != "" {
		return "", errors.New("the key is not the one that it was encrypted with")
	}
	out := string(body[:len(body)-pad])
	if !utf8.ValidString(out) {
		return "", errors.New("the key is not the one that it was encrypted with")
	}
	return out, nil
}

// randomKey is 128 random bits as 32 hexadecimal digits: the form of the tool's
// own default.
func randomKey(rand io.Reader) (string, error) {
	if rand == nil {
		return "", errors.New("no randomness")
	}
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", errors.New("no randomness")
	}
	return hex.EncodeToString(b[:]), nil
}

// Types that perturb works on: the value itself, or the value of a quantity.
func isNumeric(typ string) bool {
	return typ == "decimal" || isInteger(typ)
}

func isInteger(typ string) bool {
	return typ == "integer" || typ == "positiveInt" || typ == "unsignedInt"
}

func isQuantityType(typ string) bool {
	switch typ {
	case "Age", "Count", "Duration", "Distance", "Money", "Quantity":
		return true
	}
	return false
}

var errNoise = errors.New("noise in proportion to a negative number has no range, or the number is out of range")

// perturb adds noise that is uniform over the span, half of it below and half
// above, and rounds half to even.
func (t *tree) perturb(r *rule, n *node) (operations, error) {
	v := n
	switch {
	case isNumeric(n.typ):
	case isQuantityType(n.typ):
		v = n.child("value")
	default:
		v = nil
	}
	if v == nil || v.val.kind == none || v.visited {
		return 0, nil
	}
	origin, ok := parseDecimal(v.val.s)
	if !ok {
		return 0, errNoise
	}
	span, digits := r.span, r.roundTo
	if isInteger(v.typ) {
		digits = 0
	}
	if r.inProportion {
		span *= origin.float()
	}
	lower, upper := -1*span/2, span/2
	if lower > upper {
		return 0, errNoise
	}
	u, err := uniform(t.a.rand)
	if err != nil {
		return 0, err
	}
	// The conversion to float64 keeps the product from being fused with the sum.
	noise, ok := fromFloat(lower + float64(u*(upper-lower)))
	if !ok {
		return 0, errNoise
	}
	sum, ok := origin.add(noise)
	if !ok {
		return 0, errNoise
	}
	sum = sum.round(digits)
	if v.typ == "positiveInt" && sum.c.Sign() <= 0 {
		sum = fromInt(1)
	}
	if v.typ == "unsignedInt" && sum.c.Sign() < 0 {
		sum = fromInt(0)
	}
	v.val = decValue(sum)
	markBelow(n)
	return t.note(perturbed), nil
}

// uniform is a number from 0 up to 1, of 53 random bits.
func uniform(rand io.Reader) (float64, error) {
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return 0, errors.New("there is no more randomness")
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53), nil
}

// markBelow says that no rule may have what is below n any more.
func markBelow(n *node) {
	for _, k := range n.kids {
		k.visited = true
		markBelow(k)
	}
}

// generalize puts the value of the first case whose condition holds. A condition
// without an answer (two dates of which one is less precise) holds, as it does in
// the tool.
func (t *tree) generalize(r *rule, n *node) (operations, error) {
	if !n.primitive() {
		return 0, errors.New("generalize is for primitive elements, and " + n.typ + " is none")
	}
	if n.val.kind == none {
		return 0, nil
	}
	for _, c := range r.cases {
		when, err := c.when.eval(t.env(n))
		if err != nil {
			return 0, &processingError{err}
		}
		if truthOf(when) == no {
			continue
		}
		then, err := c.then.eval(t.env(n))
		if err != nil {
			return 0, &processingError{err}
		}
		if len(then) > 1 {
			return 0, &processingError{errSingle}
		}
		var v value
		if len(then) == 1 {
			v = then[0].val()
		}
		n.val = v
		return t.note(generalized), nil
	}
	if !r.keepOthers {
		n.val = value{}
	}
	return t.note(generalized), nil
}

// rewriteInstant writes a time as the tool's data model does: the offset in
// digits even for UTC, the fraction without trailing zeros, a year alone as its
// first moment. ok is false where it is no time.
func rewriteInstant(s string) (string, bool) {
	m, ok := parseMoment(s, true)
	if !ok || m.prec == toHour || m.prec == toMinute {
		return "", false
	}
	zone := "+00:00"
	if i := strings.IndexByte(s, 'T'); i > 0 {
		if z := s[max(i, len(s)-6):]; (z[0] == '+' || z[0] == '-') && len(z) == 6 {
			zone = z
		}
	}
	minutes, _ := parseZone(zone)
	local := m.at.Add(time.Duration(minutes) * time.Minute)
	out := local.Format("2006-01-02T15:04:05")
	if ns := local.Nanosecond(); ns > 0 {
		f := strconv.Itoa(1e9 + ns)[1:8]
		out += "." + strings.TrimRight(f, "0")
	}
	return out + zone, true
}
