package rotate

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// inRegistryLogins finds old passwords in the logins of a Docker config file, as it is in the key
// .dockerconfigjson of a Secret. Beside or in place of its password, a login has auth, which is the
// user and the password in base64 (containers-auth.json(5)):
//
//	{"auths": {"registry.example.com": {"username": "ci", "password": "...", "auth": "..."}}}
func inRegistryLogins(text string, c Change) (found []piece) {
	var config struct{ Auths map[string]json.RawMessage }
	if !strings.Contains(text, `"auths"`) || json.Unmarshal([]byte(text), &config) != nil {
		return nil
	}

	walk := stringWalk{text: text, decoder: json.NewDecoder(strings.NewReader(text))}
	walk.visit = func(key string, from, to int, value string) {
		user, isLogin := "", false
		switch key {
		case "password", "identitytoken", "registrytoken":
		case "auth":
			decoded, _ := base64.StdEncoding.DecodeString(value)
			user, value, isLogin = strings.Cut(string(decoded), ":")
		default:
			return
		}
		if value != string(c.Old) {
			return
		}

		replacement := string(c.New)
		if isLogin {
			login := user + ":" + replacement
			replacement = base64.StdEncoding.EncodeToString([]byte(login))
		}
		quoted, err := json.Marshal(replacement)
		if err == nil {
			found = append(found, piece{from, to, string(quoted)})
		}
	}
	if walk.value("") != nil {
		return nil
	}
	return found
}

// stringWalk visits every string in a JSON text that is a value, with its key and with the offsets
// of its quotes.
type stringWalk struct {
	text    string
	decoder *json.Decoder
	visit   func(key string, from, to int, value string)
}

func (w *stringWalk) value(key string) error {
	from := int(w.decoder.InputOffset())
	token, err := w.decoder.Token()
	if err != nil {
		return err
	}

	switch token := token.(type) {
	case string:
		to := int(w.decoder.InputOffset())
		from += strings.IndexByte(w.text[from:to], '"')
		w.visit(key, from, to, token)
	case json.Delim:
		return w.inside(token)
	}
	return nil
}

// inside visits what is in an object or array, up to its end.
func (w *stringWalk) inside(open json.Delim) error {
	for w.decoder.More() {
		key := ""
		if open == '{' {
			token, err := w.decoder.Token()
			if err != nil {
				return err
			}
			key, _ = token.(string)
		}
		if err := w.value(key); err != nil {
			return err
		}
	}

	_, err := w.decoder.Token() // the end
	return err
}
