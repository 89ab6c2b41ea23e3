package manifests

import (
	"slices"
	"strings"
	"testing"

	sealed "github.com/bitnami-labs/sealed-secrets/pkg/apis/sealedsecrets/v1alpha1"
	eso "github.com/external-secrets/external-secrets/apis/externalsecrets/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// secrets are the Secrets that an overlay makes or has made, with their values by key. Of a SealedSecret the values
// are not known: a canary stands for each.
func (b *built) secrets() (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, s := range of[corev1.Secret](b) {
		keys := map[string]string{}
		for key, value := range s.StringData {
			keys[key] = value
		}
		for key, value := range s.Data {
			keys[key] = string(value)
		}
		found[s.Name] = keys
	}
	for _, s := range of[sealed.SealedSecret](b) {
		keys := map[string]string{}
		for key := range s.Spec.EncryptedData {
			keys[key] = placeholder(key)
		}
		found[s.Name] = keys
	}
	for _, s := range of[eso.ExternalSecret](b) {
		keys := map[string]string{}
		for _, d := range s.Spec.Data {
			value, err := remote(s, d)
			if err != nil {
				return nil, err
			}
			keys[d.SecretKey] = value
		}
		found[s.Spec.Target.Name] = keys
	}
	return found, nil
}

// Every volume that is mounted exists, every one that exists is mounted, and none is where it does harm.
func TestVolumes(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		for _, d := range of[appsv1.Deployment](b) {
			pod := d.Spec.Template.Spec
			volumes := map[string]bool{}
			for _, v := range pod.Volumes {
				volumes[v.Name] = false
			}
			for _, c := range append(pod.InitContainers, pod.Containers...) {
				for _, m := range c.VolumeMounts {
					if _, exists := volumes[m.Name]; !exists {
						t.Errorf("%s: %s mounts %s, which is no volume", d.Name, c.Name, m.Name)
					}
					volumes[m.Name] = true
					if m.SubPath != "" || m.SubPathExpr != "" {
						t.Errorf("%s: %s is mounted by subPath: never updated", d.Name, m.Name)
					}
					// A service account's token is mounted below, which a read-only volume has no directory for.
					if strings.HasPrefix(m.MountPath+"/", "/run/") || strings.HasPrefix(m.MountPath+"/", "/var/run/") {
						t.Errorf("%s: %s is mounted at %s", d.Name, m.Name, m.MountPath)
					}
				}
			}
			injected := d.Spec.Template.Annotations["vault.hashicorp.com/agent-service-account-token-volume-name"]
			for name, mounted := range volumes {
				if !mounted && name != injected {
					t.Errorf("%s: nobody mounts %s", d.Name, name)
				}
			}
			if injected != "" && !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == injected }) {
				t.Errorf("%s: Vault Agent is to use the volume %s, which does not exist", d.Name, injected)
			}
		}
	})
}

// What a pod mounts is there: the Secret, and each key of it that is not optional.
func TestSecretKeys(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		secrets, err := b.secrets()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range of[appsv1.Deployment](b) {
			for _, v := range d.Spec.Template.Spec.Volumes {
				if v.Secret != nil && secrets[v.Secret.SecretName] == nil {
					t.Errorf("there is no Secret %s", v.Secret.SecretName)
				}
				if v.Projected == nil {
					continue
				}
				for _, source := range v.Projected.Sources {
					if s := source.Secret; s != nil {
						missing(t, secrets, s)
					}
				}
			}
			if name := d.Annotations["secret.reloader.stakater.com/reload"]; name != "" && secrets[name] == nil {
				t.Errorf("%s: Reloader is to watch %s, which does not exist", d.Name, name)
			}
		}
	})
}

func missing(t *testing.T, secrets map[string]map[string]string, s *corev1.SecretProjection) {
	t.Helper()
	keys, exists := secrets[s.Name]
	if !exists {
		t.Errorf("there is no Secret %s", s.Name)
	}
	for _, item := range s.Items {
		if _, there := keys[item.Key]; !there && (s.Optional == nil || !*s.Optional) {
			t.Errorf("%s has no key %s", s.Name, item.Key)
		}
	}
}

// A Service selects the pods, a Deployment its own, probes and Services name ports that exist.
func TestSelectors(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		ports := map[string]bool{}
		for _, d := range of[appsv1.Deployment](b) {
			labels := d.Spec.Template.Labels
			selects(t, d.Name, d.Spec.Selector.MatchLabels, labels)
			for _, c := range d.Spec.Template.Spec.Containers {
				for _, p := range c.Ports {
					ports[p.Name] = true
				}
				for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
					switch {
					case probe == nil:
					case probe.HTTPGet != nil && !ports[probe.HTTPGet.Port.StrVal], probe.TCPSocket != nil && !ports[probe.TCPSocket.Port.StrVal]:
						t.Errorf("%s: a probe of a port that does not exist", d.Name)
					}
				}
			}
			for _, s := range of[corev1.Service](b) {
				selects(t, s.Name, s.Spec.Selector, labels)
				for _, p := range s.Spec.Ports {
					if !ports[p.TargetPort.StrVal] {
						t.Errorf("Service %s: no port %s", s.Name, p.TargetPort.StrVal)
					}
				}
			}
		}
	})
}

