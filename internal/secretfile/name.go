// Package secretfile is the rule by which a file is a variable: its name, and its value. What reads
// secrets and what rotates them have it in common.
package secretfile

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxFileName is the most bytes the name of a secret's file may have: what
// Kubernetes allows for a key (IsConfigMapKey in its apimachinery/pkg/util/validation); Swarm
// allows 64. Anything longer was not put there by an orchestrator.
const maxFileName = 253

// Name makes the variable's name for a file in a directory exported with a prefix, as Name of
// package inject documents it.
func Name(prefix, file string) (string, error) {
	switch {
	case file == "":
		return "", errors.New("the name is empty")
	case len(file) > maxFileName:
		return "", fmt.Errorf("the name is longer than the %d bytes that a secret's may have",
			maxFileName)
	case !utf8.ValidString(file):
		return "", errors.New("the name is not UTF-8")
	}

	b := make([]byte, 0, len(prefix)+len(file)+1)
	b = append(b, prefix...)
	if isDigit(file[0]) {
		b = append(b, '_')
	}

	plain := false
	for _, r := range file {
		if 'a' <= r && r <= 'z' {
			r += 'A' - 'a'
		}
		if r >= utf8.RuneSelf || !isNameRune(r) {
			r = '_'
		}
		plain = plain || r != '_'
		b = append(b, byte(r))
	}

	if !plain {
		return "", errors.New("the name has no letter or digit of A-Z and 0-9")
	}
	return string(b), nil
}

func isNameRune(r rune) bool {
	return r == '_' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
