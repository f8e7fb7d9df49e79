package table

// permittedZIP is the first three digits of ZIP codes whose area has more than
// 20,000 people, as ranges, both ends included: U.S. Census Bureau, 2020 Census
// DHC, table P1, ZCTA5 summed by three digits. What is not in it, restricted or
// unassigned or without a count, becomes 000 (45 CFR 164.514(b)(2)(i)(B)).
var permittedZIP = [...][2]int{
	{6, 7}, {9, 35}, {37, 54}, {56, 58}, {60, 89}, {100, 101}, {103, 191}, {193, 201}, {206, 212},
	{214, 268}, {270, 310}, {312, 331}, {333, 339}, {341, 342}, {344, 344}, {346, 347}, {349, 352},
	{354, 368}, {370, 374}, {376, 398}, {400, 418}, {420, 427}, {430, 458}, {460, 508}, {510, 516},
	{520, 528}, {530, 532}, {534, 535}, {537, 551}, {553, 554}, {557, 567}, {570, 577}, {580, 588},
	{590, 620}, {622, 631}, {633, 641}, {644, 648}, {650, 658}, {660, 662}, {664, 681}, {683, 691},
	{693, 693}, {700, 701}, {703, 708}, {710, 714}, {716, 731}, {734, 741}, {743, 752}, {754, 770},
	{773, 816}, {820, 820}, {822, 822}, {824, 838}, {840, 841}, {843, 847}, {850, 853}, {855, 857},
	{859, 860}, {863, 865}, {870, 871}, {873, 875}, {877, 877}, {880, 883}, {890, 891}, {894, 895},
	{897, 898}, {900, 900}, {902, 908}, {910, 928}, {930, 937}, {939, 941}, {943, 961}, {967, 968},
	{970, 986}, {988, 999},
}

// Census2020 says whether the three digits of a ZIP prefix may stay.
func Census2020(prefix int) bool {
	for _, r := range permittedZIP {
		if prefix < r[0] {
			return false
		}
		if prefix <= r[1] {
			return true
		}
	}
	return false
}

// zip3 reads 12345, 12345-6789, 123456789 or a prefix 123, and gives the three
// digits. Four digits are a ZIP code that lost its zero, or none: not read.
func zip3(v []byte) (prefix int, ok bool) {
	switch {
	case len(v) == 3 || len(v) == 5 || len(v) == 9:
	case len(v) == 10 && v[5] == '-':
		if !digits(v[6:]) {
			return 0, false
		}
		v = v[:5]
	default:
		return 0, false
	}
	if !digits(v) {
		return 0, false
	}
	return int(v[0]-'0')*100 + int(v[1]-'0')*10 + int(v[2]-'0'), true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
