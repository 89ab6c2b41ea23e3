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
	}

	b := make([]byte, len(prefix)+1+len(file))
	n := copy(b, prefix)
	if isDigit(file[0]) {
		b[n] = '_'
		n++
	}

	plain, ascii := false, true
	for i := range len(file) {
		c := file[i]
		switch {
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
			plain = true
		case 'A' <= c && c <= 'Z', isDigit(c):
			plain = true
		case c < utf8.RuneSelf:
			c = '_'
		case utf8.RuneStart(c):
			c, ascii = '_', false
		default: // a further byte of a character
			ascii = false
			continue
		}
		b[n] = c
		n++
	}

	switch {
	case !ascii && !utf8.ValidString(file):
		return "", errors.New("the name is not UTF-8")
	case !plain:
		return "", errors.New("the name has no letter or digit of A-Z and 0-9")
	}
	return string(b[:n]), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
