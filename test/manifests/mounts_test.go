package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// vault is what Vault has, by path.
var vault = map[string]map[string]string{
	"secret/data/devplatform/prod/db": {"USER": "devuser", "PASSWORD": long + "/vault+<&>\"="},
	"secret/data/devplatform/prod/app": {
		"REDIS_PASSWORD": long + "-redis", "JWT_SECRET_KEY": long + "-jwt", "ANTHROPIC_API_KEY": "sk-ant-" + long,
		"MAPBOX_ACCESS_TOKEN": "pk." + long, "S3_ACCESS_KEY": long + "-access", "S3_SECRET_KEY": long + "-secret", "S3_BUCKET_NAME": "bucket", "S3_REGION": "eu-central-1",
	},
}

// mounts makes the files of a pod's volumes, as their writers would, with placeholders filled in. It returns the
// directory for each mount path.
func mounts(t *testing.T, b *built, pod corev1.PodTemplateSpec) map[string]string {
	return volumes(t, b, pod, true)
}

func volumes(t *testing.T, b *built, pod corev1.PodTemplateSpec, fill bool) map[string]string {
	t.Helper()
	secrets, err := b.secrets()
	if err != nil {
		t.Fatal(err)
	}
	if fill {
		for _, keys := range secrets {
			for key, value := range keys {
				if value == "" {
					keys[key] = placeholder(key)
				}
			}
		}
	}
	dirs := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		files := map[string]string{}
		switch {
		case v.Secret != nil:
			files = secrets[v.Secret.SecretName]
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if source.Secret == nil {
					continue
				}
				for _, item := range source.Secret.Items {
					if value, there := secrets[source.Secret.Name][item.Key]; there {
						files[item.Path] = value
					}
				}
			}
		case v.CSI != nil:
			files = mounted(t, of[secretProviderClass](b)[0])
		default:
			continue
		}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			if m.Name == v.Name {
				dirs[m.MountPath] = written(t, files)
			}
		}
	}
	files := map[string]string{}
	for name, path := range pod.Annotations {
		file, injected := strings.CutPrefix(name, "vault.hashicorp.com/agent-inject-secret-")
		if !injected {
			continue
		}
		template := strings.TrimSpace(pod.Annotations["vault.hashicorp.com/agent-inject-template-"+file])
		if want := `{{ with secret "` + path + `" }}{{ .Data.data | toJSON }}{{ end }}`; template != want || vault[path] == nil {
			t.Errorf("%s: the template is %s, and Vault has %d keys", file, template, len(vault[path]))
		}
		files[file] = mustJSON(vault[path]) + "\n" // which escapes < and > as the template's toJSON does
	}
	if len(files) > 0 {
		dirs["/vault/secrets"] = written(t, files)
	}
	return dirs
}

// mounted are the files that the CSI driver's AWS provider makes of a class.
func mounted(t *testing.T, c *secretProviderClass) map[string]string {
	t.Helper()
	objects, err := c.objects()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, o := range objects {
		value := aws[o.ObjectName]
		if text, plain := value.(string); plain {
			files[o.ObjectAlias] = text
			continue
		}
		if o.ObjectVersionLabel == "AWSPREVIOUS" {
			value = awsPrevious
		}
		files[o.ObjectAlias] = mustJSON(value)
	}
	return files
}

func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
