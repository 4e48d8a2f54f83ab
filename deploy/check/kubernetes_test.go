package check

import (
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	scaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// built is what kubectl apply -k sends, read by Kubernetes' own types: a field that they do not have, or one that is there twice, is
// an error.
func built(t *testing.T, dir string) map[string]runtime.Object {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, scaling.AddToScheme, core.AddToScheme, network.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	objects := map[string]runtime.Object{}
	for _, r := range all.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		o, kind, err := strict.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", r.CurId(), err, text)
			continue
		}
		if objects[kind.Kind] != nil {
			t.Errorf("two of %s", kind.Kind)
		}
		objects[kind.Kind] = o
	}
	return objects
}

// one is the object of its kind.
func one[T any](t *testing.T, objects map[string]runtime.Object) T {
	t.Helper()
	for _, o := range objects {
		if found, ok := o.(T); ok {
			return found
		}
	}
	var none T
	t.Fatalf("there is no %T", none)
	return none
}

// Everything that is named is there under that name: pods by their labels, ports, settings, secrets; and a pod is what the strictest
// of Kubernetes' profiles takes. This is half of P811.
func TestKubernetes(t *testing.T) {
	objects := built(t, "../kubernetes")
	pods := one[*apps.Deployment](t, objects)
	service, door := one[*core.Service](t, objects), one[*network.Ingress](t, objects)
	may, budget, scaler := one[*network.NetworkPolicy](t, objects), one[*policy.PodDisruptionBudget](t, objects), one[*scaling.HorizontalPodAutoscaler](t, objects)
	settings, account := one[*core.ConfigMap](t, objects), one[*core.ServiceAccount](t, objects)
	for kind, o := range objects {
		if named, ok := o.(interface{ GetNamespace() string }); kind != "Namespace" && (!ok || named.GetNamespace() != "llave") {
			t.Errorf("%s is in no namespace of its own", kind)
		}
	}

	is := labels.Set(pods.Spec.Template.Labels)
	for who, picks := range map[string]map[string]string{
		"deployment": pods.Spec.Selector.MatchLabels, "service": service.Spec.Selector,
		"network policy": may.Spec.PodSelector.MatchLabels, "disruption budget": budget.Spec.Selector.MatchLabels,
	} {
		if len(picks) == 0 || !labels.SelectorFromSet(picks).Matches(is) {
			t.Errorf("the %s picks %v, the pods are %v", who, picks, is)
		}
	}
	if to := scaler.Spec.ScaleTargetRef; to.Kind != "Deployment" || to.Name != pods.Name || pods.Spec.Replicas != nil || *scaler.Spec.MinReplicas < 2 {
		t.Errorf("the autoscaler has %v from %d on, the deployment itself %v", to, *scaler.Spec.MinReplicas, pods.Spec.Replicas)
	}
	if to := door.Spec.Rules[0].HTTP.Paths[0].Backend.Service; to.Name != service.Name || to.Port.Name != service.Spec.Ports[0].Name {
		t.Errorf("the ingress leads to %v", to)
	}
	if host := door.Spec.Rules[0].Host; settings.Data["LLAVE_PUBLIC_URL"] != "https://"+host || !slices.Contains(door.Spec.TLS[0].Hosts, host) {
		t.Errorf("the ingress is of %s, letters lead to %s", host, settings.Data["LLAVE_PUBLIC_URL"])
	}
	if len(may.Spec.PolicyTypes) != 2 || len(may.Spec.Ingress) == 0 || len(may.Spec.Egress) == 0 {
		t.Errorf("the network policy is %+v", may.Spec)
	}

	pod := pods.Spec.Template.Spec
	c := pod.Containers[0]
	var ports []string
	for _, p := range c.Ports {
		ports = append(ports, p.Name)
	}
	if !slices.Contains(ports, service.Spec.Ports[0].TargetPort.StrVal) {
		t.Errorf("the service asks port %v of %q", service.Spec.Ports[0].TargetPort, ports)
	}
	for _, in := range may.Spec.Ingress {
		for _, p := range in.Ports {
			if !slices.Contains(ports, p.Port.StrVal) {
				t.Errorf("the network policy opens %v of %q", p.Port, ports)
			}
		}
	}
	for what, probe := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet.Path != what || probe.HTTPGet.Port.StrVal != "admin" {
			t.Errorf("a probe is %v, want %s", probe, what)
		}
	}
	const ending = 9 // seconds at most, once it is told to
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil || c.Lifecycle.PreStop.Sleep.Seconds+ending >= *pod.TerminationGracePeriodSeconds {
		t.Errorf("a pod is told to end before it is taken off the service, or has no time to: %+v of %d s", c.Lifecycle, *pod.TerminationGracePeriodSeconds)
	}
	if c.EnvFrom[0].ConfigMapRef.Name != settings.Name || pod.ServiceAccountName != account.Name || *account.AutomountServiceAccountToken || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("the pod's settings are %v, its account %s", c.EnvFrom[0].ConfigMapRef, pod.ServiceAccountName)
	}
	secrets := map[string]string{} // where they are mounted
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			for _, m := range c.VolumeMounts {
				if m.Name == v.Name && m.ReadOnly {
					secrets[m.MountPath] = v.Secret.SecretName
				}
			}
		}
	}
	if len(c.Env) == 0 {
		t.Error("the pod has no secrets")
	}
	for _, e := range c.Env {
		dir := e.Value[:strings.LastIndex(e.Value, "/")+1]
		if !strings.HasSuffix(e.Name, "_FILE") || secrets[strings.TrimSuffix(dir, "/")] == "" {
			t.Errorf("%s=%s is no file of a secret", e.Name, e.Value)
		}
	}
	for _, o := range objects {
		if _, is := o.(*core.Secret); is {
			t.Error("there is a secret among the manifests")
		}
	}

	// The profile "restricted", which the namespace has enforced.
	if one[*core.Namespace](t, objects).Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Error("the namespace takes any pod")
	}
	own, all := c.SecurityContext, pod.SecurityContext
	if !*all.RunAsNonRoot || *all.RunAsUser == 0 || all.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault ||
		*own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem || !slices.Equal(own.Capabilities.Drop, []core.Capability{"ALL"}) || len(own.Capabilities.Add) > 0 {
		t.Errorf("the pod may too much: %+v, %+v", all, own)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("the autoscaler has nothing to count by: %+v", c.Resources)
	}
}
