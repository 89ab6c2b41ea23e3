package secretfile

import "testing"

func TestValue(t *testing.T) {
	for data, want := range map[string]string{
		"": "", "x": "x", "x\n": "x", "x\n\n": "x", "x\r\n": "x", "x\r\n\n\r\n": "x", "\n\r\n": "",
		"x\r": "x\r", "x\r\r\n": "x\r", "x\n\r": "x\n\r", "a\nb \n": "a\nb ",
	} {
		if got := string(Value([]byte(data))); got != want {
			t.Errorf("%q: %q, want %q", data, got, want)
		}
	}
}
