package breach

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// AssessmentQuestion is one that an assessment answers with yes or no, and why.
type AssessmentQuestion struct {
	Key      string         `json:"key"`
	Text     string         `json:"text"`
	Citation hipaa.Citation `json:"citation"`
}

// Exception is one of the three that paragraph (1) of the definition of breach has,
// with all that must hold.
type Exception struct {
	Key      string               `json:"key"` // "i", "ii", "iii"
	Title    string               `json:"title"`
	Needs    []AssessmentQuestion `json:"needs"`
	Citation hipaa.Citation       `json:"citation"`
	Note     string               `json:"note,omitempty"`
}

// Exceptions lists the three (45 CFR 164.402, breach, (1)(i) to (iii)).
func Exceptions() []Exception {
	q := func(control string, keysAndTexts ...string) (out []AssessmentQuestion) {
		for i := 0; i < len(keysAndTexts); i += 2 {
			out = append(out, AssessmentQuestion{Key: keysAndTexts[i], Text: keysAndTexts[i+1], Citation: hipaa.MustCite(control)})
		}
		return out
	}
	return []Exception{
		{Key: "i", Title: "Unintentional access by somebody of ours, within their authority", Citation: hipaa.MustCite("B-402-excl-i"),
			Needs: q("B-402-excl-i",
				"own-people", "Was it a workforce member, or somebody who acts under the authority of the covered entity or business associate?",
				"unintentional", "Was the acquisition, access or use unintentional?",
				"good-faith", "Was it made in good faith?",
				"within-authority", "Was it within the scope of their authority?",
				"no-further-use", "Did no further use or disclosure follow that the Privacy Rule does not permit?")},
		{Key: "ii", Title: "Inadvertent disclosure between two who are authorized, in one place", Citation: hipaa.MustCite("B-402-excl-ii"),
			Note: "It does not cover a disclosure from a covered entity to a vendor, or between vendors.",
			Needs: q("B-402-excl-ii",
				"inadvertent", "Was the disclosure inadvertent?",
				"both-authorized", "Were both the one who disclosed and the one who received authorized to access PHI?",
				"same-entity", "Were both at the same covered entity or business associate, or the same organized health care arrangement?",
				"no-further-use", "Was what was received not used or disclosed further in a way that the Privacy Rule does not permit?")},
		{Key: "iii", Title: "The recipient could not have retained it", Citation: hipaa.MustCite("B-402-excl-iii"),
			Needs: q("B-402-excl-iii",
				"unauthorized-recipient", "Was it a disclosure to somebody who was not authorized?",
				"good-faith-belief", "Do you believe in good faith, on what facts, that they could not reasonably have retained the information?")},
	}
}

// ExceptionKeys lists their keys.
var ExceptionKeys = []string{"i", "ii", "iii"}

// Factors lists the four of the risk assessment (45 CFR 164.402, breach, (2)(i) to
// (iv)), each as whether it lowers the probability that the PHI was compromised.
func Factors() []AssessmentQuestion {
	return []AssessmentQuestion{
		{"nature", "Nature and extent: do the kinds of identifiers, and how likely they lead back to a person, lower the probability of compromise?", hipaa.MustCite("B-402-factor-i")},
		{"recipient", "Who used it or received it: does that lower the probability of compromise (for instance somebody who is bound by the same rules)?", hipaa.MustCite("B-402-factor-ii")},
		{"acquired", "Was it actually acquired or viewed: does what is known lower the probability (for instance proof that it was not opened)?", hipaa.MustCite("B-402-factor-iii")},
		{"mitigation", "To what extent was the risk mitigated: does that lower the probability (for instance a credible assurance of destruction)?", hipaa.MustCite("B-402-factor-iv")},
	}
}

// Basis is why an incident counts as a breach or does not.
type Basis string

// The bases.
const (
	Presumed       Basis = "presumed"        // nothing shows otherwise (164.402, breach, (2))
	Assessed       Basis = "assessed"        // the assessment itself says that it is one
	Secured        Basis = "secured"         // the PHI was not unsecured (164.402)
	Excepted       Basis = "excepted"        // one of the three exceptions
	LowProbability Basis = "low-probability" // of compromise, by the four factors
)

// Conclusion is what an assessment leads to. The zero Conclusion would say "no
// breach", so it is made by Conclude alone.
type Conclusion struct {
	Breach   bool           `json:"breach"`
	Basis    Basis          `json:"basis"`
	Why      string         `json:"why"`
	Citation hipaa.Citation `json:"citation"`
	// Would is what the assessment leads to once it is approved, where it is not yet.
	Would Basis `json:"would_be,omitempty"`
}

