package wire_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/agent/wire"
)

func TestInvitationsAreReadAsTheyAreWritten(t *testing.T) {
	i := wire.Invite{Device: "lin.laptop-1", Code: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Pin: wire.PinOf([]byte("a certificate"))}
	got, err := wire.ParseInvite(" " + i.String() + "\n")
	if err != nil || got != i {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", ".", "..", "lin.ABC." + i.Pin, i.Device + "." + i.Code, i.String()[:len(i.String())-1], strings.ToUpper(i.String()), "." + i.Code + "." + i.Pin,
		"a b." + i.Code + "." + i.Pin, strings.Repeat("x", 300) + "." + i.Code + "." + i.Pin} {
		if got, err := wire.ParseInvite(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
	if wire.CodeDigest("a") == wire.CodeDigest("b") || len(wire.CodeDigest("a")) != 64 {
		t.Error("the digests of codes are wrong")
	}
}

func FuzzInvite(f *testing.F) {
	f.Add("lin-laptop.ABCDEFGHIJKLMNOPQRSTUVWXYZ." + wire.PinOf(nil))
	f.Fuzz(func(t *testing.T, s string) {
		i, err := wire.ParseInvite(s)
		if err != nil {
			return
		}
		if again, err := wire.ParseInvite(i.String()); err != nil || again != i {
			t.Errorf("%q: got %+v, %v", s, again, err)
		}
	})
}
