package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
	"github.com/secret-entrypoint/secret-entrypoint/internal/preflight"
	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// mostNamed is how many directories an advice names.
const mostNamed = 5

// advise adds to a problem which option mends it: package inject knows of none.
func (o *options) advise(p *inject.Problem) {
	switch p.Kind {
	case inject.KindPattern:
		p.By = o.called(patternOption(p.By))
	case inject.KindTemplate:
		if len(p.Related) > 1 {
			p.Advice += fmt.Sprintf(", or have %[1]s read with --include %[1]s", p.Related[1])
		}
	}

	missing := p.Kind == inject.KindMissing || p.Kind == inject.KindNoSecrets
	if missing && p.Path != "" {
		m, at := preflight.MountOf(path.Clean(p.Path), preflight.Mounts())
		if m.Removed() {
			p.Advice = fmt.Sprintf("what is mounted at %s was removed where it came from, as the "+
				"kubelet does with a subPath when the volume is updated: mount the whole volume, "+
				"and start a new container", printable.Name(at))
		}
	}
	if p.Advice == "" {
		p.Advice = adviceFor(p)
	}
}

// patternOption is the option for what package inject calls so.
func patternOption(field string) string {
	switch field {
	case "References":
		return "--ref"
	case "Formats":
		return "--format"
	}
	return "--" + strings.ToLower(field) // --include, --exclude
}

// adviceFor is what to do about a problem of a kind.
func adviceFor(p *inject.Problem) string {
	switch p.Kind {
	case inject.KindEmpty:
		return "fill it, remove it, or allow empty values with --allow-empty"
	case inject.KindNUL:
		return strings.TrimSpace("encode it, for example as base64, " +
			"or leave it out with --exclude " + p.Variable)
	case inject.KindTooLarge:
		return "let the program read the file itself, and leave it out with --exclude"
	case inject.KindRefused:
		return fmt.Sprintf("rename the secret, leave it out with --exclude %[1]s, "+
			"or allow it with --include %[1]s", p.Variable)
	case inject.KindConflict:
		return "remove one, or say which wins with --on-conflict secret or --on-conflict env"
	case inject.KindDirectory:
		return "name a file in it, or the directory in --dir"
	case inject.KindNotDirectory:
		return "name its directory, or read it with --dotenv or an X_FILE variable"
	case inject.KindBadName: // of a watched file: that of a secret has its advice
		return "say what it is to be called: --watch NAME=PATH"
	case inject.KindLeftAlone:
		return fmt.Sprintf("to have it read: --include %[1]s, to silence this: --exclude %[1]s",
			p.Variable)
	case inject.KindPathAsValue:
		return "to silence this: --exclude " + p.Variable
	case inject.KindPassedOver:
		return "rename it, or name it in --dotenv if it is a dotenv file"
	case inject.KindServiceAccount:
		return "to have it exported: --include " + p.Related[0]
	case inject.KindCopy:
		if p.Related != nil {
			return "remove it; if it is a secret: --include " + p.Related[0]
		}
	case inject.KindNested:
		named := p.Related[:min(len(p.Related), mostNamed)]
		text := "to have them read: --dir " + strings.Join(named, " --dir ")
		if more := len(p.Related) - len(named); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return text
	case inject.KindHiddenNames:
		return "to have one exported, give its variable to --include"
	case inject.KindUnexpanded:
		return "compose the value with --set, or put it in single quotes if it is meant so"
	case inject.KindBoth:
		return "remove one; to silence this: --exclude " + p.Related[0]
	}

	if errors.Is(p.Err, fs.ErrPermission) {
		return "run as root with --user, or set the secret's owner or mode"
	}
	return ""
}

// schemaAdvice is what to do about a variable of the schema, to follow what is said of it.
func schemaAdvice(kind inject.Kind, variable string) string {
	if kind == inject.KindRefused {
		return ", or allow it with --include " + variable
	}
	return ": to have it read, --include " + variable
}
