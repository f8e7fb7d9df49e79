package hl7v2

import (
	"strings"
	"sync"
)

// segments gives each field of each segment its data type, in the order of the
// standard (HL7 2.1 to 2.8, chapters 2 to 12). Where versions differ the type
// stands that reads them all: CX reads a CK, CWE reads CE, IS and ID, XPN reads
// PN, DTM reads TS and DT. A field that is not here is removed, and so is a
// segment.
//
// Besides HL7's types there are rulings of our own: "-" is removed always; IDN
// is a number of a person that is removed (and told to the scrubber); TXT is
// free text; ANS is an answer, words of a
// laboratory or else free text; RES is a reference range; UNIT is a unit of measure; PRO is a
// message profile; COD is a CWE in a place where a long word is a code even
// without a code system; MID is a message's id; SET is a character set; VAR is what
// OBX-2 says.
var segments = map[string]string{
	"FHS": `SEP SEP HD HD HD  HD DTM - - -
		EI EI`,
	"BHS": `SEP SEP HD HD HD  HD DTM - - -
		EI EI`,
	"MSH": `SEP SEP HD HD HD  HD DTM - MSG MID
		PT VID NM - ID  ID ID SET CWE ID
		PRO`,
	"MSA": `ID MID - NM ID  CWE NM ID`,
	"ERR": `ELD ERL CWE ID CWE  - - - CWE CWE
		CWE`,
	"EVN": `ID DTM DTM CWE XCN  DTM HD`,
	"PID": `SI CX CX CX XPN  XPN DTM CWE XPN CWE
		XAD - XTN XTN CWE  CWE CWE CX IDN IDN
		CX CWE - ID NM  CWE CWE CWE DTM ID
		ID CWE DTM HD CWE  CWE - CWE CWE XTN`,
	"PD1": `CWE CWE XON XCN CWE  CWE CWE CWE ID CX
		CWE ID DTM XON CWE  CWE DTM DTM CWE CWE
		CWE DTM`,
	"MRG": `CX CX CX CX CX  CX XPN`,
	"NK1": `SI XPN CWE XAD XTN  XTN CWE DTM DTM -
		JCC CX - CWE CWE  DTM CWE CWE CWE CWE
		CWE CWE ID CWE CWE  XPN CWE CWE CWE XPN
		XTN XAD CX CWE CWE  CWE IDN - - XTN
		XTN`,
	"PV1": `SI CWE PL CWE CX  PL XCN XCN XCN CWE
		PL CWE CWE CWE CWE  - XCN CWE CX FC
		CWE CWE CWE CWE DTM  NM NM CWE CWE DTM
		- NM NM CWE DTM  CWE DLD CWE - ID
		CWE PL PL DTM DTM  NM NM NM NM CX
		CWE XCN - CX`,
	"PV2": `PL CWE CWE CWE -  - CWE DTM DTM NM
		NM TXT XCN DTM ID  CWE DTM CWE ID NM
		CWE ID XON CWE CWE  DTM CWE DTM DTM CWE
		CWE ID DTM ID ID  ID ID CWE CWE CWE
		CWE CWE CWE CWE CWE  DTM DTM DTM CWE DTM`,
	"ACC": `DTM CWE - CWE ID  ID XCN TXT - ID
		XAD NM EI`,
	"DB1": `SI CWE CX ID DTM  DTM DTM DTM`,
	"GT1": `SI CX XPN XPN XAD  XTN XTN DTM CWE CWE
		CWE IDN DTM DTM NM  XPN XAD XTN CX CWE
		- ID CWE DTM ID  CWE CP NM CX CWE
		DTM DTM CWE CWE CWE  CWE CWE CWE ID CWE
		CWE XPN CWE CWE XPN  XTN CWE CWE - JCC
		- CWE CWE FC CWE`,
	"IN1": `SI CWE CX XON XAD  XPN XTN IDN - CX
		- DTM DTM AUI CWE  XPN CWE DTM XAD CWE
		CWE ID ID DTM ID  DTM CWE IDN DTM XCN
		CWE CWE NM NM CWE  IDN CP CP NM CP
		CP CWE CWE XAD TXT  CWE CWE CWE CX CWE
		DTM - - CX ID`,
	"IN2": `CX IDN - CWE CWE  IDN XPN IDN XPN IDN
		CWE - - CWE CWE  CWE DTM ID ID ID
		NM XPN - CWE CX  CX CWE RMC PTA DDI
		CWE CWE CWE CWE CWE  CWE ID CWE CWE XPN
		CWE CWE CWE DTM DTM  - JCC CWE XPN XTN
		CWE XPN XTN CWE DTM  DTM CWE XTN CWE CWE
		CX CWE XTN XTN CWE  ID ID ID - -
		CWE CWE`,
	"IN3": `SI CX XCN ID MOP  DTM DTM XCN DTM DTM
		DTN CWE DTM XCN -  XTN CWE CWE XTN ICD
		- DTM CWE CWE XCN  CWE CWE`,
	"UB1": `SI NM NM NM NM  NM ID NM NM UVC
		NM CWE CWE DTM DTM  OCD CWE DTM DTM`,
	"UB2": `SI NM CWE NM NM  UVC OCD OSP - -
		- IDN - - -  - NM`,
	"AL1": `CWE CWE COD CWE ANS  DTM`,
	"IAM": `SI CWE COD CWE TXT  CWE EI TXT CWE CWE
		DTM TXT DTM XPN CWE  CWE CWE XCN XON DTM
		XCN DTM XCN DTM XCN  DTM CWE XON XON XON`,
	"DG1": `SI ID COD TXT DTM  CWE CWE CWE ID ID
		CWE NM CP - ID  XCN CWE ID DTM EI
		ID EI CWE ID CWE  CWE`,
	"DRG": `CWE DTM ID CWE CWE  NM CP CWE CP ID
		CWE XPN CWE CWE NM  MO CWE ID ID CWE
		MO MO MO MO NM  CWE CWE CWE CWE CWE
		CWE CWE CWE`,
	"PR1": `SI ID COD TXT DTM  CWE NM XCN CWE NM
		XCN XCN CWE ID CWE  CWE CWE CWE EI ID
		CWE CWE PL ID EI`,
	"PDA": `CWE PL ID DTM XCN  ID DR XCN ID`,
	"ABS": `XCN CWE CWE DTM XCN  CWE DTM XCN CWE ID
		CWE NM CWE ID`,
	"ROL": `EI ID CWE XCN DTM  DTM CWE CWE CWE CWE
		XAD XTN PL XON`,
	"PRT": `EI ID CWE CWE XCN  CWE CWE XON PL EI
		DTM DTM CWE XAD XTN  EI - DTM - -
		EI CWE`,
	"STF": `EI CX XPN CWE CWE  DTM ID CWE CWE XTN
		XAD DIN DIN EI -  CWE CWE - JCC CWE
		ID - ID DTM DTM  DTM CWE CWE ID CWE
		DTM ID CWE DR DTM  - ID CWE CWE CWE`,
	"ORC": `ID EI EI EIP ID  ID TQ EIP DTM XCN
		XCN XCN PL XTN DTM  CWE CWE - XCN CWE
		XON XAD XTN XAD CWE  CWE DTM CWE CWE CWE
		CWE DTM CX CWE`,
	"TQ1": `SI CQ RPT TM CQ  CQ DTM DTM CWE TXT
		TXT ID CQ NM`,
	"TQ2": `SI ID EI EI EI  ID ID CQ NM ID`,
	"OBR": `SI EI EI COD ID  DTM DTM DTM CQ XCN
		ID CWE TXT DTM SPS  XCN XTN - - -
		- DTM MOC ID ID  PRL TQ XCN EIP ID
		CWE NDL NDL NDL NDL  DTM NM CWE TXT CWE
		ID ID TXT CWE CWE  CWE CWE CWE CWE CWE
		EI EI CX EIP`,
	"OBX": `SI ID COD ID VAR  UNIT RES CWE NM ID
		ID DTM - DTM -  XCN CWE EI DTM CWE
		EI CWE XON XAD XCN  ID CWE CWE ID ID`,
	"NTE": `SI ID TXT CWE XCN  DTM DTM DTM`,
	"SPM": `SI EIP EIP COD CWE  CWE CWE CWE CWE CWE
		CWE CQ NM TXT CWE  CWE DR DTM DTM ID
		CWE CWE CWE CWE CQ  NM CWE CWE CWE CX
		CX EI`,
	"SAC": `EI EI EI EI EI  SPS DTM CWE CWE EI
		- CWE EI - -  NM NM NM NM UNIT
		NM NM NM UNIT CWE  CWE CWE CWE SN CWE
		SN NM UNIT NM UNIT  NM UNIT NM UNIT CWE
		CWE CWE CWE CWE`,
	"CTI": `EI CWE CWE`,
	"BLG": `CCD ID CX CWE`,
	"FT1": `SI EI EI DR DTM  CWE COD TXT TXT NM
		CP CP CWE CWE CP  PL CWE CWE CWE XCN
		XCN CP EI XCN CWE  CWE CWE CWE CWE CX
		SI XON XON CWE -  CWE CWE CX CX CWE
		CWE EI CQ`,
	"RXO": `COD NM NM UNIT CWE  CWE CWE PL ID CWE
		NM UNIT NM XCN XCN  ID ID NM UNIT CWE
		ID UNIT CQ CWE NM  UNIT ID NM EI EI
		CWE - XAD PL XAD  XTN`,
	"RXR": `CWE CWE CWE CWE CWE  CWE`,
	"RXC": `ID COD NM UNIT NM  UNIT CWE NM UNIT NM
		UNIT`,
	"RXE": `TQ COD NM NM UNIT  CWE CWE PL ID NM
		UNIT NM XCN XCN EI  NM NM DTM CQ ID
		CWE ID ID UNIT NM  UNIT CWE NM UNIT ID
		CWE DTM NM UNIT CWE  ID CWE - NM -
		XAD PL XAD ID XTN`,
	"RXD": `NM COD DTM NM UNIT  CWE EI NM TXT XCN
		ID CQ PL ID CWE  NM UNIT - DTM CWE
		CWE NM UNIT ID CWE  - - NM UNIT -
		XAD ID CWE XTN EI`,
	"RXG": `ID NM TQ COD NM  NM UNIT CWE CWE ID
		PL ID CWE ID ID  UNIT NM UNIT - DTM
		CWE CWE NM UNIT -  ID - XAD PL XAD
		EI NM UNIT`,
	"RXA": `ID NM DTM DTM COD  NM UNIT CWE CWE XCN
		PL ID NM UNIT -  DTM CWE CWE CWE ID
		ID DTM NM UNIT -  ID PL XAD EI`,
	"TXA": `SI CWE ID DTM XCN  DTM DTM DTM XCN XCN
		XCN EI EI EI EI  - ID ID ID ID
		TXT PPN XCN - TXT  DTM`,
	"SCH": `EI EI NM EIP EI  CWE CWE CWE NM CWE
		TQ XCN XTN XAD PL  XCN XTN XAD PL XCN
		XTN PL EI EI CWE  EI EI`,
	"ARQ": `EI EI NM EIP EI  CWE CWE CWE NM CWE
		DR ID RI ID XCN  XTN XAD PL XCN XTN
		PL EI EI EI EI`,
	"APR": `SCV SCV SCV NM SCV`,
	"RGS": `SI ID CWE`,
	"AIS": `SI ID CWE DTM NM  CWE NM CWE CWE CWE
		CWE CWE`,
	"AIG": `SI ID EI CWE CWE  NM CWE DTM NM CWE
		NM CWE CWE CWE`,
	"AIL": `SI ID PL CWE CWE  DTM NM CWE NM CWE
		CWE CWE`,
	"AIP": `SI ID XCN CWE CWE  DTM NM CWE NM CWE
		CWE CWE`,
	"RF1": `CWE CWE CWE CWE CWE  EI DTM DTM DTM CWE
		EI CWE DTM TXT CQ  CQ CQ MO XON XCN
		- DTM XTN - ID`,
	"PRD": `CWE XPN XAD PL XTN  CWE PLN DTM DTM XON
		XAD PL XTN CWE`,
	"CTD": `CWE XPN XAD PL XTN  CWE PLN`,
	"PRB": `ID DTM CWE EI EI  NM DTM DTM DTM CWE
		CWE CWE CWE CWE DTM  DTM TXT CWE CWE NM
		CWE CWE CWE TXT CWE  CWE CWE CWE`,
	"GOL": `ID DTM CWE EI EI  NM DTM DTM CWE CWE
		CWE DTM DTM DTM TQ  CWE TXT CWE DTM CWE
		XPN CWE`,
	"PTH": `ID CWE EI DTM CWE  DTM CWE`,
	"VAR": `EI DTM DTM XCN CWE  TXT`,
	"ODS": `ID CWE CWE TXT`,
	"ODT": `CWE CWE TXT`,
	"DSC": `- ID`,
	"QAK": `EI ID CWE NM NM  NM`,
	"QRD": `DTM ID ID EI ID  DTM CQ XCN CWE -
		- ID`,
	"QRF": `- DTM DTM - -  ID ID ID TQ NM`,
	"ARV": `SI CWE - CWE -  DR`,
	"BTS": `NM - NM`,
	"FTS": `NM`,
}

