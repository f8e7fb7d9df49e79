package console

import "github.com/sallyport/sallyport/hipaa"

// term is a term that these pages use, in plain words.
type term struct {
	Key     string // the anchor: /console/words#baa
	Abbr    string // as the field writes it for short; empty: it does not
	Term    string
	Text    string
	Control string // of hipaa's catalogue, where a law says it; empty: this product's own word
}

// wordList is the glossary, in the order of the terms. The texts are the product's own.
var wordList = []term{
	{"accounting", "", "Accounting of disclosures", "A list of who was given a patient's data, when and for what, that the patient may ask for over six years. The log keeps what is needed for it.", "P-528-a-1"},
	{"act", "", "Act", "One change that a person makes here: signing, approving, revoking. Every act has a reason, is checked, and stands in the log for good. Nothing changes in another way.", ""},
	{"agent", "", "Agent", "A program that chooses its own actions. A person must answer for it, and be reachable, for it to get data. The word is also used for the small program that a vendor's machine runs to connect.", ""},
	{"agreement", "", "Agreement", "A signed paper with a vendor, such as a BAA or a data use agreement. Its terms are written down as values, and each of them is a switch, a clock or a line in a report.", ""},
	{"attestation", "", "Attestation", "A signed statement: that data was destroyed, or that an image was built by somebody's own system. It is the word of who signed it.", ""},
	{"audit-log", "", "Audit log", "The record of every release, every refusal and every act, in order, in which nothing can be changed or taken away unseen. A release waits until its entry is on the disk.", "S-312-b"},
	{"authorization", "", "Authorization", "A patient's own signed permission for one disclosure. It can be withdrawn, and ends by its date.", "P-508-a-1"},
	{"automatic-logoff", "", "Automatic logoff", "A session that nobody uses ends by itself after a set time, and the page locks.", "S-312-a-2-iii"},
	{"baa", "BAA", "Business associate agreement", "The contract without which a vendor may not have patient data. It says what they may do with it, that they protect it, tell of incidents, bind their own vendors, and give it back or destroy it.", "S-308-b-1"},
	{"blast-radius", "", "Blast radius", "What an incident can have reached: which releases, of how many patients, in which form. It is counted from the log, not guessed.", ""},
	{"breach", "", "Breach", "A use or disclosure of unsecured patient data that no rule allows. It counts as one until four factors have shown that the data was probably not compromised.", "D-BREACH"},
	{"business-associate", "BA", "Business associate", "Somebody outside who works with patient data on your behalf. An AI vendor who gets patient data is one.", "D-BA"},
	{"caep", "CAEP", "Continuous Access Evaluation Profile", "How a vendor's sign-in tells us at once that a person left or a session was revoked, so that what is under way stops.", ""},
	{"campaign", "", "Review campaign", "Access reviews that are due together, so that reviewers can go through them in one sitting.", ""},
	{"cedar", "", "Cedar", "The language in which the rules of releases are written. An auditor can read them, and the same text decides.", ""},
	{"certification", "", "Certification", "A report by a third party about a vendor's security, such as SOC 2, HITRUST or ISO 27001. Until a second person here has said how it was verified it counts as absent.", ""},
	{"checkpoint", "", "Checkpoint", "A signed line that says how long the log is and what its fingerprint is. Who keeps one can later prove that nothing before it was changed.", ""},
	{"cohort", "", "Cohort", "The patients whose data a grant reaches: a group, a list or a search. The list of who they are stays in the vault and is never shown here.", "P-502-b-1"},
	{"code", "", "Code (pseudonym)", "What stands in the place of a patient's or a record's id in what is released. Another engagement gets other codes. Turning one back is an act of its own.", "P-514-c-1"},
	{"connector", "", "Connector", "A vendor's own system that speaks to us: their sign-in, their directory of people, their fleet manager. What it says counts for its own vendor alone.", ""},
	{"covered-entity", "CE", "Covered entity", "A hospital, a clinic, a health plan: whoever the law makes answer for patient data. Here it is your organisation.", "D-CE"},
	{"data-flow", "", "Data flow", "The ways that data takes: healthcare system, gateway, engagement, vendor, region. On the map ✓ stands before what protects a way and ✕ before what does not; a dashed line is closed now.", ""},
	{"data-owner", "", "Data owner", "Who answers for a source of data at your organisation, often a clinician. They approve what is asked of it.", ""},
	{"de-identified", "", "De-identified data", "Data from which nobody can tell whose it is, shown in one of the two ways that the law knows. It is no longer patient data.", "P-514-a"},
	{"decision", "", "Decision", "The answer to one request: permitted or refused, by all gates together, with the facts that each saw. It is in the log whether or not anything left.", ""},
	{"device", "", "Device", "A machine of a vendor, known by a key of its own. It must be approved, in order, and named on the grant.", "S-312-d"},
	{"disclosure", "", "Disclosure", "Giving patient data to somebody outside. Every release to a vendor is one.", "D-DISC"},
	{"dpop", "DPoP", "Proof of possession", "The program signs each request with its own key, so that a stolen token is worth nothing (RFC 9449).", ""},
	{"due-diligence", "", "Due diligence", "Finding out, before and again while it lasts, whether a vendor can be trusted with patient data: a questionnaire, evidence, a decision by a person, and risks that are accepted by name and for a time.", "S-308-a-1-ii-A"},
	{"dua", "DUA", "Data use agreement", "The contract for a limited data set: who may use it, for what, and that nobody tries to find out whose it is.", "P-514-e-4-i"},
	{"ehr", "EHR", "Electronic health record", "The hospital's own system of patient records. It is what stands behind the second door.", ""},
	{"elevation", "", "Elevation", "More access than a grant gives, for minutes or hours, for a reason with a ticket. It ends by itself.", ""},
	{"emergency-access", "", "Emergency access", "How clinicians reach patient data in an emergency: at the source itself, never through this product. Each use is reported by one person and reviewed by another. A vendor never has it.", "S-312-a-2-ii"},
	{"engagement", "", "Engagement", "One piece of work of a vendor for one purpose, under papers that allow it, with the sources that it may ask.", ""},
	{"ephi", "ePHI", "Electronic protected health information", "Patient data that is stored or sent electronically.", "D-EPHI"},
	{"expert-determination", "", "Expert determination", "A person with the right knowledge of statistics has shown that the risk of finding out whose data it is is very small. It is about one engagement and one set of rules, and for a time.", "P-514-b-1"},
	{"fhir", "FHIR", "Fast Healthcare Interoperability Resources", "The language in which healthcare systems give out records: patients, observations, conditions. The product reads and writes version R4.", ""},
	{"finding", "", "Finding", "Something that a person must look at, raised by somebody or by the product. It is settled by a person, and says how.", ""},
	{"forecast", "", "What stops", "What will close, and when, if nobody acts. The policy itself is asked about each date to come, so the answer is what will really happen.", ""},
	{"four-factors", "", "The four factors", "What must be looked at before an incident is called no breach: what data it was, who got it, whether they really saw it, and what was done about it.", "B-402-presume"},
	{"gate", "", "Gate", "One condition of a release. All gates must be open. If one cannot be answered it is shut.", ""},
	{"grant", "", "Grant", "Leave for one person, with one program, on named machines, to see a part of the records of some patients, until a date.", "S-308-a-4-ii-C"},
	{"hipaa", "HIPAA", "Health Insurance Portability and Accountability Act", "The law in the United States on patient data. Its Privacy, Security and Breach Notification Rules are 45 CFR Parts 160 and 164.", ""},
	{"hold", "", "Hold", "A stop on a vendor, an engagement, a person, a machine, a program or a grant. It works at once, also on a download that is under way. Who placed it cannot lift it.", ""},
	{"incident", "", "Security incident", "Access, use, disclosure, change or loss of data that nobody allowed, or an attempt at it.", "D-SECINC"},
	{"index", "", "Index of disclosures", "A summary of the log for quick answers. It can be thrown away and made again from the log.", ""},
	{"irb", "IRB", "Institutional review board", "The board that looks after the people who take part in research. It, or a privacy board, can waive a patient's authorization.", "P-512-i-1-i"},
	{"key-destruction", "", "Destroying keys", "When the keys of an engagement are gone, its codes can never be turned back and what was sealed under them never read, from backups either. It takes three people.", "P-504-e-2-ii-J"},
	{"kms", "KMS", "Key service", "A service that holds the key of keys, so that copying the disk is of no use.", ""},
	{"least-privilege", "", "Least privilege", "Everybody gets what the work needs and no more. An amendment that cuts down what nobody used is proposed at each review.", "P-514-d-2-i"},
	{"limited-data-set", "LDS", "Limited data set", "Patient data without names, addresses and 14 other direct identifiers, but with dates and towns. It is still patient data, and needs a data use agreement.", "P-514-e-1"},
	{"minimum-necessary", "", "Minimum necessary", "No more patient data than the purpose needs: as few patients, fields and dates as will do.", "P-502-b-1"},
	{"mtls", "mTLS", "Mutual TLS", "Both sides of a connection show a certificate. A token that is bound to it works on no other machine (RFC 8705).", ""},
	{"notice", "", "Notice of a breach", "What patients, the Secretary of Health and Human Services and sometimes the press must be told, without delay and within 60 days at the outside.", "B-404-b"},
	{"offboarding", "", "Offboarding", "The end of working with a vendor: access ends, every form of the data is returned or destroyed and attested, keys are destroyed, and what cannot be done is said.", "P-504-e-2-ii-J"},
	{"oidc", "OIDC", "OpenID Connect", "How people sign in with their own organisation's account.", ""},
	{"part-2", "Part 2", "42 CFR Part 2", "The stricter law on records of treatment for drug and alcohol use. They are held back unless a grant names their label.", "X-P2-CONSENT"},
	{"passkey", "", "Passkey", "What replaces a password: a key in your phone, laptop or security key that answers to this site alone and only after your finger, face or PIN.", "S-312-d"},
	{"patient-hold", "", "Patient hold", "A patient said no, or asked for a restriction. Their records are left out of every answer.", "P-522-a"},
	{"phi", "PHI", "Protected health information", "Information about a person's health, care or payment for it from which somebody can tell whose it is.", "D-PHI"},
	{"policy", "", "Policy", "A number or a rule that no law sets: your organisation, or this product, chose it. Wherever one is shown it says so.", ""},
	{"post-quantum", "", "Post-quantum key exchange", "A way to agree on a key that a future quantum computer cannot undo, for what is recorded today and broken later. Here: ML-KEM together with a classical one.", "S-312-e-1"},
	{"posture", "", "Posture", "The state of a machine: disk encrypted, screen locks, firewall on, updates in. It is the machine's own word, signed by its key, and must be fresh.", "S-310-b"},
	{"privacy-officer", "", "Privacy officer", "Who answers for the privacy of patients' data at your organisation: papers, vendors, reviews, incidents.", "P-530-a"},
	{"proof", "", "Proof", "A small file that shows that an entry is in the log. Anybody can check it with the log's public key, without asking this server.", ""},
	{"purpose", "", "Purpose", "What the vendor does with the data. The agreement permits each one by name; what it does not name is forbidden.", "P-502-a-3"},
	{"region", "", "Region", "Where data is, as a country or State. It is the machine's declared place, or where its network is by your own table.", ""},
	{"release", "", "Release", "Data that leaves. Its fingerprint is in the log before its first byte goes.", ""},
	{"review", "", "Access review", "Looking at a grant again: keep it, cut it down, or end it. If nobody does it in time the grant closes by itself.", "S-308-a-4-ii-C"},
	{"role", "", "Role", "What of a record a grant shows: which resource types and which fields, how far back, and by which rules it is de-identified.", "P-514-d-2-i"},
	{"safe-harbor", "", "Safe Harbor", "One of the two ways to de-identify: all 18 kinds of identifiers are gone, and nobody knows that the rest could tell whose it is.", "P-514-b-2-i-A"},
	{"scim", "SCIM", "System for Cross-domain Identity Management", "How a vendor's directory tells us who joined, moved and left.", ""},
	{"sealing", "", "Sealing", "A release is encrypted once more, to a key that only the vendor's machine has, inside TLS. Who is between cannot read it.", "S-312-e-1"},
	{"security-officer", "", "Security officer", "Who answers for security at your organisation: machines, programs, sessions, keys.", "S-308-a-2"},
	{"separation", "", "Separation of duties", "Nobody approves what they asked for. Some acts need a third person.", ""},
	{"session", "", "Session", "A person, signed in. It can be ended from here, and what is under way in it stops.", "S-312-a-2-iii"},
	{"smart", "SMART", "SMART on FHIR", "How programs ask for leave to read records: by a person who agrees, or by a key of their own.", ""},
	{"snapshot", "", "Snapshot", "The registry as a decision sees it. It must have been confirmed within a minute, or nothing is released.", ""},
	{"source", "", "Source", "A healthcare system from which the gateway reads. Its address and its secrets are on the server alone.", ""},
	{"spiffe", "SPIFFE", "Secure Production Identity Framework for Everyone", "How a program in a cluster shows who it is, by a certificate that changes every hour.", ""},
	{"step-up", "", "Step-up", "For a decision that matters the passkey is touched again, just before.", "S-312-d"},
	{"subcontractor", "", "Subcontractor", "A vendor's own vendor who sees patient data. Each needs a paper of its own, down the whole chain.", "D-SUBK"},
	{"tls", "TLS", "Transport Layer Security", "What encrypts a connection. The gateway speaks version 1.3 alone.", "S-312-e-1"},
	{"token-binding", "", "Token binding", "An access token works only together with the machine's certificate or the program's key, so a stolen one is worth nothing.", ""},
	{"training", "", "Training", "What everybody who sees patient data must have passed. When it lapses access stops, by the decision itself.", "S-308-a-5-i"},
	{"udap", "UDAP", "Unified Data Access Profiles", "How a program registers itself by a certificate of a community that both sides trust. A person still approves it.", ""},
	{"unsecured-phi", "", "Unsecured PHI", "Patient data that is not made unreadable by encryption or destruction as the guidance says. Only its loss is a breach that must be told.", "D-UNSEC"},
	{"vault", "", "Vault", "Where the codes of patients and the lists of cohorts are kept, encrypted, in a database of its own. These pages cannot read it.", ""},
	{"vendor", "", "Vendor", "The outside team: the firm that wants to work with patient data.", "D-BA"},
	{"workforce", "", "Workforce", "Your organisation's own people, paid or not, who work under its direct control.", "D-WF"},
	{"workload", "", "Workload", "A program that runs by itself, on a server. It is judged by what was built and by whose key.", ""},
	{"zero-trust", "", "Zero trust", "Nothing is trusted because of where it is. Person, machine, program, paper and data are asked anew at each request (NIST SP 800-207).", ""},
}

