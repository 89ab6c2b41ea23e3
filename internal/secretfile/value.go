package secretfile

import "bytes"

// Value returns the value of a file: its contents without the newlines at the end, \n or \r\n, as a
// shell's $(cat FILE) has it. A carriage return alone is a part of the value. The result shares the
// memory of data.
func Value(data []byte) []byte {
	for {
		switch {
		case bytes.HasSuffix(data, []byte("\r\n")):
			data = data[:len(data)-2]
		case bytes.HasSuffix(data, []byte("\n")):
			data = data[:len(data)-1]
		default:
			return data
		}
	}
}
