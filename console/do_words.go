package console

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// word is what a form calls a field, and what it says below it.
type word struct{ Label, Help string }

// pemHelp is for keys that stand one after another in one field.
const pemHelp = "Public keys in PEM, from BEGIN PUBLIC KEY to END PUBLIC KEY, such as cosign.pub. Never a private key."

// fieldWords are the words for fields, by their last part, or by the act and the whole name
// where one act means something of its own. What is not here is called as it is written.
var fieldWords = map[string]word{
	"id":                           {"Id", ""},
	"name":                         {"Name", ""},
	"vendor":                       {"Vendor", ""},
	"contact":                      {"Contact", "The address of a function, such as privacy@example.com, not of a person."},
	"subcontractors":               {"Subcontractors", "Vendors to whom this one passes data on. Each needs an agreement of its own."},
	"required_certifications":      {"Certifications you demand", "Beyond those that the law or the data ask for."},
	"key_sha256":                   {"Public key", "The SHA-256 of the key: 64 letters and digits, as `sallyport` prints it."},
	"document_sha256":              {"Document", "The SHA-256 of a stored document. Store it first: you are shown the SHA-256 then."},
	"report_sha256":                {"Report", "The SHA-256 of a stored document."},
	"basis_document_sha256":        {"Document of the legal basis", "The SHA-256 of a stored document."},
	"certificate_sha256":           {"Certificate", "The SHA-256 of the stored certificate."},
	"radius_sha256":                {"Count that this rests on", "The SHA-256 of the blast radius, as the incident's page shows it."},
	"digest_sha256":                {"Digest of the list", "The SHA-256 of the cohort's list, as its definition gave it."},
	"digests_sha256":               {"Digest of what was released", ""},
	"profile_sha256":               {"Digest of the profile", "As the system's page shows it."},
	"source_sha256":                {"File that it came from", "The SHA-256 of the stored file."},
	"token_sha256":                 {"Token", ""},
	"code_sha256":                  {"One-time code", ""},
	"secret_sha256":                {"Link", ""},
	"pins_sha256":                  {"Pinned keys", "The SHA-256 of each public key, 64 letters and digits."},
	"ownership":                    {"Is it a covered person by ownership?", "28 CFR 202.211. Yes stops everything of the vendor."},
	"access":                       {"Would a covered person have access?", "28 CFR 202.211."},
	"verdict":                      {"Verdict", ""},
	"decided_at":                   {"Decided at", ""},
	"valid_until":                  {"Valid until", ""},
	"relies_on":                    {"Reports it relies on", "If one of them lapses, the assessment is reopened."},
	"require":                      {"Conditions", "What the vendor must do, by when, and who looks after it."},
	"accept":                       {"Risks you accept", ""},
	"for":                          {"For", ""},
	"why":                          {"Why", "Never patient data."},
	"until":                        {"Until", ""},
	"text":                         {"What", ""},
	"owner":                        {"Owner", "Who looks after it."},
	"due_at":                       {"Due at", ""},
	"expires_at":                   {"Expires at", ""},
	"starts_at":                    {"Starts at", ""},
	"ends_at":                      {"Ends at", ""},
	"effective_at":                 {"In effect from", ""},
	"type":                         {"Type", ""},
	"terms":                        {"Terms of the paper", "What the paper says. Leave empty what it does not say: the product then does what the law's floor asks."},
	"value":                        {"Value", ""},
	"clause":                       {"Clause", "Where the paper says it, such as 4.2."},
	"permitted_uses":               {"Permitted uses", "What the paper lets the vendor do with which data."},
	"regions":                      {"Regions", "Where the data may be: US, or US-MA."},
	"region":                       {"Region", "US, or US-MA."},
	"locations":                    {"Locations", "Where its people and machines are: US, or US-MA."},
	"second_reading":               {"A second person must read the terms", "They enter what they read by themselves; what differs must be settled."},
	"party":                        {"For which side", ""},
	"signer":                       {"Who signed", "The name as it stands on the paper."},
	"at":                           {"When", ""},
	"agreements":                   {"Agreements it rests on", ""},
	"basis":                        {"Legal basis", ""},
	"person.propose basis":         {"Why so classified", "In a sentence (45 CFR 160.103)."},
	"person.amend basis":           {"Why so classified", "In a sentence (45 CFR 160.103)."},
	"basis_expires":                {"Legal basis ends at", ""},
	"purpose":                      {"Purpose", "What the data is used for."},
	"purposes":                     {"Purposes", ""},
	"category":                     {"Category", ""},
	"sources":                      {"Sources", "From which healthcare systems."},
	"source":                       {"Source", ""},
	"data_class":                   {"Class of data", ""},
	"data_classes":                 {"Classes of data", ""},
	"subprocessors":                {"Subcontractors that take part", ""},
	"sealing":                      {"Sealing", "Releases are encrypted to keys of the vendor's machine."},
	"workload":                     {"What must run on the machine", "Only an attested image gets data, if you say so here."},
	"classification":               {"Classification", "45 CFR 160.103: workforce is under your direct control; else a business associate's."},
	"duties":                       {"Duties", "For the organisation's people."},
	"login":                        {"Sign-in at an identity provider", ""},
	"directory":                    {"Entry in the vendor's directory", ""},
	"suspended":                    {"Begins suspended", ""},
	"passkeys":                     {"Passkeys you have seen", "Those that the person registered. Approve only what you saw them touch."},
	"course":                       {"Course", ""},
	"version":                      {"Version", ""},
	"score":                        {"Score", "From 0 to 1: 0.85 is 85 %."},
	"passed":                       {"Passed?", ""},
	"completed_at":                 {"Completed at", ""},
	"track":                        {"Track", ""},
	"hired_at":                     {"Hired at", ""},
	"work_state":                   {"State of work", "US-TX, for instance: some States have rules of their own."},
	"spiffe_id":                    {"SPIFFE id", "spiffe://trust-domain/path, for a workload without a certificate of ours."},
	"key_store":                    {"Where the key is kept", ""},
	"seal_to":                      {"Keys to seal to", "age or HPKE recipients, as `sallyport agent` prints them."},
	"app":                          {"Program", ""},
	"device.invite app":            {"Their program on it", "A name of your choice, such as sam-program. The agent makes its keys and registers it with the machine. Left empty, the machine alone is enrolled, and nothing on it can ask for data."},
	"app.register kind":            {"What acts", "A human at a screen, a workload without one, or an agent that acts for a human."},
	"keys":                         {"Public keys", "Paste them, or choose their file: a JWK Set, one JWK, or PEM (BEGIN PUBLIC KEY). You are shown the thumbprint of each before anything is done. A key without a kid is named by its thumbprint, which the program must name then, and an RSA key without an algorithm is for RS384. Never a private key."},
	"engagement.propose keys":      {"Keys that sign it", pemHelp},
	"engagement.amend keys":        {"Keys that sign it", pemHelp},
	"bundle":                       {"What the build signed", "A DSSE envelope, a Sigstore bundle that holds one, or what cosign download signature prints: paste it, or choose its file. Its signature is checked against the keys that the engagement pins, before anything is done."},
	"image":                        {"Image", "The digest of its manifest: sha256: and 64 letters and digits."},
	"images":                       {"Images", "Digests of manifests that count. Empty: any that is signed."},
	"builders":                     {"Builders", "Their ids, as the provenance has them."},
	"token_binding":                {"Tokens are bound to", ""},
	"public_client":                {"A client that cannot keep a secret", ""},
	"redirect_uris":                {"Redirect addresses", ""},
	"keys_from":                    {"Key server", ""},
	"trusted_until":                {"Trusted until", ""},
	"title":                        {"Title", ""},
	"resources":                    {"What may be read", "For each type: how it may be asked for, and which elements. Empty: not at all."},
	"interactions":                 {"How it may be asked for", ""},
	"elements":                     {"Elements", "Paths such as birthDate or name.family. The fewer the better (45 CFR 164.502(b), minimum necessary)."},
	"since":                        {"Nothing before", ""},
	"dates":                        {"Dates", ""},
	"identifiers":                  {"Identifiers", ""},
	"direct_identifiers":           {"Direct identifiers too", "Names, numbers, addresses. Only where the work cannot be done without."},
	"profile":                      {"De-identification profile", ""},
	"max_page_size":                {"Most entries a page", ""},
	"offered_to":                   {"Offered to", "Engagements whose people may ask for it themselves."},
	"engagement":                   {"Engagement", ""},
	"person":                       {"Person", ""},
	"devices":                      {"Devices", ""},
	"device":                       {"Device", ""},
	"role":                         {"Role", "The data scope."},
	"cohort":                       {"Which patients", ""},
	"ref":                          {"Reference", "The group's id at the source, the cohort's name, or the search."},
	"labels":                       {"Sensitive labels admitted", ""},
	"max_patients":                 {"Most patients", ""},
	"max_daily_bytes":              {"Most bytes a day", ""},
	"life_minutes":                 {"For how many minutes", ""},
	"outcome":                      {"Outcome", ""},
	"on":                           {"About", ""},
	"noun":                         {"What", ""},
	"cause":                        {"Cause", ""},
	"about":                        {"About", ""},
	"how":                          {"How you verified it", ""},
	"against":                      {"Against what", "Such as the issuer's portal, or whom you wrote to."},
	"settled":                      {"Settled how", ""},
	"justified":                    {"Was it justified?", ""},
	"unsecured":                    {"Was the PHI unsecured?", "45 CFR 164.402: not made unusable to others by encryption or destruction."},
	"yes":                          {"Answer", ""},
	"exception":                    {"Exception", "45 CFR 164.402, breach, (1). Leave it out to answer the four factors."},
	"exception_holds":              {"What the exception needs", ""},
	"factors":                      {"The four factors", "45 CFR 164.402, breach, (2)."},
	"low_probability":              {"A low probability of compromise?", "It is presumed a breach unless you show this."},
	"individuals":                  {"Individuals", "How many people's data it is about."},
	"by_state":                     {"By State", ""},
	"incident.count-affected k":    {"State", "US-MA, for instance."},
	"incident.count-affected v":    {"Individuals", ""},
	"explained":                    {"Deadlines that were missed", "For each, why."},
	"incident.close k":             {"Deadline", ""},
	"incident.close v":             {"Why it was missed", ""},
	"lessons":                      {"What was learnt", ""},
	"occurred_at":                  {"Occurred at", ""},
	"discovered_at":                {"Discovered at", "Clocks of notice run from here."},
	"content":                      {"File", ""},
	"intent":                       {"Your intent", "Say that you mean to sign, as the paper asks."},
	"consent":                      {"Your consent", ""},
	"cure_until":                   {"To be cured by", ""},
	"breach":                       {"What was breached", "Never patient data."},
	"notice":                       {"Notice", ""},
	"staff_with_access":            {"People of theirs with access", ""},
	"patients":                     {"Patients", ""},
	"keeps":                        {"What it keeps", ""},
	"services":                     {"Services", ""},
	"ai":                           {"Artificial intelligence", ""},
	"sensitive":                    {"Sensitive categories of data", "Such as substance use, psychotherapy, HIV."},
	"attested":                     {"Rules you attest", ""},
	"signature":                    {"Your signature", "Your name, as you sign."},
	"in":                           {"State you signed in", ""},
	"codes":                        {"New codes too", "The same patient gets another code from now on: what was released before cannot be joined with it."},
	"fingerprint":                  {"Fingerprint of the report", "`sallyport certification compare` prints it."},
	"media_type":                   {"Kind of file", ""},
	"key.backup-root shares":       {"Shares", ""},
	"person.name-signatory title":  {"Title", "Such as Chief Privacy Officer."},
	"grant.request starts_at":      {"Starts at", ""},
	"questionnaire.send contact":   {"Send to", "Whoever gets the link answers. Empty: the vendor's own people answer in their pages."},
	"questionnaire.send again":     {"Ask again", "Questions of the last one that must be answered anew."},
	"offboarding.attest technique": {"Technique", "NIST SP 800-88."},
	"offboarding.attest method":    {"Method", "NIST SP 800-88: clear, purge or destroy."},
	"link.issue contact":           {"For whom", "The address of the vendor's contact."},
	"request.make person":          {"For", "Empty: for yourself."},
	"incident.report individuals":  {"Individuals", "About how many people's data it may be about. 0: not known."},
	"assessment.accept-risk for":   {"Which question or report", ""},
	"incident.complete-correction": {"", ""},
}