// Words for what the data door decides with.
var purposeWords = map[hipaa.Purpose]string{
	hipaa.Inference: "The model runs on your patients' data and gives its result back to you.", hipaa.Evaluation: "Finding out how good a model is on your patients.",
	hipaa.Annotation: "People label your data, so that a model can learn from it or be measured by it.", hipaa.FineTune: "A model is trained on your data for you alone.",
	hipaa.TrainSharedModel: "A model that others use too is trained on your data. The vendor's own purpose: a BAA alone cannot allow it.", hipaa.ProductImprovement: "The vendor makes its product better with your data. The vendor's own purpose.",
	hipaa.Support: "Looking at data to help somebody with the product.", hipaa.Debug: "Looking at data to find a fault.", hipaa.ManagementAdmin: "The vendor's own management and legal duties, where the BAA allows it.",
}

var basisWords = map[hipaa.LegalBasis]wordBasis{
	hipaa.OperationsUnderBAA:    {"Operations under a BAA", "The vendor works on your behalf, for what your organisation itself may do.", "P-502-e-1-i"},
	hipaa.Authorization:         {"Authorization", "Each patient has signed for it.", "P-508-a-1"},
	hipaa.Waiver:                {"Waiver", "A board has waived the patients' signatures for a study.", "P-512-i-1-i"},
	hipaa.UnderDataUseAgreement: {"Data use agreement", "A limited data set, for research, public health or operations.", "P-514-e-1"},
	hipaa.BasisDeIdentified:     {"De-identified", "Nobody can tell whose it is, so the rule does not apply to it.", "P-514-a"},
}

type wordBasis struct{ Term, Text, Control string }

var classWordsLong = map[hipaa.DataClass]wordBasis{
	hipaa.PHI:            {"PHI", "Patient data from which somebody can tell whose it is.", "D-PHI"},
	hipaa.LimitedDataSet: {"Limited data set", "Without 16 direct identifiers; dates and towns stay. Still patient data.", "P-514-e-1"},
	hipaa.DeIdentified:   {"De-identified", "In one of the law's two ways nobody can tell whose it is.", "P-514-a"},
}

var categoryWords = map[hipaa.Category]wordBasis{
	hipaa.Treatment:    {"Treatment", "Caring for the patient.", "D-TRT"},
	hipaa.Payment:      {"Payment", "Being paid for care, or paying for it.", ""},
	hipaa.Operations:   {"Health care operations", "Running the organisation: quality, training, audits, planning.", "D-HCO"},
	hipaa.Research:     {"Research", "A study made to learn something that is true in general.", "D-RES"},
	hipaa.PublicHealth: {"Public health", "Reports to public health authorities.", ""},
}
