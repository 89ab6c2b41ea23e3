package fault

import (
	"strings"
	"testing"
)

func TestContain(t *testing.T) {
	var told []string
	tell := func(err error) { told = append(told, err.Error()) }
	func() {
		defer Contain(tell)
	}()
	func() {
		defer Contain(tell)
		var none []int
		_ = none[len(told)]
	}()
	func() {
		defer Contain(tell)
		panic("one of our own")
	}()
	want := []string{"index out of range [0] with length 0 at fault_test.go:17", "one of our own at fault_test.go:21"}
	if len(told) != len(want) || !strings.HasSuffix(told[0], want[0]) || !strings.HasSuffix(told[1], want[1]) {
		t.Errorf("told %q, want %q", told, want)
	}
}
