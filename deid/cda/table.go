package cda

import "strings"

// kind is what an element holds.
type kind uint8

const (
	gone      kind = iota // not known: removed with all that is in it
	walk                  // a class: its elements have rulings of their own
	ii                    // identifier
	template              // an identifier of a template or type, not of a person
	cd                    // coded
	ts                    // time, interval, timing
	pq                    // quantity, number, ratio
	bl                    // true or false
	name                  // of a person, organisation, place or thing
	ad                    // address
	telecom               // telephone, e-mail, URL
	words                 // text of an entry
	title                 // of a document or a section
	narrative             // text of a section
	anything              // value: by its xsi:type
)

// The namespaces that are read; what belongs to another is removed.
const (
	nsV3   = "urn:hl7-org:v3"
	nsSDTC = "urn:hl7-org:sdtc"
	nsXSI  = "http://www.w3.org/2001/XMLSchema-instance"
)

// elements is the table: what each element of CDA R2 is, by its name. The name
// decides in all places but those of overrides.
var elements = table(map[kind]string{
	walk: `recordTarget patientRole patient guardian guardianPerson guardianOrganization birthplace place languageCommunication
		providerOrganization asOrganizationPartOf wholeOrganization author assignedAuthor assignedPerson assignedAuthoringDevice
		representedOrganization dataEnterer assignedEntity informant relatedEntity relatedPerson custodian assignedCustodian
		representedCustodianOrganization informationRecipient intendedRecipient receivedOrganization legalAuthenticator authenticator
		participant associatedEntity associatedPerson scopingOrganization inFulfillmentOf order documentationOf serviceEvent performer
		relatedDocument parentDocument authorization consent componentOf encompassingEncounter responsibleParty encounterParticipant
		location healthCareFacility serviceProviderOrganization component structuredBody nonXMLBody section entry subject relatedSubject
		specimen specimenRole specimenPlayingEntity participantRole playingDevice playingEntity scopingEntity observation observationRange
		referenceRange substanceAdministration supply procedure act encounter organizer consumable product manufacturedProduct
		manufacturedMaterial manufacturedLabeledDrug manufacturerOrganization entryRelationship precondition criterion reference
		externalAct externalDocument externalObservation externalProcedure maintainedEntity maintainingPerson informationSource
		replacementOf`,
	ii:       `id setId`,
	template: `templateId typeId`,
	cd: `realmCode code confidentialityCode languageCode statusCode administrativeGenderCode maritalStatusCode religiousAffiliationCode
		raceCode ethnicGroupCode modeCode proficiencyLevelCode functionCode signatureCode dischargeDispositionCode admissionReferralSourceCode
		standardIndustryClassCode priorityCode interpretationCode methodCode targetSiteCode approachSiteCode routeCode formCode
		administrationUnitCode awarenessCode repeatCode processingCode levelCode specialCourtesiesCode`,
	ts: `effectiveTime time birthTime availabilityTime expectedUseTime existenceTime`,
	pq: `versionNumber sequenceNumber repeatNumber doseQuantity rateQuantity maxDoseQuantity doseCheckQuantity quantity
		administrationQuantity`,
	bl:       `preferenceInd seperatableInd independentInd`,
	name:     `name`,
	ad:       `addr`,
	telecom:  `telecom`,
	words:    `text`,
	title:    `title`,
	anything: `value`,
})

// overrides are elements that mean something else below some element.
var overrides = map[string]kind{"section/text": narrative, "nonXMLBody/text": words, "observationMedia/value": gone}

// extensions are the elements of the sdtc namespace that stay.
var extensions = table(map[kind]string{
	cd: `raceCode ethnicGroupCode dischargeDispositionCode genderIdentityCode functionCode`,
	ts: `deceasedTime birthTime`,
	bl: `deceasedInd multipleBirthInd`,
	ii: `id`,
})

// structural are the attributes of classes: words of HL7's own vocabulary.
var structural = set(`classCode moodCode typeCode contextControlCode contextConductionInd determinerCode negationInd inversionInd
	independentInd nullFlavor use`)