// composites gives the parts of the types that are only their parts. A part
// that is not here is removed.
var composites = map[string]string{
	"AUI": `- DTM -`,
	"CCD": `ID DTM`,
	"CP":  `MO ID NM NM CWE ID`,
	"CQ":  `NM UNIT`,
	"DDI": `NM MO NM`,
	"DIN": `DTM -`,
	"DLD": `ORG DTM`,
	"DR":  `DTM DTM`,
	"DTN": `ID NM`,
	"EIP": `EI EI`,
	"ELD": `ID NM NM CWE`,
	"ERL": `ID NM NM NM NM NM`,
	"FC":  `CWE DTM`,
	"ICD": `ID ID DTM`,
	"JCC": `CWE CWE -`,
	"MO":  `NM ID`,
	"MOC": `MO CWE`,
	"MOP": `ID NM ID`,
	"MSG": `ID ID ID`,
	"NDL": `- DTM DTM`,
	"OCD": `CWE DTM`,
	"OSP": `CWE DTM DTM`,
	"PRL": `CWE ID -`,
	"PRO": `ID ORG OID ID`,
	"PT":  `ID ID`,
	"PTA": `CWE CWE NM MOP`,
	"RI":  `ID -`,
	"RMC": `CWE CWE NM MOP`,
	"RPT": `CWE`,
	"SCV": `CWE -`,
	"SN":  `CMP NM CMP NM`,
	"SPS": `CWE CWE TXT CWE CWE CWE CWE`,
	"TQ":  `CQ RI ID DTM DTM ID TXT TXT ID - CWE NM`,
	"UVC": `CWE MO`,
	"VID": `ID - -`,
}