// Conclude says whether the incident is a breach of unsecured PHI. It is one unless
// an assessment shows otherwise and a second person has approved it: whatever is
// missing, unanswered or unapproved leaves it a breach.
func Conclude(a *snapshot.BreachAssessment) Conclusion {
	presumed := Conclusion{Breach: true, Basis: Presumed, Citation: hipaa.MustCite("B-402-presume")}
	if a == nil {
		presumed.Why = "Nobody has assessed it; until an assessment shows otherwise it is a breach"
		return presumed
	}
	otherwise, err := shows(a)
	if err != nil {
		presumed.Why = "The assessment is not complete: " + problem.From(err).Error()
		return presumed
	}
	if otherwise.Breach {
		return otherwise
	}
	if a.ApprovedBy == "" || a.ApprovedAt.IsZero() || a.ApprovedBy == a.AssessedBy {
		presumed.Why, presumed.Would = "The assessment says that it is none, and no second person has approved that", otherwise.Basis
		return presumed
	}
	return otherwise
}

// CheckAssessment wants every question answered that the assessment's way needs, each
// with its reason. Its problem names the field.
func CheckAssessment(a *snapshot.BreachAssessment) error {
	_, err := shows(a)
	return err
}

// shows is what the answers come to, whoever approved them.
func shows(a *snapshot.BreachAssessment) (Conclusion, error) {
	if strings.TrimSpace(a.Unsecured.Why) == "" {
		return Conclusion{}, problem.BadField("unsecured.why", "is missing", "Say how it was or was not rendered unusable to unauthorized persons: encryption by the guidance, with the key kept apart, or destruction")
	}
	if a.Exception == "" && len(a.Holds) > 0 {
		return Conclusion{}, problem.BadField("exception", "is missing", "Name the exception that exception_holds is about: i, ii or iii")
	}
	if !a.Unsecured.Yes {
		return Conclusion{Basis: Secured, Why: a.Unsecured.Why, Citation: hipaa.MustCite("D-UNSEC")}, nil
	}
	if a.Exception != "" {
		return excepted(a)
	}
	factors := Factors()
	lowers := false
	for _, f := range factors {
		got, ok := a.Factors[f.Key]
		if !ok || strings.TrimSpace(got.Why) == "" {
			return Conclusion{}, problem.BadField("factors."+f.Key, "is not answered, with its reason", f.Text)
		}
		lowers = lowers || got.Yes
	}
	if err := known("factors", a.Factors, factors); err != nil {
		return Conclusion{}, err
	}
	if !a.LowProbability {
		return Conclusion{Breach: true, Basis: Assessed, Why: "The four factors do not show a low probability that the PHI was compromised", Citation: hipaa.MustCite("B-402-presume")}, nil
	}
	if !lowers {
		return Conclusion{}, problem.BadField("low_probability", "is true, and none of the four factors lowers the probability", "Mend the factors, or say false")
	}
	return Conclusion{Basis: LowProbability, Why: "The four factors together show a low probability that the PHI was compromised", Citation: hipaa.MustCite("B-402-presume")}, nil
}

func excepted(a *snapshot.BreachAssessment) (Conclusion, error) {
	i := slices.IndexFunc(Exceptions(), func(e Exception) bool { return e.Key == a.Exception })
	if i < 0 {
		return Conclusion{}, problem.BadField("exception", "is not one of the three", "Write i, ii or iii; or leave it out and answer the four factors")
	}
	e := Exceptions()[i]
	for _, q := range e.Needs {
		got, ok := a.Holds[q.Key]
		if !ok || strings.TrimSpace(got.Why) == "" {
			return Conclusion{}, problem.BadField("exception_holds."+q.Key, "is not answered, with its reason", q.Text)
		}
		if !got.Yes {
			return Conclusion{}, problem.BadField("exception_holds."+q.Key, "does not hold, so the exception does not", "Leave the exception out, and answer the four factors")
		}
	}
	if err := known("exception_holds", a.Holds, e.Needs); err != nil {
		return Conclusion{}, err
	}
	return Conclusion{Basis: Excepted, Why: e.Title, Citation: e.Citation}, nil
}

// known refuses an answer to a question that was not asked.
func known(field string, got map[string]snapshot.Answered, asked []AssessmentQuestion) error {
	for key := range got {
		if !slices.ContainsFunc(asked, func(q AssessmentQuestion) bool { return q.Key == key }) {
			var keys []string
			for _, q := range asked {
				keys = append(keys, q.Key)
			}
			return problem.BadField(field+"."+key, "is not one of the questions", "Use "+strings.Join(keys, ", "))
		}
	}
	return nil
}
