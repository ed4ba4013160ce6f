{{- /* Rules to look at exactly the objects that the task ready waits for; nothing when it names none. */ -}}
{{- define "iter8.readiness.rules" -}}
{{- $ready := .Values.ready | default dict }}
{{- range $kind := list
  (dict "key" "service" "group" "" "resource" "services")
  (dict "key" "pod" "group" "" "resource" "pods")
  (dict "key" "deploy" "group" "apps" "resource" "deployments")
  (dict "key" "statefulset" "group" "apps" "resource" "statefulsets")
  (dict "key" "daemonset" "group" "apps" "resource" "daemonsets")
  (dict "key" "job" "group" "batch" "resource" "jobs")
  (dict "key" "ksvc" "group" "serving.knative.dev" "resource" "services")
  (dict "key" "isvc" "group" "serving.kserve.io" "resource" "inferenceservices")
  (dict "key" "chaosengine" "group" "litmuschaos.io" "resource" "chaosengines") }}
{{- with index $ready $kind.key }}
- apiGroups: [{{ $kind.group | quote }}]
  resources: [{{ $kind.resource }}]
  resourceNames: [{{ . | toString | quote }}]
  verbs: [get]
{{- end }}
{{- end }}
{{- if $ready.service }}
{{- /* The EndpointSlices of a Service are found by label, which no resourceNames can express. */}}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
{{- end }}
{{- end }}