// wordOf is what the form calls a field.
func wordOf(kind registry.Kind, name, last string) word {
	if name == "id" && last == "id" {
		w := fieldWords["id"]
		w.Label = idLabel(kind)
		return w
	}
	if w, ok := fieldWords[string(kind)+" "+last]; ok {
		return w
	}
	if w, ok := fieldWords[last]; ok {
		return w
	}
	return word{Label: strings.ReplaceAll(words(last), "Sha256", "SHA-256")}
}

// sets are the closed sets by the type of a field.
var sets = map[reflect.Type][]string{
	of[snapshot.Answer]():           strs(snapshot.Answers),
	of[snapshot.Verdict]():          {string(snapshot.Pass), string(snapshot.Conditional), string(snapshot.Fail)},
	of[snapshot.Opinion]():          strs(snapshot.Opinions),
	of[snapshot.SubserviceMethod](): strs(snapshot.SubserviceMethods),
	of[snapshot.AgreementKind]():    strs(registry.AgreementKinds),
	of[hipaa.Purpose]():             strs(hipaa.Purposes),
	of[hipaa.DataClass]():           strs(hipaa.DataClasses),
	of[snapshot.Party]():            {string(snapshot.Organisation), string(snapshot.VendorParty)},
	of[hipaa.LegalBasis]():          strs(hipaa.LegalBases),
	of[hipaa.Category]():            strs(hipaa.Categories),
	of[snapshot.Sealing]():          strs(snapshot.Sealings),
	of[snapshot.DemandKind]():       strs(snapshot.DemandKinds),
	of[hipaa.Classification]():      {string(hipaa.Workforce), string(hipaa.BusinessAssociate)},
	of[registry.Duty]():             strs(registry.Duties),
	of[snapshot.ConnectorKind]():    strs(snapshot.ConnectorKinds),
	of[snapshot.TrainingSource]():   {string(snapshot.FromLMS), string(snapshot.FromPaper)},
	of[snapshot.KeyStore]():         strs(snapshot.KeyStores),
	of[snapshot.AgentKind]():        {string(snapshot.Human), string(snapshot.Workload), string(snapshot.Agent)},
	of[snapshot.TokenBinding]():     strs(snapshot.TokenBindings),
	of[snapshot.DateRule]():         {string(snapshot.DatesToYear), string(snapshot.KeepDates), string(snapshot.ByProfile)},
	of[snapshot.IdentifierRule]():   {string(snapshot.Pseudonyms), string(snapshot.KeepIDs)},
	of[snapshot.CohortKind]():       {string(snapshot.CohortGroup), string(snapshot.CohortList), string(snapshot.CohortSearch), string(snapshot.CohortAll)},
	of[snapshot.ReviewOutcome]():    {string(snapshot.Keep), string(snapshot.CutDown), string(snapshot.Revoke)},
	of[snapshot.HoldCause]():        {string(snapshot.HoldIncident), string(snapshot.HoldFinding), string(snapshot.HoldOffboarding), string(snapshot.HoldLegal), string(snapshot.HoldOwner)},
	of[snapshot.Retention]():        strs(snapshot.Retentions),
	of[snapshot.LinkPurpose]():      strs(snapshot.LinkPurposes),
	of[snapshot.FindingKind]():      strs(snapshot.FindingKinds),
	of[snapshot.Settlement]():       {string(snapshot.SettledMended), string(snapshot.SettledMistaken), string(snapshot.SettledEscalated)},
	of[snapshot.NoticeTo]():         strs(snapshot.NoticesTo),
	of[snapshot.OffboardingCause](): strs(snapshot.OffboardingCauses),
	of[snapshot.DataForm]():         strs(snapshot.DataForms),
	of[snapshot.Outcome]():          strs(snapshot.Outcomes),
	of[registry.AuthorizationEnd](): {string(registry.EndRevoked)},
}

