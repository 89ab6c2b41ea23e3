package inject

import "github.com/secret-entrypoint/secret-entrypoint/internal/secretfile"

// Name makes the variable name for a file called file in a directory exported with
// prefix: upper-cased, every character outside A-Z, 0-9 and underscore an
// underscore, an underscore before a leading digit, prefix in front. Only ASCII
// letters have an upper case here, so that no locale can change a name. The error says
// what is wrong with a name that it can't make one of, without it.
func Name(prefix, file string) (string, error) { return secretfile.Name(prefix, file) }
