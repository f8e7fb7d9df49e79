package sallyport

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sallyport/sallyport"

// layers is the map of the code: which packages of ours a package may import.
// A row "x/*" stands for every package below x; in a value, "x/*" allows them.
// "*" allows everything. Test files may import more (see testsMayImport).
//
// The reasons, which matter more than the rows:
//
//   - Only fhir, deid, vault, gateway and those below them may hold phi.Data.
//     What governs, logs or shows cannot hold patient data, so it cannot leak it.
//   - The data path never imports registry or store: it runs from a snapshot
//     alone, so a dead database cannot stall or widen a release.
//   - Only store and vault import a database driver; only policy imports Cedar.
//   - audit/verify is small enough for an auditor to read in an afternoon.
//   - deid/internal/release makes a deid.Release; Go lets nobody outside deid import it.
var layers = map[string][]string{
	// VOCABULARY
	"id":            {},
	"hipaa":         {},
	"phi":           {},
	"fhir/spec":     {},
	"fhir/spec/gen": {"fhir/spec"},
	"problem":       {"hipaa"},
	"sheet":         {"problem"}, // records as CSV, there and back
	// KNOWLEDGE
	"fhir":          {"fhir/spec", "phi", "problem"},
	"deid":          {"deid/internal/*", "internal/nearest", "internal/yamldoc", "fhir", "fhir/spec", "hipaa", "phi", "problem"},
	"deid/*":        {"deid", "deid/internal/*", "deid/text", "fhir", "fhir/spec", "hipaa", "phi", "problem"},
	"deid/table":    {"deid", "deid/internal/*", "deid/table/*", "hipaa", "internal/yamldoc", "phi", "problem"},
	"deid/table/*":  {"deid/table/csv", "problem"},
	"snapshot":      {"hipaa", "id"},
	"policy":        {"hipaa", "id", "problem", "snapshot"},
	"gate":          {"agreement", "course", "diligence", "hipaa", "id", "policy", "snapshot"},
	"gate/gatetest": {"agreement", "diligence", "gate", "hipaa", "id", "policy", "snapshot"},
	"fairness":      {"problem"},
	"provenance":    {},
	"diligence":     {"hipaa", "id", "problem", "snapshot"},                                              // questionnaires, scores, when a certification counts
	"agreement":     {"hipaa", "id", "paper", "problem", "snapshot"},                                     // what each term does, what is missing, our own wording
	"course":        {"hipaa", "id", "internal/yamldoc", "paper", "problem", "sheet", "snapshot"},        // lessons, questions, certificates
	"breach":        {"agreement", "hipaa", "id", "paper", "problem", "sheet", "snapshot"},               // clocks, the four factors, notices
	"paper":         {"problem"},                                                                         // PDF and DOCX of the product's own documents
	"offboarding":   {"hipaa", "id", "paper", "snapshot"},                                                // the certificate of return and destruction
	"forecast":      {"agreement", "breach", "course", "diligence", "hipaa", "id", "policy", "snapshot"}, // what stops when, if nobody acts
	"reminder":      {"breach", "forecast", "hipaa", "id", "policy", "snapshot"},                         // of what people must be told at a time, under keys that never change
	// RECORD
	"audit/verify":  {},
	"audit":         {"audit/verify", "hipaa", "id", "problem"},
	"audit/faultfs": {"audit"},
	"seal":          {"audit", "deid", "id", "internal/secretfile", "problem", "seal/sealed"},
	"seal/sealed":   {"id", "problem"},   // what both ends of a sealed release have in common
	"seal/kms":      {"problem", "seal"}, // key services; apart, because their clients are large
	"seal/kms/*":    {"problem", "seal", "seal/kms"},
	"vault":         {"id", "phi", "problem", "seal"},
	"behavior":      {"audit", "hipaa", "id"},
	"disclosure":    {"audit", "hipaa", "id", "problem", "sheet"}, // who was given what, by an index over the log that can be rebuilt from it
	// GOVERNANCE
	"registry":              {"agreement", "audit", "breach", "course", "diligence", "fhir/spec", "hipaa", "id", "internal/nearest", "policy", "problem", "provenance", "snapshot"}, // provenance: an attestation is verified in the act
	"registry/registrytest": {"agreement", "breach", "course", "diligence", "disclosure", "forecast", "paper", "audit", "fhir/spec", "hipaa", "id", "policy", "problem", "registry", "snapshot"},
	"store":                 {"hipaa", "id", "problem", "registry", "seal", "snapshot"},
	"evidence":              {"agreement", "breach", "course", "diligence", "disclosure", "forecast", "paper", "audit", "behavior", "fairness", "hipaa", "id", "registry", "snapshot"},
	// DATA PATH
	"identity":            {"fhir/spec", "hipaa", "id", "internal/secretfile", "problem", "snapshot"},
	"identity/signin":     {"id", "problem", "snapshot"}, // proves who a person is; what follows is an act, by people and api
	"gateway":             {"audit", "deid", "deid/*", "hipaa", "id", "identity", "phi", "policy", "problem", "seal", "seal/sealed", "snapshot", "vault"},
	"gateway/*":           {"gateway", "audit", "deid", "deid/*", "fairness", "fhir", "fhir/spec", "hipaa", "id", "identity", "phi", "policy", "problem", "seal", "seal/sealed", "snapshot", "vault"},
	"gateway/gatewaytest": {"*"}, // a gateway in a box, for the tests of protocols
	// FACES
	"api":          {"offboarding", "agreement", "breach", "course", "diligence", "disclosure", "forecast", "paper", "audit", "behavior", "evidence", "fairness", "fhir/spec", "hipaa", "id", "identity", "identity/signin", "policy", "problem", "registry", "snapshot", "sheet"},
	"people":       {"agreement", "breach", "course", "diligence", "disclosure", "forecast", "paper", "hipaa", "id", "identity", "identity/signin", "problem", "registry", "snapshot"},                                                                                                                                                                                // pages to sign in by: never PHI, and nothing of the log
	"console":      {"agent/wire", "console/draw", "api", "offboarding", "reminder", "gate", "agreement", "breach", "course", "diligence", "disclosure", "forecast", "paper", "audit", "audit/verify", "behavior", "evidence", "fairness", "fhir/spec", "hipaa", "id", "identity", "identity/signin", "policy", "problem", "registry", "sheet", "snapshot", "portal"}, // api: it asks the API as the person who looks
	"console/draw": {},                                                                                                                                                                                                                                                                                                                                                // SVG, made on the server
	// What the vendors' directories (SCIM) and event senders (SSF) say becomes acts, so
	// these are faces like api, on the gateway's listener.
	"scim":              {"hipaa", "id", "identity", "problem", "registry", "snapshot"},
	"alert":             {"id", "identity", "problem", "registry", "snapshot"}, // systems that report incidents
	"ssf":               {"id", "identity", "problem", "registry", "snapshot"},
	"portal":            {"agreement", "breach", "course", "diligence", "hipaa", "id", "identity", "identity/signin", "offboarding", "paper", "problem", "registry", "snapshot"}, // pages of the workflows, behind people: never PHI
	"notify":            {"id", "problem"},                                                                                                                                       // mail and webhooks: never PHI
	"scan":              {"deid", "deid/*", "internal/yamldoc", "problem"},                                                                                                       // reads files of any kind, and knows nothing of the gateway
	"notify/notifytest": {"identity"},                                                                                                                                            // a mail server and an address for webhooks, for tests
	// ASSEMBLY
	"server":                {"*"},
	"agent":                 {"agent/*", "audit/verify", "id", "identity", "problem", "seal", "seal/sealed"},
	"agent/keystore":        {"internal/secretfile", "problem"},
	"agent/posture":         {"identity", "problem"},
	"agent/wire":            {"problem"},
	"cmd/sallyport":         {"snapshot", "agreement", "breach", "course", "diligence", "forecast", "paper", "agent", "agent/*", "api", "audit/verify", "deid", "deid/*", "disclosure", "hipaa", "hospital", "id", "identity", "identity/signin", "internal/secretfile", "internal/yamldoc", "living", "people", "problem", "registry", "scan", "seal/sealed", "server", "sheet"}, // identity: commands are TLS clients; hipaa: `sallyport terms`
	"hospital":              {"fhir"},
	"internal/hospitaltest": {"*"},
	"living":                {"*"}, // an organisation with a past, for the demo and for tests
	"internal/need":         {},
	"internal/yamldoc":      {},
	"internal/nearest":      {},                // what somebody may have meant
	"internal/secretfile":   {},                // files that only their owner may use
	"internal/browser":      {"internal/need"}, // Chromium, for tests
	"bench":                 {"*"},
	"bench/*":               {"*"},
	"":                      {},

	"agent/posture/posturetest": {"agent/posture"},                      // a recorded machine, for tests
	"disclosure/disclosuretest": {"audit", "disclosure", "hipaa", "id"}, // large logs from a seed, and the slow answer
}