// namedSets are those of fields that are plain text, by the act and the field, or by the
// field alone.
var namedSets = map[string]func(*snapshot.View) []string{
	"required_certifications":      func(*snapshot.View) []string { return certificationTypes() },
	"certification.record type":    func(*snapshot.View) []string { return certificationTypes() },
	"criteria":                     func(*snapshot.View) []string { return registry.Criteria },
	"certification.verify how":     func(*snapshot.View) []string { return registry.VerificationMethods },
	"key.rotate-root kind":         func(*snapshot.View) []string { return registry.RootKinds },
	"assessment.reopen for":        func(*snapshot.View) []string { return snapshot.ReopenCauses },
	"track":                        func(*snapshot.View) []string { return course.TrackIDs() },
	"overlays":                     func(*snapshot.View) []string { return snapshot.IncidentOverlays },
	"offboarding.attest method":    func(*snapshot.View) []string { return registry.Sanitizations },
	"offboarding.attest technique": func(*snapshot.View) []string { return registry.Techniques },
	"interactions":                 func(*snapshot.View) []string { return registry.RoleInteractions },
	"questionnaire.import from":    func(*snapshot.View) []string { return diligence.Formats },
	"exception":                    func(*snapshot.View) []string { return []string{"i", "ii", "iii"} },
	"role.define profile":          profileNames,
	"determination.record profile": profileNames,
}

