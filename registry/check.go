package registry

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/nearest"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// first is the first error, in the order of the fields.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func badField(field, title, next string) error { return problem.BadField(field, title, next) }

func conflict(field, title, next string) error {
	p := problem.New(problem.Conflict, title, next)
	p.Field = field
	return p
}

func formed[T ~string](field string, v T) error {
	if err := id.Check(v); err != nil {
		return badField(field, "is not an id", "Write 1 to 64 letters, digits, '-', '.' or '_', beginning with a letter or digit")
	}
	return nil
}

// fresh wants a well-formed id that is not in use; an id is never used twice,
// because the log names things by it.
func fresh[K ~string, V any](field string, t snapshot.Table[K, V], key K) error {
	if err := formed(field, key); err != nil {
		return err
	}
	if _, ok := t.Get(key); ok {
		return conflict(field, fmt.Sprintf("%q is in use", string(key)), "Choose another id, or amend what is there")
	}
	return nil
}

// freshOrNone is fresh for an id that the registry makes where it is left out.
func freshOrNone[K ~string, V any](field string, t snapshot.Table[K, V], key K) error {
	if key == "" {
		return nil
	}
	return fresh(field, t, key)
}

// goingOn wants a vendor that has not been parted from: what is added to one that has
// could only lie there.
func goingOn(field string, v *snapshot.View, vendor id.Vendor) error {
	if w, ok := v.Vendors.Get(vendor); ok && w.State == snapshot.Ended {
		return conflict(field, fmt.Sprintf("Vendor %q has been parted from, for good", vendor), "Work with them again is a new vendor: sallyport vendor propose")
	}
	return exists(field, v.Vendors, vendor)
}

// exists wants the id of a record, and offers the nearest where it is not one.
func exists[K ~string, V any](field string, t snapshot.Table[K, V], key K) error {
	if _, ok := t.Get(key); ok {
		return nil
	}
	if err := formed(field, key); err != nil {
		return err
	}
	var names []string
	for k := range t.All() {
		names = append(names, string(k))
	}
	return badField(field, fmt.Sprintf("there is no %q", string(key)), meant(string(key), names, "Give the id of one that exists"))
}

// found is exists for the record that an act is about.
func found[K ~string, V any](field string, t snapshot.Table[K, V], key K) error {
	err := exists(field, t, key)
	if p, ok := err.(*problem.Problem); ok && id.Check(key) == nil {
		p.Kind = problem.NotFound
	}
	return err
}

func required(field, v, example string) error {
	if strings.TrimSpace(v) == "" {
		return badField(field, "is missing", "Write it, for example "+example)
	}
	return shortText(field, v)
}

// MaxText is the longest free text in an act, in bytes.
const MaxText = 512

func shortText(field, v string) error {
	if len(v) > MaxText {
		return badField(field, fmt.Sprintf("is %d bytes long", len(v)), fmt.Sprintf("Use at most %d", MaxText))
	}
	return plainText(field, v, false)
}

// plainText wants what only says something; it may have several lines. A control character,
// of C1 too, acts on the terminal of whoever lists it. Embeddings, overrides and
// isolates (UAX #9, section 2) change how the id beside a text reads to who approves it.
func plainText(field, v string, lines bool) error {
	next := "Use plain text on one line"
	if lines {
		next = "Use plain text"
	}
	for i, r := range v {
		switch {
		case lines && (r == '\n' || r == '\t' || r == '\r' && strings.HasPrefix(v[i+1:], "\n")):
		case unicode.IsControl(r) || r == utf8.RuneError:
			return badField(field, "holds a control character or is not UTF-8", next)
		case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return badField(field, "holds a character that turns the text around", "Write it without direction marks")
		}
	}
	return nil
}

