package text

// luhn is the check of ISO/IEC 7812 over the digits of s.
func luhn(s []byte) bool {
	sum, n := 0, 0
	for i := len(s) - 1; i >= 0; i-- {
		c := s[i]
		if c < '0' || c > '9' {
			continue
		}
		d := int(c - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n >= 12 && n <= 19 && sum%10 == 0
}

// iban is the check of ISO 13616: modulo 97.
func iban(s []byte) bool {
	if len(s) < 15 || class[s[0]|0x20] != clLower || class[s[1]|0x20] != clLower || class[s[2]] != clDigit || class[s[3]] != clDigit {
		return false
	}
	rem := 0
	for i := range s {
		c := s[(i+4)%len(s)]
		switch class[c] {
		case clDigit:
			rem = (rem*10 + int(c-'0')) % 97
		case clLower, clUpper:
			rem = (rem*100 + int(c|0x20-'a') + 10) % 97
		default:
			return false
		}
	}
	return rem == 1
}

// vin is the check digit of 49 CFR 565.15.
func vin(s []byte) bool {
	const values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	weights := [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}
	if len(s) != 17 {
		return false
	}
	sum := 0
	for i, c := range s {
		if c >= 'a' {
			c &^= 0x20
		}
		v := -1
		for k := range len(values) {
			if values[k] == c && c != '.' {
				v = k % 10
				break
			}
		}
		if v < 0 {
			return false
		}
		sum += v * weights[i]
	}
	want := byte('0' + sum%11)
	if sum%11 == 10 {
		want = 'X'
	}
	return s[8]&^0x20 == want&^0x20
}

// checkedID: the digits of s, marks left out, pass the check of a national
// number: Aadhaar (Verhoeff), CPF, Steuer-ID, NIR, BSN, TCKN, Israeli and Chinese
// identity numbers, Egyptian national number, or that of a card or an IMEI (Luhn).
func checkedID(s []byte) bool {
	var buf [20]int
	d := buf[:0]
	for _, c := range s {
		switch {
		case class[c] == clDigit && len(d) < len(buf):
			d = append(d, int(c-'0'))
		case c == '-' || c == '.' || c == ' ' || c == '/':
		default:
			return false
		}
	}
	switch len(d) {
	case 9:
		return bsn(d)
	case 11:
		return cpf(d) || steuer(d) || tckn(d)
	case 12:
		return verhoeff(d)
	case 14:
		return egypt(d)
	case 15:
		return nir(d) || luhnInts(d)
	case 13, 16, 17, 19:
		return luhnInts(d)
	case 18:
		return chinese(d)
	}
	return false
}

// checkedMixed: letters and digits that pass the check of a Spanish DNI or an
// Italian codice fiscale.
func checkedMixed(s []byte) bool {
	switch len(s) {
	case 9:
		n := 0
		for _, c := range s[:8] {
			if class[c] != clDigit {
				return false
			}
			n = n*10 + int(c-'0')
		}
		return "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[8]&^0x20
	case 16:
		return codiceFiscale(s)
	}
	return false
}

func codiceFiscale(s []byte) bool {
	odd := [36]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range s {
		v := 0
		switch class[c] {
		case clDigit:
			v = int(c - '0')
			if i < 6 || i == 8 || i == 11 || i == 15 {
				return false
			}
		case clLower, clUpper:
			v = int(c|0x20-'a') + 10
		default:
			return false
		}
		switch {
		case i == 15:
			return sum%26 == v-10
		case i%2 == 0:
			sum += odd[v]
		case v >= 10:
			sum += v - 10
		default:
			sum += v
		}
	}
	return false
}

func luhnInts(d []int) bool {
	sum := 0
	for i := range d {
		v := d[len(d)-1-i]
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

func bsn(d []int) bool { // also the Israeli number, which is Luhn over nine
	sum := -d[8]
	for i := range 8 {
		sum += d[i] * (9 - i)
	}
	return sum%11 == 0 || luhnInts(d)
}

func cpf(d []int) bool {
	for k := 9; k < 11; k++ {
		sum := 0
		for i := range k {
			sum += d[i] * (k + 1 - i)
		}
		if sum*10%11%10 != d[k] {
			return false
		}
	}
	return true
}

func steuer(d []int) bool { // ISO 7064 mod 11,10
	p := 10
	for _, v := range d[:10] {
		s := (v + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return d[0] != 0 && (11-p)%10 == d[10] && repeats(d[:10])
}

// repeats: of the ten digits of a Steuer-ID one stands two or three times.
func repeats(d []int) bool {
	var n [10]int
	for _, v := range d {
		n[v]++
	}
	twice := 0
	for _, k := range n {
		if k == 2 || k == 3 {
			twice++
		} else if k > 3 {
			return false
		}
	}
	return twice == 1
}

func tckn(d []int) bool {
	odd := d[0] + d[2] + d[4] + d[6] + d[8]
	even := d[1] + d[3] + d[5] + d[7]
	sum := 0
	for _, v := range d[:10] {
		sum += v
	}
	return d[0] != 0 && ((odd*7-even)%10+10)%10 == d[9] && sum%10 == d[10]
}

func nir(d []int) bool {
	n := 0
	for _, v := range d[:13] {
		n = n*10 + v
	}
	return d[0] >= 1 && d[0] <= 2 && 97-n%97 == d[13]*10+d[14]
}

func egypt(d []int) bool { // a century, then a birth date
	return d[0] >= 2 && d[0] <= 3 && date{2000, d[3]*10 + d[4], d[5]*10 + d[6]}.ok()
}

func chinese(d []int) bool { // ISO 7064 mod 11-2; a final X is a letter and not here
	sum, w := 0, [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	for i := range 17 {
		sum += d[i] * w[i]
	}
	return (12-sum%11)%11 == d[17]
}

// verhoeff is the check of Aadhaar numbers, over the dihedral group of ten.
func verhoeff(d []int) bool {
	c := 0
	for i := range d {
		c = dihedral(c, permute(i%8, d[len(d)-1-i]))
	}
	return c == 0
}

// dihedral multiplies in the group D5: 0 to 4 turn, 5 to 9 mirror.
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5-b+5)%5
	}
	return (a - b + 10) % 5
}

func permute(times, v int) int {
	p := [10]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	for range times {
		v = p[v]
	}
	return v
}
