package jsontext

import "errors"

// Words reads an array of strings, such as a command in exec form, which a Dockerfile's CMD has.
// The error says what is wrong without quoting any of the text.
func Words(text string) ([]string, error) {
	p := &parser{data: []byte(text)}
	words := p.words()
	if p.what == "" {
		return words, nil
	}
	return nil, errors.New(p.what)
}

func (p *parser) words() []string {
	var words []string
	if !p.take('[', `an array: ["command", "argument"]`) {
		return nil
	}
	if p.peek() != ']' {
		for more := true; more; more = p.comma() {
			if p.peek() != '"' {
				p.expected("a string in double quotes")
				return nil
			}
			word, ok := p.text()
			if !ok {
				return nil
			}
			words = append(words, word)
		}
	}

	p.end(']', "a comma or the array's closing bracket", "there is something after the array")
	return words
}
