package manifests

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// Every pod is admitted to a namespace with the level "restricted", by the policy that the API server itself applies.
func TestRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	each(t, func(t *testing.T, b *built) {
		for _, d := range of[appsv1.Deployment](b) {
			template := d.Spec.Template
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec))
			if !result.Allowed {
				t.Errorf("%s: %s", d.Name, result.ForbiddenDetail())
			}
			for _, c := range append(template.Spec.InitContainers, template.Spec.Containers...) {
				if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
					t.Errorf("%s: the root file system of %s can be written to", d.Name, c.Name)
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: %s has no memory limit or no cpu request", d.Name, c.Name)
				}
			}
			if template.Spec.AutomountServiceAccountToken == nil || *template.Spec.AutomountServiceAccountToken {
				t.Errorf("%s: gets a token for the API server", d.Name)
			}
		}
	})
}
