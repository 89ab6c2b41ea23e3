package supervise

// Level is how important a line is.
type Level int

const (
	Debug Level = iota
	Info
	Warn
	Error
)

// A Line is one message for a log.
type Line struct {
	Level  Level
	Text   string
	Fields []Field // the same for machines
}

// A Field is a part of a message for machines.
type Field struct {
	Name, Value string
	Number      bool // Value is a decimal number
}