// masks stand where the standard requires a field whose value is a name: the
// name type code S says "coded pseudo-name to ensure anonymity" (table 0200),
// and it is the seventh component of an XPN.
var masks = map[string]string{"PID.5": "S", "GT1.3": "S"}

// rule is what to do with a value: a data type or a ruling of our own.
type rule uint8

const (
	drop rule = iota // "-"
	idn
	txt
	ans
	res
	unit
	mid
	set
	vary
	sep
	oid
	org
	cmp
	ver // of a code system
	id
	si
	nm
	dtm
	tm
	cwe
	cod
	cx
	ei
	xcn
	ppn
	xpn
	xad
	xtn
	xon
	hd
	pl
	pln
	na
	composite // and above: composites
)

var primitives = map[string]rule{
	"-": drop, "IDN": idn, "TXT": txt, "ANS": ans, "RES": res, "UNIT": unit, "MID": mid, "SET": set, "VAR": vary, "SEP": sep, "OID": oid, "ORG": org, "CMP": cmp,
	"ID": id, "SI": si, "NM": nm, "DTM": dtm, "TM": tm, "CWE": cwe, "COD": cod, "CX": cx, "EI": ei, "XCN": xcn, "PPN": ppn, "XPN": xpn, "XAD": xad, "XTN": xtn,
	"XON": xon, "HD": hd, "PL": pl, "PLN": pln, "NA": na,
}

