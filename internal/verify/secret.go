package verify

// A Secret is a value that must not be shown, with the name of its variable.
type Secret struct{ Name, Value string }
