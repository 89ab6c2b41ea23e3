//go:build linux

package supervise

import "testing"

// The first and last of the test vectors of SipHash's reference implementation: the key is 00 01 ... 0f,
// the text 00 01 ... of growing length; and the example of the paper's appendix, of 15 bytes.
func TestDigest(t *testing.T) {
	key := digestKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	text := ""
	sums := make(map[int]uint64)
	for i := range 64 {
		sums[i] = key.sum(text)
		text += string([]byte{byte(i)})
	}
	for n, want := range map[int]uint64{
		0:  0x726fdb47dd0e0e31,
		1:  0x74f839c593dc67fd,
		7:  0xab0200f58b01d137,
		8:  0x93f5f5799a932462,
		15: 0xa129ca6149be45e5,
		63: 0x958a324ceb064572,
	} {
		if sums[n] != want {
			t.Errorf("%d bytes: %#x, want %#x", n, sums[n], want)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	a, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := newKey()
	if a == b || a == (digestKey{}) {
		t.Errorf("keys %x and %x", a, b)
	}
}
