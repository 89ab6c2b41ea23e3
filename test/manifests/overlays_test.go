package manifests

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// built is what kubectl apply -k would send to the API server.
type built struct {
	name    string
	text    []byte
	objects []any
}

var overlays = sync.OnceValues(func() (all []*built, err error) {
	dirs, err := filepath.Glob(examples + "/overlays/*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		b, err := build(filesys.MakeFsOnDisk(), dir)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
})

// build does what kubectl kustomize does.
func build(disk filesys.FileSystem, dir string) (*built, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, dir)
	if err != nil {
		return nil, err
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, err
	}
	objects, err := decode(text)
	return &built{filepath.Base(dir), text, objects}, err
}

// each runs a test on every overlay.
func each(t *testing.T, test func(t *testing.T, b *built)) {
	all, err := overlays()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 9 {
		t.Fatalf("%d overlays", len(all))
	}
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

// of lists the objects of a type.
func of[T any](b *built) (found []*T) {
	for _, object := range b.objects {
		if o, ok := object.(*T); ok {
			found = append(found, o)
		}
	}
	return found
}

// Every overlay builds, and what comes out is as strict as what went in.
func TestOverlays(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		if len(of[appsv1.Deployment](b)) != 1 {
			t.Errorf("%d Deployments", len(of[appsv1.Deployment](b)))
		}
		if strings.Contains(string(b.text), "$patch") {
			t.Error("a $patch directive is left")
		}
	})
}

// The components work on a Deployment that knows nothing of them, in both ways, and refuse one that
// leaves its command to the image.
func TestComponents(t *testing.T) {
	worker := examples + "/overlays/any-deployment/worker.yaml"
	for _, component := range []string{"shim-init-container", "shim-image-volume"} {
		b, err := build(with(t, worker, component, ""), "/overlay")
		if err != nil {
			t.Errorf("%s: %v", component, err)
			continue
		}
		pod := of[appsv1.Deployment](b)[0].Spec.Template.Spec
		if got := strings.Join(pod.Containers[0].Command, " "); got != "/shim/secret-entrypoint python3 worker.py" {
			t.Errorf("%s: the command is %q", component, got)
		}
		if len(pod.Volumes) != 2 || (len(pod.InitContainers) == 1) != (component == "shim-init-container") {
			t.Errorf("%s: %+v", component, pod)
		}
		if _, err := build(with(t, worker, component, `          command: ["python3", "worker.py"]`), "/overlay"); err == nil {
			t.Errorf("%s: a Deployment without a command is not refused", component)
		}
	}
}

// with makes an overlay of a manifest, less a line of it, with a component.
func with(t *testing.T, manifest, component, without string) filesys.FileSystem {
	t.Helper()
	disk, memory := filesys.MakeFsOnDisk(), filesys.MakeFsInMemory()
	copied := func(from, to, without string) {
		data, err := disk.ReadFile(from)
		if err == nil && without != "" && !strings.Contains(string(data), without+"\n") {
			t.Fatalf("%s has no line %q", from, without)
		}
		if err == nil {
			err = memory.WriteFile(to, []byte(strings.ReplaceAll(string(data), without, "")))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copied(manifest, "/overlay/it.yaml", without)
	for _, file := range []string{"kustomization.yaml", "volume.yaml", "command.yaml"} {
		copied(filepath.Join(examples, "components", component, file), "/component/"+file, "")
	}
	if err := memory.WriteFile("/overlay/kustomization.yaml", []byte("resources: [it.yaml]\ncomponents: [../component]\n")); err != nil {
		t.Fatal(err)
	}
	return memory
}
