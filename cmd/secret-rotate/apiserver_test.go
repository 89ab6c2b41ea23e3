package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// apiServer is as much of a Kubernetes API as kubectl needs to read and patch one Secret.
type apiServer struct {
	sync.Mutex
	server *httptest.Server
	secret fakeSecret
	meddle bool // someone else changes the Secret before the next patch
	drop   bool // the answer to the next patch is lost
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Lock()
	defer a.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/api":
		fmt.Fprint(w, `{"kind":"APIVersions","versions":["v1"]}`)
	case "/apis":
		fmt.Fprint(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`)
	case "/api/v1":
		fmt.Fprint(w, `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"secrets","singularName":"","namespaced":true,"kind":"Secret","verbs":["get","patch","update"]}]}`)
	case "/api/v1/namespaces/web/secrets/app":
		a.object(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}
}

// values is what the Secret holds.
func (a *apiServer) values() state {
	a.Lock()
	defer a.Unlock()
	return a.secret.values()
}

// next makes the next patch go wrong.
func (a *apiServer) next(meddle, drop bool) {
	a.Lock()
	defer a.Unlock()
	a.meddle, a.drop = meddle, drop
}

func (a *apiServer) object(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPatch {
		if a.meddle {
			a.meddle = false
			applyPatch(&a.secret, nil, map[string][]byte{"LOG_LEVEL": []byte("debug\n")})
		}
		var patch struct {
			Metadata struct {
				ResourceVersion string
				Annotations     map[string]string
			}
			Data map[string][]byte
		}
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &patch); err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if patch.Metadata.ResourceVersion != a.secret.Metadata.ResourceVersion {
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","code":409,"message":"Operation cannot be fulfilled on secrets \"app\": the object has been modified; please apply your changes to the latest version and try again"}`)
			return
		}
		applyPatch(&a.secret, patch.Metadata.Annotations, patch.Data)
		if a.drop {
			a.drop = false
			panic(http.ErrAbortHandler)
		}
	}
	if r.Method == http.MethodPut { // kubectl replace
		version := a.secret.Metadata.ResourceVersion
		a.secret = fakeSecret{}
		if err := json.NewDecoder(r.Body).Decode(&a.secret); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.secret.Metadata.ResourceVersion = version + "1"
	}
	out, err := json.Marshal(struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
		fakeSecret
	}{"Secret", "v1", a.secret})
	if err != nil {
		panic(err)
	}
	w.Write(out)
}

// useAPI starts a server, and has kubectl use it. The directory is the user's home.
func useAPI(t *testing.T, api *apiServer) (dir string) {
	t.Helper()
	api.server = httptest.NewServer(api)
	t.Cleanup(api.server.Close)
	dir = t.TempDir()
	config := filepath.Join(dir, "config")
	write(t, config, "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters: [{name: c, cluster: {server: \""+api.server.URL+"\"}}]\ncontexts: [{name: test, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]\n", 0o600)
	t.Setenv("KUBECONFIG", config)
	t.Setenv("HOME", dir) // kubectl's cache
	return dir
}

// The real kubectl, against a server that answers as Kubernetes does.
func TestRealKubectl(t *testing.T) {
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is missing: only the fake one was tested")
	}
	api := &apiServer{secret: newSecret(oldState())}
	dir := useAPI(t, api)
	target := []string{"--schema", writeSchema(t, dir), "--k8s", "web/app"}

	invoke(t, "", append(target, "--previous", "JWT_SECRET_KEY")...).want(t, exitDone, "k8s web/app@test", "JWT_SECRET_KEY_PREVIOUS  the value that JWT_SECRET_KEY had")
	if got := api.values(); got["JWT_SECRET_KEY_PREVIOUS"] != oldJWT || len(got["JWT_SECRET_KEY"]) != 64 {
		t.Error(names(got))
	}
	invoke(t, "", append(target, "--then", "false", "--rollback")...).want(t, exitFailed, "the old values are in place")
	if got := api.values(); got["JWT_SECRET_KEY_PREVIOUS"] != oldJWT || got["POSTGRES_PASSWORD"] != oldPostgres {
		t.Error(names(got))
	}
	api.next(true, false)
	invoke(t, "", target...).want(t, exitFailed, "web/app was changed by someone else in this moment: nothing was changed by this: run it again")
	if got := api.values(); got["POSTGRES_PASSWORD"] != oldPostgres || got["LOG_LEVEL"] != "debug" {
		t.Error(names(got))
	}
	api.next(false, true)
	invoke(t, "", target...).want(t, exitDone)
	if got := api.values(); got["POSTGRES_PASSWORD"] == oldPostgres || got["JWT_SECRET_KEY_PREVIOUS"] != "" {
		t.Error(names(got))
	}
	api.server.Close()
	invoke(t, "", target...).want(t, exitFailed, "kubectl get --raw: ")
	if data, err := os.ReadFile(filepath.Join(dir, "rotations.jsonl")); err != nil || strings.Contains(string(data), canary) {
		t.Errorf("%v", err)
	}
}
