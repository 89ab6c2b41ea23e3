package percent

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzPercent: any value can stand in a URL when it is encoded, and is what it was when it is decoded.
func FuzzPercent(f *testing.F) {
	f.Add("p@ss/w0rd+=% \x00\xff~")
	f.Fuzz(func(t *testing.T, value string) {
		encoded := Encode(value)
		decoded, whole := Decode(encoded)
		other, err := url.PathUnescape(encoded)
		if err != nil || other != value || decoded != value || !whole {
			t.Errorf("%q is %q, and decoded %q and %q (%v)", value, encoded, other, decoded, err)
		}
		if strings.ContainsAny(encoded, ":/?#[]@!$&'()*+,;= ") {
			t.Errorf("%q is %q", value, encoded)
		}
	})
}

func TestDecodeWhatIsNotEncoded(t *testing.T) {
	for text, want := range map[string]string{"100%": "100%", "a%4": "a%4", "%zz%41": "%zzA", "": ""} {
		if got, whole := Decode(text); got != want || whole != (text == "") {
			t.Errorf("%q is decoded %q, want %q", text, got, want)
		}
	}
}