// observed says how OBX-5 is read for each type that OBX-2 may name. Another
// type, and ED, RP and MA among them, is removed.
var observed = map[string]string{
	"AD": "XAD", "CE": "CWE", "CF": "CWE", "CK": "CX", "CN": "XCN", "CNE": "CWE", "CP": "CP", "CQ": "CQ", "CWE": "CWE", "CX": "CX", "DR": "DR", "DT": "DTM",
	"DTM": "DTM", "EI": "EI", "FT": "ANS", "ID": "ID", "IS": "ID", "MO": "MO", "NA": "NA", "NM": "NM", "PN": "XPN", "SI": "SI", "SN": "SN", "ST": "ANS",
	"TM": "TM", "TN": "XTN", "TS": "DTM", "TX": "ANS", "XAD": "XAD", "XCN": "XCN", "XON": "XON", "XPN": "XPN", "XTN": "XTN",
}

// table is the above, read once.
type table struct {
	segments map[string]*segment
	parts    [][]rule // of composites, by rule - composite
	observed map[string]rule
}

type segment struct {
	name   string
	fields []rule // field n at n-1
	mask   []byte // by field: the name type code of a masked name, or 0
}

var tables = sync.OnceValue(func() *table {
	t := &table{segments: map[string]*segment{}, observed: map[string]rule{}}
	number := map[string]rule{}
	for name := range composites {
		number[name] = composite + rule(len(number))
	}
	read := func(name string) rule {
		if r, ok := number[name]; ok {
			return r
		}
		return primitives[name] // a name that nothing has is "-"
	}
	t.parts = make([][]rule, len(number))
	for name, parts := range composites {
		for p := range strings.FieldsSeq(parts) {
			t.parts[number[name]-composite] = append(t.parts[number[name]-composite], read(p))
		}
	}
	for name, fields := range segments {
		s := &segment{name: name}
		for f := range strings.FieldsSeq(fields) {
			s.fields = append(s.fields, read(f))
			m := masks[name+"."+itoa(len(s.fields))]
			if m == "" {
				m = "\x00"
			}
			s.mask = append(s.mask, m[0])
		}
		t.segments[name] = s
	}
	for name, as := range observed {
		t.observed[name] = read(as)
	}
	return t
})
