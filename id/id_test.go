package id

import (
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		id string
		ok bool
	}{
		{"northwind-ai", true}, {"a", true}, {"9", true}, {"A.b_c-d", true}, {strings.Repeat("x", MaxLen), true},
		{"", false}, {"-a", false}, {".", false}, {"..", false}, {"_a", false}, {"a b", false}, {"a/b", false}, {"é", false},
		{"a\n", false}, {"a\x00", false}, {strings.Repeat("x", MaxLen+1), false},
	} {
		if got := Check(Vendor(tc.id)) == nil; got != tc.ok {
			t.Errorf("Check(%q): got %v, want %v", tc.id, got, tc.ok)
		}
	}
}

func TestNewCarriesItsTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 10, 0, 0, 123e6, time.UTC)
	a, b := New[Decision](at), New[Decision](at.Add(time.Millisecond))
	got, err := Time(a)
	if err != nil || !got.Equal(at) {
		t.Errorf("Time: got %v, %v, want %v", got, err, at)
	}
	if a >= b {
		t.Errorf("%s does not sort before %s", a, b)
	}
	if err := Check(a); err != nil {
		t.Errorf("a new id is no id: %v", err)
	}
	if one, other := New[Act](at), New[Act](at); one == other {
		t.Error("two ids of one moment are the same")
	}
	if _, err := Time(Vendor("northwind")); err == nil {
		t.Error("a chosen id has a time")
	}
}
