package cluster

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/test/pages"
)

const (
	root     = "../.."
	examples = root + "/examples/k8s"
)

// canary is in every secret, and never in a log.
const canary = "c4n4ry"

// secrets are the values of the backend, by variable.
type secrets map[string]string

// generation makes values that .env.schema accepts, others for each number.
func generation(number int) secrets {
	of := func(name string) string {
		return fmt.Sprintf("%s-%d-%s/+=-0123456789-0123456789-0123456789", canary, number, name)
	}
	return secrets{
		"POSTGRES_USER": "devuser", "POSTGRES_PASSWORD": of("postgres"), "REDIS_PASSWORD": canary + "-redis/+=-0123456789",
		"JWT_SECRET_KEY": of("jwt"), "ANTHROPIC_API_KEY": "sk-ant-" + of("api"), "MAPBOX_ACCESS_TOKEN": "pk." + of("maps"),
		"S3_ACCESS_KEY": of("access"), "S3_SECRET_KEY": of("s3"), "S3_BUCKET_NAME": "uploads", "S3_REGION": "eu-central-1",
	}
}

// overlay is an example that runs in a namespace of its own.
type overlay struct {
	name string
	// dir is a copy of examples/k8s, with what its README says to replace replaced.
	dir, namespace string
	// played names what is not real, for the log of the test.
	played string
	// provide puts the values where the overlay has them from: before it is applied, and for a rotation.
	provide func(t *testing.T, o *overlay, values secrets)
	// rollout: new pods instead of new processes.
	rollout bool
}

var overlays = []overlay{
	{name: "by-hand", provide: fillIn("overlays/by-hand/secrets.yaml")},
	{name: "image-volume", provide: fillIn("overlays/by-hand/secrets.yaml")},
	{name: "any-deployment", provide: fillIn("overlays/any-deployment/secrets.yaml")},
	{name: "rollout-hash", provide: fillIn("overlays/rollout-hash/secrets.env"), rollout: true},
	{name: "sealed-secrets", provide: unseal, played: "the Sealed Secrets controller: its Secret is written for the keys of the SealedSecret"},
	{name: "external-secrets", provide: externalSecret, played: "the External Secrets Operator and AWS: the Secret is written from the ExternalSecret"},
	{name: "rollout-reloader", provide: reload, rollout: true, played: "the External Secrets Operator, AWS, and Reloader: the Deployment's pod template is changed as it would"},
	{name: "vault-agent", provide: vault, played: "Vault and its injector: an admission policy adds containers that write what the agent would"},
	{name: "csi", provide: mount, played: "the CSI driver and AWS: a driver of the test writes the files of the SecretProviderClass"},
}

// Every overlay is applied as it is shipped, but for what its README says to replace; becomes ready, serves, takes new
// secrets while it serves, and is deleted.
func TestOverlays(t *testing.T) {
	need(t)
	kubectl(t, "", "apply", "--server-side", "-f", "testdata/operators.yaml")
	shipped, err := filepath.Glob(examples + "/overlays/*")
	if err != nil || len(shipped) != len(overlays) {
		t.Errorf("%d overlays are tried, %d are shipped (%v)", len(overlays), len(shipped), err)
	}
	for _, o := range overlays {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.run(t)
		})
	}
}

