// Package diligence knows how a vendor is looked at before it is trusted with data, and
// how long what was found counts: which questions apply, what answers come to, what
// risk a vendor brings before any measure, and what reopens a decision.
//
// It is pure: records and a time in, judgement out, with its working. The registry asks
// it when an assessment is recorded; the gate "assessment" asks it at every request, so
// an answer that went stale, a condition that is overdue, a risk acceptance that lapsed
// or a breach at the vendor closes the door by itself.
//
// The law asks for satisfactory assurances (45 CFR 164.308(b)(1), 164.502(e)(1)) and
// for a risk analysis (164.308(a)(1)(ii)(A)). It names no questionnaire, no weight, no
// threshold and no interval: every number here is policy, and is called so wherever it
// is shown.
package diligence
