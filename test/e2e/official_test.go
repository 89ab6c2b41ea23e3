package e2e

import (
	"strings"
	"testing"
)

// officialImage is what a user makes of an official image whose entrypoint understands *_FILE by itself.
const officialImage = "postgres-behind:secret-tests"

func makeOfficialImage(t *testing.T) {
	t.Helper()
	const dockerfile = `FROM postgres:15
COPY --from=` + shimImage + ` /secret-entrypoint /secret-entrypoint
ENTRYPOINT ["/secret-entrypoint", "docker-entrypoint.sh"]
CMD ["postgres"]
`
	if err := build(officialImage, dockerfile, t.TempDir()); err != nil {
		t.Fatal(err)
	}
}

// PostgreSQL's own entrypoint, unchanged, behind the shim: the database is made with the password from the file.
func TestOfficialPostgres(t *testing.T) {
	makeOfficialImage(t)
	const password = canary + "/pg+1=="
	for _, c := range []struct {
		name string
		args []string
	}{
		{"unwrapped", []string{"--entrypoint", "docker-entrypoint.sh"}},
		{"the shim reads it", nil},
		{"the directory gives it, without a reference", []string{"-e", "POSTGRES_PASSWORD_FILE="}},
		{"left to the entrypoint", []string{"-e", "SECRET_ENTRYPOINT_EXCLUDE=POSTGRES_*"}},
		{"references kept, left to the entrypoint", []string{"-e", "SECRET_ENTRYPOINT_KEEP_REFS=true", "-e", "SECRET_ENTRYPOINT_EXCLUDE=POSTGRES_*"}},
		{"staying, to signal", []string{"-e", "SECRET_ENTRYPOINT_ON_CHANGE=HUP", "-e", "SECRET_ENTRYPOINT_STOP_SIGNAL=INT", "-e", "SECRET_ENTRYPOINT_EXCLUDE=POSTGRES_*"}},
		{"staying, to restart", []string{"-e", "SECRET_ENTRYPOINT_ON_CHANGE=restart", "-e", "SECRET_ENTRYPOINT_STOP_SIGNAL=INT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, dir := unique(t, "container"), secrets(t, map[string]string{"postgres_password": password + "\n"})
			args := append([]string{"run", "-d", "--name", name, "-v", dir + ":/run/secrets:ro", "-e", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password"}, c.args...)
			image := append(args, officialImage)
			if c.name == "unwrapped" {
				image = append(image, "postgres")
			}
			must(t, image...)
			// By the container's own address: there the password is asked for.
			login := func(password string) result {
				return docker(t, "exec", "-e", "PGPASSWORD="+password, name, "sh", "-c", `psql -h "$(hostname -i)" -U postgres -Atc 'SELECT 1'`)
			}
			waitFor(t, func() bool { return login(password).stdout == "1" })
			if r := login("another"); r.status == 0 || !strings.Contains(r.stderr, "password authentication failed") {
				t.Errorf("another password: status %d, %s", r.status, r.stderr)
			}
			// The entrypoint has dropped root, and PostgreSQL is what docker stop stops.
			if got := must(t, "exec", name, "sh", "-c", `stat -c %U "/proc/$(head -n 1 "$PGDATA/postmaster.pid")"`); got != "postgres" {
				t.Errorf("runs as %s", got)
			}
			must(t, "stop", "-t", "60", name)
			if got := must(t, "inspect", "-f", "{{.State.ExitCode}}", name); got != "0" {
				t.Errorf("exit status %s", got)
			}
			r := docker(t, "logs", name)
			if strings.Contains(r.stdout, canary) || !strings.Contains(r.stdout+r.stderr, "database system is shut down") {
				t.Errorf("not shut down in order, or the log shows a value:\n%s", r.stderr)
			}
		})
	}
}

// Such entrypoints refuse X and X_FILE together: with --keep-refs alone that is what they get.
func TestOfficialRefusesBoth(t *testing.T) {
	makeOfficialImage(t)
	r := docker(t, "run", "--rm", "-v", secrets(t, map[string]string{"postgres_password": canary})+":/run/secrets:ro",
		"-e", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password", "-e", "SECRET_ENTRYPOINT_KEEP_REFS=true", officialImage)
	if r.status != 1 || !strings.Contains(r.stderr, "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set") {
		t.Errorf("status %d, %s", r.status, r.stderr)
	}
}

// Entrypoints in the manner of other images, each behind the shim and without it: the command must get the same values.
func TestOfficialManners(t *testing.T) {
	makeOfficialImage(t)
	const run = `exec sh -c 'echo "password ${#DB_PASSWORD} user ${#DB_USER} root ${#DB_ROOT_PASSWORD}"'`
	for _, c := range []struct{ name, script string }{
		// MariaDB and MySQL: a list of variables, both together refused, the pointer unset.
		{"a list, exclusive", `for name in DB_PASSWORD DB_USER DB_ROOT_PASSWORD; do
	pointer="${name}_FILE"
	if [ "${!name:-}" ] && [ "${!pointer:-}" ]; then echo "Both $name and $pointer are set (but are exclusive)" >&2; exit 1; fi
	if [ "${!pointer:-}" ]; then export "$name=$(< "${!pointer}")"; fi
	unset "$pointer"
done; `},
		// Nextcloud and WordPress: the pointer wins if there is one.
		{"the file wins", `for name in DB_PASSWORD DB_USER DB_ROOT_PASSWORD; do
	pointer="${name}_FILE"
	if [ -n "${!pointer:-}" ]; then export "$name=$(cat "${!pointer}")"; fi
done; `},
		// Every variable that ends in _FILE, found in env.
		{"all by their ending", `for pointer in $(env | sed -n 's/^\(DB_[A-Z_]*_FILE\)=.*/\1/p'); do
	export "${pointer%_FILE}=$(cat "${!pointer}")"; unset "$pointer"
done; `},
	} {
		for _, keep := range []string{"", "true"} {
			t.Run(c.name+", keep-refs "+keep, func(t *testing.T) {
				args := []string{
					"run", "--rm", "-v", secrets(t, map[string]string{"a": canary + "\n", "b": canary + "22\n\n", "c": canary + " 333"}) + ":/run/secrets:ro",
					"-e", "DB_PASSWORD_FILE=/run/secrets/a", "-e", "DB_USER_FILE=/run/secrets/b", "-e", "DB_ROOT_PASSWORD_FILE=/run/secrets/c",
				}
				command := []string{"bash", "-euc", c.script + run}
				const want = "password 6 user 8 root 10"
				if got := must(t, append(append(args, "--entrypoint", "bash", officialImage), command[1:]...)...); got != want {
					t.Fatalf("without the shim: %q", got)
				}
				args = append(args, "--entrypoint", "/secret-entrypoint", "-e", "SECRET_ENTRYPOINT_KEEP_REFS="+keep)
				// Where both together are refused, keeping the reference takes leaving it to the entrypoint.
				if keep != "" && strings.Contains(c.name, "exclusive") {
					args = append(args, "-e", "SECRET_ENTRYPOINT_EXCLUDE=DB_*")
				}
				if got := must(t, append(append(args, officialImage, "--"), command...)...); got != want {
					t.Errorf("behind the shim: %q, want %q", got, want)
				}
			})
		}
	}
}