func (o *overlay) run(t *testing.T) {
	if o.played != "" {
		t.Log("played: " + o.played)
	}
	o.namespace = "try-" + o.name
	if o.shipped() {
		o.namespace = "devplatform"
	}
	o.dir = shippedCopy(t, o.namespace)
	explain(t, o.namespace)
	first, second := generation(1), generation(2)

	began := time.Now()
	kubectl(t, "", "apply", "-k", filepath.Join(o.dir, "namespace"))
	t.Cleanup(func() { tryKubectl("", "delete", "namespace", o.namespace, "--wait=false", "--ignore-not-found") })
	o.back(t, first)
	backing := time.Since(began)

	began = time.Now()
	o.provide(t, o, first)
	if o.shipped() {
		follow(t, "examples/k8s/README.md", pages.Shell{Dir: o.dir})
	} else {
		kubectl(t, "", "apply", "-k", o.path())
	}
	kubectl(t, "", "rollout", "status", "-n", o.namespace, "deployment/"+o.deployment(), "--timeout="+patience.String())
	ready := time.Since(began)
	before := pods(t, o.namespace, o.selector())
	o.serves(t, first)

	began = time.Now()
	// The order of docs/rotation.md: the database takes the new password, then the backend.
	o.alter(t, second)
	o.provide(t, o, second)
	if o.rollout {
		kubectl(t, "", "rollout", "status", "-n", o.namespace, "deployment/"+o.deployment(), "--timeout="+patience.String())
		o.gone(t, before)
	}
	if o.deployment() == "worker" {
		o.renewed(t)
	}
	o.serves(t, second)
	rotated := time.Since(began)
	if o.name == "image-volume" {
		o.uninterrupted(t, second)
	}
	if o.shipped() {
		t.Cleanup(func() { tryKubectl("", "delete", "-f", inFront) })
		// What is typed into the shell in the pod, which has the environment of the program.
		follow(t, "docs/kubernetes.md", pages.Shell{Dir: root, Stdin: `test -n "$POSTGRES_PASSWORD$JWT_SECRET_KEY" || exit 3` + "\n"})
	}
	o.same(t, before)
	o.quiet(t)
	o.readable(t)
	if o.deployment() == "backend" {
		o.rights(t)
	}

	began = time.Now()
	kubectl(t, "", "delete", "-k", o.path(), "--timeout="+patience.String())
	waitFor(t, "the namespace is gone", patience, func() bool {
		_, err := tryKubectl("", "get", "namespace", o.namespace)
		return err != nil && strings.Contains(err.Error(), "NotFound")
	})
	t.Logf("databases %.1f s, ready %.1f s, rotated %.1f s, deleted %.1f s", backing.Seconds(), ready.Seconds(), rotated.Seconds(), time.Since(began).Seconds())
}

// shipped reports whether the overlay is applied in the namespace that the pages name, by their commands.
func (o *overlay) shipped() bool { return o.name == "by-hand" }

// follow runs the commands of a page.
func follow(t *testing.T, page string, shell pages.Shell) {
	t.Helper()
	blocks, err := pages.Read(root, page)
	if err != nil {
		t.Fatal(err)
	}
	mine := pages.For(blocks, "TestOverlays")
	if len(mine) == 0 {
		t.Fatalf("%s has no commands that this test runs", page)
	}
	shell.Env, shell.Scratch = node.Environ(), t.TempDir()
	if told := shell.Differences(mine); told != "" {
		t.Errorf("%s: %s", page, redacted(told))
	}
}

func (o *overlay) path() string { return filepath.Join(o.dir, "overlays", o.name) }

func (o *overlay) deployment() string {
	if o.name == "any-deployment" {
		return "worker"
	}
	return "backend"
}

func (o *overlay) selector() string { return "app.kubernetes.io/name=" + o.deployment() }

