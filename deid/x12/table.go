package x12

import "strings"

// segments gives each element of each segment its ruling. An element that is
// not here is removed, and so is a segment.
//
//	ID  a code: a word of a code list      NM  a number, an amount
//	CX  an identifier, becomes a code      QU  the qualifier of the identifier or date that follows
//	NA  a name                             AD  part of an address
//	CI  city    ST  State or country       ZP  postal code
//	TE  telephone, e-mail, or its kind     TX  text
//	DT  a date in the form of the qualifier before it, or CCYYMMDD
//	TI  a time                             D6  a date YYMMDD
//	CO  components, each a code            PR  a procedure: qualifier, code, modifiers
//	HI  a code with qualifier and date
//	CN  control number                     SC  a count of segments
//	VR  version of a guide                 ND  product code, as a drug's
//	--  removed
var segments = map[string]string{
	"ST":  `ID CN VR`,
	"SE":  `SC CN`,
	"BHT": `ID ID CX DT TI ID`,
	"BGN": `ID CX DT TI ID CX CX ID`,
	"BPR": `ID NM ID ID ID -- -- -- -- -- -- -- -- -- -- DT`,
	"TRN": `ID CX CX CX`,
	"CUR": `ID ID`,
	"HL":  `NM NM ID ID`,
	"LX":  `NM`,
	"NM1": `ID ID NA NA NA NA NA QU CX ID ID NA`,
	"N1":  `ID NA QU CX ID ID`,
	"N2":  `NA NA`,
	"N3":  `AD AD`,
	"N4":  `CI ST ZP ST -- --`,
	"PER": `ID NA TE TE TE TE TE TE`,
	"REF": `QU CX -- --`,
	"PRV": `ID ID ID ST`,
	"DMG": `QU DT ID ID CO ID ST ID NM`,
	"PAT": `ID ID ID ID QU DT ID NM ID`,
	"SBR": `ID ID CX NA ID ID ID ID ID`,
	"INS": `ID ID ID ID ID CO ID ID ID ID QU DT ID ID ID ID NM`,
	"DTP": `ID QU DT`,
	"DTM": `ID DT TI`,
	"CLM": `CX NM ID ID CO ID ID ID ID ID CO ID ID ID ID ID ID ID ID ID`,
	"CL1": `ID ID ID ID`,
	"PWK": `ID ID NM ID QU CX -- -- ID`,
	"CN1": `ID NM NM -- NM ID`,
	"AMT": `ID NM ID`,
	"QTY": `ID NM CO`,
	"K3":  `TX`,
	"NTE": `ID TX`,
	"MSG": `TX`,
	"CR1": `ID NM ID ID ID NM -- -- TX TX`,
	"CR2": `NM NM ID ID ID NM NM ID ID TX TX ID`,
	"CR3": `ID ID NM`,
	"CR5": `ID NM ID ID ID NM NM ID ID NM NM ID ID ID`,
	"CR6": `ID DT QU DT DT ID ID ID DT QU CX DT DT DT DT DT ID ID ID ID ID`,
	"CRC": `ID ID ID ID ID ID ID`,
	"HI":  `HI HI HI HI HI HI HI HI HI HI HI HI`,
	"HCP": `ID NM NM CX NM ID NM ID ID ID ID NM ID ID ID`,
	"HSD": `ID NM ID NM ID NM ID ID`,
	"OI":  `ID ID ID ID ID ID`,
	"MIA": `NM NM NM NM ID NM NM NM NM NM NM NM NM NM NM NM NM NM NM ID ID ID ID NM`,
	"MOA": `NM NM ID ID ID ID ID NM NM`,
	"CAS": `ID ID NM NM ID NM NM ID NM NM ID NM NM ID NM NM ID NM NM`,
	"SV1": `PR NM ID NM ID ID CO NM ID ID ID ID ID ID ID ID ID ID ID ID NM`,
	"SV2": `ID PR NM ID NM NM NM ID ID ID`,
	"SV3": `PR NM ID CO ID NM -- ID ID ID CO`,
	"SV4": `-- PR`,
	"SV5": `PR ID NM NM NM ID ID`,
	"SVC": `PR NM NM ID NM PR NM`,
	"SVD": `CX NM PR ID NM NM`,
	"TOO": `ID ID CO`,
	"PS1": `CX NM ST`,
	"LIN": `ID QU ND`,
	"CTP": `ID ID NM NM CO`,
	"MEA": `ID ID NM CO NM NM`,
	"FRM": `ID ID -- DT NM`,
	"LQ":  `ID ID`,
	"III": `ID ID ID TX NM CO`,
	"CLP": `CX ID NM NM NM ID CX ID ID ID ID NM NM ID`,
	"TS3": `CX ID DT NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM NM`,
	"PLB": `CX DT -- NM -- NM -- NM -- NM -- NM -- NM`,
	"RDM": `ID -- --`,
	"EQ":  `ID PR ID ID CO`,
	"EB":  `ID ID ID ID -- ID NM NM ID NM ID ID PR CO`,
	"AAA": `ID ID ID ID`,
	"STC": `CO DT ID NM NM DT ID DT CX CO CO TX`,
	"UM":  `ID ID ID CO CO ID ID ID ID ID`,
	"HCR": `ID CX ID ID`,
	"HD":  `ID ID ID -- ID NM NM ID ID ID ID`,
	"COB": `ID CX ID ID`,
	"LUI": `ID ID -- ID`,
	"ICM": `ID NM NM -- ID`,
	"LS":  `ID`,
	"LE":  `ID`,
	"ACK": `ID NM ID QU DT`,
	"AK1": `ID CN VR`,
	"AK2": `ID CN VR`,
	"IK5": `ID ID ID ID ID ID`,
	"AK5": `ID ID ID ID ID ID`,
	"AK9": `ID NM NM NM ID ID ID ID ID`,
}

// needs names the element without which a segment says nothing, and may not
// stand (or 0: any). Such a segment goes with it.
var needs = map[string]int{"N2": 1, "N3": 1, "N4": 0, "REF": 2, "DTP": 3, "DTM": 2, "NTE": 2, "K3": 1, "MSG": 1, "TRN": 2, "LIN": 3, "PS1": 1, "RDM": 1}

// stateNumbers are qualifiers (data elements 66 and 128) of numbers that are
// not even coded: social security, tax, licence, passport, bank, vehicle.
var stateNumbers = words(`34 SY EI TJ 24 0B FI PE 12X DG DP 93 LX VT II`)

func words(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}
