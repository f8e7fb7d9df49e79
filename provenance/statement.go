package provenance

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The statement and predicate types that are read, to the letter.
const (
	statementV1     = "https://in-toto.io/Statement/v1"
	statementV01    = "https://in-toto.io/Statement/v0.1" // what cosign attest still writes
	slsaPredicate   = "https://slsa.dev/provenance/v1"
	imagePredicate  = "https://sigstore.dev/cosign/sign/v1" // cosign 3 signs an image with it
	simpleType      = "cosign container image signature"
	maxIdentityText = 512
)

// simpleSigning reads what cosign 1 and 2 sign for an image, and wants it to be
// about the digest.
func simpleSigning(payload []byte, want string) error {
	var p struct {
		Critical struct {
			Image struct {
				Digest string `json:"docker-manifest-digest"`
			} `json:"image"`
			Type string `json:"type"`
		} `json:"critical"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return BadStatement
	}
	if p.Critical.Type != simpleType {
		return WrongStatement
	}
	if p.Critical.Image.Digest != "sha256:"+want {
		return OtherImage
	}
	return nil
}

// statement is an in-toto statement. Members that are not named are passed over:
// the format asks consumers to.
type statement struct {
	Type          string         `json:"_type"`
	Subject       []resource     `json:"subject"`
	PredicateType string         `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

// resource is an in-toto ResourceDescriptor.
type resource struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

func parseStatement(payload []byte) (*statement, error) {
	var s statement
	if json.Unmarshal(payload, &s) != nil {
		return nil, BadStatement
	}
	if s.Type != statementV1 && s.Type != statementV01 {
		return nil, BadStatement
	}
	if len(s.Subject) == 0 || len(s.Subject) > maxSubjects {
		return nil, BadStatement
	}
	return &s, nil
}

// about wants the image among the subjects. Names of subjects do not count: a
// digest does.
func (s *statement) about(want string) error {
	if !slices.ContainsFunc(s.Subject, func(r resource) bool { return r.Digest["sha256"] == want }) {
		return OtherImage
	}
	return nil
}

// build wants SLSA provenance of an allowed builder from allowed repositories.
func (s *statement) build(d Demand) (builder, source string, err error) {
	var p struct {
		Definition struct {
			External struct {
				Source       jsontext.Value `json:"source"`       // GitLab
				Workflow     repositoryOf   `json:"workflow"`     // GitHub Actions
				ConfigSource resource       `json:"configSource"` // BuildKit
			} `json:"externalParameters"`
			Dependencies []resource `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		Run struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	}
	if json.Unmarshal(s.Predicate, &p) != nil || len(p.Definition.Dependencies) > maxSources {
		return "", "", BadStatement
	}
	builder = p.Run.Builder.ID
	if len(builder) > maxIdentityText || !slices.Contains(d.Builders, builder) {
		return "", "", OtherBuilder
	}
	// Each build type has its own place for the repository. All that name one
	// count, and so does every dependency that is a commit: a build that takes a
	// second repository in is not from the first alone.
	var named []string
	for _, uri := range []string{text(p.Definition.External.Source), p.Definition.External.Workflow.Repository, p.Definition.External.ConfigSource.URI} {
		if uri != "" {
			named = append(named, uri)
		}
	}
	for _, dep := range p.Definition.Dependencies {
		if dep.Digest["gitCommit"] != "" || strings.HasPrefix(dep.URI, "git+") {
			named = append(named, dep.URI)
		}
	}
	for i, uri := range named {
		repo, ok := repository(uri)
		if !ok && len(d.Sources) > 0 {
			return "", "", OtherSource
		}
		if len(d.Sources) > 0 && !slices.ContainsFunc(d.Sources, func(prefix string) bool { return under(repo, prefix) }) {
			return "", "", OtherSource
		}
		if i == 0 && len(repo) <= maxIdentityText {
			source = repo
		}
	}
	if len(d.Sources) > 0 && len(named) == 0 {
		return "", "", OtherSource
	}
	return builder, source, nil
}

type repositoryOf struct {
	Repository string `json:"repository"`
}

// text is a member that build types write as a string or as an object with a
// repository or uri.
func text(v jsontext.Value) string {
	if !given(v) {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var o struct {
		Repository string `json:"repository"`
		URI        string `json:"uri"`
	}
	if json.Unmarshal(v, &o) != nil {
		return "?" // it says something, and nobody knows what: no repository
	}
	if o.Repository != "" {
		return o.Repository
	}
	if o.URI != "" {
		return o.URI
	}
	return "?"
}

// repository takes "git+https://host/owner/name.git@refs/heads/main" to
// "https://host/owner/name". ok is false for anything that is not plainly so.
func repository(uri string) (repo string, ok bool) {
	u, err := url.Parse(strings.TrimPrefix(uri, "git+"))
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.ForceQuery ||
		strings.ContainsAny(u.EscapedPath(), `%\`) {
		return "", false
	}
	p, _, _ := strings.Cut(u.Path, "@")
	p = strings.TrimSuffix(strings.TrimSuffix(p, "/"), ".git")
	if p == "" || path.Clean(p) != p {
		return "", false
	}
	return "https://" + strings.ToLower(u.Host) + p, true
}

// CheckPrefix wants a prefix that Sources can hold: a repository, or who owns
// some. Its error is BadPrefix.
func CheckPrefix(prefix string) error {
	if repo, ok := repository(prefix); !ok || repo != prefix || len(prefix) > maxIdentityText {
		return BadPrefix
	}
	return nil
}

// under compares whole path segments: ".../triage" does not cover
// ".../triage-evil".
func under(repo, prefix string) bool {
	return CheckPrefix(prefix) == nil && (repo == prefix || strings.HasPrefix(repo, prefix+"/"))
}
