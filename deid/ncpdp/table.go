package ncpdp

import "strings"

// ruling is what to do with a field.
type ruling uint8

const (
	secret     ruling = iota // a number of a person that is removed
	code                     // a word of a code list
	amount                   // money, quantity, count
	drug                     // a product
	identifier               // becomes a code
	date
	name
	address
	city
	state
	zip
	telephone // telephone, e-mail
	words     // a message
)

// segments are those of requests (01 to 16) and answers (20 to 29).
var segments = set(`AM01 AM02 AM03 AM04 AM05 AM06 AM07 AM08 AM09 AM10 AM11 AM12 AM13 AM14 AM15 AM16
	AM20 AM21 AM22 AM23 AM24 AM25 AM26 AM27 AM28 AM29`)

// fieldsOf is the table: what each field is, by its id in the data dictionary.
// An id means the same in every segment. One that is not here is removed.
var fieldsOf = map[ruling]string{
	secret:     `CZ HN N5 2A`,
	identifier: `CY C2 C1 NU MJ D2 EN EV F3 PY A7 K5 DZ EK 7C DB DL E9 FO`,
	name:       `CA CB CC CD DR 4E 2J PE PF CF CL TS 3Q`,
	address:    `CM 2K CG PG TT 3U`,
	city:       `CN 2M CH PH TU 5J`,
	state:      `CO 2N CI PJ TV 3V`,
	zip:        `CP 2P CJ PK TW 6D`,
	telephone:  `CQ PM CK 8F TZ`,
	date:       `C4 DE EP E8 DY ZE PB PC FU 2R 2S`,
	words:      `F4 FQ FY BM PP 4K NS`,
	drug:       `D7 EA TE AP`,
	code: `DO CX C5 C7 2C 4X C9 C3 C6 CE 2B 2D G2 N6 MG EM E1 SE ER D3 D5 D6 D8 DF DJ NX DK C8 DT EJ 28 DI EU HD NV MT E2 G1 U7
		EZ 2E 4C 5C 6C HB HC 5E 6E NR NP MU MV EY 7E E4 E5 E6 8E J9 H6 KE PA PD VE WE XE H1 H2 H3 H4 EC RE UE 2G 2H EF EG DN
		AN FA FB 4F UF UG UH 7F 9F AR 2F J7 J8 J6 FS FT FW FX FV NT 5F 3W HE H7 HA 4B 4D 4G 4H 4J 2Q 2V 2W 2U 2X 2Y 2Z FN AB AZ`,
	amount: `E7 ET EB EX HF HG DV NQ MW ED EE ME D9 DC BE DX E3 H8 H9 GE JE DQ DU F5 F6 F7 F9 AV AW FC FD FE FI FH FJ FK FL FM J1 J2 J3 J4 J5
		AX AY AS AT AU MZ`,
}

func fields() map[string]ruling {
	m := map[string]ruling{}
	for r, list := range fieldsOf {
		for id := range strings.FieldsSeq(list) {
			m[id] = r
		}
	}
	return m
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}