func selects(t *testing.T, name string, selector, labels map[string]string) {
	t.Helper()
	for key, value := range selector {
		if labels[key] != value {
			t.Errorf("%s: selects %s=%s, and the pods have %q", name, key, value, labels[key])
		}
	}
}

// Roles give no more than a rotation takes, of Secrets one by name, and bindings name what exists. So do stores, pods
// and classes.
func TestNames(t *testing.T) {
	each(t, func(t *testing.T, b *built) {
		secrets, err := b.secrets()
		if err != nil {
			t.Fatal(err)
		}
		exists := map[string]bool{}
		for _, o := range of[corev1.ServiceAccount](b) {
			exists["ServiceAccount/"+o.Namespace+"/"+o.Name] = true
		}
		for _, o := range of[eso.SecretStore](b) {
			exists["SecretStore/"+o.Name] = true
		}
		for _, o := range of[secretProviderClass](b) {
			exists["SecretProviderClass/"+o.Metadata.Name] = true
		}
		for _, o := range of[rbacv1.Role](b) {
			exists["Role/"+o.Name] = true
			for _, rule := range o.Rules {
				leastRule(t, rule, secrets, b.name)
			}
		}
		wanted := func(by, kind, name string) {
			if !exists[kind+"/"+name] {
				t.Errorf("%s: there is no %s %s", by, kind, name)
			}
		}
		for _, o := range of[rbacv1.RoleBinding](b) {
			wanted(o.Name, o.RoleRef.Kind, o.RoleRef.Name)
			for _, s := range o.Subjects {
				wanted(o.Name, s.Kind, s.Namespace+"/"+s.Name)
			}
		}
		for _, o := range of[eso.SecretStore](b) {
			wanted(o.Name, "ServiceAccount", o.Namespace+"/"+o.Spec.Provider.AWS.Auth.JWTAuth.ServiceAccountRef.Name)
		}
		for _, o := range of[eso.ExternalSecret](b) {
			wanted(o.Name, o.Spec.SecretStoreRef.Kind, o.Spec.SecretStoreRef.Name)
			for _, d := range o.Spec.Data {
				if d.SourceRef != nil {
					wanted(o.Name, d.SourceRef.SecretStoreRef.Kind, d.SourceRef.SecretStoreRef.Name)
				}
			}
		}
		for _, o := range of[appsv1.Deployment](b) {
			pod := o.Spec.Template.Spec
			if pod.ServiceAccountName != "" {
				wanted(o.Name, "ServiceAccount", o.Namespace+"/"+pod.ServiceAccountName)
			}
			for _, v := range pod.Volumes {
				if v.CSI != nil {
					wanted(o.Name, "SecretProviderClass", v.CSI.VolumeAttributes["secretProviderClass"])
				}
			}
		}
	})
}

// allowed are the verbs of a Role, by resource, and whether they are for objects by name alone.
var allowed = map[string]struct {
	verbs  []string
	byName bool
}{
	"secrets": {[]string{"get", "patch"}, true},
	// By name, list and watch show one object: kubectl rollout status asks for that.
	"deployments": {[]string{"get", "list", "watch"}, true},
	// kubectl annotate pods -l: a selector and names do not go together.
	"pods": {[]string{"get", "list", "patch"}, false},
}

func leastRule(t *testing.T, rule rbacv1.PolicyRule, secrets map[string]map[string]string, overlay string) {
	t.Helper()
	if len(rule.Resources) != 1 {
		t.Fatalf("a rule for %v", rule.Resources)
	}
	resource := rule.Resources[0]
	least, known := allowed[resource]
	if !known || least.byName && len(rule.ResourceNames) == 0 {
		t.Errorf("a rule for %s, limited to %v", resource, rule.ResourceNames)
	}
	for _, verb := range rule.Verbs {
		if !slices.Contains(least.verbs, verb) {
			t.Errorf("a rule to %s %s", verb, resource)
		}
	}
	if resource != "secrets" {
		return
	}
	for _, name := range rule.ResourceNames {
		// The generated name has a hash, and in these two no Secret is made.
		if secrets[name] == nil && !slices.Contains([]string{"rollout-hash", "csi", "vault-agent"}, overlay) {
			t.Errorf("a rule for the Secret %s, which does not exist", name)
		}
	}
}
