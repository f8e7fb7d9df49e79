package gateway

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Protocol is a language in which outside applications ask: FHIR's REST API is
// one. It reads questions and turns upstream answers into releases; who may ask,
// what leaves and what is recorded is not its business. Every protocol passes
// the one conformance suite, gatewaytest.Conform.
type Protocol interface {
	// Name is the protocol's word in metrics and request logs: "fhir".
	Name() string
	// Read turns what the wire asks into questions. It looks at no patient data
	// and asks no source. What it cannot read is a problem, and is refused and
	// recorded; it must not guess.
	Read(r *http.Request, s Standing) (Reading, error)
	// Explain puts a problem into the protocol's form, for its reader. It must
	// add nothing to what the problem says.
	Explain(r *http.Request, p *problem.Problem) (contentType string, body []byte)
}

// Standing is who asks and on what footing, so that a protocol can read a
// question in the light of the role. What is not known is nil, and the policy
// will refuse; the protocol reads on so that the refusal can name everything.
type Standing struct {
	Caller     identity.Caller
	Source     *Source // nil: there is none of that name
	Grant      *snapshot.Grant
	Role       *snapshot.Role
	Engagement id.Engagement
	Scope      *deid.Scope // the role's view; nil: nothing is visible
	// Public is the address under which the caller reaches the source through
	// this gateway.
	Public string
	// Rest is the path below the source, percent-encoded as it was sent.
	Rest string

	g *Gateway
}

// Reading is what the wire asked: one question, or for a batch several, each of
// which is decided and recorded by itself.
type Reading struct {
	Question Question
	Batch    []Item
	// Compose puts the answers of a batch together. It is called once, with as
	// many answers as Batch has items, and adds only words of its own.
	Compose func(answers []Composed) (contentType string, body []byte)
}

// Item is one question of a batch, or what is wrong with it.
type Item struct {
	Question Question
	Problem  *problem.Problem
}

// Composed is the answer to one question of a batch.
type Composed struct {
	Status int
	Body   []byte // released, as the receipt covers it; or what Explain made
	OK     bool
	// Sealed is set where Body is sealed: it is no JSON then, and must leave as it is.
	Sealed *SealedBody
}

// Words is a question in the policy's words.
type Words struct {
	Interaction string   // FHIR code: read, vread, search-type, everything, capabilities
	Action      string   // the audit log's word, where it is not Interaction
	Resources   []string // types that the answer may hold; first the one that is asked for
	Reads       []string // element paths that answering reads, see policy.Request
	PageSize    int
	// Needs are the token's scopes that the question needs, all of them.
	Needs []Need
}

// Need is an interaction on a resource type that the token's scopes must allow.
type Need struct{ Resource, Interaction string }

// Question is one question to one source.
type Question interface {
	Words() Words
	// Fetch asks the source, through d and by reading only. It is called once,
	// after the permit. Its context ends with the question.
	Fetch(ctx context.Context, d *Desk) (Answer, error)
}

// Statement is a Question that the gateway answers out of its own knowledge,
// without patient data: what the caller may do.
type Statement interface {
	Question
	State(d *Desk) (contentType string, body []byte, err error)
}

// Answer is a source's answer on its way through.
type Answer interface {
	// Next gives the next release: the whole answer where it is small, a chunk
	// where it is long. last is true with the one that ends it. After an error
	// nothing more may leave, and what was not given yet is dropped.
	Next(ctx context.Context) (r deid.Release, last bool, err error)
	// Upstream is the source's HTTP status.
	Upstream() int
	// ContentType is the answer's.
	ContentType() string
	// Close lets go of the upstream and waits for what the answer started.
	Close()
}
