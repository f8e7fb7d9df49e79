package people_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/snapshot"
)

// enrol makes a passkey with a code, in the browser's authenticator.
func enrol(b *browser.Browser, w *world, code string) {
	w.t.Helper()
	b.Open(w.base + "/enroll")
	b.Type("#code", code)
	b.Press("form .main")
	b.Wants("Make your passkey")
	b.Press("form .main")
}

func signIn(b *browser.Browser, w *world) {
	w.t.Helper()
	b.Open(w.base + "/signin")
	b.Press("form[data-passkey] .main")
}

// From the code on the server's terminal to a person who is signed in, with real
// Chromium: no password anywhere.
func TestTheFirstPerson(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := browser.Start(t, w.base)
	b.WithAuthenticator(true)
	person, code, err := w.server.FirstRun()
	if err != nil || person != "ada" || code == "" {
		t.Fatalf("got %q, %v", person, err)
	}
	b.Open(w.base + "/")
	b.Wants("Sign in with a passkey", "invitation code")
	b.Picture("signin", 900, false)
	b.Picture("signin-320-dark", 320, true)
	signIn(b, w)
	b.Wants("The passkey was not used") // there is none

	b.Open(w.base + "/enroll")
	b.Picture("enroll", 900, false)
	b.Type("#code", "00000-00000-00000-00000-00000")
	b.Press("form .main")
	b.Wants("The code is not known")
	b.Picture("problem", 900, false)
	b.Open(w.base + "/enroll")
	b.Type("#code", strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	b.Press("form .main")
	b.Wants("Ada Example", "Is that you?")
	b.Picture("register", 900, false)
	b.Press("form .main")
	ada := w.who("ada")
	if len(ada.Passkeys) != 1 || ada.State != snapshot.Approved {
		t.Fatalf("got %+v", ada)
	}
	b.Wants("Your passkey is made", ada.Passkeys[0].Fingerprint)
	b.Picture("enrolled", 900, false)
	if _, again, err := w.server.FirstRun(); err != nil || again != "" {
		t.Errorf("a second code for the first person: %q, %v", again, err)
	}
	enrolAgain := func() {
		b.Open(w.base + "/enroll")
		b.Type("#code", code)
		b.Press("form .main")
		b.Wants("The code is not known")
	}
	enrolAgain()

	signIn(b, w)
	b.Open(w.base + "/account")
	b.Wants("Your access", "Ada Example", "this one", "Where you are signed in")
	b.Picture("home", 900, false)
	b.Picture("home-320-dark", 320, true)
	s := w.live("ada")
	if len(s) != 1 || s[0].Method != snapshot.ByPasskey || s[0].SteppedUpAt.IsZero() || s[0].Vendor != "" {
		t.Fatalf("got %+v", s)
	}
	cookie := b.Cookies()["__Host-sallyport"]
	if cookie == nil || !cookie.Secure || !cookie.HTTPOnly || cookie.SameSite != "Lax" || cookie.Path != "/" {
		t.Fatalf("got %+v", cookie)
	}
	if w.who("ada").Passkeys[0].SignCount == 0 {
		t.Error("the authenticator counts, and the counter was not noted")
	}
	b.Press("form[action='/signout'] button")
	b.Wants("You are signed out")
	if len(w.live("ada")) != 0 {
		t.Error("the session goes on")
	}
	// The secret that was good is good no more.
	b.SetCookie(w.base, "__Host-sallyport", cookie.Value)
	b.Open(w.base + "/")
	b.Wants("You are signed out", "Your session is over")
	b.Picture("over", 900, false)
	w.keptQuiet(code, strings.ReplaceAll(code, "-", ""), cookie.Value)
}
