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
	"id":                                  {"Id", ""},
	"name":                                {"Name", "As people call it."},
	"vendor":                              {"Vendor", ""},
	"contact":                             {"Contact", "The address of a function, such as privacy@example.com, not of a person."},
	"subcontractors":                      {"Subcontractors", "Vendors to whom this one passes data on. Each needs an agreement of its own."},
	"required_certifications":             {"Certifications you demand", "Beyond those that the law or the data ask for."},
	"key_sha256":                          {"Public key", "The SHA-256 of the key: 64 letters and digits, as `sallyport` prints it."},
	"document_sha256":                     {"Document", "The SHA-256 of a stored document. Store it first: you are shown the SHA-256 then."},
	"report_sha256":                       {"Report", "The SHA-256 of a stored document."},
	"basis_document_sha256":               {"Document of the legal basis", "The SHA-256 of a stored document."},
	"certificate_sha256":                  {"Certificate", "The SHA-256 of the stored certificate."},
	"radius_sha256":                       {"Count that this rests on", "The SHA-256 of the blast radius, as the incident's page shows it."},
	"digest_sha256":                       {"Digest of the list", "The SHA-256 of the cohort's list, as its definition gave it."},
	"digests_sha256":                      {"Digest of what was released", "64 letters and digits, as the inventory has it."},
	"profile_sha256":                      {"Digest of the profile", "As the system's page shows it."},
	"source_sha256":                       {"File that it came from", "The SHA-256 of the stored file."},
	"token_sha256":                        {"Token", "The SHA-256 of the token: 64 letters and digits, never the token itself."},
	"code_sha256":                         {"One-time code", ""},
	"secret_sha256":                       {"Link", ""},
	"pins_sha256":                         {"Pinned keys", "The SHA-256 of each public key, 64 letters and digits."},
	"ownership":                           {"Is it a covered person by ownership?", "28 CFR 202.211. Yes stops everything of the vendor."},
	"access":                              {"Would a covered person have access?", "28 CFR 202.211."},
	"verdict":                             {"Verdict", ""},
	"decided_at":                          {"Decided at", ""},
	"valid_until":                         {"Valid until", ""},
	"relies_on":                           {"Reports it relies on", "If one of them lapses, the assessment is reopened."},
	"require":                             {"Conditions", "What the vendor must do, by when, and who looks after it."},
	"accept":                              {"Risks you accept", ""},
	"for":                                 {"For", ""},
	"why":                                 {"Why", "Never patient data."},
	"until":                               {"Until", ""},
	"text":                                {"What", "In a sentence. Never patient data."},
	"owner":                               {"Owner", "Who looks after it."},
	"offboarding.begin due_at":            {"The vendor tells by", "Until then it must say what became of every form of the data: returned, destroyed, or neither and why. The agreement may set an earlier date."},
	"due_at":                              {"Due at", ""},
	"expires_at":                          {"Expires at", ""},
	"starts_at":                           {"Starts at", ""},
	"ends_at":                             {"Ends at", ""},
	"effective_at":                        {"In effect from", ""},
	"type":                                {"Type", ""},
	"terms":                               {"Terms of the paper", "What the paper says. Leave empty what it does not say: the product then does what the law's floor asks."},
	"value":                               {"Value", "As the question asks for it: one of its choices, or a few words."},
	"clause":                              {"Clause", "Where the paper says it, such as 4.2."},
	"permitted_uses":                      {"Permitted uses", "What the paper lets the vendor do with which data."},
	"regions":                             {"Regions", "Where the data may be: US, or US-MA."},
	"region":                              {"Region", "US, or US-MA."},
	"locations":                           {"Locations", "Where its people and machines are: US, or US-MA."},
	"second_reading":                      {"A second person must read the terms", "They enter what they read by themselves; what differs must be settled."},
	"party":                               {"For which side", ""},
	"signer":                              {"Who signed", "The name as it stands on the paper."},
	"at":                                  {"When", ""},
	"agreements":                          {"Agreements it rests on", ""},
	"basis":                               {"Legal basis", ""},
	"person.propose basis":                {"Why so classified", "In a sentence (45 CFR 160.103)."},
	"person.amend basis":                  {"Why so classified", "In a sentence (45 CFR 160.103)."},
	"basis_expires":                       {"Legal basis ends at", ""},
	"purpose":                             {"Purpose", "What the data is used for."},
	"purposes":                            {"Purposes", ""},
	"category":                            {"Category", ""},
	"sources":                             {"Sources", "From which healthcare systems."},
	"source":                              {"Source", ""},
	"data_class":                          {"Class of data", ""},
	"data_classes":                        {"Classes of data", ""},
	"subprocessors":                       {"Subcontractors that take part", ""},
	"sealing":                             {"Sealing", "Releases are encrypted to keys of the vendor's machine."},
	"workload":                            {"What must run on the machine", "Only an attested image gets data, if you say so here."},
	"classification":                      {"Classification", "45 CFR 160.103: workforce is under your direct control; else a business associate's."},
	"duties":                              {"Duties", "For the organisation's people."},
	"login":                               {"Sign-in at an identity provider", ""},
	"directory":                           {"Entry in the vendor's directory", ""},
	"suspended":                           {"Begins suspended", ""},
	"passkeys":                            {"Passkeys you have seen", "Those that the person registered. Approve only what you saw them touch."},
	"course":                              {"Course", "Its short name."},
	"version":                             {"Version", "As it is written, such as 2026.1."},
	"score":                               {"Score", "From 0 to 1: 0.85 is 85 %."},
	"passed":                              {"Passed?", ""},
	"completed_at":                        {"Completed at", ""},
	"track":                               {"Track", ""},
	"hired_at":                            {"Hired at", ""},
	"work_state":                          {"State of work", "US-TX, for instance: some States have rules of their own."},
	"spiffe_id":                           {"SPIFFE id", "spiffe://trust-domain/path, for a workload without a certificate of ours."},
	"key_store":                           {"Where the key is kept", ""},
	"seal_to":                             {"Keys to seal to", "age or HPKE recipients, as `sallyport agent` prints them."},
	"app":                                 {"Program", ""},
	"device.invite app":                   {"Their program on it", "A name of your choice, such as sam-program. The agent makes its keys and registers it with the machine. Left empty, the machine alone is enrolled, and nothing on it can ask for data."},
	"app.register kind":                   {"What acts", "A human at a screen, a workload without one, or an agent that acts for a human."},
	"keys":                                {"Public keys", "Paste them, or choose their file: a JWK Set, one JWK, or PEM (BEGIN PUBLIC KEY). You are shown the thumbprint of each before anything is done. A key without a kid is named by its thumbprint, which the program must name then, and an RSA key without an algorithm is for RS384. Never a private key."},
	"engagement.propose keys":             {"Keys that sign it", pemHelp},
	"engagement.amend keys":               {"Keys that sign it", pemHelp},
	"bundle":                              {"What the build signed", "A DSSE envelope, a Sigstore bundle that holds one, or what cosign download signature prints: paste it, or choose its file. Its signature is checked against the keys that the engagement pins, before anything is done."},
	"image":                               {"Image", "The digest of its manifest: sha256: and 64 letters and digits."},
	"images":                              {"Images", "Digests of manifests that count. Empty: any that is signed."},
	"builders":                            {"Builders", "Their ids, as the provenance has them."},
	"token_binding":                       {"Tokens are bound to", ""},
	"public_client":                       {"A client that cannot keep a secret", ""},
	"redirect_uris":                       {"Redirect addresses", ""},
	"keys_from":                           {"Key server", ""},
	"trusted_until":                       {"Trusted until", ""},
	"title":                               {"Title", "A short line by which people know it. Never patient data."},
	"resources":                           {"What may be read", "For each type: how it may be asked for, and which elements. Empty: not at all."},
	"interactions":                        {"How it may be asked for", ""},
	"elements":                            {"Elements", "Paths such as birthDate or name.family. The fewer the better (45 CFR 164.502(b), minimum necessary)."},
	"since":                               {"Nothing before", ""},
	"dates":                               {"Dates", ""},
	"identifiers":                         {"Identifiers", ""},
	"direct_identifiers":                  {"Direct identifiers too", "Names, numbers, addresses. Only where the work cannot be done without."},
	"profile":                             {"De-identification profile", ""},
	"max_page_size":                       {"Most entries a page", "A whole number from 1 to 1000, such as 50."},
	"offered_to":                          {"Offered to", "Engagements whose people may ask for it themselves."},
	"engagement":                          {"Engagement", ""},
	"person":                              {"Person", ""},
	"devices":                             {"Devices", ""},
	"device":                              {"Device", ""},
	"role":                                {"Role", "The data scope."},
	"cohort":                              {"Which patients", ""},
	"ref":                                 {"Reference", "The group's id at the source, the cohort's name, or the search."},
	"labels":                              {"Sensitive labels admitted", ""},
	"max_patients":                        {"Most patients", "A whole number: beyond it nothing more is released under the grant."},
	"max_daily_bytes":                     {"Most bytes a day", "A whole number: 104857600 is 100 MB."},
	"life_minutes":                        {"For how many minutes", "A whole number: 43200 is 30 days."},
	"outcome":                             {"Outcome", ""},
	"on":                                  {"About", ""},
	"noun":                                {"What", ""},
	"cause":                               {"Cause", ""},
	"about":                               {"About", ""},
	"how":                                 {"How you verified it", ""},
	"against":                             {"Against what", "Such as the issuer's portal, or whom you wrote to."},
	"finding.settle settled":              {"Settled how", "Mended: it was wrong, and is right now. Mistaken: there was nothing. Incident: it was worse, and the incident is open already; name it below."},
	"settled":                             {"Settled how", ""},
	"justified":                           {"Was it justified?", ""},
	"unsecured":                           {"Was the PHI unsecured?", "45 CFR 164.402: not made unusable to others by encryption or destruction."},
	"yes":                                 {"Answer", ""},
	"exception":                           {"Exception", "45 CFR 164.402, breach, (1). Leave it out to answer the four factors."},
	"exception_holds":                     {"What the exception needs", ""},
	"factors":                             {"The four factors", "45 CFR 164.402, breach, (2)."},
	"low_probability":                     {"A low probability of compromise?", "It is presumed a breach unless you show this."},
	"individuals":                         {"Individuals", "How many people's data it is about."},
	"by_state":                            {"By State", ""},
	"incident.count-affected k":           {"State", "US-MA, for instance."},
	"incident.count-affected v":           {"Individuals", "A whole number."},
	"explained":                           {"Deadlines that were missed", "For each, why."},
	"incident.close k":                    {"Deadline", "Its short name, as the incident's page shows it."},
	"incident.close v":                    {"Why it was missed", "In a sentence."},
	"lessons":                             {"What was learnt", "In a sentence. Never patient data."},
	"occurred_at":                         {"Occurred at", ""},
	"discovered_at":                       {"Discovered at", "Clocks of notice run from here."},
	"content":                             {"File", ""},
	"intent":                              {"Your intent", "Say that you mean to sign, as the paper asks."},
	"consent":                             {"Your consent", "Say that you agree to sign electronically, as the paper asks."},
	"cure_until":                          {"To be cured by", ""},
	"breach":                              {"What was breached", "Never patient data."},
	"notice":                              {"Notice", "The id of the act that gave it. Empty: the one that is open."},
	"staff_with_access":                   {"People of theirs with access", "A whole number."},
	"patients":                            {"Patients", "A whole number: how many people's data it is about."},
	"keeps":                               {"What it keeps", ""},
	"services":                            {"Services", ""},
	"ai":                                  {"Artificial intelligence", ""},
	"sensitive":                           {"Sensitive categories of data", "Such as substance use, psychotherapy, HIV."},
	"attested":                            {"Rules you attest", ""},
	"signature":                           {"Your signature", "Your name, as you sign."},
	"in":                                  {"State you signed in", "US-TX, for instance."},
	"codes":                               {"New codes too", "The same patient gets another code from now on: what was released before cannot be joined with it."},
	"fingerprint":                         {"Fingerprint of the report", "`sallyport certification compare` prints it."},
	"media_type":                          {"Kind of file", ""},
	"key.backup-root shares":              {"Shares", "A whole number: how many people get one."},
	"person.name-signatory title":         {"Title", "Such as Chief Privacy Officer."},
	"grant.request starts_at":             {"Starts at", ""},
	"questionnaire.send contact":          {"Send to", "Whoever gets the link answers. Empty: the vendor's own people answer in their pages."},
	"questionnaire.send again":            {"Ask again", "Questions of the last one that must be answered anew."},
	"offboarding.attest technique":        {"Technique", "NIST SP 800-88."},
	"offboarding.attest method":           {"Method", "NIST SP 800-88: clear, purge or destroy."},
	"link.issue contact":                  {"For whom", "The address of the vendor's contact."},
	"request.make person":                 {"For", "Empty: for yourself."},
	"incident.report individuals":         {"Individuals", "About how many people's data it may be about. 0: not known."},
	"assessment.accept-risk for":          {"Which question or report", "Its short name, as the assessment shows it."},
	"incident.complete-correction":        {"", ""},
	"issuer":                              {"Issuer", "Who stands by it: the auditor, the certification body, the tester, the carrier."},
	"cert_no":                             {"Number", "As it stands on the paper."},
	"standard":                            {"Standard", "With its version, such as ISO/IEC 27001:2022 or v11.3."},
	"question":                            {"Question", "Its short name, as the questionnaire or the lesson shows it."},
	"status":                              {"Status", "As the issuer lists it, such as authorized, certified or listed."},
	"what":                                {"What", "In a sentence. Never patient data."},
	"root":                                {"Root key", "Its fingerprint, as the page of keys shows it."},
	"subject":                             {"Subject", "As the identity provider names the person (sub)."},
	"hours":                               {"Hours", "How long it took, such as 1.5."},
	"user_name":                           {"User name", "As the vendor's directory has it (SCIM userName)."},
	"given_name":                          {"Given name", "As the vendor's directory has it."},
	"family_name":                         {"Family name", "As the vendor's directory has it."},
	"formatted":                           {"Whole name", "As the vendor's directory has it."},
	"display_name":                        {"Display name", "As the vendor's directory has it."},
	"external_id":                         {"External id", "As the vendor's directory has it (SCIM externalId)."},
	"sha256":                              {"SHA-256", "64 letters and digits, as the page shows it."},
	"vendor.profile patients":             {"Patients", "About how many people's data it handles: a whole number."},
	"log":                                 {"Log", "The name of the node whose log it is, as the log's page shows it."},
	"verified_by":                         {"Verified by", "Name and title of who looked."},
	"sanitized_by":                        {"Sanitized by", "Name and title of who did it."},
	"attester":                            {"Who attests", "Name and title of who says this."},
	"tried":                               {"Tried", "How many questions were asked since the offboarding began."},
	"permitted":                           {"Let through", "How many of them were let through."},
	"offboarding.record-check to":         {"Up to entry", "The log's entries before this number were looked at."},
	"incident.request-patients through":   {"Up to entry", "The log's entries before this number count, as the blast radius has it."},
	"token":                               {"Token's id", "Its jti, as the page of sessions shows it. Never the token itself."},
	"ticket":                              {"Ticket", "Where the need is written down, such as INC-4711."},
	"threshold":                           {"Shares that are needed", "A whole number: so many people together can use it."},
	"generation":                          {"Generation", "The number that the command printed."},
	"employer":                            {"Employer", "As it stands on the certificate."},
	"staff":                               {"User name", "Of one who is not known here: as the source has it."},
	"refresh_months":                      {"Months for which it counts", "A whole number."},
	"protections":                         {"How it is protected meanwhile", "Where return or destruction is not feasible (45 CFR 164.504(e)(2)(ii)(J))."},
	"pass_mark":                           {"Pass mark", "From 0 to 1: 0.8 is 80 %."},
	"option":                              {"Answer", "The letter under which it is shown: a, b, c or d."},
	"attempt.do-drill answer":             {"Answer", "As the drill asks for it."},
	"incident.complete-correction number": {"Number", "Which correction: 1 is the first."},
	"incident.approve-patients list":      {"List", "The id of the act that asked for it, as the incident's page shows it."},
	"lesson":                              {"Lesson", "Its short name, as the training's page shows it."},
	"drill":                               {"Drill", "Its short name, as the training's page shows it."},
	"items":                               {"What it is about", "Which stores, models or backups. Never patient data."},
	"releases":                            {"Releases", "A whole number, as the inventory has it."},
	"bytes":                               {"Bytes", "A whole number, as the inventory has it."},
	"external":                            {"Its name where it came from", "As the other system calls it."},
	"expert":                              {"Expert", "Name, qualification and firm."},
	"detail":                              {"Detail", "What stands behind the answer. Never patient data."},
	"credential":                          {"Passkey", "Its id, as the person's page shows it."},
	"client_id":                           {"Client id", "As the issuer knows us."},
	"audience":                            {"Audience", "As its tokens name us (aud)."},
	"by":                                  {"By", "Name and title, as signed."},
	"authorization":                       {"Access", "Its id, as the page of sessions shows it."},
	"anchors":                             {"Trust anchors", "Certificates in PEM that theirs must lead up to."},
	"activity":                            {"Activity", "The address by which xAPI statements name the course."},
	"accreditation_body":                  {"Accredited by", "The body that accredits the issuer, such as ANAB."},
	"accepted":                            {"Why you accept it", "In a sentence. Empty: it is not accepted."},
	"what_happened":                       {"What happened", "In plain words, for those whom it is about. Never patient data."},
	"unreachable":                         {"Could not be reached", "A whole number: addresses that are missing or out of date (45 CFR 164.404(d)(2))."},
	"tail_months":                         {"Months of tail", "A whole number: so long after the end claims may come."},
	"steps":                               {"What individuals can do", "To protect themselves (45 CFR 164.404(c)(1)(C))."},
	"doing":                               {"What you are doing", "To look into it, to lessen harm, to keep it from happening again."},
	"soa_version":                         {"Version of the statement of applicability", "As it stands on the certificate."},
	"open_high":                           {"High findings that are overdue", "A whole number, 0 where there is none."},
	"official":                            {"Official", "Who asked for the delay: name, office and agency (45 CFR 164.412)."},
	"note":                                {"Note", "Why this score."},
	"limits":                              {"Limits", "Such as 10 M USD a claim."},
	"level":                               {"Level", "Such as Moderate."},
	"assessment.record for":               {"For which question", "Its short name, or that of a finding about the vendor."},
	"cure":                                {"How it was cured", "In a sentence. Never patient data."},
	"course_version":                      {"Version of the course", "As it stands on the certificate."},
	"incident.note-notice count":          {"How many were told", "A whole number."},
	"condition":                           {"Condition", "Its short name, as the assessment shows it."},
	"website":                             {"Website", "For those who ask."},
	"toll_free":                           {"Toll-free number", "For those who ask (45 CFR 164.404(c)(1)(E))."},
	"postal":                              {"Postal address", "For those who ask."},
	"email":                               {"Email address", "Of a function, for those who ask."},
	"agent_why":                           {"Why it is an agent, or none", "In a sentence: who controls the work decides."},
	"subservice_method":                   {"How organisations below are treated", "Included in the report, carved out of it, or there is none."},
	"opinion":                             {"Opinion", "The auditor's, as the report has it."},
	"period_start":                        {"Period begins", ""},
	"period_end":                          {"Period ends", ""},
	"as_of":                               {"As of", "The day of which it tells."},
	"issued_at":                           {"Issued at", ""},
	"last_surveillance":                   {"Last surveillance audit", ""},
	"interim_at":                          {"Interim assessment", ""},
	"assessed_at":                         {"Last annual assessment", ""},
	"underlying":                          {"Certificate below it", "The e1, i1 or r2 on which it rests."},
	"claims_made":                         {"It covers claims made while it runs", ""},
	"retro_date":                          {"Retroactive date", ""},
	"ai_exclusion":                        {"Claims about AI are excluded", ""},
	"law_changed_at":                      {"The law last changed at", ""},
	"exceptions":                          {"Exceptions", "Controls that the auditor found not to work."},
	"carve_outs":                          {"Organisations left out", "Those below that the report does not cover."},
	"bridge":                              {"Bridge letter", "Management's word for the time since the period's end."},
	"next_under_way":                      {"The next examination is under way", ""},
	"criteria":                            {"Criteria", "Trust services criteria that the report covers."},
	"certification.record scope":          {"Scope", "Services or systems that it covers."},
	"certification.revoke why":            {"Why", "The vendor is told, in these words. Never patient data."},
}

// wordOf is what the form calls a field.
func wordOf(kind registry.Kind, name, last string) word {
	if name == "id" && last == "id" {
		w := fieldWords["id"]
		w.Label = idLabel(kind)
		return w
	}
	if last == "id" {
		return word{"Which one", "Its short name, as its page shows it."}
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
	"interactions read": "Read one by its id", "interactions vread": "Read one version of it", "interactions search-type": "Search", "interactions everything": "Everything of a patient at once",
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