func oneOf[T ~string](field string, v T, known []T) error {
	if slices.Contains(known, v) {
		return nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	if v == "" {
		return badField(field, "is missing", "Use one of "+join(names))
	}
	return badField(field, fmt.Sprintf("%q is not known", string(v)), meant(string(v), names, "Use one of "+join(names)))
}

func sha256Hex(field, v string) error {
	if raw, err := hex.DecodeString(v); err != nil || len(raw) != 32 || v != strings.ToLower(v) {
		return badField(field, "is not a SHA-256", "Write 64 lower-case hex digits, as sha256sum prints")
	}
	return nil
}

func optionalDigest(field, v string) error {
	if v == "" {
		return nil
	}
	return sha256Hex(field, v)
}

func set(field string, t time.Time) error {
	if t.IsZero() {
		return badField(field, "is missing", "Write a time such as 2026-01-31T00:00:00Z")
	}
	if y := t.UTC().Year(); y < 1970 || y > 2200 {
		return badField(field, fmt.Sprintf("the year %d cannot be meant", y), "Write a time between 1970 and 2200")
	}
	return nil
}

// setOrNone is set for a time that may be left out.
func setOrNone(field string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return set(field, t)
}

// after wants t to be later than u, where both are given.
func after(field string, t time.Time, than string, u time.Time) error {
	if !t.IsZero() && !u.IsZero() && !t.After(u) {
		return badField(field, "is not after "+than, "Write a later time")
	}
	return nil
}

// past refuses a time that has not come: what has not happened cannot be
// recorded as done.
func past(field string, t, now time.Time) error {
	if t.After(now) {
		return badField(field, "is in the future", "Write when it happened, in UTC")
	}
	return nil
}

func future(field string, t, now time.Time) error {
	if !t.IsZero() && !t.After(now) {
		return badField(field, "is in the past", "Write a time to come")
	}
	return nil
}

// regions wants ISO 3166 codes: a country ("US") or a subdivision ("US-MA").
func regions(field string, codes []string, atLeastOne bool) error {
	if atLeastOne && len(codes) == 0 {
		return badField(field, "is empty", `Name at least one, such as "US"`)
	}
	for i, c := range codes {
		if err := region(fmt.Sprintf("%s[%d]", field, i), c); err != nil {
			return err
		}
	}
	return unique(field, codes)
}

func region(field, c string) error {
	country, sub, divided := strings.Cut(c, "-")
	letters := func(s string, digits bool) bool {
		for i := range len(s) {
			if !('A' <= s[i] && s[i] <= 'Z' || digits && '0' <= s[i] && s[i] <= '9') {
				return false
			}
		}
		return true
	}
	if len(country) != 2 || !letters(country, false) ||
		divided && (len(sub) < 1 || len(sub) > 3 || !letters(sub, true)) {
		return badField(field, fmt.Sprintf("%q is not a region", c), `Use an ISO 3166 code such as "US" or "US-MA"`)
	}
	return nil
}

func unique[T ~string](field string, vs []T) error {
	seen := map[T]bool{}
	for i, v := range vs {
		if seen[v] {
			return badField(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q stands there twice", string(v)), "Leave one out")
		}
		seen[v] = true
	}
	return nil
}

// each applies a check to each element, with its place in the field's name.
func each[T any](field string, vs []T, check func(field string, v T) error) error {
	for i, v := range vs {
		if err := check(fmt.Sprintf("%s[%d]", field, i), v); err != nil {
			return err
		}
	}
	return nil
}

// inState wants the record to stand where the act can start from.
func inState(what string, got snapshot.State, want ...snapshot.State) error {
	if slices.Contains(want, got) {
		return nil
	}
	names := make([]string, len(want))
	for i, s := range want {
		names[i] = string(s)
	}
	return conflict("", fmt.Sprintf("%s is %s", what, cmp.Or(string(got), "nowhere")), "This act needs it to be "+strings.Join(names, " or "))
}

func join(names []string) string { return strings.Join(names, ", ") }

// meant proposes the nearest name, or else says what to do.
func meant(got string, names []string, otherwise string) string {
	if n := nearest.Name(got, names, len(got)/3+2); n != "" {
		return fmt.Sprintf("Did you mean %q?", n)
	}
	return otherwise
}
