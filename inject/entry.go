package inject

// An entry is one variable found inside a structured file, under the name it has there.
type entry struct{ name, value string }

// A syntaxProblem says where a file or template can't be read, and why, without
// quoting any of it: the text around a mistake is a secret too.
type syntaxProblem struct {
	line, column int // from 1; the column counts bytes
	what         string
}
