package rotate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/secret-entrypoint/secret-entrypoint/internal/printable"
)

// An overwriter is something that may write a Secret's values again, and so undo a rotation.
type overwriter struct {
	is      string // what the Secret shows, as in "is applied by Flux"
	effect  string // what it does to the new values
	instead string // what to do

	certain bool // it does so by itself: a controller that reconciles
	source  bool // it makes the Secret, and may have copied other labels from its own object
}

// Labels, annotations and field managers by which a Secret shows who writes it.
const (
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

	// External Secrets Operator (apis/externalsecrets/v1 and pkg/controllers/externalsecret).
	esoManaged  = "reconcile.external-secrets.io/managed"
	esoDataHash = "reconcile.external-secrets.io/data-hash"
	esoManager  = "externalsecrets.external-secrets.io/"

	// Sealed Secrets (README: managing and patching existing secrets).
	sealedManaged = "sealedsecrets.bitnami.com/managed"
	sealedPatch   = "sealedsecrets.bitnami.com/patch"

	// Secrets Store CSI driver (sync as Kubernetes Secret).
	csiManaged = "secrets-store.csi.k8s.io/managed"

	// Flux (kustomize-controller and helm-controller).
	fluxName      = "kustomize.toolkit.fluxcd.io/name"
	fluxNamespace = "kustomize.toolkit.fluxcd.io/namespace"
	fluxReconcile = "kustomize.toolkit.fluxcd.io/reconcile"
	fluxApply     = "kustomize.toolkit.fluxcd.io/ssa"
	fluxRelease   = "helm.toolkit.fluxcd.io/name"

	// Argo CD (resource tracking).
	argoTracking = "argocd.argoproj.io/tracking-id"
	argoInstance = "argocd.argoproj.io/instance"

	// Helm 3 and 4.
	helmRelease = "meta.helm.sh/release-name"
)

// deployerManagers are the field managers of the tools that deployers knows by other signs.
var deployerManagers = []string{
	"kustomize-controller", "helm-controller", "argocd-controller", "helm",
}

// Guard implements guarded.
func (k *Kubernetes) Guard(changes []Change) (warnings, refusals []string, err error) {
	if k.object.Immutable {
		return nil, nil, fmt.Errorf("%s is immutable: make another Secret, and let the pods use "+
			"that", k.given)
	}

	for _, o := range k.overwriters(changes) {
		text := fmt.Sprintf("%s %s, which %s: %s", k.given, o.is, o.effect, o.instead)
		if o.certain {
			refusals = append(refusals, text)
		} else {
			warnings = append(warnings, text)
		}
	}
	return warnings, refusals, nil
}

// overwriters finds all that may undo these changes.
func (k *Kubernetes) overwriters(changes []Change) []overwriter {
	all := slices.Concat(k.owners(), k.sources())
	if !slices.ContainsFunc(all, func(o overwriter) bool { return o.source }) {
		all = append(all, k.deployers()...)
		all = append(all, k.appliers(changes)...)
	}
	return all
}

// eso is the advice for what the External Secrets Operator writes.
func (k *Kubernetes) eso(name string) string {
	return fmt.Sprintf("rotate it there, in the store that it reads, and have it fetched at once "+
		"by kubectl annotate externalsecret %s --namespace %s force-sync=$(date +%%s) --overwrite",
		name, k.namespace)
}

const (
	putsBack = "would put its values back"

	adviseSealed = "rotate it there: seal the new values with kubeseal, and apply that SealedSecret"
	adviseStore  = "rotate it there, in the store that it reads"
)