func certificationTypes() []string {
	var out []string
	for _, t := range hipaa.CertificationTypes() {
		out = append(out, t.ID)
	}
	return out
}

func profileNames(v *snapshot.View) []string {
	var out []string
	for _, p := range v.Settings.Profiles {
		out = append(out, p.Name)
	}
	return out
}

func of[T any]() reflect.Type { return reflect.TypeFor[T]() }

func strs[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, x := range in {
		out[i] = string(x)
	}
	return out
}

// closedSet are the values that a field may have; nil: it is open.
func closedSet(kind registry.Kind, name string, t reflect.Type, v *snapshot.View) []option {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != rawType && t != bytesType {
		t = t.Elem()
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	set := sets[t]
	switch {
	case t == of[snapshot.Noun]() && kind == "incident.sanction":
		set = []string{string(snapshot.NounPerson), string(snapshot.NounVendor)}
	case t == of[snapshot.Noun]() && (kind == "hold.place" || strings.HasPrefix(string(kind), "incident.")):
		set = strs(registry.Holdable)
	case t == of[snapshot.Noun]():
		set = strs(snapshot.Nouns)
	}
	if f, ok := namedSets[string(kind)+" "+last]; ok {
		set = f(v)
	} else if f, ok := namedSets[last]; ok && t.Kind() == reflect.String && set == nil {
		set = f(v)
	}
	if set == nil {
		return nil
	}
	out := make([]option, len(set))
	for i, x := range set {
		out[i] = option{Value: x, Label: cmp.Or(valueWords[last+" "+x], wordOfValue(x))}
		switch {
		case last == "interactions":
			out[i].Label = interactionLabel(x)
		case last == "required_certifications", kind == "certification.record" && last == "type":
			out[i].Label = certificationName(x)
		}
	}
	return out
}

// valueWords are values that are no words by themselves.
var valueWords = map[string]string{
	"dates year": "Cut to the year", "dates keep": "As they are", "dates profile": "As the profile says", "identifiers pseudonym": "Codes in their place (pseudonyms)", "identifiers keep": "As they are",
	"outcome keep": "Goes on as it is", "outcome cut-down": "Goes on with less", "outcome revoke": "Ends, for good", "classification workforce": "Workforce: under your direct control", "classification business-associate": "Of a business associate",
	"verdict pass": "Pass", "verdict conditional": "Pass, on conditions", "verdict fail": "Fail: everything of the vendor stops", "kind human": "A human at a screen", "kind workload": "A workload, without a human", "kind agent": "An agent that acts for a human",
	"kind group": "A group that the source keeps", "kind list": "A list of patients", "kind search": "Those whom a search finds", "kind all": "All patients of the source",
	"baa": "Business associate agreement", "phi": "PHI", "phi-identified": "PHI", "i": "(i) unintentional access by somebody of ours", "ii": "(ii) inadvertent disclosure among the authorised",
	"iii": "(iii) the recipient could not have kept it", "own-organisation": "Own organisation",
}

func wordOfValue(x string) string {
	if w, ok := valueWords[x]; ok {
		return w
	}
	return words(x)
}

// isSecret reports whether the field is the digest of something secret that is made here.
func isSecret(kind registry.Kind, name string) bool {
	_, ok := secrets[kind]
	return ok && (name == "code_sha256" || name == "secret_sha256" || name == "token_sha256")
}

// longText are fields in which people write sentences.
func longText(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return slices.Contains([]string{"why", "lessons", "what_happened", "steps", "doing", "detail", "statement", "agent_why", "limits", "anchors", "items", "protections"}, last)
}

// askYesNo are questions whose answer must be given; other booleans are ticked.
func askYesNo(last string) bool {
	return slices.Contains([]string{"justified", "passed", "yes", "low_probability"}, last)
}

// ownPerson reports whether the field names one of the organisation's people.
func ownPerson(kind registry.Kind, name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "owner":
		return kind != "app.register" && kind != "device.enroll" && kind != "device.invite"
	case kind == "person.name-signatory" || kind == "person.end-signatory" || kind == "person.amend-duties" || kind == "organisation.second-person" || kind == "person.register-key":
		return true
	}
	return false
}

// idLabel is what a form calls the record that the act is about; where the act makes it,
// the name by which it will be known.
func idLabel(kind registry.Kind) string {
	noun, _, _ := strings.Cut(string(kind), ".")
	if spec, ok := registry.Lookup(kind); ok && makesRecord(spec) {
		return "Short name"
	}
	switch noun {
	case "device":
		return "Machine"
	case "app":
		return "Program"
	}
	return words(noun)
}

// makesRecord reports whether the act's id names the record that it makes.
func makesRecord(spec *registry.Spec) bool {
	return !strings.Contains(spec.Path, "{id}") && !strings.HasPrefix(spec.Path, "/v1/keys") && spec.Name != "organisation.second-person" || spec.Name == "device.invite"
}