// vocabulary is the values that they have in CDA R2 (ActClass, RoleClass,
// EntityClass, ActMood, ParticipationType, ActRelationshipType, ContextControl,
// EntityDeterminer, NullFlavor, and the uses of names, addresses and telecoms).
var vocabulary = set(`true false
	ACT ACCM CONS CTTEVENT INC INFRM PCPR REG SPCTRT OBS ENC PROC SBADM SPLY BATTERY CLUSTER DOCCLIN DOCBODY DOCSECT COND CNTRCT CACT
	ACTN INFO STC TRNS ALRT CNOD ROIBND ROIOVL DGIMG PAT ASSIGNED PRS NOK CON ECON GUARD CAREGIVER CIT CLAIM COVPTY AGNT GUAR QUAL PROV
	SPEC MANU RET DSDLOC SDLOC ISDLOC MNT PRCN OWN ROL PSN ORG PLC DEV MMAT ENT STATE MAT ANM LIV NLIV PUB NAT COMM HCE HLD TERR THER
	EMP MIL CRINV CRSPNSR LIC NOT STUD POLHOLD PAYOR INVSBJ SUBJ ADMM MIM BIRTHPL CRS DST
	EVN INT RQO PRMS PRP DEF GOL APT ARQ OPT PERM
	AUT INF CST LA AUTHEN PRF PPRF SPRF ATND ADM DIS REF ESC IND PRD CSM SBJ SPC LOC COV RCV BEN CAGNT PRCP TRC IRCP VRF CALLBCK DIR NRD
	RDV RESP RCT COMP DRIV REFR RSON MFST CAUS GEVL SAS SPRT XCRPT FLFS DOC RPLC APND XFRM REFV SUCC ELNK PERT AUTH TRG NAME OPTN STRT
	OP ON AN AP INSTANCE KIND QUANTIFIED_KIND
	NI UNK MSK NA ASKU NASK NAV NP OTH NINF PINF UNC DER QS INV NAVU
	HP H HV WP TMP BAD MC AS EC PG L ABC SYL IDE C I A R ASGN P OR SRCH PHYS PST NB CM CL`)

// types gives the kind of a value by its xsi:type, a data type of CDA R2.
var types = table(map[kind]string{
	cd:      `CD CE CV CS CO`,
	pq:      `PQ IVL_PQ INT IVL_INT REAL IVL_REAL MO IVL_MO RTO RTO_PQ_PQ RTO_QTY_QTY RTO_MO_PQ`,
	ts:      `TS IVL_TS PIVL_TS EIVL_TS SXCM_TS SXPR_TS GTS`,
	words:   `ST ED SC`,
	bl:      `BL BN`,
	ii:      `II`,
	ad:      `AD`,
	name:    `PN EN ON TN`,
	telecom: `TEL`,
})

// nullFlavors is HL7's vocabulary for why there is no value.
var nullFlavors = set(`NI UNK MSK NA ASKU NASK NAV NP OTH NINF PINF TRC UNC DER QS INV NAVU`)

// titleWords are the words of the titles of documents and sections in C-CDA
// and its LOINC codes. A title of other words is free text.
var titleWords = set(`a active admission adverse advance allergies allergy and appointment assessment assessments care chief clinical complaint
	complications concern concerns consultation consult continuity course data date death demographics description details diagnoses diagnosis
	diagnostic diet directives discharge disposition document electronic encounter encounters episode equipment estimated evaluation event exam
	examination family findings fluids follow for functional general goal goals health history hospital hpi immunization immunizations imaging
	implant implants impression in indications instructions intervention interventions laboratory lab labs life list loss management medical
	medication medications mental note notes nutrition observations of office operative outcomes past patient payers payer physical
	plan planned postoperative postprocedure preoperative present problem problems procedure procedures progress purpose reason reasons record
	reactions referral related relevant report result results review section sections service sign signs skin social specimens status study
	summarization summary surgery surgical symptoms system systems taken to transfer treatment treatments up use visit vital vitals with`)

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

func table(lists map[kind]string) map[string]kind {
	m := map[string]kind{}
	for k, list := range lists {
		for w := range strings.FieldsSeq(list) {
			m[w] = k
		}
	}
	return m
}