// owners are the objects that the Secret belongs to. One that is no controller only takes the
// Secret with it when it is deleted, as far as Kubernetes knows.
func (k *Kubernetes) owners() (all []overwriter) {
	for _, o := range k.object.Metadata.OwnerReferences {
		name := printable.Line(o.Name)
		w := overwriter{
			is:      fmt.Sprintf("is written by %s %s", printable.Line(o.Kind), name),
			effect:  putsBack,
			instead: "rotate it there",
			certain: true,
			source:  true,
		}

		switch o.Kind {
		case "ExternalSecret":
			w.instead = k.eso(name)
		case "SealedSecret":
			w.instead = adviseSealed
		case "VaultStaticSecret", "VaultDynamicSecret", "VaultPKISecret":
			w.instead = adviseStore
		default:
			if !o.Controller {
				w.is = fmt.Sprintf("belongs to %s %s", printable.Line(o.Kind), name)
				w.effect = "may put its values back"
				w.instead = "if it writes them, rotate it there"
				w.certain, w.source = false, false
			}
		}
		all = append(all, w)
	}
	return all
}

// sources are the controllers that fill a Secret without owning it.
func (k *Kubernetes) sources() (all []overwriter) {
	m := &k.object.Metadata
	add := func(by, instead string) {
		all = append(all, overwriter{
			is:      "is written by " + by,
			effect:  putsBack,
			instead: instead,
			certain: true,
			source:  true,
		})
	}
	owned := func(kind string) bool {
		ofKind := func(o kubeOwner) bool { return o.Kind == kind }
		return slices.ContainsFunc(m.OwnerReferences, ofKind)
	}

	name, managed := k.esoObject()
	if managed && !owned("ExternalSecret") {
		add("the External Secrets Operator", k.eso(name))
	}

	sealed := m.Annotations[sealedManaged] == "true" || m.Annotations[sealedPatch] == "true"
	if sealed && !owned("SealedSecret") {
		add("Sealed Secrets", adviseSealed)
	}

	if m.Labels[csiManaged] == "true" {
		add("the Secrets Store CSI driver", adviseStore)
	}
	return all
}

// esoObject reports whether the External Secrets Operator writes the Secret, and by which
// ExternalSecret, or a placeholder where nothing tells.
func (k *Kubernetes) esoObject() (name string, managed bool) {
	m := &k.object.Metadata
	managed = m.Labels[esoManaged] == "true" || m.Annotations[esoDataHash] != ""

	for _, f := range m.ManagedFields {
		rest, is := strings.CutPrefix(f.Manager, esoManager)
		if !is {
			continue
		}
		managed = true
		if isObjectName(rest) {
			return rest, true
		}
	}
	return "NAME", managed
}

// deployers are the tools that deploy the Secret from a repository or a chart.
func (k *Kubernetes) deployers() (all []overwriter) {
	m := &k.object.Metadata

	if m.Labels[fluxName] != "" && k.fluxApplies() {
		all = append(all, overwriter{
			is: fmt.Sprintf("is applied by Flux (Kustomization %s/%s)",
				printable.Line(m.Labels[fluxNamespace]), printable.Line(m.Labels[fluxName])),
			effect: "puts its values back at the next reconciliation",
			instead: fmt.Sprintf("change it in the repository, encrypted (SOPS), or let Flux "+
				"leave it alone: annotate it there with %s=disabled", fluxReconcile),
			certain: true,
		})
	}

	if app := k.argoApplication(); app != "" {
		all = append(all, overwriter{
			is:     fmt.Sprintf("is deployed by Argo CD (Application %s)", printable.Line(app)),
			effect: "puts its values back at the next sync, with self-heal at once",
			instead: "change it where the Application has it from, or take the Secret out of the " +
				"Application",
			certain: true,
		})
	}

	release := m.Annotations[helmRelease]
	if release == "" {
		return all
	}
	helm := overwriter{
		is:     fmt.Sprintf("is deployed by Helm (release %s)", printable.Line(release)),
		effect: "puts back what the chart and its values say at the next helm upgrade",
		instead: "give the new value to the release as well, by its values, or keep the Secret " +
			"out of the chart",
	}
	if m.Labels[fluxRelease] != "" {
		helm.is = fmt.Sprintf("is deployed by Flux (HelmRelease %s)",
			printable.Line(m.Labels[fluxRelease]))
		helm.effect = "puts back what the chart and its values say at the next upgrade, with " +
			"drift detection at once"
	}
	return append(all, helm)
}

