package hospitaltest_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
)

// A badge that the key store's key signs is verified by a library that others wrote,
// with the keys as they are published; and refused by it where it is changed, run out or
// of another issuer. What the fields mean, the library does not say.
func TestABadgeIsVerifiedByAnotherLibrary(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := seal.Create(dir, seal.KeyFile("")); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.Open(dir, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ring.CredentialKey()
	if err != nil {
		t.Fatal(err)
	}
	release, err := ring.ReleaseKey()
	if err != nil || release.KeyID() == key.KeyID() {
		t.Fatalf("one key for two purposes: %v", err)
	}
	keys, err := key.PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	const base = "https://people.example.org"
	badge, err := course.Issuer{Name: "Mercy Valley Health", URL: base, Key: key}.Badge(&snapshot.Training{ID: "t1", Person: "lin", Course: course.Name, Version: course.Edition,
		Passed: true, Score: .9, CompletedAt: now, ExpiresAt: now.AddDate(1, 0, 0), Source: snapshot.FromProduct}, course.Title)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hospitaltest.VerifyBadge(t, badge, keys, base, now.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	var got course.Credential
	if err := json.Unmarshal(raw, &got); err != nil || got.ID != base+"/badges/t1" || got.Subject.ID != base+"/accounts/lin" {
		t.Errorf("got %+v, %v", got, err)
	}
	parts := strings.Split(badge, ".")
	parts[1] = parts[1][:40] + "AAAA" + parts[1][44:]
	for what, x := range map[string]struct {
		badge, issuer, want string
		at                  time.Time
	}{
		"changed":           {strings.Join(parts, "."), base, "ERR_JWS_SIGNATURE_VERIFICATION_FAILED", now},
		"run out":           {badge, base, "ERR_JWT_EXPIRED", now.AddDate(1, 0, 1)},
		"of another issuer": {badge, "https://evil.example", "ERR_JWT_CLAIM_VALIDATION_FAILED", now},
	} {
		if _, err := hospitaltest.VerifyBadge(t, x.badge, keys, x.issuer, x.at); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %s", what, err, x.want)
		}
	}
}
