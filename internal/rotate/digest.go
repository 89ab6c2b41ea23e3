package rotate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// A record holds no value, and yet --overdue can tell that a value went back to the one before a
// rotation. The record has digests of the old and the new value, made with a random key (HMAC,
// RFC 2104). The key is an annotation of the Secret: who has only the records can't try guesses,
// and who may read the Secret has the values anyway.

// digestKeyAnnotation holds the key. A later rotation of the same Secret uses the same key.
const digestKeyAnnotation = "secret-rotate/digest-key"

// Sizes in bytes: of the key, and of what a record keeps of a digest.
const (
	digestKeySize = 16
	digestSize    = 16
)

// Digests are those of one value before and after a rotation.
type Digests struct {
	Old string `json:"old,omitempty"` // none if there was no value
	New string `json:"new"`
}

func encodeDigestKey(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

// digestKey returns the key in the Secret's annotation, or nil if it has none.
func (s *kubeSecret) digestKey() []byte {
	key, err := base64.StdEncoding.DecodeString(s.Metadata.Annotations[digestKeyAnnotation])
	if err != nil || len(key) != digestKeySize {
		return nil
	}
	return key
}

// Digest returns the digest of a variable's value, or "" if the Secret has no key (any more).
func (k *Kubernetes) Digest(name string, value Secret) string {
	if k.digestKey == nil {
		return ""
	}
	h := hmac.New(sha256.New, k.digestKey)
	h.Write([]byte(name + "\x00" + string(value)))
	return hex.EncodeToString(h.Sum(nil)[:digestSize])
}

// digestsOf returns the digests of the values that get new ones, or nil for a target that keeps no
// key.
func digestsOf(t Target, changes []Change) map[string]Digests {
	w, ok := t.(witness)
	if !ok {
		return nil
	}

	all := make(map[string]Digests)
	for _, c := range changes {
		if c.Reason == Kept || c.Reason == Dropped {
			continue
		}
		d := Digests{New: w.Digest(c.Name, c.New)}
		if c.HadOld {
			d.Old = w.Digest(c.Name, c.Old)
		}
		all[c.Name] = d
	}
	return all
}