// shippedCopy copies examples/k8s, for another namespace.
func shippedCopy(t *testing.T, namespace string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "k8s")
	if err := os.CopyFS(dir, os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^(\s*namespace:) devplatform$`)
	files, err := filepath.Glob(dir + "/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(dir + "/overlays/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		edit(t, file, func(text string) string {
			text = names.ReplaceAllString(text, "$1 "+namespace)
			if filepath.Base(file) == "namespace.yaml" {
				text = strings.Replace(text, "name: devplatform\n", "name: "+namespace+"\n", 1)
			}
			return text
		})
	}
	return dir
}

func edit(t *testing.T, file string, change func(text string) string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(data))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// back starts PostgreSQL and Redis.
func (o *overlay) back(t *testing.T, values secrets) {
	t.Helper()
	secret(t, o.namespace, "backing", map[string]string{"postgres": values["POSTGRES_PASSWORD"], "redis": values["REDIS_PASSWORD"]})
	kubectl(t, "", "apply", "-n", o.namespace, "-f", "testdata/backing.yaml")
	kubectl(t, "", "wait", "-n", o.namespace, "pod/postgres", "pod/redis", "--for=condition=Ready", "--timeout="+patience.String())
}

// psql runs SQL as the superuser, by the server's own socket.
func (o *overlay) psql(t *testing.T, sql string) string {
	t.Helper()
	out := kubectl(t, sql, "exec", "-i", "-n", o.namespace, "postgres", "--", "psql", "-qAt", "-U", "devuser", "devplatform")
	return strings.TrimSpace(out)
}

func (o *overlay) alter(t *testing.T, values secrets) {
	t.Helper()
	o.psql(t, "ALTER ROLE devuser PASSWORD '"+values["POSTGRES_PASSWORD"]+"'")
}

// serves waits until every pod of the Deployment answers with these values.
func (o *overlay) serves(t *testing.T, values secrets) {
	t.Helper()
	if o.deployment() == "worker" {
		o.works(t)
		return
	}
	waitFor(t, "all pods serve with the values of this generation", patience, func() bool {
		running := pods(t, o.namespace, o.selector())
		for _, p := range running {
			if !p.ready() || !answers(p, values["JWT_SECRET_KEY"]) {
				return false
			}
		}
		return len(running) == 3
	})
}

// answers tells whether a pod is healthy, and signs with this key.
func answers(p pod, key string) bool {
	client := http.Client{Timeout: 30 * time.Second}
	at := "http://" + p.Status.PodIP + ":8000"
	health, err := client.Get(at + "/health")
	if err != nil {
		return false
	}
	health.Body.Close()
	reply, err := client.Post(at+"/token", "application/json", strings.NewReader(`{"user": "somebody"}`))
	if err != nil || health.StatusCode != http.StatusOK {
		return false
	}
	defer reply.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if json.NewDecoder(reply.Body).Decode(&token) != nil {
		return false
	}
	signed, signature, _ := cutLast(token.AccessToken, ".")
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return signature == base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func cutLast(s, separator string) (before, after string, found bool) {
	if at := strings.LastIndex(s, separator); at >= 0 {
		return s[:at], s[at+len(separator):], true
	}
	return s, "", false
}

// renewed waits until every worker has its second generation: before, the first would do the job of works.
func (o *overlay) renewed(t *testing.T) {
	t.Helper()
	waitFor(t, "all workers have started anew", patience, func() bool {
		return strings.Count(o.logs(t), "generation 2: ") >= len(pods(t, o.namespace, o.selector()))
	})
}

// works waits until the workers have started, and one has done a job.
func (o *overlay) works(t *testing.T) {
	t.Helper()
	var number string
	waitFor(t, "the workers have made their table", patience, func() bool {
		return o.psql(t, "SELECT to_regclass('jobs') IS NOT NULL") == "t"
	})
	number = o.psql(t, "INSERT INTO jobs (owner, payload) VALUES ('test', '') RETURNING id")
	waitFor(t, "a worker does a job", patience, func() bool {
		return o.psql(t, "SELECT state FROM jobs WHERE id = "+number) == "done"
	})
}

// gone waits for the end of pods. A rollout is done while those from before still end, and a command that takes pods by
// their labels, or one of a Deployment's, can have one of them.
func (o *overlay) gone(t *testing.T, before []pod) {
	t.Helper()
	for _, p := range before {
		kubectl(t, "", "wait", "--for=delete", "pod/"+p.Metadata.Name, "-n", o.namespace, "--timeout="+patience.String())
	}
}

// same tells of pods that were made anew, or not, and of restarts by the kubelet since then.
func (o *overlay) same(t *testing.T, before []pod) {
	t.Helper()
	restarts := map[string]int{}
	for _, p := range before {
		restarts[p.Metadata.UID] = p.restarts()
	}
	for _, p := range pods(t, o.namespace, o.selector()) {
		count, known := restarts[p.Metadata.UID]
		if known == o.rollout {
			t.Errorf("%s: a pod from before the rotation: %v", p.Metadata.Name, known)
		}
		if known && p.restarts() != count {
			t.Errorf("%s: %d restarts by the kubelet in the rotation",
				p.Metadata.Name, p.restarts()-count)
		}
	}
}

// rights tries what the documentation tells the service account of a rotation to do, and what it must not.
func (o *overlay) rights(t *testing.T) {
	t.Helper()
	as := func(arguments ...string) error {
		_, err := tryKubectl("", append(arguments, "-n", o.namespace, "--as=system:serviceaccount:"+o.namespace+":secret-rotator")...)
		return err
	}
	for _, allowed := range [][]string{
		{"annotate", "pods", "-l", o.selector(), "secret-changed=now", "--overwrite"},
		{"rollout", "status", "deployment/backend", "--timeout=" + patience.String()},
	} {
		if err := as(allowed...); err != nil {
			t.Error(err)
		}
	}
	for _, refused := range [][]string{{"get", "secrets"}, {"get", "secret", "backing"}, {"get", "deployments"}, {"delete", "pods", "--all", "--dry-run=server"}} {
		if err := as(refused...); err == nil || !strings.Contains(err.Error(), "forbidden") {
			t.Errorf("kubectl %s as the rotator: %v", strings.Join(refused, " "), err)
		}
	}
}

// readable looks at owner and mode of a file, which docs/kubernetes.md tells of each way.
func (o *overlay) readable(t *testing.T) {
	t.Helper()
	path, want := "/etc/secrets/JWT_SECRET_KEY", "0:10001 440"
	switch o.name {
	case "csi":
		path, want = "/etc/secrets/jwt", "0:0 644"
	case "vault-agent":
		return // played: its modes are the test's
	}
	got := kubectl(t, "", "exec", "-n", o.namespace, "deployment/"+o.deployment(), "-c", o.deployment(), "--", "stat", "-L", "-c", "%u:%g %a", path)
	if strings.TrimSpace(got) != want {
		t.Errorf("%s is %s, and was to be %s", path, got, want)
	}
}

// logs are those of all containers of the Deployment.
func (o *overlay) logs(t *testing.T) string {
	t.Helper()
	return kubectl(t, "", "logs", "-n", o.namespace, "-l", o.selector(), "--all-containers", "--tail=-1")
}

// quiet looks for values in the logs.
func (o *overlay) quiet(t *testing.T) {
	t.Helper()
	logs := o.logs(t)
	if strings.Contains(logs, canary) {
		t.Error("a value is in a log")
	}
	if o.deployment() == "worker" && !strings.Contains(logs, "generation 2: ") {
		t.Errorf("the log tells of no second generation")
	}
}

// secret writes a Secret.
func secret(t *testing.T, namespace, name string, values map[string]string) {
	t.Helper()
	object, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": name, "namespace": namespace}, "stringData": values,
	})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(object), "apply", "--server-side", "--force-conflicts", "-f", "-")
}

// fillIn fills a file in, and applies the overlay, which is how a person rotates it.
func fillIn(file string) func(*testing.T, *overlay, secrets) {
	var empty sync.Map // the file as it is shipped, by overlay
	return func(t *testing.T, o *overlay, values secrets) {
		t.Helper()
		path := filepath.Join(o.dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		was, filled := empty.LoadOrStore(o.name, data)
		text := string(was.([]byte))
		for name, value := range values {
			text = regexp.MustCompile(`(?m)^`+name+`=$`).ReplaceAllLiteralString(text, name+"="+value)
			text = regexp.MustCompile(`(?m)^  `+name+`: ""`).ReplaceAllLiteralString(text, "  "+name+": '"+value+"'")
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if filled {
			kubectl(t, "", "apply", "-k", o.path())
		}
	}
}

// custom reads the spec of a custom resource as the overlay has it.
func custom(t *testing.T, o *overlay, kind string, spec any) {
	t.Helper()
	documents := regexp.MustCompile(`(?m)^---\n`).Split(kubectl(t, "", "kustomize", o.path()), -1)
	for _, document := range documents {
		if !strings.Contains(document, "\nkind: "+kind+"\n") {
			continue
		}
		out := kubectl(t, document, "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-")
		var object struct {
			Metadata struct{ Name string }
			Spec     json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &object); err != nil {
			t.Fatal(err)
		}
		if object.Metadata.Name == "devplatform-secrets" {
			if err := json.Unmarshal(object.Spec, spec); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s", kind)
}

func unseal(t *testing.T, o *overlay, values secrets) {
	t.Helper()
	var sealed struct{ EncryptedData map[string]string }
	custom(t, o, "SealedSecret", &sealed)
	unsealed := map[string]string{}
	for key := range sealed.EncryptedData {
		unsealed[key] = values[key]
	}
	secret(t, o.namespace, "devplatform-secrets", unsealed)
}

// store is what AWS has: objects of Secrets Manager, and strings of Parameter Store.
func store(values secrets) map[string]any {
	return map[string]any{
		"devplatform/prod/db":              map[string]string{"username": values["POSTGRES_USER"], "password": values["POSTGRES_PASSWORD"]},
		"devplatform/prod/redis":           map[string]string{"password": values["REDIS_PASSWORD"]},
		"devplatform/prod/jwt":             map[string]string{"secret_key": values["JWT_SECRET_KEY"]},
		"devplatform/prod/s3":              map[string]string{"access_key": values["S3_ACCESS_KEY"], "secret_key": values["S3_SECRET_KEY"]},
		"devplatform/prod/api-keys":        map[string]string{"anthropic_api_key": values["ANTHROPIC_API_KEY"], "mapbox_access_token": values["MAPBOX_ACCESS_TOKEN"]},
		"devplatform/prod/sentry":          map[string]string{"backend_dsn": "https://" + canary + "@b.example/1", "frontend_dsn": "https://" + canary + "@f.example/2"},
		"/devplatform/prod/s3_bucket_name": values["S3_BUCKET_NAME"],
		"/devplatform/prod/s3_region":      values["S3_REGION"],
	}
}

// previous is the version of the JWT secret before: any other will do.
func previous() any { return map[string]string{"secret_key": generation(0)["JWT_SECRET_KEY"]} }

func externalSecret(t *testing.T, o *overlay, values secrets) {
	t.Helper()
	var external struct {
		Data []struct {
			SecretKey string
			RemoteRef struct{ Key, Property, Version string }
		}
	}
	custom(t, o, "ExternalSecret", &external)
	synced := map[string]string{}
	for _, d := range external.Data {
		value := store(values)[d.RemoteRef.Key]
		if d.RemoteRef.Version == "AWSPREVIOUS" {
			value = previous()
		}
		switch value := value.(type) {
		case string:
			synced[d.SecretKey] = value
		case map[string]string:
			synced[d.SecretKey] = value[d.RemoteRef.Property]
		default:
			t.Fatalf("AWS has no %s", d.RemoteRef.Key)
		}
	}
	secret(t, o.namespace, "devplatform-secrets", synced)
}

// reload writes the Secret, and then what Reloader does: a variable of the pod template says which contents it is for.
func reload(t *testing.T, o *overlay, values secrets) {
	t.Helper()
	externalSecret(t, o, values)
	sum := sha256.Sum256([]byte(values["JWT_SECRET_KEY"]))
	if _, err := tryKubectl("", "get", "-n", o.namespace, "deployment/backend"); err != nil {
		return
	}
	var deployment struct {
		Metadata struct{ Annotations map[string]string }
	}
	read(t, &deployment, "get", "-n", o.namespace, "deployment/backend")
	if deployment.Metadata.Annotations["secret.reloader.stakater.com/reload"] != "devplatform-secrets" {
		t.Fatal("Reloader is not asked")
	}
	kubectl(t, "", "set", "env", "-n", o.namespace, "deployment/backend", fmt.Sprintf("STAKATER_DEVPLATFORM_SECRETS_SECRET=%x", sum[:8]))
}

// vault writes what the policy's containers copy: a secret of Vault as one JSON object, each in its file.
func vault(t *testing.T, o *overlay, values secrets) {
	t.Helper()
	db := map[string]string{"user": values["POSTGRES_USER"], "password": values["POSTGRES_PASSWORD"]}
	app := map[string]string{}
	for name, value := range values {
		if !strings.HasPrefix(name, "POSTGRES_") {
			app[name] = value
		}
	}
	secret(t, o.namespace, "vault", map[string]string{"db": text(db), "app": text(app)})
}

func text(object any) string {
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(object)
	return b.String()
}