// fluxApplies reports whether Flux applies the Secret again and again.
func (k *Kubernetes) fluxApplies() bool {
	annotations := k.object.Metadata.Annotations
	switch strings.ToLower(annotations[fluxApply]) {
	case "ignore", "ifnotpresent":
		return false
	}
	return !strings.EqualFold(annotations[fluxReconcile], "disabled")
}

// argoApplication returns the Application that deploys the Secret, or "". A tracking ID is
// APP:GROUP/KIND:NAMESPACE/NAME; in a copy of the object that it was made for it counts for
// nothing.
func (k *Kubernetes) argoApplication() string {
	m := &k.object.Metadata
	own := fmt.Sprintf(":/Secret:%s/%s", k.namespace, k.name)
	if app, is := strings.CutSuffix(m.Annotations[argoTracking], own); is {
		return app
	}
	return m.Labels[argoInstance]
}

// appliers are the manifests that are applied by hand or from a script, as far as they have a key
// that changes.
func (k *Kubernetes) appliers(changes []Change) (all []overwriter) {
	var keys []string
	for _, c := range changes {
		key, _ := k.keyOf(c)
		keys = append(keys, key)
	}
	const instead = "put the new values into it, or take the Secret out of what is applied"

	if has := intersection(keys, k.appliedKeys()); has != nil {
		all = append(all, overwriter{
			is:      "was made by kubectl apply from a manifest with " + strings.Join(has, ", "),
			effect:  "puts its values back when it is applied again",
			instead: instead,
		})
	}

	isDeployed := k.deployers() != nil
	for _, f := range k.object.Metadata.ManagedFields {
		isDeployer := isDeployed && slices.Contains(deployerManagers, f.Manager)
		if f.Operation != "Apply" || isDeployer {
			continue
		}
		if o, found := f.applier(keys, instead); found {
			all = append(all, o)
		}
	}
	return all
}

// applier describes a server-side apply of any of these keys. The server reports a conflict for
// data that somebody else has changed, and none for stringData.
func (f *kubeManagedFields) applier(keys []string, instead string) (o overwriter, found bool) {
	var applied []string
	silent := false
	for _, key := range keys {
		has, asText := f.has(key)
		if has {
			applied = append(applied, key)
		}
		silent = silent || asText
	}
	if applied == nil {
		return o, false
	}

	o = overwriter{
		is: fmt.Sprintf("is applied by %s (server-side) with %s", printable.Line(f.Manager),
			printable.Line(strings.Join(applied, ", "))),
		effect: "conflicts with the new values when it is applied again, or, forced, puts the " +
			"old ones back",
		instead: instead,
	}
	if silent {
		o.effect = "puts its values back when it is applied again, without a conflict, since " +
			"they are stringData"
	}
	return o, true
}

// appliedKeys are those of the manifest that kubectl apply keeps in an annotation, its data and its
// stringData. The annotation of another object, which somebody copied, counts for nothing.
func (k *Kubernetes) appliedKeys() (keys []string) {
	var manifest struct {
		Kind       string
		Metadata   struct{ Name string }
		Data       map[string]json.RawMessage
		StringData map[string]json.RawMessage
	}
	err := json.Unmarshal([]byte(k.object.Metadata.Annotations[lastApplied]), &manifest)
	if err != nil || manifest.Kind != "Secret" || manifest.Metadata.Name != k.name {
		return nil
	}

	for key := range manifest.Data {
		keys = append(keys, key)
	}
	for key := range manifest.StringData {
		keys = append(keys, key)
	}
	return keys
}

// intersection returns those of some that others has, in order.
func intersection(some, others []string) (both []string) {
	for _, s := range some {
		if slices.Contains(others, s) {
			both = append(both, s)
		}
	}
	return both
}

// LastWriter implements witness: it tells who wrote the value of a variable last.
func (k *Kubernetes) LastWriter(name string) (manager string, at time.Time) {
	for _, f := range k.object.Metadata.ManagedFields {
		if has, _ := f.has(k.keys[name]); has && !f.Time.Before(at) {
			manager, at = printable.Line(f.Manager), f.Time
		}
	}
	return manager, at
}
