package server

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// readProfiles reads the site's profiles. One that does not satisfy its legal
// basis stops the start.
func readProfiles(dir string) ([]*deid.Profile, error) {
	if dir == "" {
		return nil, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, problem.BadField("profiles_dir", dir+" is not a folder", "Make it, or leave the key out")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	var all []*deid.Profile
	named := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, problem.BadField("profiles_dir", "cannot read "+file, "Check its permissions").Because(err)
		}
		p, err := deid.LoadProfile(raw)
		if err != nil {
			q := *problem.From(err)
			q.Field = "profiles_dir/" + filepath.Base(file) + ": " + q.Field
			return nil, &q
		}
		if other, twice := named[p.Name()]; twice {
			return nil, problem.BadField("profiles_dir", fmt.Sprintf("%s and %s are both called %q", other, filepath.Base(file), p.Name()), "Give each profile a name of its own")
		}
		named[p.Name()] = filepath.Base(file)
		all = append(all, p)
	}
	return all, nil
}

// offered are the profiles that roles may name: the built-in ones and the
// site's, but no template, under which nothing can be released.
func offered(site []*deid.Profile) []snapshot.Profile {
	var out []snapshot.Profile
	for _, p := range append(append([]*deid.Profile(nil), deid.BuiltIn()...), site...) {
		if p.Template() {
			continue
		}
		digest := p.Digest()
		allows := func(s deid.Spec) bool {
			s.Profile, s.Profiles, s.Resources = p.Name(), site, map[string][]string{"Patient": {"gender"}}
			_, err := deid.NewScope(s)
			return err == nil
		}
		out = append(out, snapshot.Profile{Name: p.Name(), Basis: string(p.Basis()), SHA256: hex.EncodeToString(digest[:]),
			KeepDates: allows(deid.Spec{Dates: deid.KeepDates}), KeepIDs: allows(deid.Spec{Identifiers: deid.KeepIDs}),
			DirectIdentifiers: allows(deid.Spec{DirectIdentifiers: true})})
	}
	return out
}
