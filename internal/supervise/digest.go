//go:build linux

package supervise

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/unix"
)

// digestKey is a key of SipHash.
type digestKey [2]uint64

// newKey makes a random key.
func newKey() (digestKey, error) {
	var b [16]byte
	for {
		// Sixteen bytes come whole once the kernel's pool is ready (getrandom(2)).
		_, err := unix.Getrandom(b[:], 0)
		if err == unix.EINTR {
			continue
		}
		return digestKey{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}, err
	}
}

// sum is SipHash-2-4 of a text (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012):
// made to tell whether two texts are equal, and to tell nothing of them to anyone without the key.
// Package crypto/sha256 would add 170 KB to every image.
func (k digestKey) sum(text string) uint64 {
	v0, v1 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d
	v2, v3 := k[0]^0x6c7967656e657261, k[1]^0x7465646279746573
	round := func() {
		v0, v2 = v0+v1, v2+v3
		v1, v3 = bits.RotateLeft64(v1, 13)^v0, bits.RotateLeft64(v3, 16)^v2
		v0, v2 = bits.RotateLeft64(v0, 32)+v3, v2+v1
		v3, v1 = bits.RotateLeft64(v3, 21)^v0, bits.RotateLeft64(v1, 17)^v2
		v2 = bits.RotateLeft64(v2, 32)
	}

	block := func(m uint64) {
		v3 ^= m
		round()
		round()
		v0 ^= m
	}

	last := uint64(len(text)) << 56
	for ; len(text) >= 8; text = text[8:] {
		block(word(text[:8]))
	}
	block(last | word(text))
	v2 ^= 0xff
	for range 4 {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}

// word is up to eight bytes as a little-endian number.
func word(s string) uint64 {
	var n uint64
	for i := range len(s) {
		n |= uint64(s[i]) << (8 * i)
	}
	return n
}
