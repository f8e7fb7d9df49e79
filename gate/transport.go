package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed transport.cedar
var transportCedar string

var transport = policy.Gate{
	ID:       "transport",
	Title:    "The request came over TLS 1.3 with a token bound to the client's certificate or key",
	Policy:   transportCedar,
	Cites:    []string{"S-312-e-1", "S-312-e-2-ii", "S-312-d"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Asked: func(_ *policy.Case, q *policy.Request, _ policy.Stage, f *policy.Facts) {
		policy.Word(f, "tls", q.Transport.TLSVersion, "1.2", "1.3")
		f.Bool("certificate", isDigest(q.Transport.CertificateSHA256))
		policy.Word(f, "token_binding", q.Transport.TokenBinding, "mtls", "dpop", "mtls+dpop")
	},
	Reasons: []policy.Reason{
		{Code: "tls", Message: "The connection is not TLS 1.3", NextStep: "Connect with TLS 1.3", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("tls") != "1.3" }},
		{Code: "no-certificate", Message: "The connection has no client certificate", NextStep: "Connect with the device's client certificate", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("certificate") }},
		{Code: "unbound-token", Message: "The access token is bound to no certificate and no key", NextStep: "Ask for a token over the connection that will use it (RFC 8705), or with a proof (RFC 9449)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { w := v.Word("token_binding"); return w == "none" || w == "other" }},
	},
}
