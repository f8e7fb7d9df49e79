package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// Shamir's secret sharing (A. Shamir, "How to share a secret", CACM 22(11), 1979)
// over GF(2^8) with the polynomial of AES, x^8+x^4+x^3+x+1, a byte at a time: a
// share is a point x and, for each byte of the secret, the value at x of a random
// polynomial whose value at 0 is that byte. Fewer shares than the threshold say
// nothing about the secret, whatever one can compute.
//
// It is written here because the known library is a package of a very large
// module; it is short, and its arithmetic branches on no secret and looks nothing
// up by one. Shares are not authenticated: who combines them checks the result.

// point is one share.
type point struct {
	x byte // 1 to 255
	y []byte
}

// split gives n points, any t of which combine to the secret.
func split(secret []byte, n, t int) ([]point, error) {
	if t < 2 || n < t || n > 255 || len(secret) == 0 {
		return nil, fmt.Errorf("split into %d with a threshold of %d", n, t)
	}
	shares := make([]point, n)
	for i := range shares {
		shares[i] = point{byte(i + 1), make([]byte, len(secret))}
	}
	c := make([]byte, t)
	defer clear(c)
	for at, b := range secret {
		c[0] = b
		rand.Read(c[1:]) // never fails
		for i := range shares {
			y := byte(0)
			for k := t - 1; k >= 0; k-- { // Horner
				y = gfMul(y, shares[i].x) ^ c[k]
			}
			shares[i].y[at] = y
		}
	}
	return shares, nil
}

// combine gives the value at 0 of the polynomials through the points.
func combine(shares []point) ([]byte, error) {
	if len(shares) < 2 {
		return nil, errors.New("combine fewer than two shares")
	}
	size := len(shares[0].y)
	seen := [256]bool{}
	for _, s := range shares {
		if s.x == 0 || seen[s.x] || len(s.y) != size || size == 0 {
			return nil, errors.New("shares that do not belong together")
		}
		seen[s.x] = true
	}
	out := make([]byte, size)
	for i, s := range shares {
		// Lagrange: the product of x_j / (x_j - x_i); minus is xor.
		basis := byte(1)
		for j, other := range shares {
			if i != j {
				basis = gfMul(basis, gfMul(other.x, gfInv(other.x^s.x)))
			}
		}
		for at := range out {
			out[at] ^= gfMul(basis, s.y[at])
		}
	}
	return out, nil
}

// gfMul multiplies in GF(2^8), in the same steps for all values.
func gfMul(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= -(b & 1) & a
		carry := -(a >> 7)
		a = a<<1 ^ carry&0x1b
		b >>= 1
	}
	return p
}

// gfInv is the inverse, a^254; of 0 it is 0.
func gfInv(a byte) byte {
	// 254 = 11111110 in binary.
	out := byte(1)
	square := a
	for range 7 {
		square = gfMul(square, square)
		out = gfMul(out, square)
	}
	return out
}