// drivers names the outside packages that only some of ours may import.
var drivers = map[string][]string{
	"github.com/cedar-policy/cedar-go": {"policy"},
	"modernc.org/sqlite":               {"store", "vault"},
	"github.com/jackc/pgx":             {"store"},
	"database/sql":                     {"store", "vault"},
	"github.com/go-webauthn/webauthn":  {"identity/signin"},
	"github.com/coreos/go-oidc/v3":     {"identity/signin"},
	"golang.org/x/oauth2":              {"identity/signin"},
	"github.com/chromedp":              {"internal/browser"},
	"codeberg.org/go-pdf/fpdf":         {"paper"},
	"golang.org/x/image":               {"paper"},
}

// pure packages take time, input and output as arguments.
var pure = []string{"id", "hipaa", "phi", "problem", "fhir", "snapshot", "policy", "gate", "diligence", "agreement", "course", "breach", "offboarding", "paper", "forecast",
	"deid", "deid/fhir", "deid/text", "deid/table", "deid/table/csv", "deid/table/risk", "deid/dicom",
	"deid/hl7v2", "deid/cda", "deid/x12", "deid/ncpdp", "deid/msconfig", "deid/internal/message", "provenance"}

// impure is what they may not import.
var impure = []string{"net", "net/http", "os", "os/exec", "database/sql", "log", "math/rand"}

