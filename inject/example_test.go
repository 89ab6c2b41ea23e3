package inject_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/secret-entrypoint/secret-entrypoint/inject"
)

// secretFiles makes what an orchestrator would mount.
func secretFiles(files map[string]string) (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "secrets-")
	if err != nil {
		log.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o400); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { os.RemoveAll(dir) }
}

// A directory of secrets and a reference, and a URL composed of one of them.
func ExampleLoad() {
	dir, remove := secretFiles(map[string]string{"postgres_password": "a/b+c=\n", "jwt": "0123456789abcdef\n"})
	defer remove()

	result, err := inject.Load(inject.Options{
		Environ:   []string{"JWT_SECRET_KEY_FILE=" + filepath.Join(dir, "jwt"), "LOG_LEVEL=info"},
		Sources:   []inject.Source{{Path: dir}},
		Templates: []inject.Template{{Name: "DATABASE_URL", Text: "postgres://app:${POSTGRES_PASSWORD|urlencode}@db/app"}},
	})
	if err != nil {
		log.Fatal(err) // everything that is wrong; no value
	}
	for _, export := range result.Exports {
		fmt.Println(export.Name, "from a", export.Origin)
	}
	url, _ := result.Environment.Lookup("DATABASE_URL")
	fmt.Println(url)
	fmt.Println(result.Environment) // shows no value
	// Output:
	// JWT_SECRET_KEY from a reference
	// JWT from a directory
	// POSTGRES_PASSWORD from a directory
	// DATABASE_URL from a template
	// postgres://app:a%2Fb%2Bc%3D@db/app
	// environment of 5 variables
}

// Everything that is wrong is reported at once, and can be told apart.
func ExampleProblems() {
	dir, remove := secretFiles(map[string]string{"empty": "", "ld_preload": "/tmp/evil.so"})
	defer remove()

	_, err := inject.Load(inject.Options{
		Environ: []string{"DB_PASSWORD_FILE=/run/secrets/db_password"},
		Sources: []inject.Source{{Path: dir}},
	})
	for _, p := range inject.Problems(err) {
		fmt.Println(p.Variable, p.Kind, p.MayPass())
	}
	// Output:
	// DB_PASSWORD_FILE missing true
	// EMPTY empty true
	// LD_PRELOAD refused name false
}
