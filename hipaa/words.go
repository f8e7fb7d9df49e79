package hipaa

// DataClass says what a disclosure holds. The zero value is unknown and is
// never released.
type DataClass string

const (
	PHI            DataClass = "phi"              // identifiable health information, 45 CFR 160.103
	LimitedDataSet DataClass = "limited-data-set" // 45 CFR 164.514(e); still PHI
	DeIdentified   DataClass = "de-identified"    // 45 CFR 164.514(a)-(c); not PHI
)

// DataClasses lists every data class.
var DataClasses = []DataClass{PHI, LimitedDataSet, DeIdentified}

// LegalBasis says why a disclosure of an engagement is lawful.
type LegalBasis string

const (
	OperationsUnderBAA    LegalBasis = "operations-under-baa" // 45 CFR 164.502(e), 164.504(e)
	Authorization         LegalBasis = "authorization"        // 45 CFR 164.508
	Waiver                LegalBasis = "waiver"               // 45 CFR 164.512(i), by an IRB or privacy board
	UnderDataUseAgreement LegalBasis = "data-use-agreement"   // 45 CFR 164.514(e)(4)
	BasisDeIdentified     LegalBasis = "de-identified"        // 45 CFR 164.502(d)(2)
)

// LegalBases lists every legal basis.
var LegalBases = []LegalBasis{OperationsUnderBAA, Authorization, Waiver, UnderDataUseAgreement, BasisDeIdentified}

// Category is the Privacy Rule's word for the purpose of a disclosure.
type Category string

const (
	Treatment    Category = "treatment"     // 45 CFR 164.501
	Payment      Category = "payment"       // 45 CFR 164.501
	Operations   Category = "operations"    // health care operations, 45 CFR 164.501
	Research     Category = "research"      // 45 CFR 164.501
	PublicHealth Category = "public-health" // 45 CFR 164.512(b)
)

// Categories lists every category.
var Categories = []Category{Treatment, Payment, Operations, Research, PublicHealth}

// Purpose is what the outside team does with the data. The codes are those of
// the recommended BAA term on purposes (BAA-R02): an agreement permits each by
// name, and silence is "no" (45 CFR 164.502(a)(3)).
type Purpose string

const (
	Inference          Purpose = "inference"
	Evaluation         Purpose = "evaluation"
	Annotation         Purpose = "annotation"
	FineTune           Purpose = "fine_tune_for_customer"
	TrainSharedModel   Purpose = "train_shared_model"
	ProductImprovement Purpose = "product_improvement"
	Support            Purpose = "support"
	Debug              Purpose = "debug"
	// ManagementAdmin is the vendor's own proper management and administration (45 CFR
	// 164.504(e)(2)(i)(A), (e)(4)): no code of BAA-R02, but the subject of BAA-O01.
	ManagementAdmin Purpose = "mgmt_admin"
)

// Purposes lists every purpose.
var Purposes = []Purpose{Inference, Evaluation, Annotation, FineTune, TrainSharedModel, ProductImprovement, Support, Debug, ManagementAdmin}

// Classification says on which side of 45 CFR 160.103 a person stands: the
// organisation's own workforce (under its direct control, paid or not) or a
// business associate's staff. Training duties differ; see 164.530(b) and
// 164.308(a)(5).
type Classification string

const (
	Workforce         Classification = "workforce"
	BusinessAssociate Classification = "business-associate"
)