func TestLayers(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(file))
		if pkg == "." {
			pkg = ""
		}
		row, allowed, ok := rowOf(pkg)
		if !ok {
			if !seen[pkg] {
				t.Errorf("%s is not on the map: add a row to layers, with the reason", pkg)
				seen[pkg] = true
			}
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !matches(allowed, ours) && ours != pkg {
				t.Errorf("%s imports %s, which row %q does not allow", file, ours, row)
			}
			for driver, who := range drivers {
				if (imported == driver || strings.HasPrefix(imported, driver+"/")) && !matches(who, pkg) && !matches(allowed, "*") {
					t.Errorf("%s imports %s, which only %v may", file, imported, who)
				}
			}
			if slices.Contains(pure, pkg) && slices.Contains(impure, imported) {
				if pkg == "problem" && imported == "net/http" {
					continue // status codes, and how a problem is written
				}
				t.Errorf("%s imports %s, but %s is pure", file, imported, pkg)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// trusted are the files that make markup of text by a conversion, with the reason why no
// stranger's word can become markup there. Everything else is written by templates.
var trusted = map[string]string{
	"console/draw/draw.go": "pictures: every word was escaped where it was drawn",
	"course/render.go":     "the course's own Markdown, in which HTML is refused",
}

var conversion = regexp.MustCompile(`template\.(HTML|HTMLAttr|CSS|JS|JSStr|URL|Srcset)\(`)

func TestNothingElseMakesMarkup(t *testing.T) {
	unused := maps.Clone(trusted)
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		source, err := os.ReadFile(file)
		if err != nil || !conversion.Match(source) {
			return err
		}
		name := filepath.ToSlash(file)
		if trusted[name] == "" {
			t.Errorf("%s makes markup of text: write a template, or say here why it may", name)
		}
		delete(unused, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range unused {
		t.Errorf("%s makes no markup of text any more: take it off the list", name)
	}
}

func rowOf(pkg string) (row string, allowed []string, ok bool) {
	if allowed, ok := layers[pkg]; ok {
		return pkg, allowed, true
	}
	for parent := path.Dir(pkg); parent != "."; parent = path.Dir(parent) {
		if allowed, ok := layers[parent+"/*"]; ok {
			return parent + "/*", allowed, true
		}
	}
	return "", nil, false
}

func matches(list []string, pkg string) bool {
	for _, p := range list {
		if p == "*" || p == pkg {
			return true
		}
		if below, ok := strings.CutSuffix(p, "/*"); ok && strings.HasPrefix(pkg, below+"/") {
			return true
		}
	}
	return false
}
